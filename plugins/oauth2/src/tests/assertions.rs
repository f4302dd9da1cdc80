//! What is signed: the client's assertions and the grant of RFC 7523.

use std::time::SystemTime;

use countersign::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::*;

/// Throw-away keys, see the README beside them.
const KEY: &str = include_str!("../../../../jose/tests/data/p256-pkcs8.pem");
const PUBLIC: &str = include_str!("../../../../jose/tests/data/p256-public.pem");
const OTHER_KEY: &str = include_str!("../../../../jose/tests/data/ed25519-pkcs8.pem");
const SECRET: &str = "canary-of-32-bytes-canary-of-32-b";

fn fields(request: &HttpRequest) -> Vec<(String, String)> {
    form_urlencoded::parse(request.body.expose()).into_owned().collect()
}

fn field(request: &HttpRequest, name: &str) -> String {
    let found: Vec<_> = fields(request).into_iter().filter(|(field, _)| field == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

/// Header and claims, as a verifier that is not ours reads them.
fn verified(token: &str, algorithm: Algorithm, key: &DecodingKey) -> (Value, Value) {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Value>(token, key, &validation).unwrap().claims;
    (serde_json::to_value(jsonwebtoken::decode_header(token).unwrap()).unwrap(), claims)
}

fn by_key(token: &str) -> (Value, Value) {
    verified(token, Algorithm::ES256, &DecodingKey::from_ec_pem(PUBLIC.as_bytes()).unwrap())
}

fn now() -> u64 {
    ScriptedHost::new().now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A client that proves itself by its key.
fn with_key(changes: Value) -> Value {
    let mut with_key = json!({ "client_secret": null, "client_key": KEY });
    for (name, value) in changes.as_object().unwrap() {
        with_key[name] = value.clone();
    }
    with_key
}

/// The grant of RFC 7523 §2.1.
fn granting(assertion: Value, changes: Value) -> Value {
    let mut granting = json!({ "grant": "jwt-bearer", "assertion": assertion });
    for (name, value) in changes.as_object().unwrap() {
        granting[name] = value.clone();
    }
    granting
}

#[test]
fn a_key_proves_the_client_by_an_assertion() {
    // RFC 7523 §2.2 and §3
    let request = sent(with_key(json!({})));
    assert_eq!(header(&request, "authorization"), None);
    assert_eq!(field(&request, "grant_type"), "client_credentials");
    assert_eq!(field(&request, "client_id"), "erp");
    let kind = field(&request, "client_assertion_type");
    assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let (_, claims) = by_key(&field(&request, "client_assertion"));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("erp"), &json!("erp")));
    assert_eq!(claims["aud"], "https://login.example/token");
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now()), &json!(now() + 60)));
    assert!(claims["jti"].is_string());
}

#[test]
fn each_exchange_gets_an_assertion_of_its_own() {
    let profile = made(with_key(json!({})));
    let mut host = ScriptedHost::new().answer(token(json!({}))).answer(token(json!({})));
    host.acquire(&*profile).unwrap();
    host.acquire(&*profile).unwrap();
    let [one, other] =
        [0, 1].map(|index| by_key(&field(&host.sent()[index], "client_assertion")).1["jti"].clone());
    assert_ne!(one, other);
}

#[test]
fn the_assertions_audience_is_the_issuer_where_it_is_known() {
    let issuer = json!({ "issuer": "https://login.example" });
    let (_, claims) = by_key(&field(&sent(with_key(issuer)), "client_assertion"));
    assert_eq!(claims["aud"], "https://login.example");
    let set = json!({ "client_assertion": { "audience": "https://a.example", "lifetime": "5m", "headers": { "kid": "k1" } } });
    let (header, claims) = by_key(&field(&sent(with_key(set)), "client_assertion"));
    assert_eq!((&claims["aud"], &header["kid"]), (&json!("https://a.example"), &json!("k1")));
    assert_eq!(claims["exp"], now() + 300);
}

#[test]
fn a_secret_can_sign_too() {
    let request = sent(json!({ "client_auth": "client_secret_jwt", "client_secret": SECRET }));
    assert!(!body(&request).contains("canary"), "the secret itself stays here");
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let (_, claims) = verified(&field(&request, "client_assertion"), Algorithm::HS256, &key);
    assert_eq!(claims["sub"], "erp");
}

#[test]
fn the_grant_exchanges_an_assertion_about_the_caller() {
    // RFC 7523 §2.1
    let assertion =
        json!({ "subject": "{{ caller.user }}", "claims": { "tenant": "{{ caller.tenant }}" }, "key": KEY });
    let profile = made(granting(assertion, json!({ "scope": "orders" })));
    assert_eq!(profile.inputs().caller_attributes().collect::<Vec<_>>(), ["tenant", "user"]);
    let mut host =
        ScriptedHost::new().caller("user", "ada").caller("tenant", "acme").answer(token(json!({})));
    host.acquire(&*profile).unwrap();
    let request = &host.sent()[0];
    assert_eq!(field(request, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(field(request, "scope"), "orders");
    assert!(header(request, "authorization").is_some_and(|value| value.starts_with("Basic ")));
    let (_, claims) = by_key(&field(request, "assertion"));
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["tenant"]),
        (&json!("erp"), &json!("ada"), &json!("acme"))
    );
    assert_eq!(
        (&claims["aud"], &claims["exp"]),
        (&json!("https://login.example/token"), &json!(now() + 300))
    );
}

#[test]
fn the_grant_needs_no_client() {
    let anonymous = json!({ "client_id": null, "client_secret": null });
    let assertion = json!({ "issuer": "svc@example", "subject": "ada", "audience": ["a", "b"], "key": KEY });
    let request = sent(granting(assertion, anonymous));
    assert_eq!(fields(&request).len(), 2);
    assert_eq!(header(&request, "authorization"), None);
    let (_, claims) = by_key(&field(&request, "assertion"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("svc@example"), &json!(["a", "b"])));
}

#[test]
fn one_key_may_sign_for_the_client_and_for_the_grant() {
    let profile = made(granting(json!({ "subject": "ada" }), with_key(json!({}))));
    let mut host = ScriptedHost::new().answer(token(json!({})));
    host.acquire(&*profile).unwrap();
    let [client, grant] =
        ["client_assertion", "assertion"].map(|name| by_key(&field(&host.sent()[0], name)).1);
    assert_eq!((&client["sub"], &grant["sub"]), (&json!("erp"), &json!("ada")));
    assert_eq!(profile.public_keys().unwrap().len(), 1);
}

#[test]
fn public_keys_are_handed_out_and_secrets_are_not() {
    let two = made(granting(json!({ "subject": "ada", "key": OTHER_KEY }), with_key(json!({}))))
        .public_keys()
        .unwrap();
    assert_eq!(two.iter().map(|key| key["kty"].as_str().unwrap()).collect::<Vec<_>>(), ["EC", "OKP"]);
    assert!(two.iter().all(|key| key.get("d").is_none()));
    let secret = made(json!({ "client_auth": "client_secret_jwt", "client_secret": SECRET }));
    assert!(secret.public_keys().unwrap().is_empty());
    assert!(made(json!({})).public_keys().unwrap().is_empty());
}

#[test]
fn a_caller_without_the_attribute_sends_nothing() {
    let profile = made(granting(json!({ "subject": "{{ caller.user }}", "key": KEY }), json!({})));
    let mut host = ScriptedHost::new();
    let error = host.acquire(&*profile).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("assertion.subject")));
    assert!(host.sent().is_empty());
}

#[test]
fn a_refused_assertion_is_denied_and_needs_no_login() {
    let profile = made(granting(json!({ "subject": "ada", "key": KEY }), json!({})));
    let mut host = ScriptedHost::new().answer(Answer::json(400, json!({ "error": "invalid_grant" })));
    assert_eq!(host.acquire(&*profile).unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn settings_that_make_no_sense_are_refused_where_they_stand() {
    let secret_key = json!({ "secret": SECRET });
    for (changes, field) in [
        (with_key(json!({ "client_secret": CANARY })), "client_secret"),
        (with_key(json!({ "client_auth": "client_secret_post", "client_secret": CANARY })), "client_key"),
        (with_key(json!({ "client_auth": "none" })), "client_key"),
        (with_key(json!({ "client_key": "canary" })), "client_key"),
        (with_key(json!({ "client_key": { "pem": "canary" } })), "client_key.pem"),
        (with_key(json!({ "client_key": secret_key })), "client_key"),
        (with_key(json!({ "client_id": null })), "client_id"),
        (with_key(json!({ "client_assertion": { "algorithm": "RS256" } })), "client_key"),
        (with_key(json!({ "client_assertion": { "algorithm": "none" } })), "client_assertion.algorithm"),
        (with_key(json!({ "client_assertion": { "lifetime": "0s" } })), "client_assertion.lifetime"),
        (with_key(json!({ "client_assertion": { "audience": "" } })), "client_assertion.audience"),
        (
            with_key(json!({ "client_assertion": { "headers": { "x5t": true } } })),
            "client_assertion.headers.x5t",
        ),
        (json!({ "client_auth": "private_key_jwt", "client_secret": null }), "client_key"),
        (json!({ "client_auth": "client_secret_jwt" }), "client_secret"),
        (json!({ "client_assertion": { "lifetime": "1m" } }), "client_assertion"),
        (
            json!({ "client_auth": "client_secret_jwt", "client_assertion": { "algorithm": "ES256" } }),
            "client_assertion.algorithm",
        ),
        (json!({ "grant": "jwt-bearer" }), "assertion"),
        (json!({ "assertion": { "key": KEY } }), "assertion"),
        (granting(json!({ "key": KEY }), json!({ "refresh_token": CANARY })), "refresh_token"),
        (granting(json!({}), json!({})), "assertion.key"),
        (granting(json!({ "key": "canary" }), json!({})), "assertion.key"),
        (granting(json!({ "key": KEY, "subject": "{{ env.HOME }}" }), json!({})), "assertion.subject"),
        (granting(json!({ "key": KEY, "claims": { "sub": "x" } }), json!({})), "assertion.claims.sub"),
        (granting(json!({ "key": KEY, "sub": "x" }), json!({})), "assertion.sub"),
        (
            granting(json!({ "key": KEY }), json!({ "client_id": null, "client_secret": null })),
            "assertion.issuer",
        ),
    ] {
        let shown = changes.to_string();
        assert_eq!(refused(changes).field(), Some(field), "{shown}");
    }
}
