use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use countersign::Template;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use countersign::Period;

/// The token's claims (RFC 7519 §4). Every text may be a template over the caller: `{{ caller.user }}`.
///
/// A profile type embeds it as a table of its own, or copies its fields to the top level of its settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsConfig {
    /// `iss`: who makes the token.
    pub issuer: Option<Template>,
    /// `sub`: whom the token is about.
    pub subject: Option<Template>,
    /// `aud`: whom the token is for, one or several.
    pub audience: Option<Audience>,
    /// `jti`: gives every token a random name of 128 bits, so that a verifier can notice a replay.
    pub jti: bool,
    /// `iat`: says when the token was made.
    pub iat: bool,
    /// `nbf`: says from when on the token is valid, which is when it was made.
    pub nbf: bool,
    /// How far `iat` and `nbf` are set back, for verifiers whose clocks run behind.
    pub backdate: Period,
    /// How long the token is valid from now on: `exp`.
    pub lifetime: Period,
    /// Further claims, of any JSON type; every text in them, however deep, may be a template.
    pub claims: BTreeMap<String, Value>,
}

impl ClaimsConfig {
    /// How long a token lives when nothing else is set.
    pub const DEFAULT_LIFETIME: Period = Period::from_secs(300);
}

impl Default for ClaimsConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            subject: None,
            audience: None,
            jti: true,
            iat: true,
            nbf: true,
            backdate: Period::default(),
            lifetime: Self::DEFAULT_LIFETIME,
            claims: BTreeMap::new(),
        }
    }
}

/// The audience: one, which stands in the token as a text, or several, which stand there as a list.
#[derive(Debug, Clone)]
pub enum Audience {
    /// `audience = "orders-api"`.
    One(Template),
    /// `audience = ["orders-api", "billing-api"]`.
    Several(Vec<Template>),
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                Template::parse(text).map(Audience::One).map_err(|error| E::custom(error.message()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audience, A::Error> {
                let mut several = Vec::new();
                while let Some(one) = list.next_element()? {
                    several.push(one);
                }
                Ok(Audience::Several(several))
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}

impl JsonSchema for Audience {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Audience".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Template>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
