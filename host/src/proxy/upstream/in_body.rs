use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::http1::Http1;
use super::{Upstream, UpstreamError};

/// The body of an upstream's answer, as it comes.
///
/// Read to its end it gives the connection back; dropped before, it closes the connection, for what is left of the
/// answer would be taken for the next one.
#[derive(Debug)]
pub(crate) struct InBody {
    source: Source,
    upstream: Rc<Upstream>,
}

#[derive(Debug)]
enum Source {
    /// A connection that has nothing else to do.
    Http1(Box<Http1>),
    /// One that is shared, or used once.
    Hyper(Incoming),
    /// It came to its end, and the connection is back.
    Ended,
}

impl InBody {
    /// Of an answer that comes on `connection`.
    pub(super) fn of_http1(connection: Box<Http1>, upstream: Rc<Upstream>) -> Self {
        let mut this = Self { source: Source::Http1(connection), upstream };
        this.give_back_at_end();
        this
    }

    /// Of one that comes on a connection which is shared, or used once.
    pub(super) const fn of_hyper(body: Incoming, upstream: Rc<Upstream>) -> Self {
        Self { source: Source::Hyper(body), upstream }
    }

    #[inline]
    fn give_back_at_end(&mut self) {
        if let Source::Http1(connection) = &self.source
            && connection.is_through()
            && let Source::Http1(connection) = std::mem::replace(&mut self.source, Source::Ended)
        {
            self.upstream.give_back(connection);
        }
    }
}

impl Body for InBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = &mut *self;
        Poll::Ready(match &mut this.source {
            Source::Http1(connection) => {
                let read = ready!(connection.poll_body(cx));
                // Of a body of known length nobody asks for more than its last byte.
                this.give_back_at_end();
                read.map(|piece| match piece {
                    Ok(bytes) => Ok(Frame::data(bytes)),
                    Err(error) => {
                        this.source = Source::Ended;
                        Err(UpstreamError::over_http1(this.upstream.origin(), &error))
                    }
                })
            }
            Source::Hyper(body) => {
                let read = ready!(Pin::new(body).poll_frame(cx));
                read.map(|frame| {
                    frame.map_err(|error| UpstreamError::reading(this.upstream.origin(), &error))
                })
            }
            Source::Ended => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Http1(connection) => connection.is_through(),
            Source::Hyper(body) => body.is_end_stream(),
            Source::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1(connection) => connection.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Source::Hyper(body) => body.size_hint(),
            Source::Ended => SizeHint::with_exact(0),
        }
    }
}
