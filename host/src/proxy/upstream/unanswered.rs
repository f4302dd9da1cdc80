use std::error::Error as _;

use http::Request;
use hyper::client::conn::TrySendError;

use super::OutBody;

/// A request without an answer. Which of these it is decides whether it may be sent once more.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing of it went out; here it is.
    Unsent(Box<Request<OutBody>>, hyper::Error),
    /// The upstream said that it did not look at it (RFC 9113 §6.8, §8.7).
    Refused(hyper::Error),
    /// It went out, and not a byte came back.
    Silent(hyper::Error),
    /// Something came back that is no answer.
    Broken(hyper::Error),
}

impl Unanswered {
    pub(super) fn of(mut failed: TrySendError<Request<OutBody>>, heard: bool) -> Self {
        let request = failed.take_message();
        let error = failed.into_error();
        match request {
            Some(request) => Self::Unsent(Box::new(request), error),
            None if is_refusal(&error) => Self::Refused(error),
            // The client's own body failed: that will not go better a second time.
            None if heard || error.is_user() => Self::Broken(error),
            None => Self::Silent(error),
        }
    }

    /// Whether the connection is of no use for other requests either. Only HTTP/2 knows a request that fails alone.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Unsent(..)) || http2(self.error()).is_none_or(|cause| !cause.is_reset())
    }

    pub(super) fn error(&self) -> &hyper::Error {
        let (Self::Unsent(_, error) | Self::Refused(error) | Self::Silent(error) | Self::Broken(error)) =
            self;
        error
    }
}

/// `REFUSED_STREAM`, or a connection that ends in peace: streams that it still answers are not failed by that.
fn is_refusal(error: &hyper::Error) -> bool {
    http2(error).is_some_and(|cause| match cause.reason() {
        Some(h2::Reason::REFUSED_STREAM) => cause.is_remote(),
        Some(h2::Reason::NO_ERROR) => cause.is_remote() && cause.is_go_away(),
        _ => false,
    })
}

fn http2(error: &hyper::Error) -> Option<&h2::Error> {
    error.source().and_then(|cause| cause.downcast_ref())
}
