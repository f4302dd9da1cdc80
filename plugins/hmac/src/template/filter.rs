use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use countersign::{Error, RequestHead};

use super::Values;
use crate::algorithm::Hash;
use crate::nonce::digits;
use crate::query;
use crate::sink::{Scratch, Sink};

/// What is made of a hole's text, before it stands there.
#[derive(Debug)]
pub(super) enum Filter {
    Hash(Hash),
    /// Signed with the secret itself.
    Hmac,
    Hex {
        upper: bool,
    },
    Base64,
    Base64Url {
        padded: bool,
    },
    Lower,
    Upper,
    Encode,
    Sorted,
    Canonical,
    Concatenated,
    Field(String),
    /// What stands before that text, without white space around it.
    Before(String),
}

/// When a hole is filled at all; else it is empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The request has a body.
    Body,
    /// The request has one of these methods.
    Methods(Vec<String>),
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Characters, which can be placed.
    Text,
    /// A body: any bytes, but mostly characters.
    Body,
    /// Bytes of a hash or a signature.
    Bytes,
}

/// The filters without an argument.
const PLAIN: [&str; 17] = [
    "base64",
    "base64url",
    "base64url_padded",
    "canonical",
    "concatenated",
    "hex",
    "hex_upper",
    "hmac",
    "lower",
    "md5",
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "sorted",
    "upper",
    "url",
];

/// All names, for whoever misspelt one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PLAIN.into_iter().chain(["before", "field", "when"])
}

impl Filter {
    /// The filter of that name; `None` if it is none, or if it takes an argument.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url { padded: false },
            "base64url_padded" => Self::Base64Url { padded: true },
            "canonical" => Self::Canonical,
            "concatenated" => Self::Concatenated,
            "hex" => Self::Hex { upper: false },
            "hex_upper" => Self::Hex { upper: true },
            "hmac" => Self::Hmac,
            "lower" => Self::Lower,
            "md5" => Self::Hash(Hash::Md5),
            "sha1" => Self::Hash(Hash::Sha1),
            "sha256" => Self::Hash(Hash::Sha256),
            "sha384" => Self::Hash(Hash::Sha384),
            "sha512" => Self::Hash(Hash::Sha512),
            "sorted" => Self::Sorted,
            "upper" => Self::Upper,
            "url" => Self::Encode,
            _ => return None,
        })
    }

    /// The kind of what it makes of that; `None` if it makes nothing of it.
    pub(super) const fn kind_of(&self, given: Kind) -> Option<Kind> {
        match (self, given) {
            (Self::Hash(_) | Self::Hmac, _) => Some(Kind::Bytes),
            (Self::Hex { .. } | Self::Base64 | Self::Base64Url { .. }, _) => Some(Kind::Text),
            (_, Kind::Bytes) => None,
            _ => Some(Kind::Text),
        }
    }

    pub(super) fn apply(&self, text: &[u8], values: &Values<'_>) -> Result<Scratch, Error> {
        Ok(match self {
            Self::Hash(hash) => {
                let mut hashing = hash.begin();
                hashing.put(text);
                hashing.into_inner().finish().into_iter().collect()
            }
            Self::Hmac => {
                let mut mac = values.key.begin();
                mac.put(text);
                mac.into_inner().finish().into_iter().collect()
            }
            Self::Hex { upper } => {
                let mut hex = Scratch::with_capacity(2 * text.len());
                digits(text, &mut hex);
                if *upper {
                    hex.make_ascii_uppercase();
                }
                hex
            }
            Self::Base64 => base64(&STANDARD, text),
            Self::Base64Url { padded: true } => base64(&URL_SAFE, text),
            Self::Base64Url { padded: false } => base64(&URL_SAFE_NO_PAD, text),
            Self::Lower => text.iter().map(u8::to_ascii_lowercase).collect(),
            Self::Upper => text.iter().map(u8::to_ascii_uppercase).collect(),
            Self::Encode => {
                let mut encoded = Scratch::new();
                query::encode(text, &mut encoded);
                encoded
            }
            Self::Sorted => query::sorted(text),
            Self::Canonical => query::canonical(text),
            Self::Concatenated => query::concatenated(text),
            Self::Field(name) => query::field(text, name)?,
            Self::Before(mark) => {
                let end = text.windows(mark.len()).position(|window| window == mark.as_bytes());
                Scratch::from_slice(text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim_ascii())
            }
        })
    }
}

fn base64(engine: &GeneralPurpose, bytes: &[u8]) -> Scratch {
    let mut text = Scratch::from_elem(0, bytes.len().div_ceil(3) * 4);
    // There is room for it.
    let length = engine.encode_slice(bytes, &mut text).unwrap_or_default();
    text.truncate(length);
    text
}

impl Condition {
    pub(super) fn holds(&self, request: &RequestHead<'_>) -> bool {
        match self {
            Self::Body => request.body().is_some_and(|body| !body.is_empty()),
            Self::Methods(methods) => methods.iter().any(|method| method == request.method()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_filter() {
        for name in PLAIN {
            assert!(Filter::named(name).is_some(), "{name}");
        }
        assert!(Filter::named("field").is_none() && Filter::named("when").is_none());
    }
}
