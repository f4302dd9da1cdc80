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
    body: Incoming,
    upstream: Rc<Upstream>,
    connection: Option<Http1>,
}

impl InBody {
    /// Of an answer that came on `connection`; none where the connection is shared, or used once.
    pub(super) fn new(body: Incoming, upstream: Rc<Upstream>, connection: Option<Http1>) -> Self {
        let mut this = Self { body, upstream, connection };
        this.give_back_at_end();
        this
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(connection) = self.connection.take() {
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
        Poll::Ready(match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // Of a body of known length nobody asks for more than its last byte.
                this.give_back_at_end();
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.connection = None;
                Some(Err(UpstreamError::reading(this.upstream.origin(), &error)))
            }
            None => {
                this.give_back();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
