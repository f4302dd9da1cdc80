use countersign::{Error, Origin};

/// The URL of an endpoint to which secrets may be sent: `https`, or plain `http` to this machine itself.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    url: Box<str>,
    origin: Origin,
}

impl Endpoint {
    /// Reads a URL from settings or from a discovery document.
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let origin: Origin = url.parse()?;
        if url.contains('#') {
            return Err(Error::config(
                "has a fragment, which no endpoint has (RFC 6749 §3.2); cut it off at #",
            ));
        }
        if !origin.is_https() && !origin.is_loopback() {
            return Err(Error::config(
                "is not https, so secrets and tokens would travel in clear; use https:// (plain http is for loopback only)",
            ));
        }
        Ok(Self { url: url.into(), origin })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Says in an error whose answer it is about. Path and query stay out: some hold a tenant's key.
    pub(crate) fn named(&self, error: Error) -> Error {
        self.named_as("token endpoint", error)
    }

    pub(crate) fn named_as(&self, what: &str, error: Error) -> Error {
        let named = Error::new(error.kind(), format!("{what} at {}: {}", self.origin, error.message()));
        match error.retry_after() {
            Some(wait) => named.with_retry_after(wait),
            None => named,
        }
    }
}
