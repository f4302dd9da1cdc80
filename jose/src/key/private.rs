use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;

/// A private key, whatever format it came in, before an algorithm is pinned to it.
pub(crate) enum PrivateKey {
    Rsa {
        pair: RsaKeyPair,
        /// The key says of itself that it is for RSASSA-PSS only (RFC 4055 §1.2).
        pss_only: bool,
    },
    Ec {
        curve: Curve,
        pair: EcdsaKeyPair,
    },
    Ed25519(Ed25519KeyPair),
    Secret(Zeroizing<Vec<u8>>),
}

/// A private key and what came with it.
pub(crate) struct Loaded {
    pub(crate) key: PrivateKey,
    /// The `kid` that a JWK carries.
    pub(crate) kid: Option<String>,
    /// The `alg` that a JWK carries.
    pub(crate) alg: Option<Algorithm>,
    /// Certificates as DER, the key's own first.
    pub(crate) chain: Vec<Vec<u8>>,
}

/// A curve that an algorithm here uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// The name in a JWK's `crv` (RFC 7518 §6.2.1.1).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// The length of a coordinate, and of the private number, in bytes.
    pub(crate) const fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// ECDSA with the hash that RFC 7518 §3.4 binds to the curve, as the two numbers R and S side by side.
    pub(super) fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }
}

impl PrivateKey {
    /// What one signs with when only the key is known: the one algorithm that it fits, or of several that with
    /// SHA-256, RSASSA-PKCS1-v1_5 before PSS, for that is what verifiers know.
    pub(super) const fn usual_algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { pss_only: false, .. } => Algorithm::Rs256,
            Self::Rsa { pss_only: true, .. } => Algorithm::Ps256,
            Self::Ec { curve: Curve::P256, .. } => Algorithm::Es256,
            Self::Ec { curve: Curve::P384, .. } => Algorithm::Es384,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Secret(_) => Algorithm::Hs256,
        }
    }

    /// The bits of the `SubjectPublicKeyInfo` of a certificate for this key; `None` for a shared secret.
    pub(crate) fn public_key(&self) -> Option<&[u8]> {
        match self {
            Self::Rsa { pair, .. } => Some(pair.public_key().as_ref()),
            Self::Ec { pair, .. } => Some(pair.public_key().as_ref()),
            Self::Ed25519(pair) => Some(pair.public_key().as_ref()),
            Self::Secret(_) => None,
        }
    }
}

impl PrivateKey {
    /// The key as an unencrypted PKCS#8 document (RFC 5958, version 1), which every TLS library reads; `None` for a
    /// shared secret.
    pub(crate) fn to_pkcs8(&self) -> Option<Result<Document, Unspecified>> {
        match self {
            Self::Rsa { pair, .. } => {
                Some(AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| copied(der.as_ref())))
            }
            Self::Ec { pair, .. } => Some(pair.to_pkcs8v1().map(|der| copied(der.as_ref()))),
            Self::Ed25519(pair) => Some(pair.to_pkcs8v1().map(|der| copied(der.as_ref()))),
            Self::Secret(_) => None,
        }
    }
}

/// A key's PKCS#8, wiped when dropped.
pub(crate) type Document = Zeroizing<Vec<u8>>;

fn copied(der: &[u8]) -> Document {
    Zeroizing::new(der.to_vec())
}

/// What the key is, for error messages; nothing of its value.
impl fmt::Display for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { pss_only: false, .. } => f.write_str("an RSA key"),
            Self::Rsa { pss_only: true, .. } => f.write_str("an RSA key for RSASSA-PSS only"),
            Self::Ec { curve, .. } => write!(f, "an EC key on {}", curve.as_str()),
            Self::Ed25519(_) => f.write_str("an Ed25519 key"),
            Self::Secret(_) => f.write_str("a shared secret"),
        }
    }
}

impl From<PrivateKey> for Loaded {
    fn from(key: PrivateKey) -> Self {
        Self { key, kid: None, alg: None, chain: Vec::new() }
    }
}
