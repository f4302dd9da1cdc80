use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::deadline::Limit;
use super::forward;
use super::generation::{Entrance, Generation};
use super::wire::{Guarded, Phase, WireLimits, WireState};
use super::worker::Worker;
use crate::config::ServeLimits;

/// A client's connection.
pub(crate) struct Client {
    pub(crate) wire: Arc<WireState>,
    door: u64,
    /// The user, of a client that came by a unix socket.
    uid: Option<u32>,
    /// What the door means, as it was looked up last.
    entrance: RefCell<Option<Known>>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    /// Calls whose answers are not through.
    under_way: Cell<u32>,
    /// A call ended since the client was last looked at: its time begins anew.
    ended: Cell<bool>,
    /// The limit of the answer that is on its way.
    passing: RefCell<Option<Rc<Limit>>>,
    /// Whether HTTP is over, so that what is under way is a tunnel.
    over: Cell<bool>,
    /// Where the client was, and since when.
    seen: Cell<(Phase, u32, Instant)>,
}

/// What a door means in one configuration; nothing, if that has it no more.
type Known = (Arc<Generation>, Option<Arc<Entrance>>);

/// What the worker wants of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    GoOn,
    /// Answer what was asked, and no more.
    Finish,
    /// At once.
    Close,
}

impl Client {
    pub(crate) fn new(door: u64, uid: Option<u32>) -> Rc<Self> {
        Rc::new(Self {
            wire: Arc::default(),
            door,
            uid,
            entrance: RefCell::default(),
            order: Cell::new(Order::GoOn),
            waker: RefCell::default(),
            under_way: Cell::new(0),
            ended: Cell::new(false),
            passing: RefCell::default(),
            over: Cell::new(false),
            seen: Cell::new((Phase::Idle, 0, Instant::now())),
        })
    }

    /// Serves the connection until one side ends it, and the tunnel that it may have become.
    pub(crate) async fn serve<S>(self: Rc<Self>, worker: Rc<Worker>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Rc::clone(&self).serve_http(worker, stream).await;
        self.over.set(true);
        std::future::poll_fn(|cx| {
            if self.under_way.get() == 0 || self.order.get() == Order::Close {
                return Poll::Ready(());
            }
            self.remember(cx.waker());
            Poll::Pending
        })
        .await;
    }

    async fn serve_http<S>(self: Rc<Self>, worker: Rc<Worker>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let local = worker.local();
        let limits = local.generation().limits();
        let wire = WireLimits { head_bytes: limits.max_header_bytes, headers: limits.max_headers };
        let io = TokioIo::new(Guarded::new(stream, wire, Arc::clone(&self.wire)));
        let mut http = http1::Builder::new();
        // Slow clients are the worker's business, which needs no timer for each of them.
        http.header_read_timeout(None);
        http.max_buf_size(limits.max_header_bytes.max(64 << 10) + (16 << 10));
        if limits.max_headers > 100 {
            http.max_headers(limits.max_headers);
        }
        drop(local);
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let (client, worker) = (Rc::clone(&self), Rc::clone(&worker));
            async move {
                let mut answer = forward::answer(&worker, &client, request).await;
                if worker.is_draining() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(http.serve_connection(io, service).with_upgrades());
        std::future::poll_fn(|cx| {
            match self.order.get() {
                Order::GoOn => {}
                Order::Finish => connection.as_mut().graceful_shutdown(),
                Order::Close => return Poll::Ready(()),
            }
            self.remember(cx.waker());
            // What went wrong is told to the client where that is possible, and is nobody else's business.
            connection.as_mut().poll(cx).map(|outcome| {
                if let Err(error) = outcome {
                    tracing::debug!(%error, "a client's connection ended");
                }
            })
        })
        .await;
    }

    fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        match &mut *known {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// What the client's door means in a configuration; nothing, too, if that lets in its user no more.
    pub(crate) fn entrance(&self, generation: &Arc<Generation>) -> Option<Arc<Entrance>> {
        let mut known = self.entrance.borrow_mut();
        if let Some((of, entrance)) = &*known
            && Arc::ptr_eq(of, generation)
        {
            return entrance.clone();
        }
        let lets_in = |entrance: &&Arc<Entrance>| self.uid.is_none_or(|uid| entrance.uids.contains(&uid));
        let entrance = generation.entrance(self.door).filter(lets_in).cloned();
        *known = Some((Arc::clone(generation), entrance.clone()));
        entrance
    }

    /// A call of the client's began.
    pub(crate) fn begin(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    /// A call of the client's is over.
    pub(crate) fn end(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.ended.set(true);
        drop(self.passing.take());
        if self.over.get() {
            self.wake();
        }
    }

    /// An answer goes to the client, which may not stop taking it for longer than that.
    pub(crate) fn passes(&self, limit: &Rc<Limit>) {
        self.passing.replace(Some(Rc::clone(limit)));
    }

    /// Has the connection end when what was asked is answered.
    pub(crate) fn finish(&self) {
        if self.order.get() != Order::Close {
            self.order(Order::Finish);
        }
    }

    /// Ends the connection at once.
    pub(crate) fn close(&self) {
        self.order(Order::Close);
    }

    fn order(&self, order: Order) {
        self.order.set(order);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Ends a connection whose client takes too long: for a head, for its next request, or to take its answer. While it
    /// does not take that, nobody asks for the rest of it, and nobody else would see that its time is over.
    pub(crate) fn look(&self, now: Instant, limits: &ServeLimits) {
        let (phase, heads, since) = self.seen.get();
        let (phase_now, heads_now) = (self.wire.phase(), self.wire.heads());
        let ended = self.ended.replace(false);
        if (phase, heads) != (phase_now, heads_now) || ended || self.under_way.get() > 0 {
            self.seen.set((phase_now, heads_now, now));
            if self.passing.borrow().as_ref().is_some_and(|limit| limit.is_reached()) {
                self.close();
            }
            return;
        }
        let stayed = now.saturating_duration_since(since);
        match phase_now {
            Phase::Head if stayed >= limits.header_timeout => self.close(),
            // Who connects and says nothing has no more time than for a head.
            Phase::Idle if heads_now == 0 && stayed >= limits.header_timeout => self.close(),
            // It was told to finish, and did not take the end of its answer since.
            Phase::Idle if stayed >= limits.keep_alive + limits.header_timeout => self.close(),
            Phase::Idle if stayed >= limits.keep_alive => self.finish(),
            // It had its answer before the end of its body, and can have no other.
            Phase::Body if stayed >= limits.header_timeout => self.close(),
            Phase::Head | Phase::Idle | Phase::Body => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// What is wanted of a client that sent this and nothing more, so many seconds after that.
    async fn wanted(sent: &str, seconds: &[u64]) -> Vec<Order> {
        let client = Client::new(0, None);
        let (mut theirs, ours) = duplex(1024);
        theirs.write_all(sent.as_bytes()).await.unwrap();
        let mut guarded = Guarded::new(ours, WireLimits::default(), Arc::clone(&client.wire));
        let _ = tokio::time::timeout(Duration::from_millis(20), guarded.read(&mut [0; 1024])).await;
        let (now, limits) = (Instant::now(), ServeLimits::default());
        client.look(now, &limits);
        let look = |seconds: &u64| {
            client.look(now + Duration::from_secs(*seconds), &limits);
            client.order.get()
        };
        seconds.iter().map(look).collect()
    }

    #[tokio::test]
    async fn the_time_for_a_head_begins_when_the_call_before_it_is_over() {
        let client = Client::new(0, None);
        let (mut theirs, ours) = duplex(1024);
        theirs.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET").await.unwrap();
        let mut guarded = Guarded::new(ours, WireLimits::default(), Arc::clone(&client.wire));
        assert!(guarded.read(&mut [0; 1024]).await.unwrap() > 0);
        client.begin();
        let (now, limits) = (Instant::now(), ServeLimits::default());
        let look = |seconds| {
            client.look(now + Duration::from_secs(seconds), &limits);
            client.order.get()
        };
        assert_eq!([look(0), look(30)], [Order::GoOn; 2]);
        client.end();
        assert_eq!([look(40), look(49), look(50)], [Order::GoOn, Order::GoOn, Order::Close]);
    }

    #[tokio::test]
    async fn whoever_takes_too_long_is_let_go() {
        use Order::{Close, Finish, GoOn};
        let head = "GET / HTTP/1.1\r\nHost: a\r\n";
        assert_eq!(wanted(head, &[9, 10]).await, [GoOn, Close]);
        // Between two requests: asked to finish, and then, if the end of an answer is still not taken, not asked.
        assert_eq!(wanted(&format!("{head}\r\n"), &[74, 75, 84, 85]).await, [GoOn, Finish, Finish, Close]);
        // In the midst of a body that nobody reads any more.
        let body = format!("{head}Content-Length: 9\r\n\r\nx");
        assert_eq!(wanted(&body, &[9, 10]).await, [GoOn, Close]);
    }
}
