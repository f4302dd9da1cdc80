//! A request's head in the form that a connection's protocol wants. A request may see both, one after the other, when
//! the upstream speaks another protocol on its next connection.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version};
use http_body::Body as _;

use super::OutBody;

/// Origin form, with `Host`, and a framing that fits the body.
pub(super) fn for_http1(request: &mut Request<OutBody>) {
    *request.version_mut() = Version::HTTP_11;
    if request.uri().authority().is_some() {
        to_origin_form(request);
    }
    frame(request);
    if request.body().size_hint().exact().is_none() {
        // Said here, for otherwise hyper takes a GET to have no body.
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Absolute form, whose authority is the `Host` that was asked for, and no field that only HTTP/1 knows.
pub(super) fn for_http2(request: &mut Request<OutBody>, scheme: &Scheme, authority: &Authority) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    if request.uri().authority().is_none() {
        let authority = match host {
            Some(host) if host != authority.as_str() => {
                Authority::try_from(host.as_bytes()).unwrap_or_else(|_| authority.clone())
            }
            _ => authority.clone(),
        };
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(scheme.clone());
        parts.authority = Some(authority);
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        // Whole by construction: all three are there.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    }
    request.headers_mut().remove(TRANSFER_ENCODING);
    frame(request);
}

fn to_origin_form(request: &mut Request<OutBody>) {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(path) = parts.path_and_query {
        *request.uri_mut() = Uri::from(path);
    }
    if let Some(authority) = parts.authority
        && !request.headers().contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
}

/// Lets `Content-Length` say what the body is, whatever it said: a length that is not the body's would make the upstream
/// take the next request for a part of this one.
fn frame(request: &mut Request<OutBody>) {
    let length = request.body().size_hint().exact();
    let headers = request.headers_mut();
    match length {
        Some(length) => {
            if let Some(said) = headers.get(CONTENT_LENGTH)
                && !is(said, length)
            {
                headers.insert(CONTENT_LENGTH, length.into());
            }
        }
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
}

fn is(said: &HeaderValue, length: u64) -> bool {
    said.to_str().ok().and_then(|said| said.parse().ok()) == Some(length)
}
