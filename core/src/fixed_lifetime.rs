use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::{Lifetime, Period};

/// A lifetime that the operator knows: a period like `"30m"`, or `"until-rejected"`.
///
/// # Example
/// ```
/// use countersign::{FixedLifetime, Lifetime};
///
/// let known: FixedLifetime = serde_json::from_str("\"until-rejected\"").unwrap();
/// assert_eq!(Lifetime::from(known), Lifetime::UntilRejected);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixedLifetime {
    /// For so long; longer than nothing.
    For(Period),
    /// Until the API rejects the credential.
    UntilRejected,
}

impl From<FixedLifetime> for Lifetime {
    fn from(known: FixedLifetime) -> Self {
        match known {
            FixedLifetime::For(period) => Self::For(Duration::from(period)),
            FixedLifetime::UntilRejected => Self::UntilRejected,
        }
    }
}

impl<'de> Deserialize<'de> for FixedLifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "until-rejected" => Ok(Self::UntilRejected),
            text => match text.parse::<Period>() {
                Ok(period) if period.as_secs() == 0 => Err(de::Error::custom("is no time at all")),
                Ok(period) => Ok(Self::For(period)),
                Err(error) => Err(de::Error::custom(format!("{error}, or \"until-rejected\""))),
            },
        }
    }
}

impl JsonSchema for FixedLifetime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FixedLifetime".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [generator.subschema_for::<Period>(), { "const": "until-rejected" }] })
    }
}
