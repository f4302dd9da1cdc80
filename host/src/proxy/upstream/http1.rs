use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::{AbortHandle, spawn_local};

use super::io::{Heard, Io, Stream};
use super::unanswered::Unanswered;
use super::{OutBody, head};

/// An HTTP/1.1 connection. Dropped, it closes, in the midst of an exchange too.
#[derive(Debug)]
pub(super) struct Http1 {
    requests: SendRequest<OutBody>,
    heard: Heard,
    /// Ends the connection where hyper would go on: with a request that was answered before its end.
    driver: Option<AbortHandle>,
}

impl Http1 {
    /// Speaks HTTP/1.1 on a connection that just came about.
    pub(super) async fn start(stream: Stream) -> hyper::Result<Self> {
        let io = Io::patient(stream);
        let heard = io.heard();
        let (requests, connection) = http1::handshake(TokioIo::new(io)).await?;
        let driver = spawn_local(async move {
            // What went wrong is told to the one whose request it was.
            let _ = connection.await;
        });
        Ok(Self { requests, heard, driver: Some(driver.abort_handle()) })
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
        Ok(Self { requests, heard, driver: None })
    }

    /// Whether the connection is open and has nothing to do.
    pub(super) fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    /// Takes a request, sends it and waits for its answer's head.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<OutBody>,
    ) -> Result<Response<Incoming>, Unanswered> {
        head::for_http1(request);
        self.heard.forget();
        let answer = self.requests.try_send_request(std::mem::take(request)).await;
        answer.map_err(|failed| Unanswered::of(failed, self.heard.anything()))
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver
            && !self.is_ready()
        {
            driver.abort();
        }
    }
}
