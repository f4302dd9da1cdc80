use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::exposed;
use crate::{ClientCertificate, Error, ErrorKind, Secret};

/// An HTTP request that a profile asks its host to send. Header values and body count as secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HttpRequest {
    /// The method, in capitals.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// The header fields, in order.
    #[serde(default)]
    pub headers: Vec<HttpHeader>,
    /// The body; empty for none.
    #[serde(default, with = "exposed::bytes", skip_serializing_if = "is_empty")]
    #[schemars(with = "exposed::bytes::Bytes")]
    pub body: Secret<Vec<u8>>,
    /// Presented on the connection, which is shared with no other identity. The URL is then `https`, or the request is
    /// not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Secret::default(),
            client_certificate: None,
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push(HttpHeader { name: name.into(), value: value.into() });
        self
    }

    /// Presents a client certificate on the connection (RFC 8446 §4.4.2).
    #[must_use]
    pub fn client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.client_certificate = Some(certificate);
        self
    }

    /// Sets the body as it is.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Secret::new(body.into());
        self
    }

    /// Sets a form body (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.header("content-type", "application/x-www-form-urlencoded").body(form.finish())
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }
}

/// A header field of an exchange.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(with = "exposed")]
    #[schemars(with = "String")]
    pub value: Secret,
}

/// What the other side answered. The body counts as secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case.
    #[serde(default)]
    pub headers: Vec<HttpHeader>,
    /// The body, at most as long as the host allows (256 KiB).
    #[serde(default, with = "exposed::bytes", skip_serializing_if = "is_empty")]
    #[schemars(with = "exposed::bytes::Bytes")]
    pub body: Secret<Vec<u8>>,
}

impl HttpResponse {
    /// Whether the status is 2xx.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// A header field's first value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.expose().as_str())
    }

    /// The body as the type that the profile expects.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the body is not that; the message names the place within the
    /// body and none of its content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let mut reader = serde_json::Deserializer::from_slice(self.body.expose());
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            let error = error.into_inner();
            let what = match error.classify() {
                serde_json::error::Category::Data if path != "." => {
                    format!("`{path}` is not what it should be")
                }
                serde_json::error::Category::Data => "not of the expected shape".to_owned(),
                serde_json::error::Category::Eof => "cut off".to_owned(),
                _ => "not JSON".to_owned(),
            };
            let place = format!("line {} column {}", error.line(), error.column());
            Error::unavailable(format!("the answer's body is {what} ({place}){}", self.kind_of_content()))
        })?;
        reader.end().map_err(|_| Error::unavailable("the answer's body goes on after its JSON"))?;
        Ok(value)
    }

    /// This answer, if its status is 2xx.
    ///
    /// # Errors
    /// The status says the kind: 429 is [`RateLimited`](ErrorKind::RateLimited), 5xx, 408 and 3xx (redirects of
    /// such endpoints are never followed) [`Unavailable`](ErrorKind::Unavailable), all else
    /// [`Denied`](ErrorKind::Denied). `Retry-After` (RFC 9110 §10.2.3, seconds or date) is kept.
    pub fn success(self) -> Result<Self, Error> {
        if self.is_success() {
            return Ok(self);
        }
        let (kind, hint) = match self.status {
            429 => (ErrorKind::RateLimited, ""),
            300..=399 => (ErrorKind::Unavailable, "; redirects are not followed here, give the final URL"),
            408 | 500..=599 => (ErrorKind::Unavailable, ""),
            404 => (ErrorKind::Denied, "; is the URL right?"),
            _ => (ErrorKind::Denied, ""),
        };
        let error = Error::new(kind, format!("answered with status {}{hint}", self.status));
        Err(match self.retry_after() {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        })
    }

    /// How long the other side wants to be left alone: `Retry-After` as seconds, or as a date measured against the
    /// answer's own `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let then = httpdate::parse_http_date(value).ok()?;
        let now = self.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        then.duration_since(now.unwrap_or_else(std::time::SystemTime::now)).ok()
    }

    fn kind_of_content(&self) -> String {
        match self.header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim()) {
            Some(kind) if !kind.is_empty() && !kind.contains("json") && kind.len() < 64 => {
                format!("; its content type is {kind}")
            }
            _ => String::new(),
        }
    }
}

fn is_empty(body: &Secret<Vec<u8>>) -> bool {
    body.expose().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| HttpHeader { name: (*name).into(), value: (*value).into() })
            .collect();
        HttpResponse { status, headers, body: Secret::new(body.as_bytes().to_vec()) }
    }

    #[test]
    fn json_errors_name_the_place_and_no_content() {
        #[derive(Debug, Deserialize)]
        struct Answer {
            #[allow(dead_code)]
            expires_in: u64,
        }
        let error = response(200, &[], r#"{"expires_in": "canary"}"#).json::<Answer>().unwrap_err();
        assert!(error.message().contains("expires_in") && !error.message().contains("canary"), "{error}");
        let error =
            response(200, &[("content-type", "text/html")], "<html>canary").json::<Answer>().unwrap_err();
        assert!(error.message().contains("text/html") && !error.message().contains("canary"), "{error}");
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_date() {
        let error = response(429, &[("retry-after", "7")], "").success().unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::RateLimited, Some(Duration::from_secs(7)))
        );
        let headers =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")];
        let error = response(503, &headers, "").success().unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::Unavailable, Some(Duration::from_secs(20)))
        );
    }
}
