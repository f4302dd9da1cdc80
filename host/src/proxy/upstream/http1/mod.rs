//! HTTP/1.1 towards upstreams (RFC 9112): one exchange at a time on a connection, driven by whoever waits for its answer.
//!
//! No task of its own, no queue, and no buffer between requests: what a call costs here, it costs a thousand times a second.

mod answer;
mod error;
mod receiving;
mod request;
mod sending;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{Method, Request, Response};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, ReadBuf};

pub(super) use self::error::Http1Error;
use self::receiving::Receiving;
use self::sending::Sending;
use super::OutBody;
use super::io::{Io, Stream};
use super::unanswered::Unanswered;
use crate::proxy::scratch;

/// How much is read in one go of a body that comes faster than it is asked for.
const LARGE: usize = 64 << 10;

/// An HTTP/1.1 connection. Dropped, it closes, in the midst of an exchange too.
#[derive(Debug)]
pub(super) struct Http1 {
    io: Io,
    /// What came and was not taken yet.
    ahead: Bytes,
    sending: Sending,
    receiving: Receiving,
    /// The upstream's word: whether another request may follow.
    persistent: bool,
    /// The last read took all there was room for.
    more: bool,
    /// When its last request began.
    used: Instant,
    /// The answer did not come at once.
    waited: bool,
}

impl Http1 {
    /// Speaks HTTP/1.1 on a connection that just came about.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            io: Io::new(stream),
            ahead: Bytes::new(),
            sending: Sending::default(),
            receiving: Receiving::Ended,
            persistent: true,
            more: false,
            used: Instant::now(),
            waited: false,
        }
    }

    /// Whether another request may follow: the last one was answered, and the upstream said nothing since, not even that it
    /// closes. What it says unasked would be taken for the next answer.
    pub(super) fn is_ready(&mut self) -> bool {
        self.is_reusable() && {
            let mut cx = Context::from_waker(Waker::noop());
            let mut byte = [0];
            Pin::new(&mut self.io).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
        }
    }

    /// The same, as far as is known without a look at the connection.
    pub(super) fn is_reusable(&self) -> bool {
        self.persistent && self.is_through() && self.sending.is_whole() && self.ahead.is_empty()
    }

    /// Whether the answer was taken to its end.
    pub(super) fn is_through(&self) -> bool {
        matches!(self.receiving, Receiving::Ended)
    }

    /// When it was used last: as its request began, where the answer came at once; else now. A look at the clock costs as much
    /// as some of the work.
    pub(super) fn used_until(&self) -> Instant {
        if self.waited { Instant::now() } else { self.used }
    }

    /// Sends a request and waits for its answer's head. Of the request, a body that is not in memory is taken.
    ///
    /// Who refuses a request before its end (401, 413) may close at once, and the answer is still there to be read: so a
    /// request that cannot be written is no error while there is something to read.
    pub(super) async fn send(
        &mut self,
        request: &mut Request<OutBody>,
        began: Instant,
    ) -> Result<Response<()>, Unanswered> {
        (self.used, self.waited) = (began, false);
        let mut begun = false;
        let (mut heard, mut informed) = (false, 0);
        let to_head = request.method() == Method::HEAD;
        let in_memory = request.body().is_in_memory();
        let outcome = poll_fn(|cx| {
            if !std::mem::replace(&mut begun, true) {
                self.sending.begin(request, &mut self.io, cx);
            }
            self.poll_answer(to_head, &mut heard, &mut informed, cx)
        });
        let error = match outcome.await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        Err(match error {
            error if in_memory && !heard && !self.sending.wrote_anything() => {
                Unanswered::Unsent(Box::new(std::mem::take(request)), error.into())
            }
            error if heard || error.is_of_request() => Unanswered::Broken(error.into()),
            error => Unanswered::Silent(error.into()),
        })
    }

    fn poll_answer(
        &mut self,
        to_head: bool,
        heard: &mut bool,
        informed: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<()>, Http1Error>> {
        self.send_on(cx)?;
        // What follows an answer before the final one is here already.
        let mut look = !self.ahead.is_empty();
        loop {
            if look && let Some(head) = answer::parse(&self.ahead, to_head)? {
                self.ahead.advance(head.length);
                if !head.is_informational() {
                    self.receiving = head.receiving;
                    self.persistent = head.persistent;
                    return Poll::Ready(Ok(head.answer));
                }
                *informed += 1;
                if *informed > answer::MOST_INFORMATIONAL {
                    return Poll::Ready(Err(answer::INFORMATIONAL));
                }
                look = !self.ahead.is_empty();
                continue;
            }
            self.more = false;
            let read = ready!(self.read(cx))?;
            if read.is_empty() {
                return Poll::Ready(Err(self.ended()));
            }
            *heard = true;
            if self.ahead.is_empty() {
                self.ahead = read;
                look = true;
            } else {
                let before = self.ahead.len();
                let mut all = BytesMut::from(std::mem::take(&mut self.ahead));
                all.extend_from_slice(&read);
                look = answer::may_end(&all, before);
                self.ahead = all.freeze();
            }
        }
    }

    /// The next piece of the answer's body; none at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Http1Error>>> {
        if let Err(error) = self.send_on(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            if matches!(self.receiving, Receiving::Ended) {
                return Poll::Ready(None);
            }
            if self.ahead.is_empty() {
                self.waited = true;
                match ready!(self.read(cx)) {
                    Ok(read) if !read.is_empty() => self.ahead = read,
                    Ok(_) if matches!(self.receiving, Receiving::UntilClose) => {
                        self.receiving = Receiving::Ended;
                        continue;
                    }
                    Ok(_) => return Poll::Ready(Some(Err(self.ended()))),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match self.receiving.take(&mut self.ahead) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// How much of the answer's body is still to come, where its head said that.
    pub(super) const fn left(&self) -> Option<u64> {
        self.receiving.left()
    }

    /// Goes on sending, as far as that goes. Only that the client's own body fails is an error.
    #[inline]
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<(), Http1Error> {
        if self.sending.is_done() { Ok(()) } else { self.sending.go_on(&mut self.io, cx) }
    }

    /// What came; nothing at the end. Little is read through memory that all share, so that an answer takes no more than its
    /// size; what comes fast gets memory of its own.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Http1Error>> {
        if self.more {
            let mut read = BytesMut::with_capacity(LARGE);
            let outcome = std::pin::pin!(self.io.read_buf(&mut read)).poll(cx);
            self.more = read.len() >= LARGE / 2;
            return Poll::Ready(match ready!(outcome) {
                Ok(_) => Ok(read.freeze()),
                Err(error) => Err(error.into()),
            });
        }
        scratch::to_read(|scratch| {
            let all = scratch.len();
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            self.more = read.filled().len() == all;
            Poll::Ready(Ok(Bytes::copy_from_slice(read.filled())))
        })
    }

    /// The connection is over. If that was seen in writing first, the words for it are those.
    fn ended(&mut self) -> Http1Error {
        self.sending.failure().map_or(Http1Error::Ended, Http1Error::Io)
    }
}

impl Drop for Http1 {
    fn drop(&mut self) {
        if self.is_reusable() {
            self.io.say_goodbye();
        }
    }
}
