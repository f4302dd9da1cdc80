use std::sync::OnceLock;

use countersign::{Error, ErrorKind, HttpResponse, Withheld};
use serde_json::Value;

use crate::reading::Reading;

/// An answer to a login or refresh: read in part, as settings say, and only once as JSON.
pub(crate) struct Answer<'a> {
    response: HttpResponse,
    json: OnceLock<Result<Value, Error>>,
    errors: &'a [Reading],
    sent: &'a Withheld,
}

impl<'a> Answer<'a> {
    pub(crate) const fn new(response: HttpResponse, errors: &'a [Reading], sent: &'a Withheld) -> Self {
        Self { response, json: OnceLock::new(), errors, sent }
    }

    pub(crate) const fn response(&self) -> &HttpResponse {
        &self.response
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<&Value, Error> {
        self.json.get_or_init(|| self.response.json()).as_ref().map_err(Clone::clone)
    }

    /// The body as text, without white space around it.
    pub(crate) fn text(&self) -> Result<&str, Error> {
        let text = std::str::from_utf8(self.response.body.expose());
        text.map(str::trim).map_err(|_| Error::unavailable("the answer's body is no text (UTF-8)"))
    }

    /// Whether its content type is that one, parameters aside (RFC 9110 §8.3.1).
    pub(crate) fn is_of_type(&self, content_type: &str) -> bool {
        let essence = self.response.header("content-type").and_then(|value| value.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(content_type))
    }

    /// Whether it is HTML.
    pub(crate) fn is_page(&self) -> bool {
        self.is_of_type("text/html") || self.is_of_type("application/xhtml+xml")
    }

    /// The error with what the server says of it, where the settings name the place. A server that says why has looked, and
    /// refused.
    pub(crate) fn explained(&self, error: Error) -> Error {
        // A page is for people, and most often of somebody else than the API.
        if self.is_page() {
            return error;
        }
        let words: Vec<_> = self
            .errors
            .iter()
            .filter_map(|reading| self.sent.quote(reading.text(self).ok()??.expose()))
            .collect();
        if words.is_empty() {
            return error;
        }
        let kind = match error.kind() {
            ErrorKind::Unavailable if self.response.status < 500 => ErrorKind::Denied,
            kind => kind,
        };
        let explained = Error::new(kind, format!("{}; it says: {}", error.message(), words.join("; ")));
        match error.retry_after() {
            Some(wait) => explained.with_retry_after(wait),
            None => explained,
        }
    }
}
