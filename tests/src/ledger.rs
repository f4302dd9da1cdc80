//! An API and its token endpoint that keep book of each call, and that can be killed and started again.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// What was seen, by all that share it.
#[derive(Clone, Debug, Default)]
pub struct Book(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    tokens: HashSet<String>,
    without_credential: Vec<String>,
    seen: BTreeMap<String, Vec<Method>>,
}

impl Book {
    /// How many tokens were issued.
    pub fn issued(&self) -> usize {
        self.entries().tokens.len()
    }

    /// The calls that carried no token of ours.
    pub fn without_credential(&self) -> Vec<String> {
        self.entries().without_credential.clone()
    }

    /// How many calls arrived.
    pub fn arrived(&self) -> usize {
        self.entries().seen.values().map(Vec::len).sum()
    }

    /// Whether a call of this id arrived.
    pub fn knows(&self, id: &str) -> bool {
        self.entries().seen.contains_key(id)
    }

    /// The ids of calls that may not be made twice, and were.
    pub fn doubled(&self) -> Vec<String> {
        let entries = self.entries();
        let doubled = entries.seen.iter().filter(|(_, calls)| {
            calls.len() > 2 || calls.len() == 2 && calls.iter().any(|method| !method.is_idempotent())
        });
        doubled.map(|(id, calls)| format!("{id}: {calls:?}")).collect()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that writes into a book. `POST /token` issues a token (RFC 6749 §4.4); every other call needs one, and is
/// answered with its own `X-Id`, in a header and as the body;
/// only calls that have one stand in the book. Below `/late/` it thinks for
/// a moment, and below `/slow/` the answer's second half comes a second after
/// its first.
#[derive(Debug)]
pub struct Ledger {
    address: SocketAddr,
    book: Book,
    lifetime: Duration,
    runtime: Option<Runtime>,
    hang_up: Arc<Notify>,
}

impl Ledger {
    /// Starts one on a free port. Its tokens hold for `lifetime`.
    pub fn start(book: &Book, lifetime: Duration) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let mut ledger =
            Self { address, book: book.clone(), lifetime, runtime: None, hang_up: Arc::default() };
        ledger.serve(socket);
        ledger
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends it as a crash does: in the middle of whatever it was doing.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    /// Ends all connections, in the middle of whatever they were about, and goes on listening.
    pub fn hang_up(&self) {
        self.hang_up.notify_waiters();
    }

    /// Starts it again where it was.
    pub fn restart(&mut self) {
        let socket = TcpListener::bind(self.address).unwrap();
        self.serve(socket);
    }

    fn serve(&mut self, socket: TcpListener) {
        socket.set_nonblocking(true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (book, lifetime, hang_up) = (self.book.clone(), self.lifetime, Arc::clone(&self.hang_up));
        runtime.spawn(async move {
            let socket = tokio::net::TcpListener::from_std(socket).unwrap();
            while let Ok((stream, _)) = socket.accept().await {
                let (book, hang_up) = (book.clone(), Arc::clone(&hang_up));
                tokio::spawn(async move {
                    let answer = service_fn(|request| answer(book.clone(), lifetime, request));
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer);
                    tokio::select! { _ = serving => {}, () = hang_up.notified() => {} }
                });
            }
        });
        self.runtime = Some(runtime);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.kill();
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(
    book: Book,
    lifetime: Duration,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if request.uri().path() == "/token" {
        let token = {
            let mut entries = book.entries();
            let token = format!("token-{}", entries.tokens.len());
            entries.tokens.insert(token.clone());
            token
        };
        let token =
            json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime.as_secs() });
        let answer = Response::builder().header("content-type", "application/json");
        return Ok(answer.body(whole(token.to_string())).unwrap());
    }
    let id = text("x-id").unwrap_or_default().to_owned();
    let [slow, late] = ["/slow/", "/late/"].map(|part| request.uri().path().contains(part));
    {
        let mut entries = book.entries();
        let token = text(AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| entries.tokens.contains(token)) {
            entries.without_credential.push(format!("{} {}", request.method(), request.uri()));
            let refused = Response::builder().status(StatusCode::UNAUTHORIZED).body(whole(String::new()));
            return Ok(refused.unwrap());
        }
        if !id.is_empty() {
            entries.seen.entry(id.clone()).or_default().push(request.method().clone());
        }
    }
    let _ = request.into_body().collect().await;
    if late {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let body = if slow { halves(id.clone()) } else { whole(id.clone()) };
    Ok(Response::builder().header("x-id", id).body(body).unwrap())
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).boxed()
}

/// The text, a pause of a second, and the text again.
fn halves(text: String) -> Body {
    let (send, parts) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _ = send.send(text.clone()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = send.send(text).await;
    });
    Parts(parts).boxed()
}

struct Parts(tokio::sync::mpsc::Receiver<String>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|part| Some(Ok(Frame::data(part?.into()))))
    }
}
