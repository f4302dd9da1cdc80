use std::fmt;

use countersign::{Error, Secret};

use super::config::{JwkKey, KeyConfig, PemKey};
use super::private::{Loaded, PrivateKey};
use super::signer::Signer;
use super::{jwk, keystore, secret, text};
use crate::algorithm::Algorithm;
use crate::certificate::{self, Chain};
use crate::compact;
use crate::jwks::{Members, PublicJwk};

/// A private key or shared secret, parsed once and pinned to one algorithm.
///
/// Signing with it costs the bare signature. Its `Debug` names the algorithm and nothing else.
///
/// # Example
/// ```
/// use countersign_jose::{Algorithm, SigningKey};
///
/// let key = SigningKey::from_secret(Algorithm::Hs256, &[7; 32])?;
/// let mut signature = [0; SigningKey::MAX_SIGNATURE_BYTES];
/// assert_eq!(key.sign(b"message", &mut signature)?.len(), 32);
/// # Ok::<(), countersign::Error>(())
/// ```
pub struct SigningKey {
    algorithm: Algorithm,
    signer: Signer,
    kid: Option<String>,
    chain: Chain,
}

impl SigningKey {
    /// The longest signature of any key here, in bytes: that of an RSA key of 8192 bits.
    pub const MAX_SIGNATURE_BYTES: usize = 1024;

    /// Reads the configured key and checks that it fits the algorithm.
    ///
    /// Without an algorithm, the key's own is pinned: a JWK's `alg`, else ES256, ES384 or EdDSA by its curve, RS256 for
    /// RSA (PS256 where the key is for PSS only), HS256 for a shared secret.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the key cannot be read or does not fit. The field is relative
    /// to the key's own setting (`passphrase`, or none), so put its name in front: `.map_err(|e| e.at("key"))`.
    pub fn new(algorithm: impl Into<Option<Algorithm>>, config: &KeyConfig) -> Result<Self, Error> {
        let algorithm = algorithm.into();
        let loaded = load(algorithm, config)?;
        let algorithm = algorithm.or(loaded.alg).unwrap_or_else(|| loaded.key.usual_algorithm());
        let chain = Chain::new(loaded.chain, loaded.key.public_key().unwrap_or_default());
        let signer = Signer::new(algorithm, loaded.key).map_err(|error| or_at(error, field(config)))?;
        let chain = chain.map_err(|error| or_at(error, field_of_chain(config)))?;
        Ok(Self { algorithm, signer, kid: loaded.kid, chain })
    }

    /// Takes a shared secret for an HMAC algorithm.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the algorithm needs another kind of key, or the secret is
    /// shorter than the hash (RFC 7518 §3.2).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        let signer = Signer::new(algorithm, PrivateKey::Secret(secret.to_vec().into()))?;
        Ok(Self { algorithm, signer, kid: None, chain: Chain::default() })
    }

    /// The algorithm that the key is pinned to.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` that the key brought along (a JWK's).
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The certificates that came with the key, its own first.
    pub const fn certificates(&self) -> &Chain {
        &self.chain
    }

    /// The length of every signature of this key, in bytes.
    pub fn signature_bytes(&self) -> usize {
        self.signer.signature_bytes()
    }

    /// The public half as bare as RFC 7638 hashes it, with the members that make the key and no others: the `jwk` of a
    /// header that brings its key along.
    ///
    /// # Errors
    /// As [`public_jwk`](Self::public_jwk).
    pub fn bare_jwk(&self) -> Result<serde_json::Value, Error> {
        let members = self.members()?;
        serde_json::to_value(members)
            .map_err(|_| Error::internal("the public key does not serialize to JSON"))
    }

    /// Signs a payload into a JWS in compact form (RFC 7515 §7.1) under a header that is encoded already, its dot
    /// included.
    ///
    /// # Errors
    /// [`Internal`](countersign::ErrorKind::Internal) when the library fails.
    pub fn compact(&self, header: &str, payload: &[u8]) -> Result<Secret, Error> {
        compact::sign(self, header, payload)
    }

    /// Signs a message, writes the signature to the beginning of `out` and returns it.
    ///
    /// # Errors
    /// [`Internal`](countersign::ErrorKind::Internal) when `out` is shorter than
    /// [`signature_bytes`](Self::signature_bytes), or the library fails.
    pub fn sign<'a>(&self, message: &[u8], out: &'a mut [u8]) -> Result<&'a [u8], Error> {
        let out = out
            .get_mut(..self.signature_bytes())
            .ok_or_else(|| Error::internal("the signature does not fit the buffer"))?;
        self.signer.sign(message, out).map_err(|_| Error::internal("the key could not sign"))?;
        Ok(out)
    }

    /// The private key as PKCS#8 (RFC 5208), for a signature that JWS has no name for; `None` if it is none of RSA.
    ///
    /// Whoever calls it answers for where the key goes.
    pub fn expose_rsa(&self) -> Option<Secret<Vec<u8>>> {
        self.signer.expose_rsa()
    }

    /// The public half, to hand to those who verify (RFC 7517). Without a `kid` the key's thumbprint (RFC 7638) is it.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) for a shared secret, which has no public half.
    pub fn public_jwk(&self, kid: Option<&str>) -> Result<PublicJwk, Error> {
        Ok(PublicJwk::new(self.members()?, self.algorithm, kid))
    }

    fn members(&self) -> Result<Members, Error> {
        self.signer.public_members().ok_or_else(|| {
            Error::unsupported(format!(
                "{} uses a shared secret, which has no public key; choose an RS, PS, ES or EdDSA algorithm to publish one",
                self.algorithm
            ))
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Reads the configured key, whatever it will be used for, and the certificates that the setting brings.
///
/// The error's field is relative to the key's own setting.
pub(crate) fn load(algorithm: Option<Algorithm>, config: &KeyConfig) -> Result<Loaded, Error> {
    let mut loaded = load_key(algorithm, config).map_err(|error| or_at(error, field(config)))?;
    if let KeyConfig::Pem(PemKey { certificate: Some(text), .. })
    | KeyConfig::Jwk(JwkKey { certificate: Some(text), .. }) = config
    {
        loaded.chain = certificate::from_pem(text).map_err(|error| error.at("certificate"))?;
    }
    Ok(loaded)
}

fn load_key(algorithm: Option<Algorithm>, config: &KeyConfig) -> Result<Loaded, Error> {
    match config {
        KeyConfig::Text(key) => text::any(key.expose(), algorithm),
        KeyConfig::Pem(config) => text::from_pem(
            config.pem.expose(),
            config.passphrase.as_ref().map(|phrase| phrase.expose().as_str()),
        ),
        KeyConfig::Jwk(config) => jwk::read(config.jwk.expose(), config.kid.as_deref(), algorithm),
        KeyConfig::Keystore(config) => keystore::read(config),
        KeyConfig::Secret(config) => Ok(PrivateKey::Secret(secret::read(config)?).into()),
    }
}

/// The setting that holds the key's certificates.
pub(crate) const fn field_of_chain(config: &KeyConfig) -> Option<&'static str> {
    match config {
        KeyConfig::Pem(PemKey { certificate: Some(_), .. })
        | KeyConfig::Jwk(JwkKey { certificate: Some(_), .. }) => Some("certificate"),
        _ => field(config),
    }
}

/// The setting that holds the key's text.
pub(crate) const fn field(config: &KeyConfig) -> Option<&'static str> {
    match config {
        KeyConfig::Text(_) => None,
        KeyConfig::Pem(_) => Some("pem"),
        KeyConfig::Jwk(_) => Some("jwk"),
        KeyConfig::Keystore(_) => Some("keystore"),
        KeyConfig::Secret(_) => Some("secret"),
    }
}

/// Names the setting at fault unless a closer one is named already.
pub(crate) fn or_at(error: Error, field: Option<&str>) -> Error {
    match field {
        Some(field) if error.field().is_none() => error.at(field),
        _ => error,
    }
}
