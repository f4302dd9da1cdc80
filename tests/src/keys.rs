//! Signing keys made for one test and forgotten with it.

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};

/// A key pair as PEM.
#[derive(Clone, Debug)]
pub struct PemPair {
    /// The private key, PKCS#8.
    pub private: String,
    /// The public key, SubjectPublicKeyInfo.
    pub public: String,
}

/// RSA with 2048 bits: for RS256 to PS512.
pub fn rsa() -> PemPair {
    pair(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
}

/// P-256: for ES256.
pub fn p256() -> PemPair {
    pair(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap())
}

/// P-384: for ES384.
pub fn p384() -> PemPair {
    pair(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap())
}

/// Ed25519: for EdDSA.
pub fn ed25519() -> PemPair {
    pair(&KeyPair::generate_for(&PKCS_ED25519).unwrap())
}

fn pair(key: &KeyPair) -> PemPair {
    PemPair { private: key.serialize_pem(), public: key.public_key_pem() }
}
