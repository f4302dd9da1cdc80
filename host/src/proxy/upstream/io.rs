use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::proxy::joined::poll_write_joined;

/// A connection's bytes.
///
/// It notes when the peer said something, so that a request is only repeated when nothing was. And, if it is patient, it
/// says nothing of a request that cannot be written any more: who refuses a request before its end (401, 413) may close
/// at once, and the answer is still there to be read. Reading tells in the end that the connection is gone.
#[derive(Debug)]
pub(super) struct Io {
    stream: Stream,
    heard: Heard,
    /// Whether a write that failed waits for what reading finds out.
    patient: bool,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether a byte came from the peer since the note was last taken back.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub(super) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Io {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, heard: Heard::default(), patient: false }
    }

    /// Says nothing of writes that fail, for HTTP/1.1 exchanges.
    pub(super) fn patient(stream: Stream) -> Self {
        Self { patient: true, ..Self::new(stream) }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    fn written(&self, outcome: io::Result<usize>) -> Poll<io::Result<usize>> {
        match outcome {
            // A dead socket is readable, so that the one who waits here is woken by reading.
            Err(_) if self.patient => Poll::Pending,
            outcome => Poll::Ready(outcome),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            self.heard.0.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        });
        self.written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(match &mut self.stream {
            Stream::Plain(stream) => poll_write_joined(Pin::new(stream), cx, bufs),
            Stream::Tls(stream) => poll_write_joined(Pin::new(stream), cx, bufs),
        });
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        });
        match outcome {
            Err(_) if self.patient => Poll::Pending,
            outcome => Poll::Ready(outcome),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
