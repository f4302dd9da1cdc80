use countersign::{Error, Place, Secret};
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// One value of a profile, checked and in the form in which it goes onto a request.
///
/// Both the values of credentials and the edits of signatures come through here, and nothing else is placed.
#[derive(Debug, Clone)]
pub enum Placed {
    /// A header field; the value is marked as sensitive.
    Header(HeaderName, HeaderValue),
    /// A query parameter, `name=value`, percent-encoded.
    Query(Secret),
    /// A cookie, `name=value`.
    Cookie(Secret),
}

impl Placed {
    /// Checks a name and a value.
    ///
    /// # Errors
    /// [`Internal`](countersign::ErrorKind::Internal), naming the place and the name, never the value: for control
    /// characters anywhere, for a name that is none, and for headers that frame the message or belong to one
    /// connection (RFC 9110 §7.6.1, RFC 9112 §6).
    pub fn new(place: Place, name: &str, value: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            Error::internal(format!(
                "the profile gave a {place} {} that cannot be placed: {what}",
                name.escape_debug()
            ))
        };
        place.check_name(name).map_err(|error| wrong(error.message()))?;
        place.check_value(value).map_err(|error| wrong(error.message()))?;
        Ok(match place {
            Place::Header => {
                let name =
                    HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("it is no field name"))?;
                let mut value =
                    HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong("it is no field value"))?;
                value.set_sensitive(true);
                Self::Header(name, value)
            }
            Place::Query => {
                let encoded = |text| utf8_percent_encode(text, RESERVED);
                Self::Query(format!("{}={}", encoded(name), encoded(value)).into())
            }
            Place::Cookie => Self::Cookie(format!("{name}={value}").into()),
        })
    }
}

/// All but what RFC 3986 §2.3 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use countersign::ErrorKind;
    use proptest::prelude::*;

    use super::*;

    const PLACES: [Place; 3] = [Place::Header, Place::Query, Place::Cookie];

    #[test]
    fn control_characters_are_refused_everywhere() {
        for place in PLACES {
            for bad in ["a\rb", "a\nb", "a\r\nx: y", "a\0b", "\u{7f}", "a\u{85}b"] {
                assert!(Placed::new(place, "name", bad).is_err(), "{place} value {bad:?}");
                assert!(Placed::new(place, bad, "value").is_err(), "{place} name {bad:?}");
            }
        }
    }

    #[test]
    fn an_error_names_the_header_and_not_the_value() {
        let error = Placed::new(Place::Header, "x-key", "canary\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        let told = error.to_string();
        assert!(told.contains("header x-key") && !told.contains("canary"), "{told}");
    }

    #[test]
    fn framing_and_hop_by_hop_headers_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "connection",
            "TE",
            "trailer",
            "upgrade",
            "expect",
            "Keep-Alive",
            "proxy-connection",
            ":authority",
            "a b",
            "",
        ] {
            assert!(Placed::new(Place::Header, name, "x").is_err(), "{name}");
        }
    }

    #[test]
    fn header_values_are_sensitive_and_debug_is_blind() {
        for place in PLACES {
            let placed = Placed::new(place, "name", "canary").unwrap();
            assert!(!format!("{placed:?}").contains("canary"), "{placed:?}");
        }
    }

    #[test]
    fn query_values_are_encoded_and_cookie_values_are_checked() {
        let Placed::Query(pair) = Placed::new(Place::Query, "a&b", "1=2 +ü~").unwrap() else { panic!() };
        assert_eq!(pair.expose(), "a%26b=1%3D2%20%2B%C3%BC~");
        for bad in ["a;b", "a b", "a,b", "\"", "a\\b", "ü"] {
            assert!(Placed::new(Place::Cookie, "sid", bad).is_err(), "{bad}");
        }
        for good in ["", "a=b", "\"quoted\"", "eyJ.x-y_z~"] {
            assert!(Placed::new(Place::Cookie, "sid", good).is_ok(), "{good}");
        }
        assert!(Placed::new(Place::Cookie, "a=b", "x").is_err());
    }

    proptest! {
        #[test]
        fn whatever_passes_stays_on_one_line(name in "\\PC{0,8}|[\\x00-\\x7f]{0,8}", value in "(?s).{0,16}") {
            for place in PLACES {
                let octets = match Placed::new(place, &name, &value) {
                    Ok(Placed::Header(name, value)) => [name.as_str().as_bytes(), value.as_bytes()].concat(),
                    Ok(Placed::Query(pair) | Placed::Cookie(pair)) => pair.expose().clone().into_bytes(),
                    Err(_) => continue,
                };
                prop_assert!(!octets.iter().any(|octet| b"\r\n\0".contains(octet)));
            }
        }
    }
}
