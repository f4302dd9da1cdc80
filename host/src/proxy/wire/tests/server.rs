//! A real server behind a [`Guarded`] connection, and what it comes to see.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::corpus::Verdict;
use super::super::{Fault, Guarded, WireLimits, WireState};

/// A client that sends these pieces, one a read, and then nothing more.
pub(super) struct Pieces(VecDeque<Vec<u8>>);

impl Pieces {
    pub(super) fn new(bytes: &[u8], sizes: impl IntoIterator<Item = usize>) -> Self {
        let mut rest = bytes;
        let mut pieces = VecDeque::new();
        for size in sizes {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(size.clamp(1, rest.len()));
            pieces.push_back(piece.to_vec());
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push_back(rest.to_vec());
        }
        Self(pieces)
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.front_mut() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(piece);
            *piece = rest;
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A request as the service saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
    /// None, if it did not come to its end.
    pub(super) body: Option<Vec<u8>>,
    pub(super) trailers: Vec<(String, Vec<u8>)>,
    pub(super) refusal: Option<Fault>,
}

impl Seen {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.refusal, &self.body) {
            (Some(fault), _) => Verdict::Refused(fault.status),
            (None, Some(_)) => Verdict::Passes,
            (None, None) => Verdict::Cut,
        }
    }
}

fn listed(fields: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

/// What a server sees of those bytes when they come in pieces of these sizes, and how its connection ended.
pub(super) fn serve(
    bytes: &[u8],
    sizes: impl IntoIterator<Item = usize>,
) -> (Vec<Seen>, Arc<WireState>, Ended) {
    let state = Arc::new(WireState::default());
    let guarded = Guarded::new(Pieces::new(bytes, sizes), WireLimits::default(), Arc::clone(&state));
    let (seen, ended) = serve_on(guarded, &state);
    (seen, state, ended)
}

/// What a server without a guard sees.
pub(super) fn serve_unguarded(bytes: &[u8]) -> (Vec<Seen>, Ended) {
    serve_on(Pieces::new(bytes, []), &Arc::default())
}

/// How a connection ended, as the server says.
pub(super) type Ended = Result<(), hyper::Error>;

fn serve_on<IO>(io: IO, state: &Arc<WireState>) -> (Vec<Seen>, Ended)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let all = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let refusal = state.refusal(request.uri().path());
        let all = Arc::clone(&all);
        async move {
            let (head, body) = request.into_parts();
            let collected = body.collect().await.ok();
            let trailers = collected.as_ref().and_then(|body| body.trailers().map(listed));
            all.lock().unwrap().push(Seen {
                method: head.method.to_string(),
                target: head.uri.to_string(),
                fields: listed(&head.headers),
                body: collected.map(|body| body.to_bytes().to_vec()),
                trailers: trailers.unwrap_or_default(),
                refusal,
            });
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(io), service).with_upgrades(),
    );
    let seen = std::mem::take(&mut *all.lock().unwrap());
    (seen, ended)
}

/// What is read from a connection through a buffer of that size, and the error that ended it. Where nothing comes, it
/// is as if an answer was written.
pub(super) fn raw<IO: AsyncRead + AsyncWrite + Unpin>(
    mut io: IO,
    buffer: usize,
) -> (Vec<u8>, Option<io::Error>) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = Vec::new();
    let mut buffer = vec![0; buffer];
    let mut idle = 0;
    while idle < 2 {
        let mut buf = ReadBuf::new(&mut buffer);
        match Pin::new(&mut io).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => break,
            Poll::Ready(Ok(())) => {
                bytes.extend_from_slice(buf.filled());
                idle = 0;
            }
            Poll::Ready(Err(error)) => return (bytes, Some(error)),
            Poll::Pending => {
                assert!(Pin::new(&mut io).poll_write(&mut cx, b"HTTP/1.1 200 OK\r\n").is_ready());
                idle += 1;
            }
        }
    }
    (bytes, None)
}
