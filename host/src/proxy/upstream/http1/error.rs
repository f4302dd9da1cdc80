use std::fmt;
use std::io;

use crate::proxy::wire::Fault;

/// Why an exchange over HTTP/1.1 failed. Nothing of what came is in it.
#[derive(Debug)]
pub(in super::super) enum Http1Error {
    /// What the socket or TLS said.
    Io(io::Error),
    /// The connection ended before the answer did.
    Ended,
    /// What came is no answer, or not one that can be read in one way only.
    Answer(&'static str),
    /// The body of the request failed while it was passed on.
    RequestBody(Option<hyper::Error>),
}

impl Http1Error {
    /// Whether the one who asks is to blame.
    pub(in super::super) const fn is_of_request(&self) -> bool {
        matches!(self, Self::RequestBody(_))
    }
}

impl From<io::Error> for Http1Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for Http1Error {
    /// What is wrong, without the advice for clients.
    fn from(fault: Fault) -> Self {
        Self::Answer(fault.what.split(';').next().unwrap_or_default())
    }
}

impl fmt::Display for Http1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Ended => f.write_str("the connection ended"),
            Self::Answer(what) => f.write_str(what),
            Self::RequestBody(Some(error)) => error.fmt(f),
            Self::RequestBody(None) => f.write_str("its body is not as long as its Content-Length says"),
        }
    }
}

impl std::error::Error for Http1Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::RequestBody(Some(error)) => Some(error),
            Self::Ended | Self::Answer(_) | Self::RequestBody(None) => None,
        }
    }
}
