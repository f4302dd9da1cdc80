use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::call::Call;
use super::deadline::Limit;
use super::upstream::InBody;

/// The body of an answer to a client.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// The proxy's own.
    Own(Bytes),
    /// The upstream's, passed on as it comes.
    Upstream(Box<Passing>),
}

/// An upstream's body on its way.
#[derive(Debug)]
pub(crate) struct Passing {
    /// What was read ahead, to see whether the answer is a rejection.
    pub(crate) front: VecDeque<Bytes>,
    pub(crate) rest: InBody,
    /// Nothing may move for so long.
    pub(crate) idle: Rc<Limit>,
    pub(crate) idle_timeout: Duration,
    /// Over when the body is through, or the client gone.
    pub(crate) call: Call,
    /// What broke it, until what came before that has gone out.
    pub(crate) broken: Option<Broken>,
}

/// Why a body ended before its end; the connection is closed then, so that the client knows.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

impl AnswerBody {
    pub(crate) const fn own(bytes: Bytes) -> Self {
        Self::Own(bytes)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Own(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Upstream(passing) => passing.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_empty(),
            Self::Upstream(passing) => {
                passing.front.is_empty() && passing.broken.is_none() && passing.rest.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(passing) => {
                let front = passing.front.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
                let rest = passing.rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(front + rest.lower());
                if let Some(upper) = rest.upper() {
                    hint.set_upper(front + upper);
                }
                hint
            }
        }
    }
}

impl Passing {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(bytes) = self.front.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        match Pin::new(&mut self.rest).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.idle.restart(self.idle_timeout);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(connector = self.call.connector(), %error, "an answer was cut off");
                // Told at once, it would end the connection with the head still unwritten, where that came together with it.
                self.broken = Some(error.into());
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.idle.poll(cx).map(|()| {
                let seconds = self.idle_timeout.as_secs_f32();
                tracing::warn!(
                    connector = self.call.connector(),
                    "an answer was ended on which nothing moved for {seconds} s"
                );
                Some(Err("nothing moved for too long".into()))
            }),
        }
    }
}
