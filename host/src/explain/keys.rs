//! Asks the issuer of a JWT for its keys, as an API does that trusts it.

use std::collections::HashSet;

use countersign::{HttpRequest, Origin};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::evidence::{FoundKeys, IssuerKeys};
use super::redact::Redactor;
use super::token::jwt;
use crate::exchange::Exchange;

/// How many keys are looked at.
const MOST_KEYS: usize = 50;

/// What the issuer of a token publishes, if it can be asked: it is named by a URL, over TLS or on this machine.
pub(crate) async fn of_issuer(exchange: &Exchange, token: &str, redactor: &Redactor) -> Option<IssuerKeys> {
    let (header, claims, _) = jwt(token)?;
    let issuer = claims.get("iss")?.as_str()?;
    let origin: Origin = issuer.parse().ok()?;
    if !(origin.is_https() || origin.is_loopback()) {
        return None;
    }
    let found = match keys(exchange, issuer).await {
        Ok(set) => {
            let kid = header.get("kid").and_then(Value::as_str);
            let kids: Vec<&str> =
                set.keys.iter().filter_map(|key| key.common.key_id.as_deref()).take(MOST_KEYS).collect();
            FoundKeys::Some {
                knows_kid: kid.map(|kid| kids.contains(&kid)),
                verifies: verifies(token, kid, &set),
                kids: kids.iter().map(|kid| redactor.clean(kid)).collect(),
            }
        }
        Err(why) => FoundKeys::None { why: redactor.clean(&why) },
    };
    Some(IssuerKeys { issuer: redactor.clean(issuer), found })
}

/// Finds them as discovery says (OpenID Connect Discovery 1.0 §4, RFC 8414 §3), else where most have them.
async fn keys(exchange: &Exchange, issuer: &str) -> Result<JwkSet, String> {
    let base = issuer.trim_end_matches('/');
    let discovered = json(exchange, &format!("{base}/.well-known/openid-configuration")).await;
    let named =
        discovered.as_ref().ok().and_then(|document| document["jwks_uri"].as_str().map(str::to_owned));
    let url = named.unwrap_or_else(|| format!("{base}/.well-known/jwks.json"));
    let set = json(exchange, &url).await?;
    serde_json::from_value(set).map_err(|_| "what it publishes is no JWK Set".to_owned())
}

async fn json(exchange: &Exchange, url: &str) -> Result<Value, String> {
    let request = HttpRequest::new("GET", url).header("accept", "application/json");
    let answer = exchange.send(request).await.map_err(|error| error.message().to_owned())?;
    if !answer.is_success() {
        return Err(format!("it answers {}", answer.status));
    }
    answer.json().map_err(|error| error.message().to_owned())
}

/// Whether one of the keys verifies the token: the one of its `kid`, or, without one, any. `None` if none of them can be
/// tried.
fn verifies(token: &str, kid: Option<&str>, set: &JwkSet) -> Option<bool> {
    let algorithm = jsonwebtoken::decode_header(token).ok()?.alg;
    let fits = |key: &&Jwk| kid.is_none() || key.common.key_id.as_deref() == kid;
    let mut tried = false;
    for key in set.keys.iter().filter(fits).take(MOST_KEYS) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match is_signed(token, algorithm, &key) {
            Some(true) => return Some(true),
            Some(false) => tried = true,
            None => {}
        }
    }
    tried.then_some(false)
}

/// Whether a key verifies the signature; nothing else of the token is looked at.
fn is_signed(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Option<bool> {
    let mut signature_only = Validation::new(algorithm);
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims = HashSet::new();
    match jsonwebtoken::decode::<Value>(token, key, &signature_only) {
        Ok(_) => Some(true),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => Some(false),
        Err(_) => None,
    }
}
