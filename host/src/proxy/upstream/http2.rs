use std::future::Future;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::OutBody;
use super::io::{Io, Stream};
use super::unanswered::Unanswered;
use crate::transport::{PING_AFTER, PONG_WITHIN};

/// How much of one answer, and of all on a connection, may wait here for clients that read slowly, in bytes. When the
/// connection's is used up, nobody's answer goes on: so it is that of very many answers.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// How large an answer's header fields may be, in bytes.
const MOST_HEADERS: u32 = 64 * 1024;

/// A handle of an HTTP/2 connection, which many requests share.
#[derive(Debug, Clone)]
pub(super) struct Http2 {
    requests: SendRequest<OutBody>,
}

impl Http2 {
    /// Speaks HTTP/2 on a connection that just came about.
    pub(super) async fn start(stream: Stream) -> hyper::Result<Self> {
        let (requests, connection) = Builder::new(Local)
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MOST_HEADERS)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PONG_WITHIN)
            .handshake(TokioIo::new(Io::new(stream)))
            .await?;
        spawn_local(async move {
            // What went wrong is told to those whose requests were under way.
            let _ = connection.await;
        });
        Ok(Self { requests })
    }

    /// Whether the connection is open.
    pub(super) fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    /// Takes a request in HTTP/2's form, sends it and waits for its answer's head.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<OutBody>,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.requests.try_send_request(std::mem::take(request)).await.map_err(Unanswered::over_http2)
    }
}

/// Runs hyper's tasks on this thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}
