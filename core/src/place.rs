use std::fmt;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where on a request a value goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A header field.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// Fields that frame or route the message, or belong to one hop only (RFC 9110 §7.2, §7.6.1, §8.6, §10.1.1): who sets
/// one of them moves the end of a request or its destination.
const NOT_FOR_PROFILES: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Place {
    /// Whether a value may stand there under that name. A profile asks when it reads its settings, the host before it
    /// places anything.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), without the name: a header or cookie that is no token (RFC 9110 §5.6.2,
    /// RFC 6265 §4.1.1); a header that frames or routes the message; an empty parameter.
    pub fn check_name(self, name: &str) -> Result<(), Error> {
        match self {
            Self::Query if name.is_empty() => Err(Error::config("a query parameter needs a name")),
            Self::Query if name.chars().any(char::is_control) => {
                Err(Error::config("the name of a query parameter holds a control character"))
            }
            Self::Query => Ok(()),
            Self::Header => header_name(name),
            Self::Cookie => HeaderName::from_bytes(name.as_bytes()).map(|_| ()).map_err(|_| {
                Error::config("is no cookie name; letters, digits and !#$%&'*+-.^_`|~ make one")
            }),
        }
    }

    /// Whether that value may stand there.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), without the value: control characters anywhere; white space around a
    /// header's value; in a cookie whatever RFC 6265 §4.1.1 excludes.
    pub fn check_value(self, value: &str) -> Result<(), Error> {
        if value.chars().any(|c| c.is_control() && !(c == '\t' && self == Self::Header)) {
            return Err(Error::config(
                "holds a control character (CR, LF, NUL …); is it cut from a larger text?",
            ));
        }
        match self {
            Self::Header if value.trim_matches([' ', '\t']).len() != value.len() => {
                Err(Error::config("begins or ends with white space, which a header loses on its way"))
            }
            Self::Cookie if !unquoted(value).bytes().all(is_cookie_octet) => Err(Error::config(
                "holds a character that a cookie cannot carry (space, quote, comma, semicolon, backslash or beyond ASCII)",
            )),
            _ => Ok(()),
        }
    }
}

fn header_name(name: &str) -> Result<(), Error> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Error::config("is no header name; letters, digits and !#$%&'*+-.^_`|~ make one"))?;
    if NOT_FOR_PROFILES.contains(&name.as_str()) {
        return Err(Error::config(format!(
            "the header {name} frames or routes the message; a profile must not set it"
        )));
    }
    if name == http::header::COOKIE {
        return Err(Error::config("the header cookie is shared by all cookies; place a cookie instead"));
    }
    Ok(())
}

/// A cookie's value may stand in quotes as a whole.
fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Query => "query parameter",
            Self::Cookie => "cookie",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_frame_or_route_are_refused_in_any_case() {
        for name in NOT_FOR_PROFILES {
            assert!(Place::Header.check_name(name).is_err(), "{name}");
            assert!(Place::Header.check_name(&name.to_uppercase()).is_err(), "{name}");
        }
        assert!(Place::Header.check_name("Cookie").is_err());
        assert!(Place::Header.check_name("X-Api-Key").is_ok());
    }

    #[test]
    fn names_that_are_no_tokens_are_refused() {
        for name in ["", "a b", "a:b", "a\r\nb", "ключ", ":authority"] {
            assert!(Place::Header.check_name(name).is_err(), "{name:?}");
            assert!(Place::Cookie.check_name(name).is_err(), "{name:?}");
        }
        assert!(Place::Query.check_name("").is_err() && Place::Query.check_name("a\n").is_err());
        assert!(Place::Query.check_name("filter[key]").is_ok());
    }

    #[test]
    fn values_that_would_break_the_message_are_refused() {
        for value in ["a\rb", "a\nb", "a\0b", "a\u{7f}", "a\u{85}"] {
            for place in [Place::Header, Place::Query, Place::Cookie] {
                let error = place.check_value(value).unwrap_err();
                assert!(!error.message().contains(value), "{error}");
            }
        }
        for value in ["a;b", "a,b", "a b", "\"a", "a\\b", "£"] {
            assert!(Place::Cookie.check_value(value).is_err(), "{value}");
            assert!(Place::Header.check_value(value).is_ok(), "{value}");
        }
        assert!(Place::Header.check_value(" a").is_err());
    }
}
