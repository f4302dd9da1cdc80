use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use countersign::{Error, Place, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Hmac;
use crate::algorithm::{Algorithm, Key};
use crate::secret::Encoding;
use crate::sign::{Derivation, DerivedEncoding, Part, Signature};
use crate::template::{Reads, Scope, Template, is_name};

/// Signs each request with an HMAC, in whatever way the API's owner thought of.
///
/// Texts are templates: `{{ timestamp }}.{{ body | sha256 | hex }}`. The book's page on this type lists variables and filters, and
/// has recipes for well-known APIs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacConfig {
    /// The secret that is shared with the API.
    pub secret: Secret,
    /// How the secret is written: `utf-8` (the default: the text's own bytes), `base64`, `base64url` or `hex`.
    #[serde(default)]
    pub secret_encoding: Encoding,
    /// A text that is not part of the secret where the secret begins with it, such as `whsec_`.
    pub secret_prefix: Option<String>,
    /// The algorithm: `hmac-sha256` by default.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// What is signed, as a template.
    pub sign: String,
    /// Headers that the request gets, as templates.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters that the request gets, as templates. Those without the signature come first, and what is signed
    /// sees them.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, String>,
    /// Which key it is, for the variable `key_id`.
    pub key_id: Option<String>,
    /// Further settings, for the variables `variables.NAME`; they may be secret.
    #[serde(default)]
    pub variables: BTreeMap<String, Secret>,
    /// Texts that others have in them, as `parts.NAME`: a part that is hashed before it is signed, for one. They are
    /// templates, too.
    #[serde(default)]
    pub parts: BTreeMap<String, String>,
    /// A key that is derived from the secret, step by step: each template is signed with the key before, and what comes of it
    /// is the next key. The last one signs.
    #[serde(default)]
    pub derive: Vec<String>,
    /// How a derived key is used as a key: its `bytes` (the default), or as text in `hex` or `base64`.
    #[serde(default)]
    pub derived_encoding: DerivedEncoding,
}

impl HmacConfig {
    pub(crate) fn into_profile(self) -> Result<Hmac, Error> {
        for (setting, names) in
            [("variables", self.variables.keys().collect::<Vec<_>>()), ("parts", self.parts.keys().collect())]
        {
            if let Some(name) = names.into_iter().find(|name| !is_name(name)) {
                let message = "is not a name: letters, digits, `-` and `_`";
                return Err(Error::config(message).at(name.as_str()).at(setting));
            }
        }
        let headers = header_names(&self.headers)?;
        for name in self.query_parameters.keys() {
            Place::Query.check_name(name).map_err(|error| error.at(name.as_str()).at("query_parameters"))?;
        }
        let scope = |later, signature| Scope {
            key_id: self.key_id.as_deref(),
            variables: &self.variables,
            parts: &self.parts,
            later,
            signature,
            known: RefCell::default(),
        };
        let whole = scope(&[], true);
        for (name, text) in &self.parts {
            Template::signed(text, &whole).map_err(|error| error.at(name.as_str()).at("parts"))?;
        }
        let early = scope(&headers, false);
        let signed = scope(&[], false);

        let query = parts(&self.query_parameters, "query_parameters", &early, &whole)?;
        let headers = parts(&self.headers, "headers", &early, &whole)?;
        if query.iter().chain(&headers).all(|part| !part.value.reads().signature) {
            let message = "nothing carries the signature; write `{{ signature | hex }}` (or `base64`) where the API looks for it";
            return Err(Error::config(message).at("headers"));
        }
        let text = Template::signed(&self.sign, &signed).map_err(|error| error.at("sign"))?;
        if text.is_empty() {
            return Err(Error::config("signs nothing; write what the API has signed").at("sign"));
        }
        let mut steps = Vec::with_capacity(self.derive.len());
        for (index, text) in self.derive.iter().enumerate() {
            let step = Template::signed(text, &signed);
            steps.push(step.map_err(|error| error.at(format!("derive[{index}]")))?);
        }
        if steps.is_empty() && self.derived_encoding != DerivedEncoding::Bytes {
            return Err(
                Error::config("goes with `derive`; without it the secret signs").at("derived_encoding")
            );
        }
        let key = self.key()?;
        let mut reads = Reads::default();
        let placed = query.iter().chain(&headers).map(|part| &part.value);
        placed.chain([&text]).chain(&steps).for_each(|template| reads.add(template.reads()));
        let derivation = Derivation::new(steps, self.algorithm, self.derived_encoding);
        Ok(Hmac { signature: Signature { key, derivation, text, query, headers }, reads })
    }

    fn key(&self) -> Result<Key, Error> {
        let mut secret = self.secret.clone().without_line_end();
        if let Some(prefix) = &self.secret_prefix {
            let rest = secret.expose().strip_prefix(prefix.as_str()).map(Secret::from);
            secret = rest.unwrap_or(secret);
        }
        Key::new(self.algorithm, &self.secret_encoding.decode(&secret)?)
    }
}

/// The names of headers in lower case.
fn header_names(headers: &BTreeMap<String, String>) -> Result<Vec<String>, Error> {
    let mut seen = BTreeSet::new();
    for name in headers.keys() {
        Place::Header.check_name(name).map_err(|error| error.at(name.as_str()).at("headers"))?;
        if !seen.insert(name.to_ascii_lowercase()) {
            let message = "is set twice, for upper and lower case are the same in a header's name";
            return Err(Error::config(message).at(name.as_str()).at("headers"));
        }
    }
    Ok(seen.into_iter().collect())
}

/// What is placed: first what has no signature in it, and so may be signed itself.
fn parts(
    settings: &BTreeMap<String, String>,
    setting: &str,
    early: &Scope<'_>,
    whole: &Scope<'_>,
) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::with_capacity(settings.len());
    for (name, text) in settings {
        let located = |error: Error| error.at(name.as_str()).at(setting);
        let mut value = Template::placed(text, whole).map_err(located)?;
        if !value.reads().signature {
            value = Template::placed(text, early).map_err(located)?;
        }
        let name = if setting == "headers" { name.to_ascii_lowercase() } else { name.clone() };
        parts.push(Part { name, value });
    }
    parts.sort_by_key(|part| part.value.reads().signature);
    Ok(parts)
}
