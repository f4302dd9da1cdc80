use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::follow::{Follower, Stop};
use super::linger::Linger;
use super::{WireLimits, WireState};
use crate::proxy::joined::poll_write_joined;

/// A client's connection, of which the server's parser gets only heads that were judged whole, and bodies as they are
/// framed.
///
/// A refused head is replaced by a request that stands in for it, so that the service can answer with what
/// [`WireState::refusal`] says; nothing after it is read. A fault inside a body is an error of reading
/// (`InvalidData`, with the [`Fault`](super::Fault) inside). Writing passes through.
///
/// Bytes are judged where the parser wants them; only a part of a head that came alone is kept here. So a connection
/// between requests has no buffer.
pub(crate) struct Guarded<S> {
    io: S,
    follower: Follower,
    /// What was read and has not gone on.
    kept: Vec<u8>,
    /// So many of them are good.
    good: usize,
    /// So many of those went on.
    gone: usize,
    state: Arc<WireState>,
    /// Waits for the answer at a fork.
    waiting: Option<Waker>,
    linger: Linger,
}

/// The path of the stand-in. The judge refuses it, so that no client's request can have it.
pub(super) const STAND_IN_PATH: &str = "/%refused";
pub(super) const STAND_IN: &[u8] =
    b"GET /%refused HTTP/1.1\r\nhost: countersign\r\nconnection: close\r\n\r\n";

impl<S> Guarded<S> {
    /// The connection, of which `state` tells its service. Its runtime has time enabled.
    pub(crate) fn new(io: S, limits: WireLimits, state: Arc<WireState>) -> Self {
        Self {
            io,
            follower: Follower::new(limits),
            kept: Vec::new(),
            good: 0,
            gone: 0,
            state,
            waiting: None,
            linger: Linger::default(),
        }
    }

    /// Takes what was read behind the first `before` bytes of `buf`: what is good stays there, the rest is kept.
    fn take_in(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let read = &buf.filled()[before..];
        if self.kept.is_empty() {
            let good = self.follower.walk(read);
            self.kept.extend_from_slice(&read[good..]);
            buf.set_filled(before + good);
        } else {
            self.kept.extend_from_slice(read);
            buf.set_filled(before);
            self.judge_kept();
        }
        self.settle();
    }

    fn judge_kept(&mut self) {
        self.good += self.follower.walk(&self.kept[self.good..]);
    }

    /// After a walk: draws the consequences of a fault, and tells where the client is.
    fn settle(&mut self) {
        if let Some(stop) = self.follower.stopped() {
            self.kept.truncate(self.good);
            if let Stop::Head(fault) = stop {
                self.state.refuse(fault);
                self.kept.extend_from_slice(STAND_IN);
                self.good = self.kept.len();
            }
        }
        let phase = self.follower.phase(self.kept.len() - self.good);
        self.state.note(phase, self.follower.heads());
    }

    /// Hands on what is kept, up to so many of its bytes.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>, end: usize) -> bool {
        let length = buf.remaining().min(end - self.gone);
        buf.put_slice(&self.kept[self.gone..self.gone + length]);
        self.gone += length;
        if self.gone == end {
            self.kept.drain(..end);
            (self.good, self.gone) = (0, 0);
            if self.kept.is_empty() {
                self.kept = Vec::new();
            }
        }
        length > 0
    }

    /// The first answer's byte after a head that may upgrade: now it is known what follows.
    fn leave_fork(&mut self) {
        if !self.state.is_released() {
            self.follower.leave_fork();
            self.judge_kept();
            self.settle();
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.is_released() {
            return match this.kept.len() {
                0 => Pin::new(&mut this.io).poll_read(cx, buf),
                all => {
                    this.hand_on(buf, all);
                    Poll::Ready(Ok(()))
                }
            };
        }
        loop {
            let before = buf.filled().len();
            if buf.remaining() == 0 || (this.good > 0 && this.hand_on(buf, this.good)) {
                return Poll::Ready(Ok(()));
            }
            match this.follower.stopped() {
                Some(Stop::Head(_)) => return Poll::Pending,
                Some(Stop::Body(fault)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
                }
                None => {}
            }
            if this.follower.is_at_fork() {
                this.waiting = Some(cx.waker().clone());
                if !this.kept.is_empty() {
                    return Poll::Pending;
                }
            }
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            this.take_in(buf, before);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.follower.is_at_fork() {
            this.leave_fork();
        }
        Pin::new(&mut this.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.follower.is_at_fork() {
            this.leave_fork();
        }
        poll_write_joined(Pin::new(&mut this.io), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    /// When the client may still be sending what nobody reads, waits a moment for its end: a connection that is closed
    /// over unread bytes is reset, and the answer lost on its way (RFC 9112 §9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        if !this.state.is_released() && !this.follower.is_between_requests() {
            ready!(this.linger.poll(&mut this.io, cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::judge;
    use super::*;

    #[tokio::test]
    async fn a_connection_between_requests_has_no_buffer() {
        let (mut client, io) = duplex(64 * 1024);
        let mut guarded = Guarded::new(io, WireLimits::default(), Arc::default());
        let mut buffer = vec![0; 64 * 1024];
        let head = [b"GET /".as_slice(), &[b'x'; 20_000], b" HTTP/1.1\r\nHost: localhost\r\n\r\n"].concat();
        for parts in [head.split_at(0), head.split_at(15_000)] {
            client.write_all(parts.0).await.unwrap();
            let waits = std::future::poll_fn(|cx| {
                let mut buf = ReadBuf::new(&mut buffer);
                Poll::Ready(Pin::new(&mut guarded).poll_read(cx, &mut buf).is_pending())
            });
            assert!(waits.await);
            assert_eq!(guarded.kept, parts.0);
            client.write_all(parts.1).await.unwrap();
            assert_eq!(guarded.read(&mut buffer).await.unwrap(), head.len());
            assert_eq!(guarded.kept.capacity(), 0);
        }
    }

    #[test]
    fn nobody_can_send_the_stand_in_and_the_parser_takes_it() {
        assert!(judge(STAND_IN, &WireLimits::default()).is_err());
        assert_eq!(http::Uri::try_from(STAND_IN_PATH).unwrap().path(), STAND_IN_PATH);
        assert!(STAND_IN.starts_with(format!("GET {STAND_IN_PATH} ").as_bytes()));
    }
}
