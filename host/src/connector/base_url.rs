use std::borrow::Cow;
use std::fmt;

use countersign::{Error, Origin};
use http::Uri;
use percent_encoding::percent_decode_str;

use super::layout::{Authority, Beginning, Name};

/// The origin and path prefix that a connector's credentials are bound to.
///
/// A request belongs to it when it goes to the very origin and its path is the prefix or below it, in every reading
/// of the path that a server may have: with dot segments, encoded once or more often, with `\` or `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    origin: Origin,
    /// The name of the scheme.
    name: Name,
    /// The authority as it was written, for a comparison without parsing.
    written: Authority,
    /// The authority as clients send it, where it was written in another way.
    sent: Option<Box<str>>,
    /// The path without a slash at its end: empty for the whole origin.
    prefix: Box<str>,
    beginning: Beginning,
}

impl BaseUrl {
    /// Reads an absolute `http` or `https` URL without user, query and fragment.
    ///
    /// # Errors
    /// What is wrong; the URL itself is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err("has a fragment (`#…`); leave it out".into());
        }
        let uri: Uri = text.parse().map_err(|_| "is not a URL; it looks like `https://host/path`")?;
        let origin = Origin::of(&uri).map_err(|error| error.message().to_owned())?;
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.ends_with(':') {
            return Err("has a `:` without a port".into());
        }
        if authority.contains(':') && !authority.ends_with(']') && uri.port_u16().is_none_or(|port| port == 0)
        {
            return Err("has a port beyond 1 to 65535".into());
        }
        if uri.query().is_some() {
            return Err("has a query (`?…`); leave it out".into());
        }
        let prefix = uri.path().strip_suffix('/').unwrap_or(uri.path());
        if let Some(fault) = path_fault(prefix) {
            return Err(fault.into());
        }
        let rendered = origin.to_string();
        let (scheme, sent) = rendered.split_once("://").unwrap_or_default();
        Ok(Self {
            name: Name::of(scheme),
            written: Authority::of(authority),
            sent: (sent != authority).then(|| sent.into()),
            prefix: prefix.into(),
            beginning: Beginning::of(prefix),
            origin,
        })
    }

    /// Host and, where it is not the scheme's own, port: the `Host` of requests (RFC 9110 §7.2).
    pub fn authority(&self) -> &str {
        self.sent.as_deref().unwrap_or(self.written.as_str())
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
    // For its parts, too: by a call of its own the hot path would take a twentieth longer.
    #[inline(always)]
    pub fn covers(&self, uri: &Uri) -> bool {
        self.has_origin(uri) && self.has_path(uri)
    }

    /// A path with query, relative to this URL, as an absolute URI: `/42?x=1` below `https://a.example/api` is
    /// `https://a.example/api/42?x=1`.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the path is not valid or leads out of the prefix.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, Error> {
        let slash =
            if path_and_query.starts_with(['/', '?']) || path_and_query.is_empty() { "" } else { "/" };
        let (scheme, authority, prefix) = (self.scheme(), self.written.as_str(), &self.prefix);
        let text = format!("{scheme}://{authority}{prefix}{slash}{path_and_query}");
        let uri: Uri = text.parse().map_err(|_| Error::config("the path is not valid in a URL"))?;
        if self.covers(&uri) {
            Ok(uri)
        } else {
            Err(Error::config(format!("the path leads out of {self}, which the credential is bound to")))
        }
    }

    const fn scheme(&self) -> &'static str {
        if self.origin.is_https() { "https" } else { "http" }
    }

    #[inline(always)]
    fn has_origin(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return false };
        let as_written = self.name.is(scheme.as_str()) && self.written.is(authority.as_str());
        as_written || self.has_origin_in_other_spelling(uri)
    }

    /// Short, in other case, or with a default port that is written.
    #[inline(never)]
    fn has_origin_in_other_spelling(&self, uri: &Uri) -> bool {
        let same = |written| uri.scheme_str() == Some(self.scheme()) && written == self.written.as_str();
        uri.authority().is_some_and(|authority| same(authority.as_str()))
            || Origin::of(uri).is_ok_and(|origin| origin == self.origin)
    }

    #[inline(always)]
    fn has_path(&self, uri: &Uri) -> bool {
        // The query is looked at, too, at first: to find where it begins costs more.
        self.prefix.is_empty()
            || uri.path_and_query().is_some_and(|it| self.beginning.is_followed_plainly(it.as_str()))
            || self.has_path_by_parts(uri)
    }

    /// Short paths, long prefixes, and paths in which there is something to be looked at more closely.
    #[inline(never)]
    fn has_path_by_parts(&self, uri: &Uri) -> bool {
        match uri.path().strip_prefix(&*self.prefix) {
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

/// Spellings of a base path by which something else could be reached than what it seems.
fn path_fault(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || lower.contains('\\') {
        return Some("has an encoded slash or a backslash in its path");
    }
    if has_dot_segments(path) {
        return Some("has a `.` or `..` segment in its path");
    }
    (path.contains("//") || path.ends_with('/')).then_some("has an empty segment (`//`) in its path")
}

/// Whether some server could read `.` or `..` segments out of a path.
#[inline]
pub(crate) fn has_dot_segments(path: &str) -> bool {
    path.contains(['.', '%']) && has_dot_segments_in_some_reading(path)
}

#[cold]
fn has_dot_segments_in_some_reading(path: &str) -> bool {
    let mut path = Cow::Borrowed(path);
    // Servers decode once, some twice; a path that is still encoded after three rounds is not meant well.
    for _ in 0..3 {
        // Parameters are no part of a name for some, and for others a text ends at its first NUL.
        let dots = |segment: &str| matches!(segment.split([';', '\0']).next(), Some("." | ".."));
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
        path = Cow::Owned(decoded);
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
            "https://orders.example/api/..%00/admin",
            "https://orders.example/api/..%2500",
            "https://orders.example/api/x%5c..%5c..%5cadmin",
            "https://orders.example/api/.",
            "/api/42",
        ] {
            assert!(!base().covers(&uri.parse().unwrap()), "{uri}");
        }
    }

    #[test]
    fn prefixes_of_every_length_are_compared_whole() {
        for length in 1..40 {
            let prefix = format!("/{}", "v1.2-orders".repeat(4)[..length].trim_end_matches('.'));
            let base = BaseUrl::parse(&format!("https://orders.example{prefix}")).unwrap();
            let covers = |path: &str| base.covers(&format!("https://orders.example{path}").parse().unwrap());
            for rest in ["", "/", "/4711", "/4711/lines/0815", "/a.b/lines/0815"] {
                assert!(covers(&format!("{prefix}{rest}")), "{prefix} {rest}");
            }
            for at in 1..prefix.len() {
                let mut other = prefix.clone();
                other.replace_range(at..=at, "~");
                assert!(!covers(&format!("{other}/4711/lines/0815")), "{prefix} {other}");
            }
            assert!(!covers(&format!("{prefix}s/4711/lines/0815")), "{prefix}");
            assert!(!covers(&format!("{prefix}/4711/lines/../0815")), "{prefix}");
            assert!(!covers(&format!("{prefix}/4711/lines/%2e%2e")), "{prefix}");
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
    fn base_urls_are_an_origin_and_a_path() {
        let url = BaseUrl::parse("https://Orders.example/api/v1/").unwrap();
        assert_eq!((url.origin().host(), url.prefix()), ("orders.example", "/api/v1"));
        assert_eq!(BaseUrl::parse("https://a.example/").unwrap().prefix(), "");
        assert_eq!(BaseUrl::parse("http://[::1]:80").unwrap().to_string(), "http://[::1]");
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for text in [
            "",
            "orders.example",
            "/api",
            "ftp://orders.example",
            "https://user@orders.example",
            "https://user:password@orders.example",
            "https://orders.example/?x=1",
            "https://orders.example/#x",
            "https://orders.example/a/../b",
            "https://orders.example/a/%2E%2e/b",
            "https://orders.example/a%2fb",
            "https://orders.example/a//b",
            "https://orders.example//",
            "https://orders.example:",
            "https://orders.example:0",
            "https://orders.example:65536",
            "https://orders.example/ü x",
        ] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }
}
