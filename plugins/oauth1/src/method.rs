use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{Error, Secret};
use countersign_jose::{Algorithm, KeyConfig, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use crate::encode::encode;

/// How requests are signed (RFC 5849 §3.4; those with SHA-256 and SHA-512 are in wide use without an RFC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SignatureMethod {
    /// With both secrets, by HMAC-SHA1.
    #[default]
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    /// With both secrets, by HMAC-SHA256.
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// With both secrets, by HMAC-SHA512.
    #[serde(rename = "HMAC-SHA512")]
    HmacSha512,
    /// With an RSA key, by RSASSA-PKCS1-v1_5 and SHA-1.
    #[serde(rename = "RSA-SHA1")]
    RsaSha1,
    /// With an RSA key, by RSASSA-PKCS1-v1_5 and SHA-256.
    #[serde(rename = "RSA-SHA256")]
    RsaSha256,
    /// With an RSA key, by RSASSA-PKCS1-v1_5 and SHA-512.
    #[serde(rename = "RSA-SHA512")]
    RsaSha512,
    /// With both secrets themselves, over TLS.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

impl SignatureMethod {
    /// The value of `oauth_signature_method`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha512 => "HMAC-SHA512",
            Self::RsaSha1 => "RSA-SHA1",
            Self::RsaSha256 => "RSA-SHA256",
            Self::RsaSha512 => "RSA-SHA512",
            Self::Plaintext => "PLAINTEXT",
        }
    }

    pub(crate) const fn is_rsa(self) -> bool {
        matches!(self, Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha512)
    }

    /// The value of `oauth_body_hash`: the body's digest by the method's own hash, in base64.
    pub(crate) fn body_hash(self, body: &[u8]) -> String {
        match self {
            Self::HmacSha256 | Self::RsaSha256 => STANDARD.encode(Sha256::digest(body)),
            Self::HmacSha512 | Self::RsaSha512 => STANDARD.encode(Sha512::digest(body)),
            _ => STANDARD.encode(Sha1::digest(body)),
        }
    }
}

/// A method with its key, ready to sign.
pub(crate) enum Signer {
    HmacSha1(Hmac<Sha1>),
    HmacSha256(Hmac<Sha256>),
    HmacSha512(Box<Hmac<Sha512>>),
    /// By a library of its own: the one that signs everything else does not sign with SHA-1.
    RsaSha1(Box<rsa::pkcs1v15::SigningKey<Sha1>>),
    Rsa(Box<SigningKey>),
    Plaintext(Secret),
}

impl Signer {
    /// Both secrets, joined (§3.4.2).
    pub(crate) fn of_secrets(
        method: SignatureMethod,
        consumer: &Secret,
        token: Option<&Secret>,
    ) -> Result<Self, Error> {
        let longest = 3 * (consumer.expose().len() + token.map_or(0, |token| token.expose().len())) + 1;
        let mut key = Vec::with_capacity(longest);
        encode(consumer.expose().as_bytes(), &mut key);
        key.push(b'&');
        if let Some(token) = token {
            encode(token.expose().as_bytes(), &mut key);
        }
        let key = Secret::new(key);
        let bytes = key.expose().as_slice();
        Ok(match method {
            SignatureMethod::HmacSha1 => Self::HmacSha1(keyed(bytes)?),
            SignatureMethod::HmacSha256 => Self::HmacSha256(keyed(bytes)?),
            SignatureMethod::HmacSha512 => Self::HmacSha512(Box::new(keyed(bytes)?)),
            _ => {
                let text = std::str::from_utf8(bytes);
                Self::Plaintext(text.map_err(|_| Error::internal("an encoded secret is not ASCII"))?.into())
            }
        })
    }

    /// The consumer's RSA key (§3.4.3), and its public half as a JSON Web Key.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config): the key cannot be read, or is none of RSA with at least 2048 bits.
    pub(crate) fn of_key(method: SignatureMethod, key: &KeyConfig) -> Result<(Self, Value), Error> {
        let read = SigningKey::new(None, key)?;
        if !matches!(read.algorithm(), Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512) {
            let message = "is no RSA key, or one for RSASSA-PSS only; `signature_method` needs an RSA key";
            return Err(Error::config(message));
        }
        let mut public = serde_json::to_value(read.public_jwk(None)?)
            .map_err(|_| Error::internal("the public key does not serialize to JSON"))?;
        // JWS has no name for some of the methods.
        if let Some(members) = public.as_object_mut() {
            members.remove("alg");
        }
        let signer = match method {
            SignatureMethod::RsaSha256 => Self::Rsa(Box::new(SigningKey::new(Algorithm::Rs256, key)?)),
            SignatureMethod::RsaSha512 => Self::Rsa(Box::new(SigningKey::new(Algorithm::Rs512, key)?)),
            _ => {
                let der = read.expose_rsa().ok_or_else(|| Error::internal("an RSA key is none"))?;
                let key = rsa::PrivateKey::from_pkcs8_der(der.expose())
                    .map_err(|_| Error::config("is an RSA key that cannot sign with SHA-1"))?;
                Self::RsaSha1(Box::new(rsa::pkcs1v15::SigningKey::new(key)))
            }
        };
        Ok((signer, public))
    }

    /// The value of `oauth_signature`; `base` makes the base string, which not all methods need.
    pub(crate) fn sign(&self, base: impl FnOnce() -> Vec<u8>) -> Result<Secret, Error> {
        let failed = || Error::internal("the key could not sign");
        Ok(match self {
            Self::HmacSha1(key) => signed(key, &base()),
            Self::HmacSha256(key) => signed(key, &base()),
            Self::HmacSha512(key) => signed(&**key, &base()),
            Self::RsaSha1(key) => {
                STANDARD.encode(key.try_sign(&base()).map_err(|_| failed())?.to_bytes()).into()
            }
            Self::Rsa(key) => {
                let mut signature = [0; SigningKey::MAX_SIGNATURE_BYTES];
                STANDARD.encode(key.sign(&base(), &mut signature)?).into()
            }
            Self::Plaintext(secrets) => secrets.clone(),
        })
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> Result<M, Error> {
    M::new_from_slice(key).map_err(|_| Error::internal("the key does not fit HMAC"))
}

fn signed<M: Mac + Clone>(key: &M, base: &[u8]) -> Secret {
    let mut mac = key.clone();
    mac.update(base);
    STANDARD.encode(mac.finalize().into_bytes()).into()
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}
