//! Named query parameters (RFC 9421 §2.2.8).

use countersign::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// All but what `application/x-www-form-urlencoded` leaves as it is (URL Standard §5.2).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// Whether a name is written as it is signed.
pub(crate) fn is_encoded(name: &str) -> bool {
    !name.is_empty() && recoded(name) == name
}

/// The value of the one parameter of that name, encoded; `None` if there is none.
///
/// # Errors
/// [`Unsupported`](countersign::ErrorKind::Unsupported) if there are several.
pub(crate) fn value(query: Option<&str>, name: &str) -> Result<Option<String>, Error> {
    let mut found = None;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (written, value) = pair.split_once('=').unwrap_or((pair, ""));
        if recoded(written) != name {
            continue;
        }
        if found.replace(recoded(value)).is_some() {
            return Err(Error::unsupported(
                "a query parameter that is covered by its name occurs twice (RFC 9421 §2.2.8); cover `@query`",
            ));
        }
    }
    Ok(found)
}

/// Decoded, and encoded in the one way.
fn recoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let meant: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
    percent_encode(&meant, FORM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_rfc() {
        // §2.2.8, both examples.
        let plain = Some("param=value&foo=bar&baz=batman&qux=");
        let encoded = Some(
            "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
        );
        for (query, name, expected) in [
            (plain, "baz", Some("batman")),
            (plain, "qux", Some("")),
            (plain, "param", Some("value")),
            (plain, "other", None),
            (encoded, "var", Some("this%20is%20a%20big%0Amultiline%20value")),
            (encoded, "bar", Some("with%20plus%20whitespace")),
            (encoded, "fa%C3%A7ade%22%3A%20", Some("something")),
            (None, "a", None),
        ] {
            assert_eq!(value(query, name).unwrap().as_deref(), expected, "{name}");
        }
        assert_eq!(value(Some("a=~%7e"), "a").unwrap().as_deref(), Some("%7E%7E"));
    }

    #[test]
    fn a_parameter_that_occurs_twice_is_refused_however_it_is_written() {
        for query in ["a=1&a=2", "a=1&%61=2"] {
            assert!(value(Some(query), "a").is_err(), "{query}");
        }
    }

    #[test]
    fn names_are_written_as_they_are_signed() {
        assert!(is_encoded("Pet") && is_encoded("fa%C3%A7ade%22%3A%20"));
        for name in ["", "a b", "ä", "a+b", "%c3%A7", "%41"] {
            assert!(!is_encoded(name), "{name}");
        }
    }
}
