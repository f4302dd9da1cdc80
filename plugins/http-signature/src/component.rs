use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Error, Place, RequestHead};
use schemars::JsonSchema;
use serde::Deserialize;
use sfv::{BareItem, Dictionary, FieldType as _, Item, Key, List, Parser};

use crate::query;

/// A component that a signature covers (RFC 9421 §2).
#[derive(Debug)]
pub(crate) struct Component {
    /// As it stands in the signature base: `"@query-param";name="Pet"`.
    pub(crate) identifier: String,
    source: Source,
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    QueryParam(String),
    Field { name: String, form: Form },
}

/// How a field's value is written.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    AsItIs,
    /// `;sf` (§2.1.1).
    Strict(FieldType),
    /// `;key` (§2.1.2).
    Member(String),
    /// `;bs` (§2.1.3).
    Binary,
}

/// What kind of structured field a header is (RFC 8941 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// An item.
    Item,
    /// A list.
    List,
    /// A dictionary.
    Dictionary,
}

/// Those whose definition says so, sorted.
const KNOWN: [(&str, FieldType); 12] = [
    ("accept-signature", FieldType::Dictionary),
    ("cache-status", FieldType::List),
    ("cdn-cache-control", FieldType::Dictionary),
    ("client-cert", FieldType::Item),
    ("client-cert-chain", FieldType::List),
    ("content-digest", FieldType::Dictionary),
    ("idempotency-key", FieldType::Item),
    ("priority", FieldType::Dictionary),
    ("proxy-status", FieldType::List),
    ("repr-digest", FieldType::Dictionary),
    ("want-content-digest", FieldType::Dictionary),
    ("want-repr-digest", FieldType::Dictionary),
];

const DERIVED: [&str; 8] =
    ["@authority", "@method", "@path", "@query", "@query-param", "@request-target", "@scheme", "@target-uri"];

/// What values are taken from.
pub(crate) struct View<'v> {
    pub(crate) request: &'v RequestHead<'v>,
    /// The `Content-Digest` that this profile sets.
    pub(crate) digest: Option<&'v str>,
}

impl Component {
    /// Reads what an operator writes: `@method`, `content-type`, `@query-param;name="Pet"`, `"x-dict";key="a"`.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config).
    pub(crate) fn parse(text: &str, types: &BTreeMap<String, FieldType>) -> Result<Self, Error> {
        let quoted = match text.split_once(';') {
            _ if text.starts_with('"') => text.to_owned(),
            None => format!("\"{}\"", text.to_ascii_lowercase()),
            Some((name, parameters)) => format!("\"{}\";{parameters}", name.to_ascii_lowercase()),
        };
        let item: Item = Parser::new(&quoted).parse().map_err(|_| {
            Error::config("is no component; `@method`, `content-type`, `@query-param;name=\"page\"` are")
        })?;
        let BareItem::String(name) = &item.bare_item else {
            return Err(Error::config("is no component, for its name is not a text"));
        };
        let name = name.as_str();
        let source = if name.starts_with('@') { derived(name, &item)? } else { field(name, &item, types)? };
        Ok(Self { identifier: item.serialize(), source })
    }

    /// Whether two are the same, in whatever order their parameters stand (§2).
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.source == other.source
    }

    /// The header that it is of.
    pub(crate) fn field_name(&self) -> Option<&str> {
        match &self.source {
            Source::Field { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether it is of the whole query.
    pub(crate) const fn reads_query(&self) -> bool {
        matches!(self.source, Source::TargetUri | Source::RequestTarget | Source::Query)
    }

    pub(crate) fn is_content_digest(&self) -> bool {
        matches!(&self.source, Source::Field { name, .. } if name == "content-digest")
    }

    /// Whether its value needs the body when no header has it.
    pub(crate) fn is_content_length(&self) -> bool {
        matches!(&self.source, Source::Field { name, .. } if name == "content-length")
    }

    /// Writes the value; `false` if the request has none.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when the value cannot be signed so.
    pub(crate) fn write(&self, view: &View<'_>, base: &mut Vec<u8>) -> Result<bool, Error> {
        let request = view.request;
        match &self.source {
            Source::Method => base.extend_from_slice(request.method().as_bytes()),
            Source::Scheme => base.extend_from_slice(request.scheme().as_bytes()),
            Source::Authority => authority(request, base),
            Source::TargetUri => {
                base.extend_from_slice(request.scheme().as_bytes());
                base.extend_from_slice(b"://");
                authority(request, base);
                target(request, base);
            }
            Source::RequestTarget => target(request, base),
            Source::Path => base.extend_from_slice(request.path().as_bytes()),
            Source::Query => {
                base.push(b'?');
                base.extend_from_slice(request.query().unwrap_or_default().as_bytes());
            }
            Source::QueryParam(name) => match query::value(request.query(), name)? {
                Some(value) => base.extend_from_slice(value.as_bytes()),
                None => return Ok(false),
            },
            Source::Field { name, form } => return form.write(name, view, base),
        }
        Ok(true)
    }
}

impl Form {
    fn write(&self, name: &str, view: &View<'_>, base: &mut Vec<u8>) -> Result<bool, Error> {
        if *self == Self::Binary {
            return Ok(each_value(name, view, base, |value, base| {
                base.push(b':');
                base.extend_from_slice(STANDARD.encode(value).as_bytes());
                base.push(b':');
            }));
        }
        if *self == Self::AsItIs {
            return Ok(each_value(name, view, base, |value, base| base.extend_from_slice(value)));
        }
        let mut value = Vec::new();
        if !each_value(name, view, &mut value, |value, whole| whole.extend_from_slice(value)) {
            return Ok(false);
        }
        let wrong =
            |_| Error::unsupported(format!("the header {name} is not the structured field that is covered"));
        let strict: Option<String> = match self {
            Self::Strict(FieldType::Item) => {
                Some(Parser::new(&value).parse::<Item>().map_err(wrong)?.serialize())
            }
            Self::Strict(FieldType::List) => Parser::new(&value).parse::<List>().map_err(wrong)?.serialize(),
            Self::Member(key) => {
                let dictionary: Dictionary = Parser::new(&value).parse().map_err(wrong)?;
                match dictionary.get(key.as_str()) {
                    Some(member) => vec![member.clone()].serialize(),
                    None => return Ok(false),
                }
            }
            _ => Parser::new(&value).parse::<Dictionary>().map_err(wrong)?.serialize(),
        };
        base.extend_from_slice(strict.unwrap_or_default().as_bytes());
        Ok(true)
    }
}

/// A field's values without white space around them, with a comma and a space between (§2.1); `false` if there is none.
fn each_value(name: &str, view: &View<'_>, base: &mut Vec<u8>, write: impl Fn(&[u8], &mut Vec<u8>)) -> bool {
    let request = view.request;
    if let Some(digest) = view.digest.filter(|_| name == "content-digest") {
        write(digest.as_bytes(), base);
        return true;
    }
    let mut found = false;
    for value in request.header(name) {
        if found {
            base.extend_from_slice(b", ");
        }
        write(value.trim_ascii(), base);
        found = true;
    }
    if found {
        return true;
    }
    // What is written after the signature is made, but known.
    match (name, request.body()) {
        ("host", _) => write(request.authority().as_bytes(), base),
        ("content-length", Some(body)) if !body.is_empty() => write(body.len().to_string().as_bytes(), base),
        _ => return false,
    }
    true
}

fn authority(request: &RequestHead<'_>, base: &mut Vec<u8>) {
    base.extend(request.authority().bytes().map(|byte| byte.to_ascii_lowercase()));
}

fn target(request: &RequestHead<'_>, base: &mut Vec<u8>) {
    base.extend_from_slice(request.path().as_bytes());
    if let Some(query) = request.query() {
        base.push(b'?');
        base.extend_from_slice(query.as_bytes());
    }
}

fn derived(name: &str, item: &Item) -> Result<Source, Error> {
    let source = match name {
        "@method" => Source::Method,
        "@target-uri" => Source::TargetUri,
        "@authority" => Source::Authority,
        "@scheme" => Source::Scheme,
        "@request-target" => Source::RequestTarget,
        "@path" => Source::Path,
        "@query" => Source::Query,
        "@query-param" => return query_param(item),
        "@status" => return Err(Error::config("belongs to responses; requests have no status")),
        "@signature-params" => return Err(Error::config("is always covered; remove it")),
        _ => return Err(unknown(name)),
    };
    match item.params.keys().next() {
        None => Ok(source),
        Some(_) => Err(Error::config(format!("`{name}` takes no parameter in requests"))),
    }
}

fn query_param(item: &Item) -> Result<Source, Error> {
    let mut parameters = item.params.iter();
    match (parameters.next(), parameters.next()) {
        (Some((key, BareItem::String(name))), None) if key.as_str() == "name" => {
            if !query::is_encoded(name.as_str()) {
                let message =
                    "names a query parameter that has to be percent-encoded, a space as %20, in capitals";
                return Err(Error::config(message));
            }
            Ok(Source::QueryParam(name.as_str().to_owned()))
        }
        _ => Err(Error::config("takes the parameter's name and nothing else: `@query-param;name=\"page\"`")),
    }
}

fn field(name: &str, item: &Item, types: &BTreeMap<String, FieldType>) -> Result<Source, Error> {
    if matches!(name, "signature" | "signature-input") {
        return Err(Error::config("is set by this profile, so it cannot be covered"));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Error::config("has to be written in lower case"));
    }
    if !matches!(name, "host" | "cookie" | "content-length") {
        Place::Header.check_name(name)?;
    }
    let (mut strict, mut binary, mut member) = (false, false, None);
    for (key, value) in &item.params {
        match (key.as_str(), value) {
            ("sf", BareItem::Boolean(true)) => strict = true,
            ("bs", BareItem::Boolean(true)) => binary = true,
            ("key", BareItem::String(key)) => member = Some(key.as_str().to_owned()),
            ("req", _) => return Err(Error::config("has `req`, which belongs to responses")),
            ("tr", _) => return Err(Error::config("has `tr`, but the requests have no trailers")),
            _ => {
                return Err(Error::config(
                    "has a parameter that fields do not take; `sf`, `bs` and `key=\"…\"` are known",
                ));
            }
        }
    }
    let form = match (strict, binary, member) {
        (false, false, None) => Form::AsItIs,
        (false, true, None) => Form::Binary,
        (_, false, Some(key)) if Key::from_string(key.clone()).is_ok() => Form::Member(key),
        (_, false, Some(_)) => return Err(Error::config("has a `key` that dictionaries cannot have")),
        (true, false, None) => Form::Strict(type_of(name, types)?),
        (_, true, _) => return Err(Error::config("has `bs`, which goes with neither `sf` nor `key`")),
    };
    Ok(Source::Field { name: name.to_owned(), form })
}

fn type_of(name: &str, types: &BTreeMap<String, FieldType>) -> Result<FieldType, Error> {
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, known)| *known);
    types.get(name).copied().or(known).ok_or_else(|| {
        Error::config(format!(
            "has `sf`, but what {name} is made of is not known here; say it in `structured_fields`: item, list or dictionary"
        ))
    })
}

fn unknown(name: &str) -> Error {
    let nearest = DERIVED.iter().map(|known| (strsim::osa_distance(name, known), *known)).min();
    let help = match nearest {
        Some((distance, nearest)) if distance <= 3 => format!("did you mean `{nearest}`?"),
        _ => format!("known are {}", DERIVED.join(", ")),
    };
    Error::config(format!("is no derived component of requests; {help}"))
}
