use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::proxy::joined::poll_write_joined;

/// A connection's bytes, of which small parts that are written together go out as one.
#[derive(Debug)]
pub(super) struct Io(Stream);

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    pub(super) fn new(stream: Stream) -> Self {
        Self(stream)
    }

    /// Whether nothing came and nothing ended, as far as can be seen at once. Whatever came is lost.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut read = ReadBuf::new(&mut byte);
        // However much this task did already: that it should pause would look like quiet.
        let look = unconstrained(poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut read)));
        pin!(look).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Whether TLS has something of its own to say, or to repeat: an alert for a renegotiation that it refuses is an answer to
    /// what was read, and goes out with the next flush (RFC 5246 §7.2.2).
    #[inline]
    pub(super) fn owes(&self) -> bool {
        match &self.0 {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.get_ref().1.wants_write(),
        }
    }

    /// How much one read gives at most: of TLS a record (RFC 8446 §5.1).
    pub(super) const fn most_at_once(&self) -> usize {
        match &self.0 {
            Stream::Plain(_) => 64 << 10,
            Stream::Tls(_) => RECORD,
        }
    }

    /// Whether something of so many bytes may have gone out although writing them failed. A part of a record tells nobody
    /// anything; of several, the first may have arrived.
    pub(super) const fn may_have_sent(&self, tried: usize) -> bool {
        match &self.0 {
            Stream::Plain(_) => false,
            Stream::Tls(_) => tried > RECORD,
        }
    }

    /// Says that nothing more comes, as far as that goes at once. TLS has words for it (RFC 8446 §6.1).
    pub(super) fn say_goodbye(&mut self) {
        if let Stream::Tls(stream) = &mut self.0 {
            let _ = Pin::new(stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// How much of what is said one record of TLS holds.
const RECORD: usize = 16 << 10;

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Stream::Plain(stream) => poll_write_joined(Pin::new(stream), cx, bufs),
            Stream::Tls(stream) => poll_write_joined(Pin::new(stream), cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
