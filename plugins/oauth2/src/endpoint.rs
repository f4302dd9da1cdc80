use countersign::{Error, Origin};

/// The URL of an endpoint to which secrets may be sent: `https`, or plain `http` to this machine itself.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    url: Box<str>,
    origin: Origin,
    /// Whether the issuer tells everybody of it.
    is_published: bool,
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
        Ok(Self { url: url.into(), origin, is_published: false })
    }

    /// As [`new`](Self::new), of what the issuer's metadata says.
    pub(crate) fn published(url: &str) -> Result<Self, Error> {
        Ok(Self { is_published: true, ..Self::new(url)? })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Says in an error whose answer it is about. The query stays out, and so does a path that is not public, for some hold a tenant's
    /// key; where the operator wrote the URL out, the host adds it.
    pub(crate) fn named(&self, error: Error) -> Error {
        self.named_as("token endpoint", error)
    }

    pub(crate) fn named_as(&self, what: &str, error: Error) -> Error {
        let path = if self.is_published { self.path() } else { "" };
        let message = format!("{what} at {}{path}: {}", self.origin, error.message());
        let named = Error::new(error.kind(), message);
        match error.retry_after() {
            Some(wait) => named.with_retry_after(wait),
            None => named,
        }
    }

    fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split('?').next().unwrap_or_default();
        rest.find('/').map_or("", |slash| rest[slash..].trim_end_matches('/'))
    }
}
