use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::hex;

use crate::sink::Sink;

/// What makes a request unlike every other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Nonce {
    /// No template has one.
    None,
    /// 128 random bits.
    Random([u8; 16]),
    /// That of a published example.
    #[cfg(test)]
    Given(&'static str),
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonceForm {
    Hex,
    /// RFC 9562, version 4.
    Uuid,
    Base64,
}

impl Nonce {
    pub(crate) fn write(self, form: NonceForm, sink: &mut dyn Sink) {
        let mut bytes = match self {
            Self::None => return,
            Self::Random(bytes) => bytes,
            #[cfg(test)]
            Self::Given(text) => return sink.put(text.as_bytes()),
        };
        match form {
            NonceForm::Hex => digits(&bytes, sink),
            NonceForm::Base64 => {
                let mut text = [0; 24];
                if let Ok(length) = STANDARD.encode_slice(bytes, &mut text) {
                    sink.put(text.get(..length).unwrap_or_default());
                }
            }
            NonceForm::Uuid => {
                bytes[6] = bytes[6] & 0x0f | 0x40;
                bytes[8] = bytes[8] & 0x3f | 0x80;
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        sink.put(b"-");
                    }
                    sink.put(&hex(&[*byte])[0]);
                }
            }
        }
    }
}

/// Bytes as lower-case digits; in pieces, for each of them costs.
pub(crate) fn digits(bytes: &[u8], sink: &mut (impl Sink + ?Sized)) {
    let (pieces, rest) = bytes.as_chunks::<32>();
    pieces.iter().for_each(|piece| sink.put(hex(piece).as_flattened()));
    if rest.is_empty() {
        return;
    }
    let mut padded = [0; 32];
    padded.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    sink.put(hex(&padded).as_flattened().get(..2 * rest.len()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: NonceForm) -> String {
        let mut text = Vec::new();
        Nonce::Random(std::array::from_fn(|index| 0xf0 | index as u8)).write(form, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn forms_are_of_the_same_bytes() {
        assert_eq!(written(NonceForm::Hex), "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        assert_eq!(written(NonceForm::Uuid), "f0f1f2f3-f4f5-46f7-b8f9-fafbfcfdfeff");
        assert_eq!(written(NonceForm::Base64), "8PHy8/T19vf4+fr7/P3+/w==");
    }
}
