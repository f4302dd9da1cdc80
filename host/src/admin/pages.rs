use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::guard::Guard;
use super::overview::Source;
use super::readiness::Readiness;
use super::{exposition, metrics, status};

/// A page, whole in memory.
pub(super) type Page = Response<Full<Bytes>>;

/// The answer to a request. Its body is not looked at, and `HEAD` is cut by the server.
pub(super) fn answer<B>(request: &Request<B>, guard: Guard, source: &dyn Source) -> Page {
    if let Some(why) = guard.refusal(request) {
        return text(StatusCode::FORBIDDEN, why);
    }
    let page: fn(&dyn Source) -> Page = match request.uri().path() {
        "/healthz" => health,
        "/readyz" => readiness,
        "/metrics" => {
            |source| page(StatusCode::OK, exposition::CONTENT_TYPE, metrics::render(&source.overview()))
        }
        "/status" => |source| json(StatusCode::OK, &status::render(&source.overview())),
        _ => |_| text(StatusCode::NOT_FOUND, "there are /healthz, /readyz, /metrics and /status"),
    };
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return page(source);
    }
    let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here; use GET");
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    refused
}

fn health(source: &dyn Source) -> Page {
    if source.is_draining() {
        text(StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        text(StatusCode::OK, "ok")
    }
}

fn readiness(source: &dyn Source) -> Page {
    let overview = source.overview();
    let readiness = Readiness::of(&overview);
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &readiness.to_json())
}

fn json(status: StatusCode, value: &Value) -> Page {
    page(status, "application/json", format!("{value:#}\n"))
}

fn text(status: StatusCode, line: &str) -> Page {
    page(status, "text/plain; charset=utf-8", format!("{line}\n"))
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Page {
    let mut page = Response::new(Full::new(Bytes::from(body)));
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    page
}
