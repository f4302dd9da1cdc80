//! The messages between a profile and its host: one protocol, whatever home the profile lives in.
//!
//! `start(`[`Start`]`) → `[`Step`], then `resume(`[`Resume`]`) → Step` until the step is done or failed. As JSON they
//! cross the plugin boundary; linked-in profiles exchange the same values in memory. Unknown fields are ignored and
//! new fields are optional, so that both sides may be of different age.
//!
//! Secrets are written in clear here: a message is for the other side of the boundary and for nothing else.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{Caller, Challenge, Credential, Error, HttpRequest, HttpResponse, Origin, Secret};

/// What a conversation begins with. It holds only what the profile declared in its [`Inputs`](crate::Inputs).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Start {
    /// Wall time, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    pub now: SystemTime,
    /// The declared attributes of the caller.
    #[serde(default)]
    pub caller: Caller,
    /// The origin that the call goes to, if declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Origin>,
    /// What the upstream demanded when it rejected the credential before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// The renewal state that the credential before left behind.
    #[serde(default, with = "exposed::option", skip_serializing_if = "Option::is_none")]
    pub previous: Option<Secret>,
}

impl Start {
    /// A start of which only the time is known.
    pub fn at(now: SystemTime) -> Self {
        Self { now, caller: Caller::new(), target: None, challenge: None, previous: None }
    }
}

/// What a profile says after each turn.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It needs something from its host.
    Need(Need),
    /// It is done.
    Done(Credential),
    /// It failed.
    Failed(Error),
}

/// What a profile may need.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Need {
    /// An HTTP exchange.
    Http(HttpRequest),
    /// To wait, in milliseconds on the wire.
    #[serde(with = "millis::duration")]
    Sleep(Duration),
}

/// The host's answer to a [`Need`], with the time of the answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Resume {
    /// Wall time, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    pub now: SystemTime,
    /// What came of it.
    pub event: Event,
}

/// What came of a [`Need`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The HTTP answer.
    Http(HttpResponse),
    /// The wait is over.
    Slept,
    /// The need could not be met.
    Failed(Error),
}

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

    /// Bytes: a string where they are UTF-8, else an array of numbers.
    pub(crate) mod bytes {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use crate::Secret;

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Bytes {
            Text(String),
            Raw(Vec<u8>),
        }

        pub(crate) fn serialize<S: Serializer>(
            value: &Secret<Vec<u8>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match std::str::from_utf8(value.expose()) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => value.expose().serialize(serializer),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Secret<Vec<u8>>, D::Error> {
            Ok(Secret::new(match Bytes::deserialize(deserializer)? {
                Bytes::Text(text) => text.into_bytes(),
                Bytes::Raw(raw) => raw,
            }))
        }
    }
}
