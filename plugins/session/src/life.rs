use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Error, FixedLifetime, Lifetime, Table, timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::cookie::Cookie;
use crate::reading::{Reading, ReadingConfig, ReadingTable, Readings};

/// Where an answer says for how long a session lives. A text alone is a JSON pointer to a number of seconds.
#[derive(Debug, Clone, Default)]
pub struct ExpiresInConfig {
    table: ExpiresInTable,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExpiresInTable {
    /// A JSON pointer into the body (RFC 6901).
    json: Option<String>,
    /// A JMESPath expression over the body.
    jmespath: Option<String>,
    /// The name of a header.
    header: Option<String>,
    /// What the number counts: seconds, if not given.
    #[serde(default)]
    unit: Unit,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    #[default]
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
}

impl<'de> Deserialize<'de> for ExpiresInConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointerOrTable;

        impl<'de> Visitor<'de> for PointerOrTable {
            type Value = ExpiresInConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON pointer, or a table with `json`, `jmespath` or `header`, and `unit`")
            }

            fn visit_str<E: de::Error>(self, pointer: &str) -> Result<ExpiresInConfig, E> {
                let table = ExpiresInTable { json: Some(pointer.to_owned()), ..ExpiresInTable::default() };
                Ok(ExpiresInConfig { table })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ExpiresInConfig, A::Error> {
                let table = ExpiresInTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ExpiresInConfig { table })
            }
        }

        deserializer.deserialize_any(PointerOrTable)
    }
}

impl JsonSchema for ExpiresInConfig {
    fn schema_name() -> Cow<'static, str> {
        "ExpiresIn".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = ExpiresInTable::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string", "description": "A JSON pointer (RFC 6901)." }, table] })
    }
}

/// How it is known how long a session lives.
#[derive(Debug)]
pub(crate) struct Life {
    said: Option<Said>,
    fixed: Option<FixedLifetime>,
}

#[derive(Debug)]
enum Said {
    In(Reading, Unit),
    At(Reading),
    Cookie(String),
    Jwt(String),
}

/// Ten years; nobody keeps a session longer, and instants stay far from their end.
const MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

impl Life {
    pub(crate) fn new(
        fixed: Option<FixedLifetime>,
        expires_in: Option<ExpiresInConfig>,
        expires_at: Option<ReadingConfig>,
        expires_with: Option<String>,
        answer: &Readings,
    ) -> Result<Self, Error> {
        let said = match (expires_in, expires_at, expires_with) {
            (None, None, None) => None,
            (Some(ExpiresInConfig { table }), None, None) => {
                let ExpiresInTable { json, jmespath, header, unit } = table;
                let reading = ReadingConfig {
                    table: ReadingTable { json, jmespath, header, ..ReadingTable::default() },
                };
                Some(Said::In(Reading::new(reading).map_err(|error| error.at("expires_in"))?, unit))
            }
            (None, Some(reading), None) => {
                Some(Said::At(Reading::new(reading).map_err(|error| error.at("expires_at"))?))
            }
            (None, None, Some(name)) => {
                let reading = answer.reading(&name);
                let reading = reading.ok_or_else(|| {
                    Error::config("is to be the name of a value in `answer`").at("expires_with")
                })?;
                Some(match reading.cookie() {
                    Some(cookie) => Said::Cookie(cookie.to_owned()),
                    None => Said::Jwt(name),
                })
            }
            (Some(_), ..) => {
                let message = "is one of several; keep one of `expires_in`, `expires_at`, `expires_with`";
                return Err(Error::config(message).at("expires_in"));
            }
            (None, Some(_), Some(_)) => {
                let message = "is one of several; keep one of `expires_at`, `expires_with`";
                return Err(Error::config(message).at("expires_at"));
            }
        };
        Ok(Self { said, fixed })
    }

    /// How long the session lives that an answer gave, as of now.
    ///
    /// # Errors
    /// [`Unavailable`](countersign::ErrorKind::Unavailable), when it says what is no time, or one that is over.
    pub(crate) fn read(
        &self,
        answer: &Answer<'_>,
        values: &Table,
        now: SystemTime,
    ) -> Result<Lifetime, Error> {
        let said = match &self.said {
            None => None,
            Some(Said::In(reading, unit)) => match reading.text(answer)? {
                None => None,
                Some(text) => {
                    Some(Lifetime::For(unit.duration(text.expose()).ok_or_else(|| no_time(reading))?))
                }
            },
            Some(Said::At(reading)) => match reading.text(answer)? {
                None => None,
                Some(text) => {
                    Some(Lifetime::Until(timestamp(text.expose()).ok_or_else(|| no_time(reading))?))
                }
            },
            Some(Said::Cookie(name)) => {
                Cookie::find(answer.response(), name).and_then(|cookie| cookie.lifetime())
            }
            Some(Said::Jwt(name)) => match values.get(name) {
                None => None,
                Some(token) => exp(token.expose()).ok_or_else(|| {
                    Error::unavailable(format!("the value `{name}` is no JWT, so that it has no `exp`"))
                })?,
            },
        };
        let over = || Error::unavailable("gave a session that has expired already; compare the clocks");
        match said {
            Some(Lifetime::For(duration)) if duration.is_zero() => Err(over()),
            Some(Lifetime::For(duration)) => Ok(Lifetime::For(duration.min(MAX))),
            Some(Lifetime::Until(instant)) if instant <= now => Err(over()),
            Some(said) => Ok(said),
            None => Ok(self.fixed.map_or(Lifetime::Unstated, Lifetime::from)),
        }
    }
}

impl Unit {
    /// A number, perhaps with a fraction, as a duration; what is negative is none at all.
    fn duration(self, text: &str) -> Option<Duration> {
        let number: f64 = text.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
        let seconds = match self {
            Self::Milliseconds => number / 1000.0,
            Self::Seconds => number,
            Self::Minutes => number * 60.0,
            Self::Hours => number * 3600.0,
        };
        Some(Duration::from_secs_f64(seconds.clamp(0.0, MAX.as_secs_f64())))
    }
}

fn no_time(reading: &Reading) -> Error {
    Error::unavailable(format!("the answer has {} what is no time", reading.at()))
}

/// The expiry of a JWT (RFC 7519 §4.1.4), whose signature is its reader's matter: `None` if it is no JWT, nothing if it has no
/// expiry.
#[allow(clippy::option_option)]
fn exp(token: &str) -> Option<Option<Lifetime>> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let exp = claims.as_object()?.get("exp").and_then(Value::as_f64);
    Some(
        exp.filter(|exp| (0.0..1e11).contains(exp))
            .map(|exp| Lifetime::Until(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(exp))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_its_unit_and_bounded() {
        for (text, unit, seconds) in [
            ("30", Unit::Minutes, 1800.0),
            ("900000", Unit::Milliseconds, 900.0),
            (" 1.5 ", Unit::Hours, 5400.0),
            ("-1", Unit::Seconds, 0.0),
            ("1e300", Unit::Seconds, MAX.as_secs_f64()),
        ] {
            let read = unit.duration(text).unwrap().as_secs_f64();
            assert!((read - seconds).abs() < 1e-6, "{text}: {read}");
        }
        for text in ["", "soon", "NaN", "inf", "1h"] {
            assert_eq!(Unit::Seconds.duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_jwt_says_until_when() {
        // The example of RFC 7519 §3.1.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_300_819_380);
        assert_eq!(exp(token), Some(Some(Lifetime::Until(until))));
        assert_eq!(exp("a.e30.c"), Some(None));
        for token in ["", "a.b", "a.b.c", "a.W10.c"] {
            assert_eq!(exp(token), None, "{token}");
        }
    }
}
