use std::time::Duration;

use bytes::Bytes;
use countersign::ErrorKind;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use serde::Serialize;

use super::answer::AnswerBody;
use super::stats::Refusal;
use super::upstream::{UpstreamError, UpstreamErrorKind};
use super::wire::Fault;
use crate::Error;

/// An answer of the proxy's own: why a call was not made, or had no answer (RFC 9457).
///
/// It names connector, profile and kind, and holds nothing that a client or an issuer sent.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    kind: &'static str,
    profile: Option<String>,
    retry_after: Option<Duration>,
    closes: bool,
    refusal: Option<Refusal>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

impl Problem {
    /// The request is refused; it went nowhere.
    pub(crate) fn refused(why: Refusal, status: StatusCode, detail: impl Into<String>) -> Self {
        Self { refusal: Some(why), ..Self::new(status, why.as_str(), detail.into()) }
    }

    /// The head is not one that everybody reads alike; the connection cannot go on.
    pub(crate) fn of_fault(fault: Fault) -> Self {
        let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::refused(Refusal::Head, status, fault.what).and_close()
    }

    /// There is no credential: the request was not sent.
    pub(crate) fn no_credential(error: &Error, took_too_long: bool) -> Self {
        let status = match error.kind() {
            _ if took_too_long => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Unavailable | ErrorKind::RateLimited => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        };
        let detail = format!("no credential, so the request was not sent: {error}");
        Self {
            profile: error.profile().map(str::to_owned),
            retry_after: error.retry_after(),
            ..Self::new(status, error.kind().as_str(), detail)
        }
    }

    /// There is no answer.
    pub(crate) fn no_answer(error: &UpstreamError) -> Self {
        let status = match error.kind() {
            UpstreamErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            UpstreamErrorKind::RequestBody => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        };
        let closes = error.kind() == UpstreamErrorKind::RequestBody;
        Self { closes, ..Self::new(status, "upstream", error.to_string()) }
    }

    /// There is no answer in time.
    pub(crate) fn late(detail: String) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream", detail)
    }

    fn new(status: StatusCode, kind: &'static str, detail: String) -> Self {
        Self { status, detail, kind, profile: None, retry_after: None, closes: false, refusal: None }
    }

    /// The connection ends with this answer.
    #[must_use]
    pub(crate) fn and_close(self) -> Self {
        Self { closes: true, ..self }
    }

    /// Why the request was refused, if it was.
    pub(crate) const fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// The word for metrics and logs.
    pub(crate) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer to the client.
    pub(crate) fn answer(&self, connector: Option<&str>) -> Response<AnswerBody> {
        let body = Body {
            r#type: format!("urn:countersign:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            kind: self.kind,
            connector,
            profile: self.profile.as_deref(),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut answer = Response::new(AnswerBody::own(Bytes::from(text)));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"countersign\""));
            }
            // Of those that there are, the one that is asked for is not to be had.
            StatusCode::METHOD_NOT_ALLOWED => {
                headers
                    .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after {
            // Whole seconds (RFC 9110 §10.2.3), and never sooner than was asked for.
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
