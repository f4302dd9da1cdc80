use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

use super::text::{self, BadText};

/// By what a key is called: eight bytes that were random when it was made. It tells keys apart; it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

/// A public key in the format of minisign: `RWQ…`, or a file whose second line that is.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: [u8; 32],
}

const BAD: BadText =
    BadText("is no public key of minisign: `RW` and 54 more characters, or a file with that");

impl PublicKey {
    pub(super) const fn new(id: KeyId, key: [u8; 32]) -> Self {
        Self { id, key }
    }

    /// By what it is called.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Whether a text is meant to be a key, rather than the path of a file with one.
    pub fn is_meant_by(text: &str) -> bool {
        text.len() == 56 && text.starts_with("RW") && text::bytes::<42>(text).is_some()
    }

    /// The file of a public key, as minisign writes it.
    pub fn to_file(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{self}\n", self.id)
    }

    /// Whether this key signed these bytes (Ed25519, RFC 8032).
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(message, signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = BadText;

    /// Reads a key, or the text of a file with one.
    fn from_str(text: &str) -> Result<Self, BadText> {
        let line = text::lines::<1>(text).map_or(text, |[line]| line);
        let bytes: [u8; 42] = text::bytes(line).ok_or(BAD)?;
        let mut rest = &bytes[..];
        if text::take::<2>(&mut rest) != *b"Ed" {
            return Err(BAD);
        }
        let id = KeyId(text::take(&mut rest));
        Ok(Self { id, key: text::take(&mut rest) })
    }
}

/// As it stands in a configuration.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&b"Ed"[..], &self.id.0, &self.key].concat();
        f.write_str(&text::base64(&bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Sixteen hexadecimal digits, as minisign shows them.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
