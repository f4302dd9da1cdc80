//! Which bytes may stand where.

/// A byte of a token (RFC 9110 §5.6.2): names of fields.
pub(super) const TOKEN: u8 = 1;
/// A byte of a method. Registered ones have capitals and hyphens only (RFC 9110 §16.1).
pub(super) const METHOD: u8 = 1 << 1;
/// A byte of a target's path, as the server's parser takes it, but for the backslash. `%` is looked at apart.
pub(super) const PATH: u8 = 1 << 2;
/// The same for its query.
pub(super) const QUERY: u8 = 1 << 3;
/// A byte of a host's name or IPv4 address: letters, digits, hyphen, dot, underscore.
pub(super) const NAME: u8 = 1 << 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = classes_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> u8 {
    let token = matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        || byte.is_ascii_alphanumeric();
    let method = matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    let both = matches!(byte, b'!' | b'$' | b'&'..=b';' | b'=' | b'@'..=b'[' | b']'..=b'_' | b'a'..=b'~');
    let path = both || byte == b'"';
    let query = both || matches!(byte, b'?' | b'`');
    let name = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    when(token, TOKEN) | when(method, METHOD) | when(path, PATH) | when(query, QUERY) | when(name, NAME)
}

const fn when(is: bool, class: u8) -> u8 {
    if is { class } else { 0 }
}

/// The byte is of that class.
#[inline]
pub(super) fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// A byte of a token: a field's name has no others.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// Every byte is of that class.
#[inline]
pub(super) fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().fold(class, |common, byte| common & CLASSES[*byte as usize]) != 0
}

/// Where the first control byte at or after `from` is, the horizontal tab excepted.
#[inline]
pub(super) fn control(bytes: &[u8], from: usize) -> Option<usize> {
    let (words, tail) = bytes.get(from..)?.as_chunks();
    let mut at = from;
    for word in words {
        let mut found = controls(u64::from_le_bytes(*word));
        while found != 0 {
            let index = (found.trailing_zeros() / 8) as usize;
            if word[index] != b'\t' {
                return Some(at + index);
            }
            found &= found - 1;
        }
        at += word.len();
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    tail.iter().position(is_control).map(|index| at + index)
}

/// Eight bytes at once: the high bit of each that is a control byte.
#[inline]
const fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let low = word & (ONES * 0x7f);
    let printable = (low + ONES * 0x60) & !(low + ONES);
    !(printable | word) & (ONES * 0x80)
}

/// Without spaces and tabs at either end.
#[inline]
pub(super) fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut bytes = vec![b'\t'; length];
                    bytes[at] = byte;
                    let expected = (byte.is_ascii_control() && byte != b'\t').then_some(at);
                    assert_eq!(control(&bytes, 0), expected, "{byte:#04x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn the_parser_takes_every_path_and_query_made_of_these_bytes() {
        for byte in 0..=255_u8 {
            let path = [b"/a".as_slice(), &[byte], b"b"].concat();
            let query = [b"/a?".as_slice(), &[byte], b"b"].concat();
            assert!(!is(byte, PATH) || http::Uri::try_from(path.as_slice()).is_ok(), "{byte:#04x}");
            assert!(!is(byte, QUERY) || http::Uri::try_from(query.as_slice()).is_ok(), "{byte:#04x}");
        }
    }

    #[test]
    fn the_parser_takes_every_name_made_of_these_bytes() {
        for byte in 0..=255_u8 {
            let parsed = http::HeaderName::from_bytes(&[b'a', byte]).is_ok();
            assert_eq!(is(byte, TOKEN), parsed, "{byte:#04x}");
        }
    }
}
