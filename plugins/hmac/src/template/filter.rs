use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use countersign::{Error, RequestHead};

use super::Values;
use super::source::Source;
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

    /// Writes what it makes of a source.
    pub(super) fn fill(
        &self,
        source: &Source,
        values: &Values<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), Error> {
        match self {
            Self::Hash(hash) => sink.put(&hash.of(|sink| source.write(values, sink))?),
            Self::Hmac => sink.put(&values.key.sign(|sink| source.write(values, sink))?),
            filter => match source.whole(values) {
                Some(text) => filter.write(text, values, sink)?,
                None => {
                    let mut text = Scratch::new();
                    source.write(values, &mut text)?;
                    filter.write(&text, values, sink)?;
                }
            },
        }
        Ok(())
    }

    /// Writes what it makes of a text.
    pub(super) fn write(&self, text: &[u8], values: &Values<'_>, sink: &mut dyn Sink) -> Result<(), Error> {
        let put = |sink: &mut dyn Sink| {
            sink.put(text);
            Ok(())
        };
        match self {
            Self::Hash(hash) => sink.put(&hash.of(put)?),
            Self::Hmac => sink.put(&values.key.sign(put)?),
            Self::Hex { upper: false } => digits(text, sink),
            Self::Hex { upper: true } => {
                let mut hex = Scratch::with_capacity(2 * text.len());
                digits(text, &mut hex);
                hex.make_ascii_uppercase();
                sink.put(&hex);
            }
            Self::Base64 => base64(&STANDARD, text, sink),
            Self::Base64Url { padded: true } => base64(&URL_SAFE, text, sink),
            Self::Base64Url { padded: false } => base64(&URL_SAFE_NO_PAD, text, sink),
            Self::Lower => {
                let mut lower = Scratch::from_slice(text);
                lower.make_ascii_lowercase();
                sink.put(&lower);
            }
            Self::Upper => {
                let mut upper = Scratch::from_slice(text);
                upper.make_ascii_uppercase();
                sink.put(&upper);
            }
            Self::Encode => query::encode(text, sink),
            Self::Sorted => sink.put(&query::sorted(text)),
            Self::Canonical => sink.put(&query::canonical(text)),
            Self::Concatenated => sink.put(&query::concatenated(text)),
            Self::Field(name) => sink.put(&query::field(text, name)?),
            Self::Before(mark) => {
                let end = text.windows(mark.len()).position(|window| window == mark.as_bytes());
                sink.put(text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim_ascii());
            }
        }
        Ok(())
    }
}

fn base64(engine: &GeneralPurpose, bytes: &[u8], sink: &mut dyn Sink) {
    let mut text = Scratch::from_elem(0, bytes.len().div_ceil(3) * 4);
    // There is room for it.
    let length = engine.encode_slice(bytes, &mut text).unwrap_or_default();
    sink.put(text.get(..length).unwrap_or_default());
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
