use std::fmt;

use countersign::{Error, Origin};
use http::Uri;
use http::uri::Scheme;
use percent_encoding::percent_decode_str;

/// The origin and path prefix that a connector's credentials are bound to.
///
/// A request belongs to it when it goes to the very origin and its path is the prefix or below it, in every reading
/// of the path that a server may have: with dot segments, encoded once or more often, with `\` or `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    origin: Origin,
    scheme: Scheme,
    /// The authority as it was written, for a comparison without parsing.
    authority: String,
    /// The path without a slash at its end: empty for the whole origin.
    prefix: String,
}

impl BaseUrl {
    /// Parses a connector's `base_url`.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when it is not an absolute http(s) URL, carries a user, a query or a
    /// fragment, or has dot segments.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.contains('#') {
            return Err(Error::config("has a fragment; a base URL ends with its path"));
        }
        let uri: Uri = text.parse().map_err(|_| Error::config("is not a URL"))?;
        let origin = Origin::of(&uri)?;
        if uri.query().is_some() {
            return Err(Error::config("has a query; a base URL ends with its path"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        if has_dot_segments(&prefix) {
            return Err(Error::config("has `.` or `..` in its path"));
        }
        let scheme = if origin.is_https() { Scheme::HTTPS } else { Scheme::HTTP };
        let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        Ok(Self { origin, scheme, authority, prefix })
    }

    /// The origin.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path prefix without a slash at its end; empty for the whole origin.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a request to `uri` may carry the connector's credentials.
    pub fn covers(&self, uri: &Uri) -> bool {
        self.has_origin(uri) && self.has_path(uri.path())
    }

    /// A path with query, relative to this URL, as an absolute URI: `/42?x=1` below `https://a.example/api` is
    /// `https://a.example/api/42?x=1`.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the path is not valid or leads out of the prefix.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, Error> {
        let slash = if path_and_query.starts_with(['/', '?']) || path_and_query.is_empty() { "" } else { "/" };
        let text = format!("{}://{}{}{slash}{path_and_query}", self.scheme, self.authority, self.prefix);
        let uri: Uri = text.parse().map_err(|_| Error::config("the path is not valid in a URL"))?;
        if self.covers(&uri) {
            Ok(uri)
        } else {
            Err(Error::config(format!("the path leads out of {self}, which the credential is bound to")))
        }
    }

    fn has_origin(&self, uri: &Uri) -> bool {
        match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) if *scheme == self.scheme && authority.as_str() == self.authority => true,
            // Spelled differently (case, default port), or another origin.
            _ => Origin::of(uri).is_ok_and(|origin| origin == self.origin),
        }
    }

    fn has_path(&self, path: &str) -> bool {
        if self.prefix.is_empty() {
            return true;
        }
        match path.strip_prefix(self.prefix.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => !has_dot_segments(rest),
            _ => false,
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

/// Whether some server could read `.` or `..` segments out of a path.
fn has_dot_segments(path: &str) -> bool {
    if !path.bytes().any(|byte| matches!(byte, b'.' | b'%')) {
        return false;
    }
    let mut path = path.to_owned();
    // Servers decode once, some twice; a path that is still encoded after three rounds is not meant well.
    for _ in 0..3 {
        let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        if path.split(['/', '\\']).any(dots) {
            return true;
        }
        if !path.contains('%') {
            return false;
        }
        let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    path.contains('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> BaseUrl {
        BaseUrl::parse("https://orders.example/api/").unwrap()
    }

    #[test]
    fn its_own_paths_are_covered() {
        for uri in [
            "https://orders.example/api",
            "https://orders.example/api/",
            "https://orders.example/api/42?next=/../..",
            "https://ORDERS.example:443/api/v1.2/%41",
            "https://orders.example/api/a..b/.well-known/100%25",
        ] {
            assert!(base().covers(&uri.parse().unwrap()), "{uri}");
        }
    }

    #[test]
    fn other_origins_and_ways_out_of_the_prefix_are_not_covered() {
        for uri in [
            "http://orders.example/api",
            "https://orders.example:8443/api",
            "https://orders.example.evil.example/api",
            "https://orders.example@evil.example/api",
            "https://evil.example/api",
            "https://orders.example/apis",
            "https://orders.example/",
            "https://orders.example/api/../admin",
            "https://orders.example/api/%2e%2e/admin",
            "https://orders.example/api/.%2E/admin",
            "https://orders.example/api/..%2fadmin",
            "https://orders.example/api/%252e%252e/admin",
            "https://orders.example/api/..;/admin",
            "https://orders.example/api/x%5c..%5c..%5cadmin",
            "https://orders.example/api/.",
            "/api/42",
        ] {
            assert!(!base().covers(&uri.parse().unwrap()), "{uri}");
        }
    }

    #[test]
    fn paths_join_below_the_prefix() {
        assert_eq!(base().join("/42?x=1").unwrap(), "https://orders.example/api/42?x=1");
        assert_eq!(base().join("42").unwrap(), "https://orders.example/api/42");
        assert_eq!(base().join("").unwrap(), "https://orders.example/api");
        assert_eq!(base().join("?x").unwrap(), "https://orders.example/api?x");
        assert!(base().join("/../admin").is_err());
        assert!(base().join("/a b").is_err());
    }

    #[test]
    fn a_base_url_is_checked_when_parsed() {
        for text in ["orders.example", "ftp://a.example", "https://u:p@a.example", "https://a.example/x?y", "/x", "https://a.example/x#y", "https://a.example/a/../b"] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
