//! Texts in header fields: quoted (RFC 9110 §5.6.4) and extended (RFC 8187).

use countersign::Error;

/// Appends a text in quotes.
pub(crate) fn put(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            into.push('\\');
        }
        into.push(c);
    }
    into.push('"');
}

/// Appends a text as `ext-value`: `UTF-8''` and all but `attr-char` percent-encoded (RFC 8187 §3.2).
pub(crate) fn put_extended(text: &str, into: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    into.push_str("UTF-8''");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.extend(['%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Whether a text that a server sent can be sent back.
///
/// # Errors
/// [`Denied`](countersign::ErrorKind::Denied), naming the parameter: control characters, bytes that were no UTF-8, or more
/// than 4 KiB.
pub(crate) fn echoable(text: &str, parameter: &str) -> Result<(), Error> {
    let fault = if text.len() > 4096 {
        "is longer than 4 KiB"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else if text.contains(char::REPLACEMENT_CHARACTER) {
        "is not UTF-8"
    } else {
        return Ok(());
    };
    Err(Error::denied(format!("the `{parameter}` of the API's Digest challenge {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let mut text = String::new();
        put("a\"b\\c ä", &mut text);
        assert_eq!(text, r#""a\"b\\c ä""#);
    }

    #[test]
    fn the_extended_form_is_that_of_the_rfc() {
        let mut text = String::new();
        put_extended("J\u{e4}s\u{f8}n Doe", &mut text);
        // RFC 7616 §3.9.2.
        assert_eq!(text, "UTF-8''J%C3%A4s%C3%B8n%20Doe");
    }

    #[test]
    fn what_would_break_the_header_is_refused() {
        for bad in ["a\r\nb", "\0", "\u{fffd}", &"a".repeat(4097)] {
            assert!(echoable(bad, "nonce").is_err());
        }
        assert!(echoable("a b ä \"", "realm").is_ok());
    }
}
