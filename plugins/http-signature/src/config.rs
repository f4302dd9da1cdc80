use std::collections::BTreeMap;

use countersign::Error;
use countersign_jose::{KeyConfig, Period};
use schemars::JsonSchema;
use serde::Deserialize;
use sfv::{FieldType as _, Item, Key};

use crate::algorithm::SignatureAlgorithm;
use crate::component::{Component, FieldType};
use crate::digest::ContentDigest;
use crate::sign::{Coverage, Parameters, Signature};

/// Signs each request with an HTTP Message Signature (RFC 9421).
///
/// The API knows the public key: `countersign jwks PROFILE` prints it. By default method, target URI, body, content type and
/// authorization are covered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSignatureConfig {
    /// The key to sign with.
    pub key: KeyConfig,
    /// The signature algorithm. By default the key's own; for an RSA key `rsa-pss-sha512`.
    pub algorithm: Option<SignatureAlgorithm>,
    /// Which key it is (`keyid`); by default a JWK's `kid`.
    pub key_id: Option<String>,
    /// What is covered, in order: `["@method", "@target-uri"]` by default. A request that lacks one of them is not sent.
    #[schemars(extend("default" = ["@method", "@target-uri"]))]
    pub components: Option<Vec<String>>,
    /// What is covered besides, where a request has it: `["content-digest", "content-type", "authorization"]` by default.
    #[schemars(extend("default" = ["content-digest", "content-type", "authorization"]))]
    pub optional_components: Option<Vec<String>>,
    /// The hash of the body in `Content-Digest`: `sha-256` (the default), `sha-512`, or `none` where the application sends
    /// that header itself.
    #[serde(default)]
    pub content_digest: ContentDigest,
    /// What structured fields that are covered with `;sf` are made of, by header: `item`, `list` or `dictionary`.
    #[serde(default)]
    pub structured_fields: BTreeMap<String, FieldType>,
    /// Whether the signature says when it was made (`created`).
    #[serde(default = "yes")]
    pub created: bool,
    /// How long the signature is good for, by its own word (`expires`); without it that is for the API to judge.
    pub lifetime: Option<Period>,
    /// Whether each signature has a random `nonce`, so that the API can notice a replay.
    #[serde(default)]
    pub nonce: bool,
    /// What the signature is for (`tag`), where the API wants it said.
    pub tag: Option<String>,
    /// Whether the signature names its algorithm (`alg`).
    #[serde(default)]
    pub alg: bool,
    /// The signature's name in the two headers: `sig1` by default.
    #[schemars(extend("default" = "sig1"))]
    pub label: Option<String>,
}

const fn yes() -> bool {
    true
}

const COVERED: [&str; 2] = ["@method", "@target-uri"];
const COVERED_WHERE_THERE: [&str; 3] = ["content-digest", "content-type", "authorization"];

impl HttpSignatureConfig {
    pub(crate) fn into_signature(self) -> Result<Signature, Error> {
        let (algorithm, key) = SignatureAlgorithm::pin(self.algorithm, &self.key)?;
        let coverage = self.coverage()?;
        let label = self.label.unwrap_or_else(|| "sig1".to_owned());
        if Key::from_string(label.clone()).is_err() {
            let message = "is no name in a dictionary: lower-case letters, digits, `_`, `-`, `.` and `*`, beginning with a letter or `*`";
            return Err(Error::config(message).at("label"));
        }
        let lifetime = match self.lifetime.map(Period::as_secs) {
            Some(0) => return Err(Error::config("is no time; \"5m\" is").at("lifetime")),
            Some(_) if !self.created => {
                return Err(Error::config("counts from `created`, which is switched off").at("lifetime"));
            }
            lifetime => lifetime,
        };
        let public_name = self.key_id.or_else(|| key.kid().map(str::to_owned));
        let parameters = Parameters {
            created: self.created,
            lifetime,
            key_id: public_name.as_deref().map(|name| quoted(name, "key_id")).transpose()?,
            public_name,
            alg: self.alg.then_some(quoted_name(algorithm)),
            nonce: self.nonce,
            tag: self.tag.as_deref().map(|tag| quoted(tag, "tag")).transpose()?,
        };
        Ok(Signature { key, coverage, digest: self.content_digest, parameters, label })
    }

    fn coverage(&self) -> Result<Coverage, Error> {
        let types: BTreeMap<String, FieldType> =
            self.structured_fields.iter().map(|(name, kind)| (name.to_ascii_lowercase(), *kind)).collect();
        let given = |setting: &'static str, list: &Option<Vec<String>>, usual: &[&str]| {
            let texts: Vec<&str> = match list {
                Some(list) => list.iter().map(String::as_str).collect(),
                None => usual.to_vec(),
            };
            let parsed = texts.into_iter().enumerate().map(|(index, text)| {
                Component::parse(text, &types).map_err(|error| error.at(format!("{setting}[{index}]")))
            });
            parsed.collect::<Result<Vec<_>, _>>()
        };
        let components = given("components", &self.components, &COVERED)?;
        let mut optional = given("optional_components", &self.optional_components, &COVERED_WHERE_THERE)?;
        if self.optional_components.is_none() {
            optional.retain(|usual| !components.iter().any(|component| component.is(usual)));
        }
        if components.is_empty() {
            let message = "covers nothing, so that the signature would fit any request (RFC 9421 §7.2.1); name `@method` and `@target-uri` at least";
            return Err(Error::config(message).at("components"));
        }
        let mut seen: Vec<&Component> = Vec::new();
        for (setting, list) in [("components", &components), ("optional_components", &optional)] {
            for (index, component) in list.iter().enumerate() {
                if seen.iter().any(|seen| seen.is(component)) {
                    let message = "is covered twice, which RFC 9421 §2 forbids";
                    return Err(Error::config(message).at(format!("{setting}[{index}]")));
                }
                seen.push(component);
            }
        }
        if self.content_digest == ContentDigest::Sha512 && !seen.iter().any(|seen| seen.is_content_digest()) {
            let message = "is set, but no component covers it; add `content-digest` to `components`";
            return Err(Error::config(message).at("content_digest"));
        }
        Ok(Coverage { components, optional })
    }
}

/// A structured-field string (RFC 8941 §4.1.6).
fn quoted(text: &str, setting: &str) -> Result<String, Error> {
    sfv::String::from_string(text.to_owned())
        .map(|text| Item::new(text).serialize())
        .map_err(|_| Error::config("has to consist of printable ASCII characters").at(setting))
}

const fn quoted_name(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm {
        SignatureAlgorithm::Ed25519 => "\"ed25519\"",
        SignatureAlgorithm::EcdsaP256Sha256 => "\"ecdsa-p256-sha256\"",
        SignatureAlgorithm::EcdsaP384Sha384 => "\"ecdsa-p384-sha384\"",
        SignatureAlgorithm::RsaPssSha512 => "\"rsa-pss-sha512\"",
        SignatureAlgorithm::RsaV1_5Sha256 => "\"rsa-v1_5-sha256\"",
        SignatureAlgorithm::HmacSha256 => "\"hmac-sha256\"",
    }
}
