use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::both_ways::BothWays;
use super::http1::{Http1, Http1Error};
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
    /// One whose request is still on its way.
    BothWays(BothWays),
    /// One that is shared, or used once.
    Hyper(Incoming),
    /// It came to its end, and the connection is back.
    Ended,
}

impl InBody {
    /// Of an answer that comes on `connection`.
    pub(super) fn of_http1(connection: Box<Http1>, upstream: Rc<Upstream>) -> Self {
        let both_ways = connection.awaits_request() && !connection.is_through();
        let source =
            if both_ways { Source::BothWays(BothWays::start(connection)) } else { Source::Http1(connection) };
        let mut this = Self { source, upstream };
        this.give_back_at_end();
        this
    }

    /// Of one that comes on a connection which is shared, or used once.
    pub(super) const fn of_hyper(body: Incoming, upstream: Rc<Upstream>) -> Self {
        Self { source: Source::Hyper(body), upstream }
    }

    #[inline]
    fn give_back_at_end(&mut self) {
        let is_through = match &self.source {
            Source::Http1(connection) => connection.is_through(),
            Source::BothWays(exchange) => exchange.is_through(),
            Source::Hyper(_) | Source::Ended => false,
        };
        if is_through {
            let connection = match std::mem::replace(&mut self.source, Source::Ended) {
                Source::Http1(connection) => Some(connection),
                Source::BothWays(exchange) => exchange.into_connection(),
                Source::Hyper(_) | Source::Ended => None,
            };
            connection.into_iter().for_each(|connection| self.upstream.give_back(connection));
        }
    }

    /// A piece that came over HTTP/1.1.
    fn took(
        &mut self,
        read: Option<Result<Bytes, Http1Error>>,
    ) -> Option<Result<Frame<Bytes>, UpstreamError>> {
        // Of a body of known length nobody asks for more than its last byte.
        self.give_back_at_end();
        read.map(|piece| match piece {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(error) => {
                self.source = Source::Ended;
                Err(UpstreamError::over_http1(self.upstream.origin(), &error))
            }
        })
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
                this.took(read)
            }
            Source::BothWays(exchange) => {
                let read = ready!(exchange.poll_body(cx));
                this.took(read)
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
            Source::BothWays(exchange) => exchange.is_through(),
            Source::Hyper(body) => body.is_end_stream(),
            Source::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1(connection) => connection.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Source::BothWays(exchange) => exchange.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Source::Hyper(body) => body.size_hint(),
            Source::Ended => SizeHint::with_exact(0),
        }
    }
}
