use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::io::{Io, Stream};
use super::{OutBody, head};

/// Sends a request over HTTP/1.1 on a connection of its own, that can become another protocol's (RFC 9110 §7.8). It lives on
/// until its answer's body or the other protocol ends.
pub(super) async fn send(stream: Stream, mut request: Request<OutBody>) -> hyper::Result<Response<Incoming>> {
    head::for_http1(&mut request);
    let (mut requests, connection) = http1::handshake(TokioIo::new(Io::new(stream))).await?;
    let connection = connection.with_upgrades();
    spawn_local(async move {
        let _ = connection.await;
    });
    requests.send_request(request).await
}
