use std::time::{Duration, SystemTime};

use countersign::testing::{ScriptedHost, profile};
use countersign::{ErrorKind, Lifetime, Profile};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use super::*;

/// Throw-away keys, see the README beside them.
const KEY: &str = include_str!("../../../jose/tests/data/p256-pkcs8.pem");
const PUBLIC: &str = include_str!("../../../jose/tests/data/p256-public.pem");
const RSA: &str = include_str!("../../../jose/tests/data/rsa-pkcs8.pem");
const SECRET: &str = "canary-of-32-bytes-canary-of-32-b";

/// The smallest settings, with changes.
fn settings(changes: Value) -> Value {
    let mut settings = json!({ "key": KEY });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn made(changes: Value) -> Box<dyn Profile> {
    profile::<JwtBearer>(settings(changes)).unwrap()
}

fn refused(changes: Value) -> Error {
    let error = profile::<JwtBearer>(settings(changes)).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("canary"), "{error}");
    error
}

/// Header and claims, as a verifier that is not ours reads them with the public key.
fn verified(token: &str) -> (Value, Value) {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_ec_pem(PUBLIC.as_bytes()).unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    let header = jsonwebtoken::decode_header(token).unwrap();
    (serde_json::to_value(header).unwrap(), claims)
}

fn seconds(instant: SystemTime) -> u64 {
    instant.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn token(host: &mut ScriptedHost, profile: &dyn Profile) -> String {
    let credential = host.acquire(profile).unwrap();
    let placed = host.placed(&credential);
    assert_eq!((placed.len(), placed[0].0, placed[0].1), (1, "header", "authorization"));
    placed[0].2.strip_prefix("Bearer ").expect("a bearer token").to_owned()
}

#[test]
fn the_settings_of_the_design_make_a_token_that_a_verifier_accepts() {
    let profile = made(json!({
        "issuer": "https://erp.example",
        "audience": "orders-api",
        "subject": "{{ caller.user }}",
        "lifetime": "5m",
    }));
    assert_eq!(profile.inputs().caller_attributes().collect::<Vec<_>>(), ["user"]);
    let mut host = ScriptedHost::new().caller("user", "ada").caller("tenant", "unseen");
    let now = seconds(host.now());
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::Until(host.now() + Duration::from_secs(300)));
    assert!(!credential.signs() && host.sent().is_empty());
    let (header, claims) = verified(&token(&mut host, &*profile));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
    let mut expected = json!({
        "iss": "https://erp.example", "aud": "orders-api", "sub": "ada", "iat": now, "nbf": now, "exp": now + 300,
    });
    expected["jti"] = claims["jti"].clone();
    assert_eq!(claims, expected);
}

#[test]
fn every_token_has_a_name_of_its_own() {
    let profile = made(json!({}));
    let mut host = ScriptedHost::new();
    let [one, other] = [(); 2].map(|()| verified(&token(&mut host, &*profile)).1["jti"].clone());
    assert_ne!(one, other);
}

#[test]
fn claims_headers_and_times_are_as_set() {
    let profile = made(json!({
        "audience": ["a", "{{ caller.api }}"],
        "claims": { "tenant": "t-{{ caller.tenant }}", "roles": ["r"], "level": 3 },
        "headers": { "kid": "2026-01", "typ": "at+jwt" },
        "jti": false, "nbf": false, "backdate": "30s", "lifetime": "1h",
    }));
    assert_eq!(profile.inputs().caller_attributes().collect::<Vec<_>>(), ["api", "tenant"]);
    let mut host = ScriptedHost::new().caller("api", "b").caller("tenant", "acme");
    let now = seconds(host.now());
    let (header, claims) = verified(&token(&mut host, &*profile));
    assert_eq!((&header["kid"], &header["typ"]), (&json!("2026-01"), &json!("at+jwt")));
    let expected = json!({
        "aud": ["a", "b"], "tenant": "t-acme", "roles": ["r"], "level": 3, "iat": now - 30, "exp": now + 3600,
    });
    assert_eq!(claims, expected);
}

#[test]
fn without_reuse_each_request_gets_a_token_of_its_own() {
    let profile = made(json!({ "reuse": false, "subject": "{{ caller.user }}" }));
    let mut host = ScriptedHost::new().caller("user", "ada");
    let request = RequestHead::new("GET", "https", "orders.example", "/");
    let mut names = Vec::new();
    for _ in 0..2 {
        let credential = host.acquire(&*profile).unwrap();
        assert!(credential.signs() && credential.placements().is_empty());
        assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
        host.advance(Duration::from_secs(1000));
        let edits = host.sign(&*profile, credential, &request).unwrap();
        assert_eq!((edits.len(), edits[0].0, edits[0].1.as_str()), (1, "header", "authorization"));
        let (_, claims) = verified(edits[0].2.strip_prefix("Bearer ").unwrap());
        assert_eq!((&claims["sub"], &claims["iat"]), (&json!("ada"), &json!(seconds(host.now()))));
        names.push(claims["jti"].clone());
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_caller_without_the_attribute_gets_no_token() {
    for reuse in [true, false] {
        let profile = made(json!({ "subject": "{{ caller.user }}", "reuse": reuse }));
        let error = ScriptedHost::new().acquire(&*profile).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("subject")));
        let error = ScriptedHost::new().caller("user", "").acquire(&*profile).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("subject")));
    }
}

#[test]
fn a_caller_cannot_add_claims_by_what_it_is_called() {
    let profile = made(json!({ "subject": "{{ caller.user }}", "jti": false }));
    let name = "ada\",\"admin\":true,\"x\":\"\r\n";
    let (_, claims) = verified(&token(&mut ScriptedHost::new().caller("user", name), &*profile));
    assert_eq!((&claims["sub"], claims.get("admin")), (&json!(name), None));
}

#[test]
fn the_token_goes_where_it_is_told_to() {
    for (changes, place, name, before) in [
        (json!({ "header": "X-Jwt" }), "header", "x-jwt", "Bearer eyJ"),
        (json!({ "header": "X-Jwt", "scheme": "" }), "header", "x-jwt", "eyJ"),
        (json!({ "scheme": "JWT" }), "header", "authorization", "JWT eyJ"),
        (json!({ "query": "access_token" }), "query", "access_token", "eyJ"),
        (json!({ "cookie": "session" }), "cookie", "session", "eyJ"),
    ] {
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*made(changes.clone())).unwrap();
        let placed = host.placed(&credential);
        assert_eq!((placed[0].0, placed[0].1), (place, name));
        assert!(placed[0].2.starts_with(before), "{before}");

        let mut fresh = changes;
        fresh["reuse"] = json!(false);
        let profile = made(fresh);
        let credential = host.acquire(&*profile).unwrap();
        let edits = host.sign(&*profile, credential, &RequestHead::new("GET", "https", "a", "/")).unwrap();
        assert_eq!((edits[0].0, edits[0].1.as_str()), (place, name));
        assert!(edits[0].2.starts_with(before), "{before}");
    }
}

#[test]
fn the_public_key_is_handed_out_and_a_secret_is_not() {
    let keys = made(json!({ "headers": { "kid": "k1" } })).public_keys().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (&keys[0]["kty"], &keys[0]["kid"], &keys[0]["alg"]),
        (&json!("EC"), &json!("k1"), &json!("ES256"))
    );
    assert!(keys[0].get("d").is_none());
    assert!(made(json!({ "key": { "secret": SECRET } })).public_keys().unwrap().is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused_where_they_stand() {
    for (changes, field) in [
        (json!({ "key": "canary" }), "key"),
        (json!({ "key": PUBLIC }), "key"),
        (json!({ "key": { "pem": RSA, "passphrase": "canary" } }), "key.passphrase"),
        (json!({ "algorithm": "RS256" }), "key"),
        (json!({ "algorithm": "none" }), "algorithm"),
        (json!({ "algorithm": "canary" }), "algorithm"),
        (json!({ "key": RSA, "algorithm": "HS256" }), "key"),
        (json!({ "key": { "secret": "canary" } }), "key.secret"),
        (json!({ "key": { "secret": SECRET }, "algorithm": "HS512" }), "key.secret"),
        (json!({ "subject": "{{ canary" }), "subject"),
        (json!({ "subject": "" }), "subject"),
        (json!({ "audience": [] }), "audience"),
        (json!({ "lifetime": "0s" }), "lifetime"),
        (json!({ "lifetime": "canary" }), "lifetime"),
        (json!({ "lifetime": 300 }), "lifetime"),
        (json!({ "claims": { "exp": 1 } }), "claims.exp"),
        (json!({ "claims": { "tenant": "{{ env.HOME }}" } }), "claims.tenant"),
        (json!({ "headers": { "x5t": true } }), "headers.x5t"),
        (json!({ "headers": { "other": { "alg": "none" } } }), "headers.other.alg"),
        (json!({ "header": "Host" }), "header"),
        (json!({ "scheme": "a b" }), "scheme"),
        (json!({ "query": "a", "cookie": "b" }), "cookie"),
        (json!({ "query": "a", "scheme": "b" }), "query"),
        (json!({ "header": "a", "query": "b" }), "query"),
        (json!({ "header": "a", "cookie": "b" }), "cookie"),
    ] {
        let shown = changes.to_string();
        assert_eq!(refused(changes).field(), Some(field), "{shown}");
    }
}

#[test]
fn debug_is_blind() {
    let config: JwtBearerConfig = serde_json::from_value(json!({ "key": { "secret": SECRET } })).unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    assert!(!format!("{:?}", JwtBearer::new(config).unwrap()).contains("canary"));
}
