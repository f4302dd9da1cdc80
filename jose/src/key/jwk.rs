use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Error, Secret};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::der::rsa_rejected;
use super::private::{Curve, Loaded, PrivateKey};
use crate::algorithm::Algorithm;

/// A private JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), or the set around them (`keys`). Members that are unknown
/// here are ignored, as RFC 7517 §4 asks; one that is there twice is refused.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Jwk {
    keys: Option<Vec<Jwk>>,
    kty: Option<String>,
    pub(super) kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    x5c: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
    k: Option<Secret>,
}

/// Reads a JWK, or the key of a JWK Set that `kid` names or that alone fits the algorithm (or any, where none is set).
pub(super) fn read(text: &str, kid: Option<&str>, algorithm: Option<Algorithm>) -> Result<Loaded, Error> {
    let mut jwk: Jwk = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    let Some(keys) = jwk.keys.take() else {
        return match kid {
            Some(kid) if jwk.kid.as_deref() != Some(kid) => {
                Err(Error::config("is not the `kid` of the one key given; remove it or correct it").at("kid"))
            }
            _ => jwk.load(algorithm),
        };
    };
    select(keys, kid, algorithm)?.load(algorithm)
}

fn select(keys: Vec<Jwk>, kid: Option<&str>, algorithm: Option<Algorithm>) -> Result<Jwk, Error> {
    let known: Vec<String> = keys.iter().filter_map(|key| key.kid.clone()).collect();
    let mut fitting: Vec<Jwk> = match kid {
        Some(kid) => keys.into_iter().filter(|key| key.kid.as_deref() == Some(kid)).collect(),
        None => keys.into_iter().filter(|key| key.fits(algorithm)).collect(),
    };
    match (fitting.pop(), fitting.is_empty(), kid) {
        (Some(key), true, _) => Ok(key),
        (Some(_), false, Some(_)) => {
            Err(Error::config("names several keys of the set; make each `kid` unique").at("kid"))
        }
        (Some(_), false, None) => Err(Error::config(format!(
            "is a set in which several private keys fit{}; choose one with `key = {{ jwk = …, kid = … }}` \
             (there are: {})",
            named(algorithm),
            known.join(", ")
        ))),
        (None, _, Some(_)) => {
            Err(Error::config(format!("names no key of the set (there are: {})", known.join(", "))).at("kid"))
        }
        (None, _, None) => {
            Err(Error::config(format!("is a set in which no private key fits{}", named(algorithm))))
        }
    }
}

impl Jwk {
    /// Whether this can be the key for the algorithm, judged by what the key says of itself.
    fn fits(&self, algorithm: Option<Algorithm>) -> bool {
        let Some(algorithm) = algorithm else {
            return Algorithm::ALL.into_iter().any(|algorithm| self.fits(Some(algorithm)));
        };
        let kty = self.kty.as_deref().unwrap_or_default();
        let crv = self.crv.as_deref();
        let kind = match algorithm {
            _ if algorithm.is_symmetric() => kty == "oct",
            Algorithm::Es256 => kty == "EC" && crv == Some("P-256"),
            Algorithm::Es384 => kty == "EC" && crv == Some("P-384"),
            Algorithm::EdDsa => kty == "OKP" && crv == Some("Ed25519"),
            _ => kty == "RSA",
        };
        kind && (self.d.is_some() || self.k.is_some()) && self.is_meant_for(Some(algorithm)).is_ok()
    }

    /// Heeds `use`, `key_ops` and `alg` (RFC 7517 §4.2 to §4.4).
    fn is_meant_for(&self, algorithm: Option<Algorithm>) -> Result<(), Error> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(Error::config("is a JWK that is not for signing (its `use` is not `sig`)"));
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "sign")) {
            return Err(Error::config("is a JWK that is not for signing (its `key_ops` lack `sign`)"));
        }
        match (self.alg.as_deref(), algorithm) {
            (Some(alg), Some(algorithm)) if alg != algorithm.as_str() => {
                Err(Error::config(format!("is a JWK whose `alg` is another than the configured {algorithm}")))
            }
            _ => Ok(()),
        }
    }

    fn load(self, algorithm: Option<Algorithm>) -> Result<Loaded, Error> {
        self.is_meant_for(algorithm)?;
        let alg = self.alg.as_deref().map(str::parse).transpose();
        let alg = alg.map_err(|_: String| {
            Error::config("is a JWK whose `alg` is no signature algorithm that is known here")
        })?;
        let key = match self.kty.as_deref() {
            Some("RSA") => self.rsa()?,
            Some("EC") => self.ec()?,
            Some("OKP") => self.okp()?,
            Some("oct") => PrivateKey::Secret(secret("k", self.k.as_ref())?),
            Some(_) => {
                return Err(Error::config("is a JWK of an unknown `kty`; it must be RSA, EC, OKP or oct"));
            }
            None => {
                return Err(Error::config(
                    "is JSON, but no JWK (it has no `kty`) and no JWK Set (it has no `keys`)",
                ));
            }
        };
        let chain = self.x5c.iter().flatten().map(|text| STANDARD.decode(text)).collect::<Result<_, _>>();
        let chain = chain.map_err(|_| Error::config("is a JWK whose `x5c` is no base64"))?;
        Ok(Loaded { key, kid: self.kid, alg, chain })
    }

    fn rsa(&self) -> Result<PrivateKey, Error> {
        let d = self.private_part()?;
        let (n, e) = (public("n", self.n.as_ref())?, public("e", self.e.as_ref())?);
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: without_zeros(&n), e: without_zeros(&e) },
            d: d.as_slice(),
            p: &secret("p", self.p.as_ref())?,
            q: &secret("q", self.q.as_ref())?,
            dP: &secret("dp", self.dp.as_ref())?,
            dQ: &secret("dq", self.dq.as_ref())?,
            qInv: &secret("qi", self.qi.as_ref())?,
        };
        let pair = RsaKeyPair::from_components(&components).map_err(|error| rsa_rejected(&error))?;
        Ok(PrivateKey::Rsa { pair, pss_only: false })
    }

    fn ec(&self) -> Result<PrivateKey, Error> {
        let curve = match self.crv.as_deref() {
            Some("P-256") => Curve::P256,
            Some("P-384") => Curve::P384,
            _ => return Err(Error::config("is an EC JWK whose `crv` is not P-256 or P-384")),
        };
        let d = self.private_part()?;
        let mut point = vec![4];
        for (name, member) in [("x", &self.x), ("y", &self.y)] {
            point.extend(sized(name, public(name, member.as_ref())?, curve.coordinate_bytes())?);
        }
        let d = Zeroizing::new(sized("d", d.to_vec(), curve.coordinate_bytes())?);
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(curve.signing(), &d, &point).map_err(|_| torn())?;
        Ok(PrivateKey::Ec { curve, pair })
    }

    fn okp(&self) -> Result<PrivateKey, Error> {
        if self.crv.as_deref() != Some("Ed25519") {
            return Err(Error::config("is an OKP JWK whose `crv` is not Ed25519"));
        }
        let d = Zeroizing::new(sized("d", self.private_part()?.to_vec(), 32)?);
        let x = sized("x", public("x", self.x.as_ref())?, 32)?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &x).map_err(|_| torn())?;
        Ok(PrivateKey::Ed25519(pair))
    }

    fn private_part(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.d.is_none() {
            return Err(Error::config("is a public JWK (it has no `d`); give the private key"));
        }
        secret("d", self.d.as_ref())
    }
}

fn named(algorithm: Option<Algorithm>) -> String {
    algorithm.map(|algorithm| format!(" {algorithm}")).unwrap_or_default()
}

fn public(name: &str, value: Option<&String>) -> Result<Vec<u8>, Error> {
    let value = value.ok_or_else(|| Error::config(format!("is a JWK that lacks `{name}`")))?;
    URL_SAFE_NO_PAD.decode(value).map_err(|_| not_base64url(name))
}

fn secret(name: &str, value: Option<&Secret>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let value = value.ok_or_else(|| Error::config(format!("is a JWK that lacks `{name}`")))?;
    URL_SAFE_NO_PAD.decode(value.expose()).map(Zeroizing::new).map_err(|_| not_base64url(name))
}

fn sized(name: &str, value: Vec<u8>, bytes: usize) -> Result<Vec<u8>, Error> {
    if value.len() == bytes {
        return Ok(value);
    }
    Err(Error::config(format!("is a JWK whose `{name}` is not {bytes} bytes long")))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

fn not_base64url(name: &str) -> Error {
    Error::config(format!("is a JWK whose `{name}` is not base64url (RFC 7515 §2)"))
}

fn torn() -> Error {
    Error::config("is a JWK whose public and private parts do not belong together")
}

/// The library's message may repeat a value; only its category and position are safe.
fn json_error(error: &serde_json::Error) -> Error {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "is JSON that is cut off; was the file still being written?",
        serde_json::error::Category::Data => {
            "is no valid JWK or JWK Set: a member has the wrong type or is there twice"
        }
        _ => "is no valid JSON",
    };
    Error::config(format!("{what} (line {}, column {})", error.line(), error.column()))
}
