use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair};
use aws_lc_rs::{error::Unspecified, hmac};
use countersign::{Error, Secret};

use super::private::{Curve, PrivateKey};
use crate::algorithm::{Algorithm, Need};
use crate::jwks::Members;

/// A key in the library's own form, ready to sign in one way only.
pub(super) enum Signer {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair, Curve),
    Ed25519(Ed25519KeyPair),
    Hmac(hmac::Algorithm, SharedKey),
}

/// Made of the secret, which goes then, when the first message is signed: ready, it is many times as large.
type SharedKey = LazyLock<Box<hmac::Key>, Box<dyn FnOnce() -> Box<hmac::Key> + Send>>;

impl Signer {
    /// Pins a key to an algorithm, if it fits (RFC 7518 §3, RFC 8725 §3.1 and §3.2).
    pub(super) fn new(algorithm: Algorithm, key: PrivateKey) -> Result<Self, Error> {
        let need = algorithm.need();
        match (need, key) {
            (Need::Hmac { hash_bytes }, PrivateKey::Secret(secret)) => {
                if secret.len() < hash_bytes {
                    return Err(Error::config(format!(
                        "is shorter than the hash: {algorithm} needs at least {hash_bytes} bytes (RFC 7518 §3.2)"
                    )));
                }
                let algorithm = hmac_algorithm(algorithm);
                let key = move || Box::new(hmac::Key::new(algorithm, &secret));
                Ok(Self::Hmac(algorithm, LazyLock::new(Box::new(key))))
            }
            (Need::Rsa { pss: false }, PrivateKey::Rsa { pss_only: true, .. }) => {
                Err(Error::config(format!(
                    "is an RSA key for RSASSA-PSS only, which {algorithm} is not; use PS256, PS384 or PS512, or another key"
                )))
            }
            (Need::Rsa { .. }, PrivateKey::Rsa { pair, .. }) => Ok(Self::Rsa(pair, rsa_encoding(algorithm))),
            (Need::Ec(needed), PrivateKey::Ec { curve, pair }) if curve == needed => {
                Ok(Self::Ecdsa(pair, curve))
            }
            (Need::Ed25519, PrivateKey::Ed25519(pair)) => Ok(Self::Ed25519(pair)),
            (_, key) => Err(Error::config(format!(
                "is {key}, but {algorithm} needs {need}; give such a key, or set `algorithm` to {}",
                fitting(&key)
            ))),
        }
    }

    pub(super) fn signature_bytes(&self) -> usize {
        match self {
            Self::Rsa(pair, _) => pair.public_modulus_len(),
            Self::Ecdsa(_, curve) => 2 * curve.coordinate_bytes(),
            Self::Ed25519(_) => 64,
            Self::Hmac(algorithm, _) => algorithm.digest_algorithm().output_len(),
        }
    }

    /// Fills `out`, which has the signature's length.
    pub(super) fn sign(&self, message: &[u8], out: &mut [u8]) -> Result<(), Unspecified> {
        match self {
            Self::Rsa(pair, encoding) => pair.sign(*encoding, &SystemRandom::new(), message, out),
            Self::Ecdsa(pair, _) => copy(pair.sign(&SystemRandom::new(), message)?.as_ref(), out),
            Self::Ed25519(pair) => copy(pair.try_sign(message)?.as_ref(), out),
            Self::Hmac(_, key) => copy(hmac::sign(key, message).as_ref(), out),
        }
    }

    /// PKCS#8 of an RSA key.
    pub(super) fn expose_rsa(&self) -> Option<Secret<Vec<u8>>> {
        let Self::Rsa(pair, _) = self else { return None };
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(Secret::new(der.as_ref().to_vec()))
    }

    /// The members of the public JWK; `None` for a shared secret.
    pub(super) fn public_members(&self) -> Option<Members> {
        match self {
            Self::Rsa(pair, _) => {
                let public = pair.public_key();
                Some(Members::rsa(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                ))
            }
            Self::Ecdsa(pair, curve) => Some(Members::ec(*curve, pair.public_key().as_ref())),
            Self::Ed25519(pair) => Some(Members::ed25519(pair.public_key().as_ref())),
            Self::Hmac(..) => None,
        }
    }
}

fn copy(signature: &[u8], out: &mut [u8]) -> Result<(), Unspecified> {
    if signature.len() != out.len() {
        return Err(Unspecified);
    }
    out.copy_from_slice(signature);
    Ok(())
}

fn hmac_algorithm(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}

fn fitting(key: &PrivateKey) -> &'static str {
    match key {
        PrivateKey::Rsa { pss_only: false, .. } => "RS256 or PS256",
        PrivateKey::Rsa { pss_only: true, .. } => "PS256",
        PrivateKey::Ec { curve: Curve::P256, .. } => "ES256",
        PrivateKey::Ec { curve: Curve::P384, .. } => "ES384",
        PrivateKey::Ed25519(_) => "EdDSA",
        PrivateKey::Secret(_) => "HS256",
    }
}
