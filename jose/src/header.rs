use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::Error;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::key::SigningKey;

/// The token's JOSE header (RFC 7515 §4), besides `alg`, which the profile's `algorithm` pins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderConfig {
    /// Names the key: a text, or `true` for the key's thumbprint (RFC 7638), or `false` for no `kid` at all.
    /// By default a JWK's own `kid`; other keys have none.
    pub kid: Option<Kid>,
    /// The token's media type (RFC 7519 §5.1, RFC 8725 §3.11), like `at+jwt`. Empty leaves the header out.
    pub typ: String,
    /// The payload's media type, for nested tokens (RFC 7519 §5.2).
    pub cty: Option<String>,
    /// Adds the SHA-1 thumbprint of the key's certificate.
    pub x5t: bool,
    /// Adds the SHA-256 thumbprint of the key's certificate, as `x5t#S256`.
    #[serde(alias = "x5t#S256")]
    pub x5t_s256: bool,
    /// Adds the key's certificate and its issuers.
    pub x5c: bool,
    /// Further headers, of any JSON type.
    pub other: BTreeMap<String, Value>,
}

/// What the `kid` header says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text, or true for the key's thumbprint, or false for none")]
pub enum Kid {
    /// This text.
    Text(String),
    /// The key's thumbprint, or nothing.
    Thumbprint(bool),
}

/// Headers that are not for `other`, and what to do instead.
const RESERVED: [(&str, &str); 12] = [
    ("alg", "it is the profile's `algorithm`"),
    ("kid", "set `kid` instead"),
    ("typ", "set `typ` instead"),
    ("cty", "set `cty` instead"),
    ("x5t", "set `x5t = true` instead"),
    ("x5t#S256", "set `x5t_s256 = true` instead"),
    ("x5c", "set `x5c = true` instead"),
    ("crit", "it would promise extensions that are not made here (RFC 7515 §4.1.11)"),
    ("b64", "tokens have an encoded payload (RFC 7797 §7)"),
    ("jwk", "a verifier must not trust a key that the token brings (RFC 8725 §3.10)"),
    ("enc", "tokens are signed here, not encrypted"),
    ("zip", "tokens are signed here, not encrypted"),
];

impl Default for HeaderConfig {
    fn default() -> Self {
        Self {
            kid: None,
            typ: "JWT".into(),
            cty: None,
            x5t: false,
            x5t_s256: false,
            x5c: false,
            other: BTreeMap::new(),
        }
    }
}

impl HeaderConfig {
    /// The `kid` that tokens of this key carry.
    pub(crate) fn kid(&self, key: &SigningKey) -> Result<Option<String>, Error> {
        match &self.kid {
            None => Ok(key.kid().map(str::to_owned)),
            Some(Kid::Thumbprint(false)) => Ok(None),
            Some(Kid::Text(kid)) if kid.is_empty() => {
                Err(Error::config("is empty; name the key, or set it to false for no `kid`").at("kid"))
            }
            Some(Kid::Text(kid)) => Ok(Some(kid.clone())),
            Some(Kid::Thumbprint(true)) => {
                let jwk = key.public_jwk(None).map_err(|_| {
                    Error::config("cannot be a thumbprint, since a shared secret has none; write a text")
                        .at("kid")
                })?;
                Ok(Some(jwk.thumbprint()))
            }
        }
    }

    /// The header as it stands in every token: serialized and base64url-encoded once, with the dot after it.
    pub(crate) fn encode(&self, key: &SigningKey) -> Result<String, Error> {
        let mut header = Map::new();
        header.insert("alg".into(), key.algorithm().as_str().into());
        let texts = [("typ", Some(self.typ.clone())), ("cty", self.cty.clone()), ("kid", self.kid(key)?)];
        for (name, value) in texts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                header.insert(name.into(), value.into());
            }
        }
        self.add_certificates(key, &mut header)?;
        for (name, value) in &self.other {
            if let Some((_, way_out)) = RESERVED.iter().find(|(reserved, _)| reserved == name) {
                return Err(Error::config(format!("cannot be set here: {way_out}"))
                    .at(name.as_str())
                    .at("other"));
            }
            header.insert(name.clone(), value.clone());
        }
        let mut encoded = URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        encoded.push('.');
        Ok(encoded)
    }

    fn add_certificates(&self, key: &SigningKey, header: &mut Map<String, Value>) -> Result<(), Error> {
        let chain = key.certificates();
        let missing = |setting| {
            Error::config(
                "needs the key's certificate; put it beside the key as PEM, or set the key's `certificate`",
            )
            .at(setting)
        };
        if self.x5t {
            header.insert("x5t".into(), chain.x5t().ok_or_else(|| missing("x5t"))?.into());
        }
        if self.x5t_s256 {
            header.insert("x5t#S256".into(), chain.x5t_s256().ok_or_else(|| missing("x5t_s256"))?.into());
        }
        if self.x5c {
            if chain.is_empty() {
                return Err(missing("x5c"));
            }
            header.insert("x5c".into(), chain.x5c().into());
        }
        Ok(())
    }
}
