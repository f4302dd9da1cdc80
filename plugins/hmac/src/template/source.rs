use std::sync::Arc;

use countersign::{Error, Place, Secret};

use super::filter::Kind;
use super::{Reads, Template, Values};
use crate::nonce::NonceForm;
use crate::sink::Sink;
use crate::time::{self, Form};

/// What a hole is filled with.
#[derive(Debug)]
pub(super) enum Source {
    /// A setting, or a text in quotes.
    Text(Secret),
    Method,
    Scheme,
    Authority,
    Host,
    Port,
    Path,
    Query,
    Target,
    Url,
    Body,
    Parameters,
    Header {
        name: String,
        optional: bool,
    },
    Caller(String),
    Time(Form),
    Nonce(NonceForm),
    Signature,
    Part(Arc<Template>),
}

/// The variables that are names alone.
const PLAIN: [&str; 15] = [
    "authority",
    "body",
    "host",
    "method",
    "nonce",
    "nonce.base64",
    "nonce.uuid",
    "parameters",
    "path",
    "port",
    "query",
    "scheme",
    "signature",
    "target",
    "url",
];

/// All variables that are names alone, for whoever misspelt one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PLAIN.into_iter().chain(time::NAMED.iter().map(|(name, _)| *name)).chain(["key_id"])
}

impl Source {
    /// The variable of that name, if it is a name alone.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "authority" => Self::Authority,
            "body" => Self::Body,
            "host" => Self::Host,
            "method" => Self::Method,
            "nonce" => Self::Nonce(NonceForm::Hex),
            "nonce.base64" => Self::Nonce(NonceForm::Base64),
            "nonce.uuid" => Self::Nonce(NonceForm::Uuid),
            "parameters" => Self::Parameters,
            "path" => Self::Path,
            "port" => Self::Port,
            "query" => Self::Query,
            "scheme" => Self::Scheme,
            "signature" => Self::Signature,
            "target" => Self::Target,
            "url" => Self::Url,
            name => {
                let (_, form) = time::NAMED.iter().find(|(known, _)| *known == name)?;
                Self::Time(Form::parse(form)?)
            }
        })
    }

    pub(super) fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        match self {
            Self::Body | Self::Parameters => reads.body = true,
            Self::Nonce(_) => reads.nonce = true,
            Self::Signature => reads.signature = true,
            Self::Caller(name) => {
                reads.callers.insert(name.clone());
            }
            Self::Part(part) => reads = part.reads().clone(),
            _ => {}
        }
        reads
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Signature => Kind::Bytes,
            Self::Body | Self::Parameters => Kind::Body,
            // A part may hold whatever is signed.
            Self::Part(part) => part.kind(),
            _ => Kind::Text,
        }
    }

    /// The text, where it stands somewhere as a whole.
    pub(super) fn whole<'v>(&'v self, values: &Values<'v>) -> Option<&'v [u8]> {
        match self {
            Self::Text(text) => Some(text.expose().as_bytes()),
            Self::Method => Some(values.request.method().as_bytes()),
            Self::Path => Some(values.request.path().as_bytes()),
            Self::Query => Some(values.query.unwrap_or_default().as_bytes()),
            Self::Body => values.request.body(),
            Self::Signature => Some(values.signature),
            _ => None,
        }
    }

    pub(super) fn write(&self, values: &Values<'_>, sink: &mut dyn Sink) -> Result<(), Error> {
        let request = values.request;
        match self {
            Self::Text(text) => sink.put(text.expose().as_bytes()),
            Self::Method => sink.put(request.method().as_bytes()),
            Self::Scheme => sink.put(request.scheme().as_bytes()),
            Self::Authority => sink.put(request.authority().as_bytes()),
            Self::Host => sink.put(host_and_port(request.authority()).0.as_bytes()),
            Self::Port => match (host_and_port(request.authority()).1, request.scheme()) {
                (Some(port), _) => sink.put(port.as_bytes()),
                (None, "http") => sink.put(b"80"),
                (None, _) => sink.put(b"443"),
            },
            Self::Path => sink.put(request.path().as_bytes()),
            Self::Query => sink.put(values.query.unwrap_or_default().as_bytes()),
            Self::Target => target(values, sink),
            Self::Url => {
                sink.put(request.scheme().as_bytes());
                sink.put(b"://");
                sink.put(request.authority().as_bytes());
                target(values, sink);
            }
            Self::Body => sink.put(body(values)?),
            Self::Parameters => {
                let query = values.query.unwrap_or_default();
                let body = if has_form(values) { body(values)? } else { b"" };
                sink.put(query.as_bytes());
                if !query.is_empty() && !body.is_empty() {
                    sink.put(b"&");
                }
                sink.put(body);
            }
            Self::Header { name, optional } => header(name, *optional, values, sink)?,
            Self::Caller(name) => {
                let value = values.caller.get(name);
                let missing = || Error::config(format!("the caller has no attribute `{name}`"));
                sink.put(value.ok_or_else(missing)?.as_bytes());
            }
            Self::Time(form) => form.write(values.time, sink),
            Self::Nonce(form) => values.nonce.write(*form, sink),
            Self::Signature => sink.put(values.signature),
            Self::Part(part) => part.write(values, sink)?,
        }
        Ok(())
    }
}

fn target(values: &Values<'_>, sink: &mut dyn Sink) {
    sink.put(values.request.path().as_bytes());
    if let Some(query) = values.query {
        sink.put(b"?");
        sink.put(query.as_bytes());
    }
}

fn body<'v>(values: &Values<'v>) -> Result<&'v [u8], Error> {
    values.request.body().ok_or_else(|| Error::internal("the body to sign is not there"))
}

/// Whether the body is one of parameters.
fn has_form(values: &Values<'_>) -> bool {
    let form = |value: &[u8]| value.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded");
    values.request.header("content-type").next().is_some_and(form)
}

/// A field's value: this profile's own, else those of the request, joined as RFC 9110 §5.3 says.
fn header(name: &str, optional: bool, values: &Values<'_>, sink: &mut dyn Sink) -> Result<(), Error> {
    let is_it = |(place, ours, _): &(Place, &str, &str)| *place == Place::Header && *ours == name;
    if let Some((_, _, value)) = values.placed.iter().find(is_it) {
        sink.put(value.as_bytes());
        return Ok(());
    }
    let mut found = false;
    for value in values.request.header(name) {
        if found {
            sink.put(b", ");
        }
        sink.put(value.trim_ascii());
        found = true;
    }
    if found || optional {
        return Ok(());
    }
    Err(Error::config(format!(
        "the request has no header `{name}`, which is signed; send one, or write `header.{name}?` if it may be missing"
    )))
}

/// `[::1]:8080` is `[::1]` and `8080`.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_variable() {
        for name in names().filter(|name| *name != "key_id") {
            assert!(Source::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn hosts_are_told_from_ports() {
        for (authority, host, port) in [
            ("a.example", "a.example", None),
            ("a.example:8080", "a.example", Some("8080")),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
        ] {
            assert_eq!(host_and_port(authority), (host, port));
        }
    }
}
