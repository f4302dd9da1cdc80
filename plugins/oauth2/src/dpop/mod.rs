//! Tokens that are bound to a key, of which each request brings a proof of its own (DPoP, RFC 9449).
//!
//! Here live the key, the proofs and the authorization server's nonces. The API's nonces are not kept here: the host learns
//! them from answers, per API, and lends them to each signature.

mod config;
mod proof;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{
    Context, Credential, Edits, Error, HttpResponse, Origin, RequestHead, Secret, SignContext,
};
use countersign_jose::{KeyConfig, SigningKey, generate_p256};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::answer::Wanted;
use crate::config::{ClientAuth, Grant, OAuth2Config};
use crate::confirmation::Confirmation;
use crate::endpoint::Endpoint;
pub use config::{DpopConfig, DpopSetting};
use proof::{Proof, ProofKey};

/// The header of a proof (RFC 9449 §4.1), and the words of a server that wants another nonce (§8, §9).
const HEADER: &str = "dpop";
const NONCE_HEADER: &str = "dpop-nonce";
const NONCE_DEMANDED: &str = "use_dpop_nonce";

/// The longest nonce that is repeated, in bytes.
const LONGEST_NONCE: usize = 4096;

/// A client whose tokens are bound to a key.
#[derive(Debug)]
pub(crate) struct Dpop {
    key: ProofKey,
    /// The key itself, if it was made here: the credential takes it along, for another process may sign with it.
    made: Option<Secret>,
    accept_bearer: bool,
    /// What each authorization server said last.
    nonce: Mutex<Option<(Origin, String)>>,
}

/// What signing needs beyond the settings.
#[derive(Serialize)]
struct Material<'a> {
    ath: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// The same, as it comes back.
#[derive(Deserialize)]
#[serde(try_from = "Stored")]
struct Held {
    /// The hash of the token (RFC 9449 §4.2).
    ath: String,
    /// The key that the token is bound to, if the settings do not name it.
    key: Option<ProofKey>,
}

#[derive(Deserialize)]
struct Stored {
    ath: String,
    key: Option<Secret>,
}

impl TryFrom<Stored> for Held {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        let key = stored.key.map(|key| SigningKey::new(None, &KeyConfig::Text(key)).and_then(ProofKey::new));
        Ok(Self { ath: stored.ath, key: key.transpose()? })
    }
}

impl Dpop {
    /// Reads the settings; none without `dpop`.
    pub(crate) fn new(config: &OAuth2Config) -> Result<Option<Self>, Error> {
        let default = DpopConfig::default();
        let settings = match &config.dpop {
            None | Some(DpopSetting::Switch(false)) => return Ok(None),
            Some(DpopSetting::Switch(true)) => &default,
            Some(DpopSetting::Table(settings)) => settings,
        };
        let within = |error: Error| error.at("dpop");
        let (key, made) = match &settings.key {
            Some(key) => {
                let key = SigningKey::new(settings.algorithm, key).and_then(ProofKey::new);
                (key.map_err(|error| within(error.at("key")))?, None)
            }
            None if settings.algorithm.is_some() => {
                let message = "is for a `key` of your own; without one, a key for ES256 is made";
                return Err(within(Error::config(message).at("algorithm")));
            }
            None if config.grant == Grant::RefreshToken && config.method()? == ClientAuth::None => {
                // RFC 9449 §5: a key that is made anew at each start would leave the refresh token without use.
                let message = "is missing; the refresh token of a client without proof of its own is bound to the key, \
                               so it has to be the same one always";
                return Err(within(Error::config(message).at("key")));
            }
            None => {
                let made = generate_p256()?;
                (ProofKey::new(SigningKey::new(None, &KeyConfig::Text(made.clone()))?)?, Some(made))
            }
        };
        Ok(Some(Self { key, made, accept_bearer: settings.accept_bearer, nonce: Mutex::default() }))
    }

    /// The token type that the issuer has to give.
    pub(crate) const fn wanted(&self) -> Wanted {
        if self.accept_bearer { Wanted::DpopOrBearer } else { Wanted::Dpop }
    }

    /// The proof of a token request (RFC 9449 §5).
    pub(crate) fn prove(&self, endpoint: &Endpoint, cx: &Context) -> Result<Secret, Error> {
        let nonce =
            self.nonce().as_ref().filter(|(of, _)| of == endpoint.origin()).map(|(_, nonce)| nonce.clone());
        self.key.prove(&Proof {
            method: "POST",
            url: endpoint.url(),
            ath: None,
            nonce: nonce.as_deref(),
            now: cx.now(),
            random: cx.random()?,
        })
    }

    /// Takes note of the nonce that an authorization server wants to see next (RFC 9449 §8.2).
    pub(crate) fn hear(&self, endpoint: &Endpoint, answer: &HttpResponse) {
        if let Some(nonce) = answer.header(NONCE_HEADER).filter(|nonce| nonce.len() <= LONGEST_NONCE) {
            *self.nonce() = Some((endpoint.origin().clone(), nonce.to_owned()));
        }
    }

    /// Whether an authorization server refused a request for its nonce only, and said which one it wants.
    pub(crate) fn is_demand(&self, endpoint: &Endpoint, answer: &HttpResponse) -> bool {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
        }
        matches!(answer.status, 400 | 401)
            && answer.header(NONCE_HEADER).is_some()
            && self.nonce().as_ref().is_some_and(|(of, _)| of == endpoint.origin())
            && answer.json::<Refusal>().is_ok_and(|refusal| refusal.error == NONCE_DEMANDED)
    }

    /// A credential that signs each request for that token; the token is yet to be placed.
    ///
    /// # Errors
    /// When the token says of itself that it is bound to another key.
    pub(crate) fn credential(&self, token: &str, confirmation: &Confirmation) -> Result<Credential, Error> {
        if let Confirmation::Jwt { key: Some(bound), .. } = confirmation
            && bound != self.key.thumbprint()
        {
            return Err(Error::denied(
                "the token endpoint gave a token that is bound to another key (RFC 9449 §6.1)",
            ));
        }
        let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
        let key = self.made.as_ref().map(|key| key.expose().as_str());
        Ok(Credential::signing(&Material { ath: &ath, key })?.learning(NONCE_HEADER, NONCE_DEMANDED))
    }

    /// The proof of a request to the API (RFC 9449 §7).
    pub(crate) fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        let held: &Held = credential.material()?;
        let url = format!("{}://{}{}", request.scheme(), request.authority(), request.path());
        let proof = Proof {
            method: request.method(),
            url: &url,
            ath: Some(&held.ath),
            nonce: request.learned(NONCE_HEADER).and_then(|nonce| std::str::from_utf8(nonce).ok()),
            now: cx.now(),
            random: cx.random()?,
        };
        Ok(Edits::header(HEADER, held.key.as_ref().unwrap_or(&self.key).prove(&proof)?))
    }

    /// A panic while the lock is held leaves a plain value behind, so a poisoned lock is as good as another.
    fn nonce(&self) -> MutexGuard<'_, Option<(Origin, String)>> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("key", &self.key).finish_non_exhaustive()
    }
}
