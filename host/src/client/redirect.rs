use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, StatusCode, Uri};

/// What a redirect answer asks for (RFC 9110 §15.4).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) to: Uri,
    pub(super) method: Method,
    pub(super) keeps_body: bool,
}

impl Redirect {
    /// Reads the answer to a request of `method` to `from`; `None` when it is no redirect, or one that only a person
    /// could follow.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, method: &Method, from: &Uri) -> Option<Self> {
        let (method, keeps_body) = match status {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => (method.clone(), true),
            StatusCode::SEE_OTHER if *method == Method::HEAD => (Method::HEAD, false),
            StatusCode::SEE_OTHER => (Method::GET, false),
            // RFC 9110 §15.4.2: a POST becomes a GET, as everybody does; other methods stay.
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if *method == Method::POST => {
                (Method::GET, false)
            }
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => (method.clone(), true),
            _ => return None,
        };
        let location = headers.get(LOCATION)?.to_str().ok()?;
        let to = resolve(from, location)?;
        Some(Self { to, method, keeps_body })
    }
}

/// Removes what must not go elsewhere although the application itself put it on: its own credentials.
pub(super) fn strip_for_elsewhere(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
}

/// Removes what described a body that is not sent again.
pub(super) fn strip_body_headers(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
        headers.remove(name);
    }
}

/// A reference relative to a URI (RFC 3986 §5.2), as far as servers send them.
pub(crate) fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str()?;
    if reference.contains("://") {
        return reference.parse().ok();
    }
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}").parse().ok();
    }
    let path = if reference.starts_with('/') {
        reference.to_owned()
    } else if reference.starts_with('?') {
        format!("{}{reference}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{reference}")
    };
    let path_and_query: PathAndQuery = path.parse().ok()?;
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(status: u16, method: Method, location: &str) -> Option<Redirect> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        Redirect::of(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            &method,
            &"https://a.example/x/y?q".parse().unwrap(),
        )
    }

    #[test]
    fn references_resolve_against_the_request() {
        for (location, expected) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//b.example/z", "https://b.example/z"),
            ("/z", "https://a.example/z"),
            ("z", "https://a.example/x/z"),
            ("?p", "https://a.example/x/y?p"),
            ("/z#f", "https://a.example/z"),
        ] {
            assert_eq!(redirect(302, Method::GET, location).unwrap().to, expected, "{location}");
        }
    }

    #[test]
    fn methods_follow_rfc_9110() {
        let post = |status| redirect(status, Method::POST, "/z").unwrap();
        assert_eq!((post(303).method, post(303).keeps_body), (Method::GET, false));
        assert_eq!((post(302).method, post(302).keeps_body), (Method::GET, false));
        assert_eq!((post(307).method, post(307).keeps_body), (Method::POST, true));
        assert!(redirect(200, Method::GET, "/z").is_none() && redirect(304, Method::GET, "/z").is_none());
    }
}
