use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in whole seconds, written as an operator does: `"30s"`, `"5m"`, `"1h"`, `"1d"`, `"1h30m"`,
/// from the largest unit to the smallest.
///
/// Whole seconds, as the dates in a token are (RFC 7519 §2, NumericDate; integers are what every verifier reads).
///
/// # Example
/// ```
/// use countersign::Period;
///
/// let period: Period = "1h30m".parse().unwrap();
/// assert_eq!(period.as_secs(), 5400);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// A hundred years; what is longer is a typing error.
    const MAX: u64 = 100 * 366 * 86_400;

    /// A period of so many seconds; longer than a hundred years becomes a hundred years.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(if seconds > Self::MAX { Self::MAX } else { seconds })
    }

    /// The length in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        Self::from_secs(period.0)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HELP: &str = "write a whole number and a unit, like \"30s\", \"5m\", \"1h\" or \"1d\"";
        let mut total = 0u64;
        let mut rest = text;
        let mut larger_than = u64::MAX;
        if rest.is_empty() {
            return Err(format!("is empty; {HELP}"));
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let unit = match tail.as_bytes().first() {
                _ if number.is_empty() => return Err(format!("is not a length of time; {HELP}")),
                Some(b's') => 1,
                Some(b'm') if tail.starts_with("ms") => {
                    return Err(format!("is finer than a second; {HELP}"));
                }
                Some(b'm') => 60,
                Some(b'h') => 3600,
                Some(b'd') => 86_400,
                None => return Err(format!("lacks the unit; {HELP}")),
                Some(_) => return Err(format!("has an unknown unit; {HELP}")),
            };
            if unit >= larger_than {
                return Err(format!("has its units out of order; {HELP}"));
            }
            larger_than = unit;
            let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
            total = seconds
                .and_then(|seconds| total.checked_add(seconds))
                .filter(|total| *total <= Self::MAX)
                .ok_or("is longer than a hundred years")?;
            rest = &tail[1..];
        }
        Ok(Self(total))
    }
}

/// As it is written: `1h30m`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60)] {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        if rest > 0 || self.0 == 0 { write!(f, "{rest}s") } else { Ok(()) }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 2, "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "examples": ["30s", "5m", "1h"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172_800), ("1h30m5s", 5405), ("0s", 0)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.as_secs(), period.to_string().as_str()), (seconds, text));
        }
    }

    #[test]
    fn what_is_no_period_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("300", "unit"),
            ("5 m", "unknown unit"),
            ("500ms", "finer than a second"),
            ("-5m", "not a length"),
            ("m", "not a length"),
            ("5µs", "unknown unit"),
            (" 5m", "not a length"),
            ("30m1h", "out of order"),
            ("1h1h", "out of order"),
            ("99999999999999999999s", "hundred years"),
            ("18446744073709551615d", "hundred years"),
        ] {
            let refusal = text.parse::<Period>().unwrap_err();
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }
}
