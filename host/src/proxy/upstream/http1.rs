use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Waker};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::driver::Driver;
use super::io::{Heard, Io, Stream};
use super::unanswered::Unanswered;
use super::{OutBody, head};

/// An HTTP/1.1 connection. Dropped, it closes, in the midst of an exchange too.
#[derive(Debug)]
pub(super) struct Http1 {
    requests: SendRequest<OutBody>,
    heard: Heard,
    driver: Driver,
}

impl Http1 {
    /// Speaks HTTP/1.1 on a connection that just came about.
    pub(super) async fn start(stream: Stream) -> hyper::Result<Self> {
        let io = Io::patient(stream);
        let heard = io.heard();
        let (requests, connection) = http1::handshake(TokioIo::new(io)).await?;
        let mut this = Self { requests, heard, driver: Driver::of(connection) };
        this.look();
        Ok(this)
    }

    /// As [`start`](Self::start), and the connection can become another protocol's. It lives on after this is dropped,
    /// until its answer's body or the other protocol ends.
    pub(super) async fn start_upgradable(stream: Stream) -> hyper::Result<Self> {
        let io = Io::new(stream);
        let heard = io.heard();
        let (requests, connection) = http1::handshake(TokioIo::new(io)).await?;
        let connection = connection.with_upgrades();
        spawn_local(async move {
            let _ = connection.await;
        });
        Ok(Self { requests, heard, driver: Driver::Over })
    }

    /// Whether the connection is open and has nothing to do, as far as was seen when it was last looked at.
    pub(super) fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    /// Sees whether the peer closed the connection meanwhile.
    pub(super) fn look(&mut self) {
        self.driver.poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Moves the bytes of an answer's body that are there, for the one who reads it; `false` when somebody else does that.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        self.driver.poll(cx)
    }

    /// Takes a request, sends it and waits for its answer's head.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<OutBody>,
    ) -> Result<Response<Incoming>, Unanswered> {
        head::for_http1(request);
        self.heard.forget();
        if !request.body().is_in_memory() {
            self.driver.leave();
        }
        let mut answer = pin!(self.requests.try_send_request(std::mem::take(request)));
        let driver = &mut self.driver;
        let answer = poll_fn(|cx| {
            driver.poll(cx);
            answer.as_mut().poll(cx)
        });
        answer.await.map_err(|failed| Unanswered::of(failed, self.heard.anything()))
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        match self.is_ready() {
            true => self.driver.take_leave(),
            // In the midst of an exchange hyper would go on, with a request that was answered before its end.
            false => self.driver.abort(),
        }
    }
}
