use std::error::Error as _;

use http::Request;
use hyper::client::conn::TrySendError;

use super::OutBody;
use super::http1::Http1Error;

/// A request without an answer. Which of these it is decides whether it may be sent once more.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing of it went out; here it is.
    Unsent(Box<Request<OutBody>>, Cause),
    /// The upstream said that it did not look at it (RFC 9113 §6.8, §8.7).
    Refused(Cause),
    /// It went out, and not a byte came back.
    Silent(Cause),
    /// Something came back that is no answer.
    Broken(Cause),
}

/// What the protocol said.
#[derive(Debug)]
pub(super) enum Cause {
    Http1(Http1Error),
    Http2(hyper::Error),
}

impl From<Http1Error> for Cause {
    fn from(error: Http1Error) -> Self {
        Self::Http1(error)
    }
}

impl Unanswered {
    /// Of a request that was sent over HTTP/2.
    pub(super) fn over_http2(mut failed: TrySendError<Request<OutBody>>) -> Self {
        let request = failed.take_message();
        let error = failed.into_error();
        match request {
            Some(request) => Self::Unsent(Box::new(request), Cause::Http2(error)),
            None if is_refusal(&error) => Self::Refused(Cause::Http2(error)),
            // The client's own body failed: that will not go better a second time.
            None if error.is_user() => Self::Broken(Cause::Http2(error)),
            None => Self::Silent(Cause::Http2(error)),
        }
    }

    /// Whether the connection is of no use for other requests either. Only HTTP/2 knows a request that fails alone.
    pub(super) fn ends_connection(&self) -> bool {
        let reset = match self.cause() {
            Cause::Http1(_) => false,
            Cause::Http2(error) => http2(error).is_some_and(h2::Error::is_reset),
        };
        matches!(self, Self::Unsent(..)) || !reset
    }

    pub(super) fn cause(&self) -> &Cause {
        let (Self::Unsent(_, cause) | Self::Refused(cause) | Self::Silent(cause) | Self::Broken(cause)) =
            self;
        cause
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
