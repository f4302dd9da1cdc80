use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::proxy::deadline::Limit;

/// The body of a request to an upstream.
#[derive(Debug, Default)]
pub(crate) enum OutBody {
    /// None.
    #[default]
    Empty,
    /// In memory: it can be sent again.
    Bytes(Bytes),
    /// The client's, passed on as it comes.
    Stream(Incoming, Option<Moves>),
}

/// A limit that begins anew whenever something of a body moved.
#[derive(Debug)]
pub(crate) struct Moves {
    /// That of the answer's head, and then of the answer: what it was given last holds.
    pub(crate) limit: Rc<Limit>,
}

impl OutBody {
    /// Whether it can be sent again.
    pub(crate) fn is_in_memory(&self) -> bool {
        match self {
            Self::Empty | Self::Bytes(_) => true,
            Self::Stream(stream, _) => stream.is_end_stream(),
        }
    }

    /// The same body once more, if it is in memory.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream(stream, _) if stream.is_end_stream() => Some(Self::Empty),
            Self::Stream(..) => None,
        }
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream(stream, moves) => {
                let polled = Pin::new(stream).poll_frame(cx);
                if let (Poll::Ready(_), Some(moves)) = (&polled, moves) {
                    moves.limit.begin_anew();
                }
                // What a client says in trailers is fields that nobody stripped, after the credential was placed: they go no
                // further (RFC 9110 §6.5.1).
                match polled {
                    Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => Poll::Ready(None),
                    polled => polled,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Stream(stream, _) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream, _) => stream.size_hint(),
        }
    }
}
