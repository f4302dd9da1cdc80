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
    /// Why it broke off; told when it is asked for once more.
    broken: Option<UpstreamError>,
}

impl InBody {
    /// Of an answer that came on `connection`; none where the connection is shared, or used once.
    pub(super) fn new(body: Incoming, upstream: Rc<Upstream>, connection: Option<Http1>) -> Self {
        let mut this = Self { body, upstream, connection, broken: None };
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
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_pending()
            && let Some(connection) = &mut this.connection
            && connection.drive(cx)
        {
            polled = Pin::new(&mut this.body).poll_frame(cx);
        }
        Poll::Ready(match ready!(polled) {
            Some(Ok(frame)) => {
                // Of a body of known length nobody asks for more than its last byte.
                this.give_back_at_end();
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.connection = None;
                this.broken = Some(UpstreamError::reading(this.upstream.origin(), &error));
                // What came before goes out first: of an answer that fails at once, its client would not see the head.
                cx.waker().wake_by_ref();
                return Poll::Pending;
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
