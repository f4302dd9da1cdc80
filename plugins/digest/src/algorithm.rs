use std::borrow::Cow;

use countersign::hex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use zeroize::Zeroize;

/// A hash of Digest authentication by its registered name (RFC 7616 §6.1), the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Hash {
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512/256: SHA-512 with other initial values, cut to 256 bits.
    #[serde(rename = "SHA-512-256")]
    Sha512Of256,
}

impl Hash {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512Of256];

    /// The registered name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512Of256 => "SHA-512-256",
        }
    }

    /// The hash of these bytes, one after the other: RFC 7616's `H(…)`.
    pub(crate) fn of(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Md5 => Hex::of(&hashed::<md5::Md5>(parts)),
            Self::Sha256 => Hex::of(&hashed::<sha2::Sha256>(parts)),
            Self::Sha512Of256 => Hex::of(&hashed::<sha2::Sha512_256>(parts)),
        }
    }
}

fn hashed<D: md5::Digest>(parts: &[&[u8]]) -> md5::digest::Output<D> {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::ALL.into_iter().find(|hash| hash.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            let hint = if name.to_ascii_lowercase().ends_with("-sess") {
                "; `-sess` goes without saying"
            } else {
                ""
            };
            de::Error::custom(format!("is not an algorithm of Digest; use one of {names}{hint}"))
        })
    }
}

impl JsonSchema for Hash {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

/// Bytes as hexadecimal digits in lower case; wiped, for a hash of a password is as good as one.
pub(crate) struct Hex {
    digits: [[u8; 2]; 32],
    len: usize,
}

impl Hex {
    /// Of at most 32 bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut padded = [0; 32];
        let len = bytes.len().min(padded.len());
        padded[..len].copy_from_slice(&bytes[..len]);
        let hex = Self { digits: hex(&padded), len: 2 * len };
        padded.zeroize();
        hex
    }

    /// The digits.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits.as_flattened()[..self.len]
    }

    /// The digits.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl Drop for Hex {
    fn drop(&mut self) {
        self.digits.as_flattened_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_their_publishers() {
        // RFC 1321 A.5, FIPS 180-4 examples.
        for (hash, hex) in [
            (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Hash::Sha512Of256, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"),
        ] {
            assert_eq!(hash.of(&[b"a", b"", b"bc"]).as_str(), hex, "{hash:?}");
        }
    }

    #[test]
    fn the_strongest_is_the_greatest() {
        assert!(Hash::Sha512Of256 > Hash::Sha256 && Hash::Sha256 > Hash::Md5);
    }
}
