use std::fmt;

use countersign::Origin;
use http::Uri;

/// Where the calls of a connector go: an origin and a path under which they stay.
///
/// The path has no `.` or `..` segments, no empty ones, no encoded slashes and no slash at its end, so that a request
/// path can be compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    origin: Origin,
    path: String,
}

impl BaseUrl {
    /// Reads an absolute `http` or `https` URL without user, query and fragment.
    ///
    /// # Errors
    /// What is wrong; the URL itself is not repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err("has a fragment (`#…`); leave it out".into());
        }
        let uri: Uri = text.parse().map_err(|_| "is not a URL; it looks like `https://host/path`")?;
        let origin = Origin::of(&uri).map_err(|error| error.message().to_owned())?;
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.ends_with(':') {
            return Err("has a `:` without a port".into());
        }
        if authority.contains(':') && !authority.ends_with(']') && uri.port_u16().is_none_or(|port| port == 0) {
            return Err("has a port beyond 1 to 65535".into());
        }
        if uri.query().is_some() {
            return Err("has a query (`?…`); leave it out".into());
        }
        let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
        path_fault(path).map_or_else(|| Ok(Self { origin, path: path.to_owned() }), |fault| Err(fault.into()))
    }

    /// Scheme, host and port.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path, without a slash at its end: empty for the whole origin.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Spellings of a path by which something else could be reached than what it seems.
fn path_fault(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || lower.contains('\\') {
        return Some("has an encoded slash or a backslash in its path");
    }
    lower.split('/').skip(1).find_map(|segment| match segment.replace("%2e", ".").as_str() {
        "." | ".." => Some("has a `.` or `..` segment in its path"),
        "" => Some("has an empty segment (`//`) in its path"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_an_origin_and_a_path() {
        let url = BaseUrl::parse("https://Orders.example/api/v1/").unwrap();
        assert_eq!((url.origin().host(), url.path()), ("orders.example", "/api/v1"));
        assert_eq!(BaseUrl::parse("https://a.example/").unwrap().path(), "");
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
