//! Percent-encoding as signatures want it: all but unreserved characters (RFC 3986 §2.3), in capitals.

/// What an encoded text is written to.
pub(crate) trait Sink {
    /// Takes bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Sink for smallvec::SmallVec<[u8; N]> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes a text with all but unreserved characters encoded.
pub(crate) fn encode(text: &[u8], sink: &mut impl Sink) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| !is_unreserved(*byte)) {
        sink.put(&rest[..at]);
        sink.put(&escape(rest[at]));
        rest = &rest[at + 1..];
    }
    sink.put(rest);
}

/// Writes a text that may be percent-encoded in one canonical form: decoded, and encoded again.
pub(crate) fn recode(text: &[u8], plus_is_space: bool, sink: &mut impl Sink) {
    let mut rest = text;
    loop {
        let plain = rest.iter().position(|byte| !is_unreserved(*byte)).unwrap_or(rest.len());
        sink.put(&rest[..plain]);
        let [first, after @ ..] = &rest[plain..] else { return };
        let (byte, used) = match (first, after) {
            (b'%', [high, low, ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            (b'+', _) if plus_is_space => (b' ', 1),
            (byte, _) => (*byte, 1),
        };
        if is_unreserved(byte) {
            sink.put(&[byte])
        } else {
            sink.put(&escape(byte))
        }
        rest = &rest[plain + used..];
    }
}

/// Whether a byte stays as it is.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    const UNRESERVED: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            let character = byte as u8;
            table[byte] = character.is_ascii_alphanumeric() || matches!(character, b'-' | b'.' | b'_' | b'~');
            byte += 1;
        }
        table
    };
    UNRESERVED[byte as usize]
}

const fn escape(byte: u8) -> [u8; 3] {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    [b'%', DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
