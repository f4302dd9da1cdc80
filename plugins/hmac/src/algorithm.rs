use std::fmt;

use countersign::Error;
use hmac::digest::Update;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use smallvec::SmallVec;

use crate::sink::{Collected, Sink};

/// What a hash or a signature comes to: at most 64 bytes.
pub(crate) type Output = SmallVec<[u8; 64]>;

/// HMAC (RFC 2104) with a hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// With SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// With SHA-384.
    #[serde(rename = "hmac-sha384")]
    HmacSha384,
    /// With SHA-512.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
    /// With SHA-1: only where an API wants it.
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
}

/// A secret in the form in which HMAC works with it; wiped when dropped, as are its copies.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // there are few of them, and to sign reads it
pub(crate) enum Key {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl Key {
    pub(crate) fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        let key = match algorithm {
            Algorithm::HmacSha1 => Hmac::new_from_slice(secret).map(Self::Sha1),
            Algorithm::HmacSha256 => Hmac::new_from_slice(secret).map(Self::Sha256),
            Algorithm::HmacSha384 => Hmac::new_from_slice(secret).map(Self::Sha384),
            Algorithm::HmacSha512 => Hmac::new_from_slice(secret).map(Self::Sha512),
        };
        key.map_err(|_| Error::internal("the key does not fit HMAC"))
    }

    /// The signature of what is written.
    pub(crate) fn sign(
        &self,
        write: impl FnOnce(&mut dyn Sink) -> Result<(), Error>,
    ) -> Result<Output, Error> {
        match self {
            Self::Sha1(key) => signature(key, write),
            Self::Sha256(key) => signature(key, write),
            Self::Sha384(key) => signature(key, write),
            Self::Sha512(key) => signature(key, write),
        }
    }
}

fn signature<M: Mac + Update + Clone>(
    key: &M,
    write: impl FnOnce(&mut dyn Sink) -> Result<(), Error>,
) -> Result<Output, Error> {
    let mut mac = key.clone();
    collected(&mut mac, write)?;
    Ok(Output::from_slice(&mac.finalize().into_bytes()))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A hash without a key, of a body mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The hash of what is written.
    pub(crate) fn of(self, write: impl FnOnce(&mut dyn Sink) -> Result<(), Error>) -> Result<Output, Error> {
        match self {
            Self::Md5 => hash::<Md5>(write),
            Self::Sha1 => hash::<Sha1>(write),
            Self::Sha256 => hash::<Sha256>(write),
            Self::Sha384 => hash::<Sha384>(write),
            Self::Sha512 => hash::<Sha512>(write),
        }
    }
}

fn hash<D: Digest + Update>(write: impl FnOnce(&mut dyn Sink) -> Result<(), Error>) -> Result<Output, Error> {
    let mut hash = D::new();
    collected(&mut hash, write)?;
    Ok(Output::from_slice(&hash.finalize()))
}

fn collected(
    into: &mut impl Update,
    write: impl FnOnce(&mut dyn Sink) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut text = Collected::new(into);
    write(&mut text)?;
    text.flush();
    Ok(())
}
