use std::fmt;
use std::str::FromStr;

use blake2::{Blake2b512, Digest};

use super::key::{KeyId, PublicKey};
use super::text::{self, BadText};

/// A detached signature in the format of minisign, as it lies in `FILE.minisig`.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    pub(super) method: Method,
    pub(super) key: KeyId,
    pub(super) signature: [u8; 64],
    pub(super) trusted_comment: String,
    /// Of the signature and the trusted comment.
    pub(super) global_signature: [u8; 64],
}

/// What it is that was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `ED`: the BLAKE2b-512 hash of the file.
    Hashed,
    /// `Ed`: the file. What minisign did before its version 0.6, and does when asked to.
    Legacy,
}

/// Why a signature does not vouch for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureError {
    /// It is by a key that is none of the trusted ones.
    OtherKey(KeyId),
    /// The key did not sign these bytes.
    OtherFile(KeyId),
    /// The key signed these bytes, but not with this trusted comment.
    OtherComment(KeyId),
    /// The key signed these bytes as a file of another name.
    OtherName(KeyId, String),
}

const TRUSTED: &str = "trusted comment: ";
const BAD: BadText = BadText("is no signature of minisign: four lines, as `minisign -S` writes them");

impl Signature {
    /// The key that it says it is by.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// What the signer says about the file; true only once [`verify`](Signature::verify) said so.
    pub fn trusted_comment(&self) -> &str {
        &self.trusted_comment
    }

    /// The name under which the file was signed, if the trusted comment tells it (`file:NAME`). The format does not demand it;
    /// minisign and `countersign plugins sign` write it.
    pub fn file(&self) -> Option<&str> {
        self.trusted_comment.split('\t').find_map(|field| field.strip_prefix("file:"))
    }

    /// Whether one of these keys signed a file of this name with these bytes, and the trusted comment.
    ///
    /// # Errors
    /// Why not.
    pub fn verify<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k PublicKey>,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), SignatureError> {
        let hash;
        let message = match self.method {
            Method::Hashed => {
                hash = Blake2b512::digest(bytes);
                &hash[..]
            }
            Method::Legacy => bytes,
        };
        // An identifier is no proof, and two keys may share one.
        let mut found = SignatureError::OtherKey(self.key);
        for key in keys.into_iter().filter(|key| key.id() == self.key) {
            if !key.has_signed(message, &self.signature) {
                found = SignatureError::OtherFile(self.key);
            } else if !key.has_signed(&self.globally_signed(), &self.global_signature) {
                found = SignatureError::OtherComment(self.key);
            } else {
                return match self.file() {
                    Some(signed) if signed != name => {
                        Err(SignatureError::OtherName(self.key, signed.to_owned()))
                    }
                    _ => Ok(()),
                };
            }
        }
        Err(found)
    }

    pub(super) fn globally_signed(&self) -> Vec<u8> {
        [&self.signature[..], self.trusted_comment.as_bytes()].concat()
    }
}

impl FromStr for Signature {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let [signature, comment, global] = text::lines::<3>(text).ok_or(BAD)?;
        let bytes: [u8; 74] = text::bytes(signature).ok_or(BAD)?;
        let mut rest = &bytes[..];
        let method = match &text::take::<2>(&mut rest) {
            b"ED" => Method::Hashed,
            b"Ed" => Method::Legacy,
            _ => return Err(BAD),
        };
        Ok(Self {
            method,
            key: KeyId(text::take(&mut rest)),
            signature: text::take(&mut rest),
            trusted_comment: comment.strip_prefix(TRUSTED).ok_or(BAD)?.to_owned(),
            global_signature: text::bytes(global).ok_or(BAD)?,
        })
    }
}

/// The file, as minisign reads it.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match self.method {
            Method::Hashed => b"ED",
            Method::Legacy => b"Ed",
        };
        let signature = text::base64(&[&method[..], &self.key.0, &self.signature].concat());
        let global = text::base64(&self.global_signature);
        writeln!(f, "untrusted comment: signature by the minisign key {}\n{signature}", self.key)?;
        writeln!(f, "{TRUSTED}{}\n{global}", self.trusted_comment)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Words whose subject is the file.
impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey(key) => write!(
                f,
                "is signed by the key {key}, which is not trusted for it; if it should be, add it to `keys`"
            ),
            Self::OtherFile(key) => write!(
                f,
                "is not the file that the key {key} signed; get the file and its signature anew, both of one version"
            ),
            Self::OtherComment(key) => write!(
                f,
                "has a signature of the key {key} whose trusted comment was changed; get the signature anew"
            ),
            Self::OtherName(key, name) => write!(
                f,
                "is the file that the key {key} signed as {name:?}; give it that name back, or have it signed under this one"
            ),
        }
    }
}

impl std::error::Error for SignatureError {}
