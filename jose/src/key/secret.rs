use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use countersign::Error;
use zeroize::Zeroizing;

use super::config::{Encoding, SecretKey};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes of a shared secret.
pub(super) fn read(config: &SecretKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = config.secret.expose();
    let bytes = match config.encoding {
        Encoding::Utf8 => Some(Zeroizing::new(text.as_bytes().to_vec())),
        Encoding::Base64 => base64(text),
        Encoding::Base64url => BASE64URL.decode(text.trim()).ok().map(Zeroizing::new),
        Encoding::Hex => hex(text.trim()),
    };
    bytes.ok_or_else(|| Error::config("is not written in the encoding that `encoding` names").at("secret"))
}

/// Decodes base64, whatever its line ends and padding.
pub(super) fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut compact = Zeroizing::new(String::with_capacity(text.len()));
    compact.extend(text.chars().filter(|c| !c.is_ascii_whitespace()));
    BASE64.decode(compact.as_bytes()).ok().map(Zeroizing::new)
}

fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(secret: &str, encoding: Encoding) -> Result<Vec<u8>, Error> {
        read(&SecretKey { secret: secret.into(), encoding }).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn each_encoding_yields_the_same_bytes() {
        let bytes = vec![0xfb, 0xff, 0x0a];
        for (text, encoding) in [
            ("+/8K", Encoding::Base64),
            ("-_8K", Encoding::Base64url),
            ("fbFF0a", Encoding::Hex),
            (" +/8\nK ", Encoding::Base64),
        ] {
            assert_eq!(decoded(text, encoding).unwrap(), bytes);
        }
        assert_eq!(decoded("AA==", Encoding::Base64), decoded("AA", Encoding::Base64));
        assert_eq!(decoded(" text ", Encoding::Utf8).unwrap(), b" text ");
    }

    #[test]
    fn text_in_another_encoding_is_refused_without_being_repeated() {
        for (text, encoding) in
            [("-_8K", Encoding::Base64), ("+/8K", Encoding::Base64url), ("abc", Encoding::Hex)]
        {
            let error = decoded(text, encoding).unwrap_err();
            assert_eq!(error.field(), Some("secret"));
            assert!(!error.message().contains(text));
        }
    }
}
