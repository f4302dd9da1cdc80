use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use countersign::{Error, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// How the secret is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The text's own bytes are the secret.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Base64 with `+` and `/`, padded or not.
    Base64,
    /// Base64 with `-` and `_`, padded or not.
    Base64url,
    /// Hexadecimal digits.
    Hex,
}

impl Encoding {
    /// The secret's bytes.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) at `secret`.
    pub(crate) fn decode(self, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, Error> {
        let text = secret.expose();
        let bytes = match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Base64 => BASE64.decode(text.trim()).ok(),
            Self::Base64url => BASE64URL.decode(text.trim()).ok(),
            Self::Hex => hex(text.trim()),
        };
        match bytes.map(Zeroizing::new) {
            None => Err(Error::config("is not written as `secret_encoding` says").at("secret")),
            Some(bytes) if bytes.is_empty() => {
                Err(Error::config("is empty; everybody could sign with it").at("secret"))
            }
            Some(bytes) => Ok(bytes),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_yields_the_same_bytes_and_refuses_the_others() {
        for (text, encoding) in
            [("+/8K", Encoding::Base64), ("-_8K\n", Encoding::Base64url), ("fbFF0a", Encoding::Hex)]
        {
            assert_eq!(encoding.decode(&text.into()).unwrap().as_slice(), [0xfb, 0xff, 0x0a]);
        }
        for (text, encoding) in [
            ("-_8K", Encoding::Base64),
            ("+/8K", Encoding::Base64url),
            ("abc", Encoding::Hex),
            ("", Encoding::Utf8),
            (" ", Encoding::Base64),
        ] {
            assert_eq!(encoding.decode(&text.into()).unwrap_err().field(), Some("secret"), "{text}");
        }
    }
}
