use http::HeaderName;

use crate::config::reader::Reader;
use crate::config::{Findings, Site};

/// Where an attribute of the caller comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerSource {
    /// `{ header = "X-User" }`: a header of the client's request.
    Header {
        /// Its name.
        name: HeaderName,
        /// Whether a request without it is refused; it is unless configured.
        required: bool,
    },
    /// `{ value = "erp" }`: the same for every request.
    Value(String),
}

pub(crate) const KEYS: [&str; 3] = ["header", "required", "value"];

/// How long an attribute's name may be.
const LONGEST_NAME: usize = 64;

/// Reads `caller = { NAME = { … }, … }`; an attribute with a fault is left out.
pub(super) fn read(section: Option<&Site>, findings: &mut Findings) -> Vec<(String, CallerSource)> {
    let Some(site) = section else { return Vec::new() };
    let mut caller = Vec::new();
    for entry in site.table().iter() {
        let name = &*entry.key;
        if !is_attribute(name) {
            let message = "is not an attribute's name: letters, digits and `_`, not beginning with a digit, at \
                           most 64 characters";
            findings.push(site.at_place(entry.place, name, message));
            continue;
        }
        if entry.node.as_table().is_none() {
            let message = format!("expected table, found {}", entry.node.kind());
            let help = format!("write `{name} = {{ header = \"X-…\" }}` or `{name} = {{ value = \"…\" }}`");
            findings.push(site.finding_at(name, message).with_help(help));
            continue;
        }
        let Some(attribute) = Reader::of_known(site, findings).table(name) else { continue };
        if let Some(source) = CallerSource::of(&attribute, findings) {
            caller.push((name.to_owned(), source));
        }
    }
    caller
}

/// Whether a template can read `caller.NAME`.
fn is_attribute(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= LONGEST_NAME
        && name.bytes().all(inner)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
}

impl CallerSource {
    fn of(site: &Site, findings: &mut Findings) -> Option<Self> {
        let mut reader = Reader::new(site, &KEYS, findings);
        let required = reader.boolean("required");
        match (reader.node("header"), reader.node("value")) {
            (Some(_), None) => {
                let text = reader.string("header")?;
                let name = reader.header("header", text)?;
                if is_credential(&name) {
                    let message =
                        format!("is `{name}`, which is a credential of the client and not who it is");
                    reader.fault(
                        "header",
                        message,
                        Some("let clients name the caller in a header like `X-User`"),
                    );
                    return None;
                }
                Some(Self::Header { name, required: required.unwrap_or(true) })
            }
            (None, Some(_)) => {
                if required.is_some() {
                    reader.fault("required", "stands beside `value`, which is always there", None);
                }
                let text = reader.string("value")?;
                if text.is_empty() || text.chars().any(char::is_control) {
                    reader.fault("value", "is empty, or holds a control character", None);
                    return None;
                }
                Some(Self::Value(text.to_owned()))
            }
            (Some(_), Some(_)) => {
                reader.fault("value", "stands beside `header`", Some("keep one of the two"));
                None
            }
            (None, None) => {
                reader.fault(
                    "",
                    "names no source",
                    Some("write `{ header = \"X-…\" }` or `{ value = \"…\" }`"),
                );
                None
            }
        }
    }
}

fn is_credential(name: &HeaderName) -> bool {
    [http::header::AUTHORIZATION, http::header::COOKIE].contains(name)
}
