use std::fmt;

use countersign_jose::{Algorithm, KeyConfig};
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

/// Whether and how tokens are bound to a key (DPoP, RFC 9449).
///
/// ```toml
/// dpop = true                                       # with a key that is made at the start
/// dpop = { key = "${file:/run/keys/dpop.pem}" }
/// ```
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum DpopSetting {
    /// Yes, with a key that is made for it; or no.
    Switch(bool),
    /// Yes, in this way.
    Table(DpopConfig),
}

/// How tokens are bound to a key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpopConfig {
    /// The private key of the proofs. By default one is made at the start (ES256), so that nobody has to keep it.
    pub key: Option<KeyConfig>,
    /// The signature algorithm. By default the key's own.
    pub algorithm: Option<Algorithm>,
    /// Whether a token that is not bound is accepted, from an issuer that does not know of DPoP. By default not: whoever
    /// finds such a token can use it.
    pub accept_bearer: bool,
}

impl<'de> Deserialize<'de> for DpopSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SwitchOrTable;

        impl<'de> Visitor<'de> for SwitchOrTable {
            type Value = DpopSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, or a table with `key`, `algorithm` or `accept_bearer`")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<DpopSetting, E> {
                Ok(DpopSetting::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DpopSetting, A::Error> {
                DpopConfig::deserialize(MapAccessDeserializer::new(map)).map(DpopSetting::Table)
            }
        }

        deserializer.deserialize_any(SwitchOrTable)
    }
}
