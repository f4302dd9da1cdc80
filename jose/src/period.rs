use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A length of time in whole seconds, written as an operator does: `"30s"`, `"5m"`, `"1h"`, `"1d"`, `"1h30m"`.
///
/// Whole seconds because the dates in a token are (RFC 7519 §2, NumericDate; integers are what every verifier reads).
///
/// # Example
/// ```
/// use countersign_jose::Period;
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
        let mut rest = text.trim();
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
        json_schema!({ "type": "string", "pattern": "^([0-9]+[smhd])+$", "examples": ["30s", "5m", "1h"] })
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
            assert_eq!(text.parse::<Period>().unwrap().as_secs(), seconds, "{text}");
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
            ("99999999999999999999s", "hundred years"),
            ("18446744073709551615d", "hundred years"),
        ] {
            let refusal = text.parse::<Period>().unwrap_err();
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }
}
