//! Requests are handed to the HTTP library, and once more where no connection took them up.
//!
//! The library hands a request to the task of a connection through a channel. One that is put in on one thread while
//! that task ends on another may stay in the channel, neither sent nor given back, for as long as anybody could put in
//! more; and that is the very one who waits for the answer (tokio's issue 7714). An API that retires its connections, as
//! nginx does after `keepalive_requests`, makes that happen about once in ten thousand connections on a busy machine.
//! So a request's body says whether a connection looked at it, and what was not looked at is taken back.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::{Client, Request, Response};
use tower::{Layer, Service};
use tracing::debug;

/// How often it is looked whether a connection took a request up.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks in a row must find that none did, and that none is being made for it.
const MOST_LOOKS: u8 = 2;
/// How often one request is handed in, at most.
const MOST_TRIES: u8 = 4;

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// Sends a request, whose body is given apart.
///
/// It is handed in again only when it certainly was not acted upon: no connection took it up, or the server said that it
/// did not look at it (RFC 9113 §6.8, §8.7). The time that takes is the caller's to bound.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn deliver(
    client: &Client,
    request: &Request,
    body: Bytes,
) -> Result<Response, reqwest::Error> {
    again(|offer| {
        let mut copy = Request::new(request.method().clone(), request.url().clone());
        *copy.headers_mut() = request.headers().clone();
        *copy.version_mut() = request.version();
        *copy.body_mut() = Some(reqwest::Body::wrap(offer.of(body.clone())));
        client.execute(copy)
    })
    .await
}

/// What may be known of a request that was handed in.
#[derive(Debug, Default)]
struct Progress {
    /// Whose it is: one of the three below.
    state: AtomicU8,
    /// How many connections are being made for it.
    connecting: AtomicUsize,
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Progress {
    /// The body of a request that is followed by this.
    fn of(self: &Arc<Self>, bytes: Bytes) -> Offered {
        Offered { bytes: Some(bytes), progress: self.clone() }
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    /// From waiting to another state, unless it was changed before; whether it is in that state now.
    fn turns(&self, state: u8) -> bool {
        self.state
            .compare_exchange(WAITING, state, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|now| now == state, |_| true)
    }

    /// Whether the request failed before a connection took it up, while there could be one: the library gives up where two
    /// connections that were being made turn out to speak HTTP/2, of which it keeps one.
    fn is_unsent(&self, error: &reqwest::Error) -> bool {
        error.is_request() && !error.is_connect() && self.turns(WITHDRAWN)
    }

    /// Returns when the request was not looked at for so long that it never will be, and was taken back.
    async fn overlooked(&self) {
        let mut looks = 0;
        while !self.is(TAKEN) {
            tokio::time::sleep(LOOK_EVERY).await;
            looks = if self.connecting.load(Ordering::Acquire) == 0 { looks + 1 } else { 0 };
            if looks >= MOST_LOOKS && self.turns(WITHDRAWN) {
                return;
            }
        }
        std::future::pending().await
    }
}

/// Hands a request in until it is answered.
async fn again<F>(mut hand_in: impl FnMut(&Arc<Progress>) -> F) -> Result<Response, reqwest::Error>
where
    F: Future<Output = Result<Response, reqwest::Error>>,
{
    let mut tries = 1;
    loop {
        let progress = Arc::default();
        let answer = PROGRESS.scope(Arc::clone(&progress), hand_in(&progress));
        let last = tries == MOST_TRIES;
        tokio::select! {
            answer = answer => match answer {
                Err(error) if !last && (is_refusal(&error) || progress.is_unsent(&error)) => {
                    debug!("nobody looked at a request");
                }
                outcome => return outcome,
            },
            () = progress.overlooked(), if !last => debug!("no connection took a request up"),
        }
        tries += 1;
    }
}

/// `REFUSED_STREAM`, or a connection that ends in peace: streams that it still answers are not failed by that.
fn is_refusal(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<h2::Error>() {
            return cause.is_remote()
                && match cause.reason() {
                    Some(h2::Reason::REFUSED_STREAM) => cause.is_reset(),
                    Some(h2::Reason::NO_ERROR) => cause.is_go_away(),
                    _ => false,
                };
        }
        next = cause.source();
    }
    false
}

/// A body in memory that tells when it is looked at. The first to ask whether it ends is the task of a connection, right
/// after it took the request from its channel and before anything of it is sent.
#[derive(Debug)]
struct Offered {
    bytes: Option<Bytes>,
    progress: Arc<Progress>,
}

impl Body for Offered {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        if !self.progress.turns(TAKEN) {
            return Poll::Ready(Some(Err(Withdrawn)));
        }
        let bytes = self.bytes.take().filter(|bytes| !bytes.is_empty());
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        // A request that was taken back must not be complete.
        self.progress.turns(TAKEN) && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Why the body of a request that was taken back comes to no end: then nobody acts on it.
#[derive(Debug)]
struct Withdrawn;

impl std::fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request was taken back, for no connection took it up")
    }
}

impl std::error::Error for Withdrawn {}

/// Tells requests that connections are being made for them: those wait for a reason.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TellsOfConnecting;

impl<S> Layer<S> for TellsOfConnecting {
    type Service = Connecting<S>;

    fn layer(&self, inner: S) -> Connecting<S> {
        Connecting(inner)
    }
}

/// Makes connections.
#[derive(Debug, Clone)]
pub(crate) struct Connecting<S>(S);

impl<S, R> Service<R> for Connecting<S>
where
    S: Service<R, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let under_way = PROGRESS.try_with(UnderWay::of).ok();
        let connected = self.0.call(to);
        Box::pin(async move {
            let outcome = connected.await;
            drop(under_way);
            outcome
        })
    }
}

/// A connection that is being made, as long as this lives.
struct UnderWay(Arc<Progress>);

impl UnderWay {
    fn of(progress: &Arc<Progress>) -> Self {
        progress.connecting.fetch_add(1, Ordering::AcqRel);
        Self(progress.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.connecting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::convert::Infallible;
    use std::future::pending;

    use http_body_util::BodyExt;
    use tokio::net::TcpListener;
    use tokio::time::{Instant, sleep};

    use super::*;

    fn answer() -> Result<Response, reqwest::Error> {
        Ok(http::Response::new("").into())
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_connection_took_up_is_taken_back_and_handed_in_again() {
        let (tries, first) = (Cell::new(0), Cell::new(None));
        let began = Instant::now();
        let outcome = again(|offer| {
            tries.set(tries.get() + 1);
            let body = offer.of(Bytes::from_static(b"order"));
            let lost = tries.get() == 1;
            if lost {
                first.set(Some(body));
            }
            async move { if lost { pending().await } else { answer() } }
        })
        .await;
        outcome.unwrap();
        assert_eq!((tries.get(), began.elapsed()), (2, LOOK_EVERY * u32::from(MOST_LOOKS)));
        let late = first.take().unwrap();
        assert!(!late.is_end_stream(), "it does not look whole");
        assert!(late.collect().await.is_err(), "whoever comes late gets nothing of it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_up_or_waits_for_its_connection_is_left_alone() {
        for connects in [false, true] {
            let tries = Cell::new(0);
            let outcome = again(|offer| {
                tries.set(tries.get() + 1);
                let body = offer.of(Bytes::new());
                async move {
                    if connects {
                        let mut connector = TellsOfConnecting.layer(tower::service_fn(|()| async {
                            sleep(LOOK_EVERY * 9).await;
                            Ok::<_, Infallible>(())
                        }));
                        connector.call(()).await.unwrap();
                    }
                    assert!(body.is_end_stream());
                    sleep(LOOK_EVERY * 60).await;
                    answer()
                }
            });
            outcome.await.unwrap();
            assert_eq!(tries.get(), 1);
        }
    }

    fn client() -> reqwest::ClientBuilder {
        Client::builder().no_proxy().connector_layer(TellsOfConnecting)
    }

    /// Hands a request in, and says how often.
    async fn counted(client: &Client, url: &str, tries: &Cell<u8>, progress: &RefCell<Arc<Progress>>) -> u16 {
        let outcome = again(|offer| {
            tries.set(tries.get() + 1);
            *progress.borrow_mut() = offer.clone();
            client.post(url).body(reqwest::Body::wrap(offer.of(Bytes::from_static(b"order")))).send()
        });
        outcome.await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn the_library_asks_a_body_for_its_end_when_a_connection_takes_the_request_up_and_not_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (held, wait) = tokio::sync::oneshot::channel();
        let (release, released) = tokio::sync::oneshot::channel();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::Builder::new()
                .max_concurrent_streams(1)
                .handshake::<_, Bytes>(stream)
                .await
                .unwrap();
            let mut whole = 0;
            let (mut held, mut released) = (Some(held), Some(released));
            while let Some(request) = connection.accept().await {
                let (request, mut respond) = request.unwrap();
                let mut body = request.into_body();
                let respond_later = (whole == 1).then(|| (held.take().unwrap(), released.take().unwrap()));
                whole += 1;
                tokio::spawn(async move {
                    assert_eq!(body.data().await.unwrap().unwrap(), "order");
                    if let Some((held, released)) = respond_later {
                        held.send(()).unwrap();
                        released.await.unwrap();
                    }
                    respond.send_response(http::Response::new(()), true).unwrap();
                });
                if whole == 4 {
                    connection.graceful_shutdown();
                }
            }
            whole
        };
        let client = client().http2_prior_knowledge().build().unwrap();
        let calls = async {
            let (tries, progress) = (Cell::new(0), RefCell::default());
            assert_eq!(counted(&client, &url, &tries, &progress).await, 200);
            let first = async {
                let (tries, progress) = (Cell::new(0), RefCell::default());
                let status = counted(&client, &url, &tries, &progress).await;
                (status, tries.get())
            };
            // The server takes one at a time: the next one is kept by the HTTP/2 library, and the one after that is left in
            // the connection's channel.
            let others = async {
                wait.await.unwrap();
                let (tries, progress) = (Cell::new(0), RefCell::default());
                let (left, offered) = (Cell::new(0), RefCell::default());
                let waits = async {
                    while left.get() < 2 {
                        sleep(LOOK_EVERY / 10).await;
                    }
                    release.send(()).unwrap();
                };
                let next = counted(&client, &url, &tries, &progress);
                let last = counted(&client, &url, &left, &offered);
                let (next, last, ()) = tokio::join!(next, last, waits);
                ((next, tries.get()), (last, left.get()))
            };
            assert_eq!(tokio::join!(first, others), ((200, 1), ((200, 1), (200, 2))));
            drop(client);
        };
        assert_eq!(tokio::join!(server, calls).0, 4, "what was taken back was not sent");
    }

    #[tokio::test]
    async fn a_request_knows_that_its_connection_is_being_made() {
        // Nobody speaks TLS there.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let client = client().build().unwrap();
        let (tries, progress) = (Cell::new(0), RefCell::<Arc<Progress>>::default());
        let accepted = async {
            let kept = listener.accept().await.unwrap();
            let progress = progress.borrow().clone();
            assert!(progress.is(WAITING));
            assert_eq!(progress.connecting.load(Ordering::Acquire), 1);
            kept
        };
        tokio::select! {
            _ = counted(&client, &url, &tries, &progress) => panic!("answered"),
            _ = accepted => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_handed_in_without_end() {
        let tries = Cell::new(0);
        let outcome = again(|_| {
            tries.set(tries.get() + 1);
            pending()
        });
        assert!(tokio::time::timeout(LOOK_EVERY * 60, outcome).await.is_err());
        assert_eq!(tries.get(), MOST_TRIES);
    }
}
