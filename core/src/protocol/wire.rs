//! How durations, instants and secrets are written.

/// Durations and instants as whole milliseconds.
pub(crate) mod millis {
    pub(crate) mod instant {
        use std::time::{Duration, SystemTime, UNIX_EPOCH};

        use serde::{Deserialize, Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(value: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
            super::duration::serialize(&value.duration_since(UNIX_EPOCH).unwrap_or_default(), serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<SystemTime, D::Error> {
            let since = Duration::from_millis(u64::deserialize(deserializer)?);
            UNIX_EPOCH.checked_add(since).ok_or_else(|| serde::de::Error::custom("an instant out of range"))
        }
    }

    pub(crate) mod duration {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
            u64::deserialize(deserializer).map(Duration::from_millis)
        }
    }
}

/// Secrets in clear: only messages of the protocol are written so.
pub(crate) mod exposed {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Secret;

    pub(crate) fn serialize<S: Serializer>(value: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        Secret::deserialize(deserializer)
    }

    pub(crate) mod option {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::Secret;

        pub(crate) fn serialize<S: Serializer>(
            value: &Option<Secret>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            value.as_ref().map(Secret::expose).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Secret>, D::Error> {
            Option::deserialize(deserializer)
        }
    }

    /// Bytes: a string where they are UTF-8, else an object whose `base64` they are (RFC 4648 §4, padded).
    pub(crate) mod bytes {
        use std::borrow::Cow;

        use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
        use serde::de::Error as _;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::Secret;
        use crate::protocol::base64;

        #[derive(Serialize, Deserialize)]
        #[serde(untagged)]
        pub(crate) enum Bytes {
            Text(String),
            Raw { base64: String },
        }

        impl JsonSchema for Bytes {
            fn schema_name() -> Cow<'static, str> {
                "Bytes".into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": "Bytes: a string where they are UTF-8, else their base64 (RFC 4648 §4, padded).",
                    "anyOf": [
                        { "type": "string" },
                        {
                            "type": "object",
                            "properties": { "base64": { "type": "string", "contentEncoding": "base64" } },
                            "required": ["base64"],
                        },
                    ],
                })
            }
        }

        pub(crate) fn serialize<S: Serializer>(
            value: &Secret<Vec<u8>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match std::str::from_utf8(value.expose()) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => Bytes::Raw { base64: base64::encode(value.expose()) }.serialize(serializer),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Secret<Vec<u8>>, D::Error> {
            Ok(Secret::new(match Bytes::deserialize(deserializer)? {
                Bytes::Text(text) => text.into_bytes(),
                Bytes::Raw { base64: text } => {
                    base64::decode(&text).ok_or_else(|| D::Error::custom("not base64"))?
                }
            }))
        }
    }

    /// The same, where there may be none.
    pub(crate) mod optional_bytes {
        use serde::{Deserialize, Deserializer, Serializer};

        use crate::Secret;

        #[derive(Deserialize)]
        struct Bytes(#[serde(with = "super::bytes")] Secret<Vec<u8>>);

        pub(crate) fn serialize<S: Serializer>(
            value: &Option<Secret<Vec<u8>>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => super::bytes::serialize(value, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Secret<Vec<u8>>>, D::Error> {
            Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
        }
    }
}
