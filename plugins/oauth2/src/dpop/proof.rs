use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Error, Secret};
use countersign_jose::SigningKey;
use serde::Serialize;
use serde_json::json;

/// The key that tokens are bound to, ready to make proofs (RFC 9449 §4.2).
pub(super) struct ProofKey {
    key: SigningKey,
    /// `typ`, `alg` and `jwk`, encoded, with the dot behind them.
    header: String,
    thumbprint: String,
}

/// What a proof is about.
pub(super) struct Proof<'a> {
    pub(super) method: &'a str,
    /// The request's URL; query and fragment are left out of the proof.
    pub(super) url: &'a str,
    /// The hash of the access token, where one goes along.
    pub(super) ath: Option<&'a str>,
    /// What the server wants to see.
    pub(super) nonce: Option<&'a str>,
    pub(super) now: SystemTime,
    /// Fresh for each proof.
    pub(super) random: [u8; 16],
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl ProofKey {
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the key is a shared secret.
    pub(super) fn new(key: SigningKey) -> Result<Self, Error> {
        if key.algorithm().is_symmetric() {
            return Err(Error::config(
                "is a shared secret, which the server would have to know; give a private key (RFC 9449 §4.2)",
            ));
        }
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().as_str(), "jwk": key.bare_jwk()? });
        let mut header = URL_SAFE_NO_PAD.encode(header.to_string());
        header.push('.');
        let thumbprint = key.public_jwk(None)?.thumbprint();
        Ok(Self { key, header, thumbprint })
    }

    /// The key's SHA-256 thumbprint (RFC 7638): the `jkt` of tokens that are bound to it.
    pub(super) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The value of a `DPoP` header.
    pub(super) fn prove(&self, proof: &Proof<'_>) -> Result<Secret, Error> {
        let since = proof.now.duration_since(UNIX_EPOCH);
        let since = since.map_err(|_| Error::internal("the clock stands before 1970; set it"))?;
        let mut jti = [0; 22];
        URL_SAFE_NO_PAD
            .encode_slice(proof.random, &mut jti)
            .map_err(|_| Error::internal("the proof's name does not fit its buffer"))?;
        let claims = Claims {
            jti: std::str::from_utf8(&jti).unwrap_or_default(),
            htm: proof.method,
            htu: proof.url.split(['?', '#']).next().unwrap_or_default(),
            iat: since.as_secs(),
            ath: proof.ath,
            nonce: proof.nonce,
        };
        let claims = serde_json::to_vec(&claims)
            .map_err(|_| Error::internal("the proof's claims do not serialize to JSON"))?;
        self.key.compact(&self.header, &claims)
    }
}

/// Names the algorithm and nothing of the key.
impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProofKey").field(&self.key.algorithm()).finish()
    }
}
