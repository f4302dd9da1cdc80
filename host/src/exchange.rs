//! The HTTP exchanges that profiles ask for: one total deadline, one size cap, no redirects, no secret in an error.

use std::time::Duration;

use bytes::Bytes;
use countersign::{Error, HttpHeader, HttpRequest, HttpResponse, Origin, Secret};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tracing::debug;

use crate::delivery::deliver;
use crate::transport::{Transports, Trouble, unreachable};

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExchangeLimits {
    /// From the first byte sent to the last one received.
    pub(crate) deadline: Duration,
    /// The longest body that is read, in bytes.
    pub(crate) body: usize,
    /// Whether plain `http` may leave this machine.
    pub(crate) allow_http: bool,
}

impl Default for ExchangeLimits {
    /// 10 seconds, 256 KiB, `https` only.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), body: 256 * 1024, allow_http: false }
    }
}

/// Performs exchanges for profiles.
#[derive(Debug)]
pub(crate) struct Exchange {
    transports: Transports,
    limits: ExchangeLimits,
}

impl Exchange {
    pub(crate) const fn new(transports: Transports, limits: ExchangeLimits) -> Self {
        Self { transports, limits }
    }

    /// Sends a request and reads the whole answer. The error says which origin, and nothing of what was sent.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        self.send_or_trouble(request).await.map_err(|(error, _)| error)
    }

    /// The same; where no answer came because of the connection, the error comes with what was the matter with it.
    pub(crate) async fn send_or_trouble(
        &self,
        request: HttpRequest,
    ) -> Result<HttpResponse, (Error, Option<Trouble>)> {
        let origin = self.may_go(&request).map_err(|error| (error, None))?;
        match tokio::time::timeout(self.limits.deadline, self.perform(request, &origin)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let seconds = self.limits.deadline.as_secs_f32();
                let late = Error::unavailable(format!("{origin} gave no whole answer within {seconds} s"));
                Err((late, Some(Trouble::Late)))
            }
        }
    }

    /// Where a request goes, if it may.
    fn may_go(&self, request: &HttpRequest) -> Result<Origin, Error> {
        let uri: Uri =
            request.url.parse().map_err(|_| Error::config("the profile asks for a URL that is none"))?;
        let origin = Origin::of(&uri).map_err(|error| {
            Error::config(format!("the URL that the profile asks for {}", error.message()))
        })?;
        let near = origin.is_loopback() || origin.is_link_local();
        if !origin.is_https() && !near && !self.limits.allow_http {
            return Err(Error::config(format!(
                "{origin} is plain http, and credentials would cross the network in clear; use https"
            )));
        }
        Ok(origin)
    }

    async fn perform(
        &self,
        request: HttpRequest,
        origin: &Origin,
    ) -> Result<HttpResponse, (Error, Option<Trouble>)> {
        let trouble = |error: &reqwest::Error| (unreachable(origin, error), Some(Trouble::of(error)));
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| (Error::internal("the profile asks for a method that is none"), None))?;
        let transport = self.transports.of(request.client_certificate.as_ref(), origin);
        let transport = transport.map_err(|error| (error, None))?;
        let client = transport.to(origin.is_loopback() || origin.is_link_local());
        let head = client
            .request(method, &request.url)
            .headers(headers(&request.headers).map_err(|error| (error, None))?)
            .build()
            .map_err(|error| trouble(&error))?;
        let sent = deliver(client, &head, Bytes::from(request.body.expose().clone())).await;
        let mut response = sent.map_err(|error| trouble(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(header).collect();
        let mut body = Secret::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
            if body.expose().len() + chunk.len() > self.limits.body {
                let cap = self.limits.body / 1024;
                return Err((
                    Error::unavailable(format!("{origin} answered with more than {cap} KiB")),
                    None,
                ));
            }
            extend(&mut body, &chunk);
        }
        debug!(%origin, status, bytes = body.expose().len(), "a profile's exchange");
        Ok(HttpResponse { status, headers, body })
    }
}

/// Appends without leaving an unwiped half behind: where the buffer has to grow, the old one is a secret too.
fn extend(body: &mut Secret<Vec<u8>>, chunk: &[u8]) {
    let (len, capacity) = (body.expose().len(), body.expose().capacity());
    let mut bytes = if len + chunk.len() > capacity {
        let mut grown = Vec::with_capacity((len + chunk.len()).max(2 * capacity));
        grown.extend_from_slice(body.expose());
        grown
    } else {
        body.take()
    };
    bytes.extend_from_slice(chunk);
    *body = Secret::new(bytes);
}

fn headers(fields: &[HttpHeader]) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| Error::internal("the profile sends a header whose name is none"))?;
        let mut value = HeaderValue::from_str(field.value.expose()).map_err(|_| {
            Error::internal(format!("the value of the header {name} has forbidden characters"))
        })?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn header((name, value): (&HeaderName, &HeaderValue)) -> HttpHeader {
    HttpHeader {
        name: name.as_str().to_owned(),
        value: String::from_utf8_lossy(value.as_bytes()).as_ref().into(),
    }
}
