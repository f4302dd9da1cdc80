//! Percent-encoding as RFC 5849 §3.6 has it: all but unreserved characters, in capitals.

/// Appends a text, encoded.
pub(crate) fn encode(text: &[u8], into: &mut Vec<u8>) {
    for byte in text {
        put(*byte, into);
    }
}

/// Appends a name or value of a query or a form (`application/x-www-form-urlencoded`): decoded, and encoded again.
pub(crate) fn recode(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, behind) = match (first, after) {
            (b'%', [high, low, behind @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                _ => (b'%', after),
            },
            (b'+', _) => (b' ', after),
            (byte, _) => (*byte, after),
        };
        put(byte, into);
        rest = behind;
    }
}

fn put(byte: u8, into: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        into.push(byte);
    } else {
        into.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_forms_get_one_spelling() {
        for (written, encoded) in [
            ("a%20b+c", "a%20b%20c"),
            ("=%3d", "%3D%3D"),
            ("~%7E%41", "~~A"),
            ("100%", "100%25"),
            ("%zz%4", "%25zz%254"),
            ("\u{e4}*'", "%C3%A4%2A%27"),
        ] {
            let mut text = Vec::new();
            recode(written.as_bytes(), &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), encoded, "{written}");
        }
        let mut text = Vec::new();
        encode(b"a+b%20", &mut text);
        assert_eq!(text, b"a%2Bb%2520");
    }
}
