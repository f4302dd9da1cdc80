use std::error::Error as StdError;
use std::fmt;
use std::io;

use countersign::Origin;

use super::http1::Http1Error;

/// Why an upstream gave no answer, or none to the end. Names the origin and the innermost cause; never a path, a query
/// or a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamError {
    kind: UpstreamErrorKind,
    words: String,
}

/// What went wrong with an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamErrorKind {
    /// No connection came about: no such name, refused, no route.
    Connect,
    /// TLS failed: a certificate that is not trusted, for another name, or ours was refused.
    Tls,
    /// No connection within the time for it.
    Timeout,
    /// The connection ended before the answer did.
    Closed,
    /// What came is not HTTP, or not an answer to what was asked.
    Protocol,
    /// The client's own body failed while it was passed on: the upstream is not to blame.
    RequestBody,
}

impl UpstreamErrorKind {
    /// A word for metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::RequestBody => "request-body",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Connect | Self::Tls => "cannot be reached",
            Self::Timeout => "took too long to connect",
            Self::Closed => "gave no whole answer",
            Self::Protocol => "gave an answer that cannot be passed on",
            Self::RequestBody => "did not get the whole request",
        }
    }
}

impl UpstreamError {
    pub(super) fn new(kind: UpstreamErrorKind, origin: &Origin, cause: impl fmt::Display) -> Self {
        Self { kind, words: format!("{origin} {}: {cause}", kind.what()) }
    }

    /// What the connecting system calls or the TLS handshake said.
    pub(super) fn connecting(origin: &Origin, error: &io::Error) -> Self {
        let kind = if is_tls(error) { UpstreamErrorKind::Tls } else { UpstreamErrorKind::Connect };
        Self::new(kind, origin, innermost(error))
    }

    /// What HTTP/1.1 said, instead of an answer or in the midst of it.
    pub(super) fn over_http1(origin: &Origin, error: &Http1Error) -> Self {
        let kind = match error {
            Http1Error::Io(error) if is_tls(error) => UpstreamErrorKind::Tls,
            Http1Error::Io(_) | Http1Error::Ended => UpstreamErrorKind::Closed,
            Http1Error::Answer(_) => UpstreamErrorKind::Protocol,
            Http1Error::RequestBody(_) => UpstreamErrorKind::RequestBody,
        };
        Self::new(kind, origin, innermost(error))
    }

    /// What hyper said, instead of an answer's head.
    pub(super) fn exchanging(origin: &Origin, error: &hyper::Error) -> Self {
        let kind = if error.is_user() {
            UpstreamErrorKind::RequestBody
        } else if error.is_parse() {
            UpstreamErrorKind::Protocol
        } else if chain(error).any(|error| is(error, &[io::ErrorKind::InvalidData])) {
            // An alert of TLS, of which HTTP/2 leaves the words and this. A socket has no invalid data.
            UpstreamErrorKind::Tls
        } else {
            UpstreamErrorKind::Closed
        };
        Self::new(kind, origin, innermost(error))
    }

    /// What hyper said in the midst of an answer's body.
    pub(super) fn reading(origin: &Origin, error: &hyper::Error) -> Self {
        let kind = if chain(error).any(is_tls) {
            UpstreamErrorKind::Tls
        } else if chain(error)
            .any(|error| is(error, &[io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput]))
        {
            // The body's framing.
            UpstreamErrorKind::Protocol
        } else {
            UpstreamErrorKind::Closed
        };
        Self::new(kind, origin, innermost(error))
    }

    /// What went wrong.
    pub(crate) const fn kind(&self) -> UpstreamErrorKind {
        self.kind
    }

    /// Whether time ran out.
    pub(crate) fn is_timeout(&self) -> bool {
        self.kind == UpstreamErrorKind::Timeout
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for UpstreamError {}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// What the operating system, the resolver or TLS said; the layers above only repeat it.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is_some_and(|inner| inner.is::<rustls::Error>())
}

fn is(error: &(dyn StdError + 'static), kinds: &[io::ErrorKind]) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| kinds.contains(&error.kind()))
}
