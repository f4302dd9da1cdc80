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

use super::forward;
use super::generation::{Entrance, Generation};
use super::wire::{Guarded, Phase, WireLimits, WireState};
use super::worker::Worker;
use crate::config::ServeLimits;

/// A client's connection.
pub(crate) struct Client {
    pub(crate) wire: Arc<WireState>,
    door: u64,
    /// What the door means, as it was looked up last.
    entrance: RefCell<Option<Known>>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    /// Calls whose answers are not through.
    under_way: Cell<u32>,
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
    pub(crate) fn new(door: u64) -> Rc<Self> {
        Rc::new(Self {
            wire: Arc::default(),
            door,
            entrance: RefCell::default(),
            order: Cell::new(Order::GoOn),
            waker: RefCell::default(),
            under_way: Cell::new(0),
            seen: Cell::new((Phase::Idle, 0, Instant::now())),
        })
    }

    /// Serves the connection until one side ends it.
    pub(crate) async fn serve<S>(self: Rc<Self>, worker: Rc<Worker>, stream: S)
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

    /// What the client's door means in a configuration.
    pub(crate) fn entrance(&self, generation: &Arc<Generation>) -> Option<Arc<Entrance>> {
        let mut known = self.entrance.borrow_mut();
        if let Some((of, entrance)) = &*known
            && Arc::ptr_eq(of, generation)
        {
            return entrance.clone();
        }
        let entrance = generation.entrance(self.door).cloned();
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
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Ends a connection whose client takes too long, be it for a head, be it for its next request.
    pub(crate) fn look(&self, now: Instant, limits: &ServeLimits) {
        let (phase, heads, since) = self.seen.get();
        let (phase_now, heads_now) = (self.wire.phase(), self.wire.heads());
        if (phase, heads) != (phase_now, heads_now) || self.under_way.get() > 0 {
            self.seen.set((phase_now, heads_now, now));
            return;
        }
        let stayed = now.saturating_duration_since(since);
        match phase_now {
            Phase::Head if stayed >= limits.header_timeout => self.close(),
            // Who connects and says nothing has no more time than for a head.
            Phase::Idle if heads_now == 0 && stayed >= limits.header_timeout => self.close(),
            Phase::Idle if stayed >= limits.keep_alive => self.finish(),
            _ => {}
        }
    }
}
