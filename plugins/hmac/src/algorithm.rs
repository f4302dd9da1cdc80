use std::fmt;

use countersign::Error;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use schemars::JsonSchema;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use smallvec::SmallVec;

use crate::sink::{Absorb, Collected};

/// What a hash or a signature comes to: at most 64 bytes.
pub(crate) type Output = SmallVec<[u8; 64]>;

/// HMAC (RFC 2104) with a hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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

/// A secret in the form in which HMAC works with it.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)] // it is copied for each signature, and should not go to the heap for that
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

    /// Begins a signature; the key stays as it is.
    pub(crate) fn begin(&self) -> Collected<Self> {
        Collected::new(self.clone())
    }

    pub(crate) fn finish(self) -> Output {
        match self {
            Self::Sha1(mac) => Output::from_slice(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => Output::from_slice(&mac.finalize().into_bytes()),
            Self::Sha384(mac) => Output::from_slice(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => Output::from_slice(&mac.finalize().into_bytes()),
        }
    }
}

impl Absorb for Key {
    fn absorb(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha384(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }
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
    pub(crate) fn begin(self) -> Collected<Hashing> {
        Collected::new(match self {
            Self::Md5 => Hashing::Md5(Md5::new()),
            Self::Sha1 => Hashing::Sha1(Sha1::new()),
            Self::Sha256 => Hashing::Sha256(Sha256::new()),
            Self::Sha384 => Hashing::Sha384(Sha384::new()),
            Self::Sha512 => Hashing::Sha512(Sha512::new()),
        })
    }
}

/// A hash under way.
#[allow(clippy::large_enum_variant)] // it lives on the stack, for a moment
pub(crate) enum Hashing {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hashing {
    pub(crate) fn finish(self) -> Output {
        match self {
            Self::Md5(hash) => Output::from_slice(&hash.finalize()),
            Self::Sha1(hash) => Output::from_slice(&hash.finalize()),
            Self::Sha256(hash) => Output::from_slice(&hash.finalize()),
            Self::Sha384(hash) => Output::from_slice(&hash.finalize()),
            Self::Sha512(hash) => Output::from_slice(&hash.finalize()),
        }
    }
}

impl Absorb for Hashing {
    fn absorb(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }
}
