use countersign::Error;
use serde::{Deserialize, Serialize};

use crate::algorithm::Hash;
use crate::challenge::{Challenge, of_digest};
use crate::config::{Protection, Rules};
use crate::quoted::echoable;

/// A Digest challenge that can be answered (RFC 7616 §3.3).
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) opaque: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) qop: Protection,
    /// The server reads user name and password as UTF-8 (`charset`).
    pub(crate) utf8: bool,
    /// The server takes the hash of the user name in its place (`userhash`).
    pub(crate) userhash: bool,
}

/// An algorithm as the challenge names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Algorithm {
    pub(crate) hash: Hash,
    /// `-sess`: the password's hash is hashed again, with both nonces.
    pub(crate) session: bool,
    /// As it was written, to be sent back; `None` where the challenge names none, which means MD5.
    pub(crate) written: Option<String>,
}

impl Algorithm {
    fn of(written: Option<&str>) -> Option<Self> {
        let Some(name) = written else {
            return Some(Self { hash: Hash::Md5, session: false, written: None });
        };
        let (plain, session) = match name.get(name.len().saturating_sub(5)..) {
            Some(end) if end.eq_ignore_ascii_case("-sess") => (&name[..name.len() - 5], true),
            _ => (name, false),
        };
        let hash = Hash::ALL.into_iter().find(|hash| hash.as_str().eq_ignore_ascii_case(plain))?;
        Some(Self { hash, session, written: Some(name.to_owned()) })
    }
}

impl Rules {
    /// The strongest challenge that the settings allow; of equal ones the first, which is the one that the server prefers
    /// (RFC 7616 §3.7).
    ///
    /// # Errors
    /// [`Denied`](countersign::ErrorKind::Denied) when there is none: with the settings that exclude what is offered.
    pub(crate) fn choose(&self, challenges: &[Challenge]) -> Result<Offer, Error> {
        let mut best: Option<Offer> = None;
        let mut why = None;
        for challenge in of_digest(challenges) {
            match self.offer(challenge) {
                Ok(offer) => {
                    if best.as_ref().is_none_or(|best| offer.strength() > best.strength()) {
                        best = Some(offer);
                    }
                }
                Err(error) => why = why.or(Some(error)),
            }
        }
        best.ok_or_else(|| why.unwrap_or_else(|| Error::denied("the API asks for no Digest authentication")))
    }

    fn offer(&self, challenge: &Challenge) -> Result<Offer, Error> {
        let required = |name: &str| {
            let value = challenge
                .parameter(name)
                .ok_or_else(|| Error::denied(format!("the API's Digest challenge has no `{name}`")))?;
            echoable(value, name).map(|()| value.to_owned())
        };
        let (realm, nonce) = (required("realm")?, required("nonce")?);
        if self.realm.as_ref().is_some_and(|expected| *expected != realm) {
            let message = "the API's Digest challenge is of another realm than `realm` says";
            return Err(Error::denied(message));
        }
        let opaque = challenge.parameter("opaque").map(str::to_owned);
        opaque.as_deref().map_or(Ok(()), |opaque| echoable(opaque, "opaque"))?;
        let algorithm = Algorithm::of(challenge.parameter("algorithm")).ok_or_else(|| {
            Error::denied("the API's Digest challenge names an algorithm that nobody registered")
        })?;
        if !self.algorithms.contains(&algorithm.hash) {
            let name = algorithm.hash.as_str();
            return Err(Error::denied(format!(
                "the API offers Digest with {name}, which `algorithms` does not allow"
            )));
        }
        let qop = self.qop(challenge.parameter("qop"))?;
        if algorithm.session && qop == Protection::None {
            return Err(Error::denied(
                "the API's Digest challenge has a `-sess` algorithm without `qop`, which cannot be answered",
            ));
        }
        let is = |name: &str, value: &str| {
            challenge.parameter(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
        };
        let (utf8, userhash) = (is("charset", "UTF-8"), is("userhash", "true"));
        Ok(Offer { realm, nonce, opaque, algorithm, qop, utf8, userhash })
    }

    /// The strongest protection that is offered and allowed.
    fn qop(&self, offered: Option<&str>) -> Result<Protection, Error> {
        let offered = offered.unwrap_or_default();
        let mut words = offered.split([',', ' ', '\t']).filter(|word| !word.is_empty()).peekable();
        if words.peek().is_none() {
            // As of RFC 2069, and as RFC 2617 allows it still.
            return if self.protections.contains(&Protection::None) {
                Ok(Protection::None)
            } else {
                Err(Error::denied(
                    "the API's Digest challenge has no `qop`, and the setting `qop` does not allow that",
                ))
            };
        }
        let known = words.filter_map(|word| {
            let of = |protection: Protection| word.eq_ignore_ascii_case(protection.as_str());
            [Protection::Auth, Protection::AuthInt].into_iter().find(|protection| of(*protection))
        });
        known.filter(|protection| self.protections.contains(protection)).max().ok_or_else(|| {
            Error::denied("the API offers Digest with a `qop` that the setting `qop` does not allow; `auth-int` has to be named there")
        })
    }
}

impl Offer {
    fn strength(&self) -> (Hash, Protection) {
        (self.algorithm.hash, self.qop)
    }
}
