use std::fmt;

use countersign::Secret;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// The key as an operator writes it: its text alone, or a table that says what it is.
///
/// ```toml
/// key = "${file:/run/keys/orders.pem}"                                    # PEM, JWK or JWK Set
/// key = { pem = "${file:orders.pem}", passphrase = "${env:PASSPHRASE}" }
/// key = { jwk = "${file:keys.json}", kid = "2026-01" }
/// key = { keystore = "${base64:orders.p12}", password = "${env:STORE}", alias = "orders" }
/// key = { secret = "${env:SHARED_SECRET}", encoding = "base64" }
/// ```
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum KeyConfig {
    /// The key's text: PEM (PKCS#8, PKCS#1 or SEC1), or a JWK or JWK Set as JSON.
    Text(Secret),
    /// A PEM key with its passphrase or certificate.
    Pem(PemKey),
    /// A JWK, or one key of a JWK Set.
    Jwk(JwkKey),
    /// One key of a PKCS#12 or JKS keystore.
    Keystore(KeystoreKey),
    /// A secret shared with the verifier, for HS256, HS384 and HS512.
    Secret(SecretKey),
}

/// A private key as PEM text.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PemKey {
    /// The key as PEM: PKCS#8 (also encrypted), PKCS#1 or SEC1. Certificates in the same text are kept as its chain.
    pub pem: Secret,
    /// The passphrase of an encrypted key.
    pub passphrase: Option<Secret>,
    /// The key's certificate as PEM, followed by its issuers: for the headers `x5t`, `x5t#S256` and `x5c`.
    pub certificate: Option<String>,
}

/// A private key as JSON (RFC 7517).
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct JwkKey {
    /// A JWK or a JWK Set as JSON text.
    pub jwk: Secret,
    /// Which key of the set, by its `kid`. Needed only when several keys fit the algorithm.
    pub kid: Option<String>,
    /// The key's certificate as PEM, followed by its issuers: for the headers `x5t`, `x5t#S256` and `x5c`.
    pub certificate: Option<String>,
}

/// A private key in a keystore as Java platforms hold it.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KeystoreKey {
    /// The keystore, PKCS#12 or JKS, base64-encoded: a binary file comes in as `${base64:/path}`.
    pub keystore: Secret,
    /// The keystore's password.
    pub password: Secret,
    /// Which entry. Needed only when the keystore holds several private keys.
    pub alias: Option<String>,
    /// The key's own password, where it differs from the keystore's (JKS only).
    pub key_password: Option<Secret>,
}

/// A secret shared with the verifier.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecretKey {
    /// The secret: at least as many bytes as the algorithm's hash (RFC 7518 §3.2), so 32 for HS256.
    pub secret: Secret,
    /// How the secret is written.
    #[schemars(default)]
    pub encoding: Encoding,
}

/// How a binary secret is written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The text's own bytes are the secret.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Base64 with `+` and `/`, padded or not.
    Base64,
    /// Base64 with `-` and `_`, padded or not.
    Base64url,
    /// Hexadecimal digits.
    Hex,
}

/// All settings of all tables: one struct, so that errors inside it keep their path and position.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    pem: Option<Secret>,
    passphrase: Option<Secret>,
    certificate: Option<String>,
    jwk: Option<Secret>,
    kid: Option<String>,
    keystore: Option<Secret>,
    password: Option<Secret>,
    alias: Option<String>,
    key_password: Option<Secret>,
    secret: Option<Secret>,
    encoding: Option<Encoding>,
}

impl Table {
    fn into_config(mut self) -> Result<KeyConfig, String> {
        let config = match (self.pem.take(), self.jwk.take(), self.keystore.take(), self.secret.take()) {
            (Some(pem), None, None, None) => KeyConfig::Pem(PemKey {
                pem,
                passphrase: self.passphrase.take(),
                certificate: self.certificate.take(),
            }),
            (None, Some(jwk), None, None) => {
                KeyConfig::Jwk(JwkKey { jwk, kid: self.kid.take(), certificate: self.certificate.take() })
            }
            (None, None, Some(keystore), None) => KeyConfig::Keystore(KeystoreKey {
                keystore,
                password: self.password.take().ok_or("a `keystore` needs its `password`")?,
                alias: self.alias.take(),
                key_password: self.key_password.take(),
            }),
            (None, None, None, Some(secret)) => {
                KeyConfig::Secret(SecretKey { secret, encoding: self.encoding.take().unwrap_or_default() })
            }
            (None, None, None, None) => {
                return Err("names no key; set one of `pem`, `jwk`, `keystore`, `secret`".into());
            }
            _ => return Err("names several keys; set only one of `pem`, `jwk`, `keystore`, `secret`".into()),
        };
        match self.left_over() {
            Some(setting) => Err(format!("`{setting}` does not belong to this kind of key; remove it")),
            None => Ok(config),
        }
    }

    fn left_over(&self) -> Option<&'static str> {
        [
            ("passphrase", self.passphrase.is_some()),
            ("certificate", self.certificate.is_some()),
            ("kid", self.kid.is_some()),
            ("password", self.password.is_some()),
            ("alias", self.alias.is_some()),
            ("key_password", self.key_password.is_some()),
            ("encoding", self.encoding.is_some()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
    }
}

impl<'de> Deserialize<'de> for KeyConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = KeyConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key as text, or a table with `pem`, `jwk`, `keystore` or `secret`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyConfig, E> {
                Ok(KeyConfig::Text(text.into()))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<KeyConfig, E> {
                Ok(KeyConfig::Text(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyConfig, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))?.into_config().map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<KeyConfig, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn text_and_tables_are_told_apart() {
        assert!(matches!(read(json!("text")), Ok(KeyConfig::Text(_))));
        assert!(matches!(read(json!({ "pem": "x", "passphrase": "y" })), Ok(KeyConfig::Pem(_))));
        assert!(matches!(read(json!({ "jwk": "x", "kid": "y" })), Ok(KeyConfig::Jwk(_))));
        assert!(matches!(read(json!({ "keystore": "x", "password": "y" })), Ok(KeyConfig::Keystore(_))));
        assert!(matches!(read(json!({ "secret": "x", "encoding": "hex" })), Ok(KeyConfig::Secret(_))));
    }

    #[test]
    fn tables_that_make_no_sense_are_refused_with_the_way_out() {
        for (value, reason) in [
            (json!({}), "names no key"),
            (json!({ "passphrase": "x" }), "names no key"),
            (json!({ "pem": "x", "jwk": "y" }), "names several keys"),
            (json!({ "keystore": "x" }), "needs its `password`"),
            (json!({ "pem": "x", "alias": "y" }), "`alias` does not belong"),
            (json!({ "secret": "x", "passphrase": "y" }), "`passphrase` does not belong"),
            (json!({ "pem": "x", "pasphrase": "y" }), "unknown field `pasphrase`"),
        ] {
            let refusal = read(value.clone()).unwrap_err();
            assert!(refusal.contains(reason), "{value}: {refusal}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let canary = "canary-7d1f";
        for value in [
            json!(canary),
            json!({ "pem": canary, "passphrase": canary }),
            json!({ "jwk": canary }),
            json!({ "keystore": canary, "password": canary, "key_password": canary }),
            json!({ "secret": canary }),
        ] {
            assert!(value.to_string().contains(canary));
            let config = read(value).unwrap();
            assert!(!format!("{config:?}").contains(canary));
        }
    }

    #[test]
    fn schema_knows_text_and_the_four_tables_and_nothing_else() {
        let schema = schemars::schema_for!(KeyConfig);
        let variants = schema.get("anyOf").unwrap().as_array().unwrap();
        assert_eq!(variants.len(), 5);
        let definitions = schema.get("$defs").unwrap();
        for table in ["PemKey", "JwkKey", "KeystoreKey", "SecretKey"] {
            assert_eq!(definitions[table]["additionalProperties"], false, "{table}");
        }
    }
}
