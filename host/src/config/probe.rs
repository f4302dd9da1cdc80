use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::reader::Reader;
use super::rejection::statuses;
use super::{Findings, Site};

/// `[connectors.NAME.probe]`: the call by which `countersign test` and `explain` try a connector out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    /// `method`; GET unless configured, or POST where there is a body.
    pub method: Method,
    /// `path` below the base URL, with its query.
    pub path: String,
    /// `headers` that go along.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `body`, as it is sent.
    pub body: String,
    /// `status`: the answers that are well; empty for any 2xx.
    pub statuses: Vec<StatusCode>,
}

pub(crate) const KEYS: [&str; 5] = ["method", "path", "headers", "body", "status"];

impl Default for Probe {
    fn default() -> Self {
        let (path, body) = (String::new(), String::new());
        Self { method: Method::GET, path, headers: Vec::new(), body, statuses: Vec::new() }
    }
}

impl Probe {
    pub(crate) fn of(section: Option<&Site>, findings: &mut Findings) -> Self {
        let Some(site) = section else { return Self::default() };
        let mut reader = Reader::new(site, &KEYS, findings);
        let body = reader.string("body").unwrap_or_default().to_owned();
        let usual = if body.is_empty() { Method::GET } else { Method::POST };
        Self {
            method: method(&mut reader).unwrap_or(usual),
            path: path(&mut reader).unwrap_or_default(),
            statuses: statuses(&mut reader, 100).unwrap_or_default(),
            body,
            headers: headers(reader.table("headers").as_ref(), findings),
        }
    }
}

fn method(reader: &mut Reader<'_>) -> Option<Method> {
    let text = reader.string("method")?;
    let upper = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if upper => Some(method),
        _ => {
            reader.fault("method", "is not a method such as `GET`", None);
            None
        }
    }
}

fn path(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.string("path")?;
    if text.contains("://") || text.contains('#') {
        reader.fault("path", "is not a path", Some("write what comes behind `base_url`: `/v1/me`"));
        return None;
    }
    Some(text.to_owned())
}

fn headers(section: Option<&Site>, findings: &mut Findings) -> Vec<(HeaderName, HeaderValue)> {
    let Some(site) = section else { return Vec::new() };
    let mut reader = Reader::of_known(site, findings);
    let mut headers = Vec::new();
    for entry in site.table().iter() {
        let Some(text) = reader.string(&entry.key) else { continue };
        match (entry.key.parse::<HeaderName>(), HeaderValue::from_str(text)) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(_), _) => reader.fault(&entry.key, "is not a header's name", None),
            (_, Err(_)) => reader.fault(&entry.key, "holds what no header can", None),
        }
    }
    headers
}
