use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A small HTTP server on a free port of this machine; it ends with its value.
pub(super) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `answer` until dropped.
    pub(super) async fn start<F>(answer: F) -> std::io::Result<Self>
    where
        F: Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = Arc::clone(&answer);
                let service = service_fn(move |request| respond(Arc::clone(&answer), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A status and a JSON body.
pub(super) struct Answer(pub(super) StatusCode, pub(super) serde_json::Value);

impl Answer {
    pub(super) fn ok(body: serde_json::Value) -> Self {
        Self(StatusCode::OK, body)
    }

    pub(super) fn unauthorized(why: &str) -> Self {
        Self(StatusCode::UNAUTHORIZED, serde_json::json!({ "error": why }))
    }
}

async fn respond<F>(answer: Arc<F>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, http::Error>
where
    F: Fn(&Request<Bytes>) -> Answer,
{
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, 64 * 1024).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let Answer(status, json) = answer(&Request::from_parts(parts, body));
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if status == StatusCode::UNAUTHORIZED {
        response = response.header("www-authenticate", "Bearer");
    }
    response.body(Full::new(json.to_string().into()))
}
