use countersign::Error;
use countersign_jose::{Algorithm, KeyConfig, SigningKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// A signature algorithm by its registered name (RFC 9421 §6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SignatureAlgorithm {
    /// Ed25519 (§3.3.6).
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (§3.3.4).
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384 (§3.3.5).
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-512 (§3.3.1).
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (§3.3.2): only where an API wants it.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV1_5Sha256,
    /// HMAC with SHA-256 (§3.3.3): a secret that is shared with the API.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

impl SignatureAlgorithm {
    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV1_5Sha256 => "rsa-v1_5-sha256",
            Self::HmacSha256 => "hmac-sha256",
        }
    }

    /// The JWS algorithm that makes the same signature (§3.3.7).
    const fn jws(self) -> Algorithm {
        match self {
            Self::Ed25519 => Algorithm::EdDsa,
            Self::EcdsaP256Sha256 => Algorithm::Es256,
            Self::EcdsaP384Sha384 => Algorithm::Es384,
            Self::RsaPssSha512 => Algorithm::Ps512,
            Self::RsaV1_5Sha256 => Algorithm::Rs256,
            Self::HmacSha256 => Algorithm::Hs256,
        }
    }

    /// What a key of that kind signs with, the better one first.
    const fn of(algorithm: Algorithm) -> &'static [Self] {
        match algorithm {
            Algorithm::EdDsa => &[Self::Ed25519],
            Algorithm::Es256 => &[Self::EcdsaP256Sha256],
            Algorithm::Es384 => &[Self::EcdsaP384Sha384],
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => &[Self::RsaPssSha512],
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
                &[Self::RsaPssSha512, Self::RsaV1_5Sha256]
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => &[Self::HmacSha256],
        }
    }

    /// Reads a key and pins it to an algorithm: the one that is set, else the one that it is for.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) at `key` or `algorithm`.
    pub(crate) fn pin(algorithm: Option<Self>, config: &KeyConfig) -> Result<(Self, SigningKey), Error> {
        // A JWK that names another algorithm of its kind is for that one only.
        let any = SigningKey::new(None, config).map_err(|error| error.at("key"))?;
        let fitting = Self::of(any.algorithm());
        let Some(pinned) = algorithm.or(fitting.first().copied()) else {
            return Err(Error::config("signs in no way that HTTP Message Signatures know").at("key"));
        };
        if !fitting.contains(&pinned) {
            let fitting: Vec<_> = fitting.iter().map(|fitting| fitting.as_str()).collect();
            let message = format!("does not go with `key`, which signs with {}", fitting.join(" or "));
            return Err(Error::config(message).at("algorithm"));
        }
        if any.algorithm() == pinned.jws() {
            return Ok((pinned, any));
        }
        match SigningKey::new(pinned.jws(), config) {
            Ok(key) => Ok((pinned, key)),
            // RSA's better way is not the key's own: a JWK says so.
            Err(_) if algorithm.is_none() && any.algorithm() == Algorithm::Rs256 => {
                Ok((Self::RsaV1_5Sha256, any))
            }
            Err(error) => Err(error.at("key")),
        }
    }
}
