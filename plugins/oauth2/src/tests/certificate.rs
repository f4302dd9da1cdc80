use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Credential, ErrorKind, Lifetime};

use super::*;

/// Throw-away keys: see the README beside them.
pub(super) const KEY: &str = include_str!("../../../../jose/tests/data/p256-pkcs8.pem");
const CERTIFICATE: &str = include_str!("../../../../jose/tests/data/p256-certificate.pem");
/// Of another key.
pub(super) const OTHER: &str = include_str!("../../../../jose/tests/data/rsa-certificate.pem");

pub(super) fn identity() -> Value {
    json!({ "certificate": CERTIFICATE, "key": KEY })
}

/// From 2026-11-23T12:04:06Z to 2126-10-30T12:04:06Z.
const NOT_AFTER: Duration = Duration::from_secs(4_949_035_446);

fn at(since: Duration) -> ScriptedHost {
    ScriptedHost::new().at(SystemTime::UNIX_EPOCH + since)
}

fn now() -> ScriptedHost {
    at(Duration::from_secs(1_800_000_000))
}

fn mutual(changes: Value) -> Box<dyn Profile> {
    let mut all = json!({ "client_secret": null, "client_certificate": identity() });
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    made(all)
}

fn jwt(claims: Value) -> Answer {
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    super::token(json!({ "access_token": token }))
}

fn acquire(changes: Value, answer: Answer) -> Result<Credential, Error> {
    now().answer(answer).acquire(&*mutual(changes))
}

#[test]
fn the_certificate_proves_the_client_and_the_id_says_whose_it_is() {
    for method in [json!(null), json!("tls_client_auth"), json!("self_signed_tls_client_auth")] {
        let mut host = now().answer(token(json!({})));
        let credential = host.acquire(&*mutual(json!({ "client_auth": method }))).unwrap();
        let request = &host.sent()[0];
        let presented = request.client_certificate.as_ref().unwrap();
        assert_eq!(presented.chain_pem.trim(), CERTIFICATE.trim());
        // RFC 8705 §2: the id is in the body, and no other proof is.
        assert_eq!(body(request), "grant_type=client_credentials&client_id=erp");
        assert_eq!(header(request, "authorization"), None);
        assert_eq!(credential.client_certificate().unwrap().chain_pem, presented.chain_pem);
    }
}

#[test]
fn other_proofs_go_along_with_a_certificate_that_tokens_are_bound_to() {
    let mut host = now().answer(token(json!({})));
    let profile = mutual(json!({ "client_secret": CANARY }));
    let credential = host.acquire(&*profile).unwrap();
    assert!(header(&host.sent()[0], "authorization").is_some());
    assert!(host.sent()[0].client_certificate.is_some() && credential.client_certificate().is_some());
}

#[test]
fn the_alias_for_certificates_is_asked_where_there_is_one() {
    let metadata = |aliases: Value| {
        Answer::json(
            200,
            json!({
                "issuer": "https://login.example", "token_endpoint": "https://login.example/t",
                "mtls_endpoint_aliases": aliases,
            }),
        )
    };
    let alias = json!({ "token_endpoint": "https://mtls.login.example/t" });
    let issuer = json!({ "token_url": null, "issuer": "https://login.example" });
    for (profile, aliases, expected) in [
        (mutual(issuer.clone()), alias.clone(), "https://mtls.login.example/t"),
        (mutual(issuer.clone()), json!({}), "https://login.example/t"),
        (mutual(issuer.clone()), json!(null), "https://login.example/t"),
        (made(issuer), alias, "https://login.example/t"),
    ] {
        let mut host = now().answer(metadata(aliases)).answer(token(json!({})));
        host.acquire(&*profile).unwrap();
        assert_eq!(host.sent()[1].url, expected);
        assert!(host.sent()[0].client_certificate.is_none(), "the metadata are for everybody");
    }
}

#[test]
fn a_token_of_another_certificate_is_refused_and_an_unbound_one_when_told_so() {
    let own = {
        use sha2::{Digest, Sha256};
        let base64: String = CERTIFICATE.lines().filter(|line| !line.starts_with("---")).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
        URL_SAFE_NO_PAD.encode(Sha256::digest(der))
    };
    let bound = |to: &str| jwt(json!({ "cnf": { "x5t#S256": to } }));
    for bound_setting in [json!(null), json!(true)] {
        let changes = json!({ "certificate_bound": bound_setting });
        assert!(acquire(changes.clone(), bound(&own)).unwrap().client_certificate().is_some());
        let error = acquire(changes, bound("bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("another certificate"), "{error}");
    }
    assert!(acquire(json!({}), jwt(json!({}))).is_ok());
    let error = acquire(json!({ "certificate_bound": true }), jwt(json!({}))).unwrap_err();
    assert!(error.message().contains("not bound"), "{error}");
    assert!(acquire(json!({ "certificate_bound": true }), token(json!({}))).is_ok(), "it is opaque");
    let credential = acquire(json!({ "certificate_bound": false }), bound("other")).unwrap();
    assert!(credential.client_certificate().is_none(), "it is the token endpoint's alone");
}

#[test]
fn it_is_declared_where_the_api_is_shown_it() {
    for (bound, declared) in [(json!(null), true), (json!(true), true), (json!(false), false)] {
        let places = mutual(json!({ "certificate_bound": bound })).places().unwrap();
        assert_eq!(places.presents_certificate(), declared, "{bound}");
    }
    assert!(!made(json!({})).places().unwrap().presents_certificate());
}

#[test]
fn the_credential_ends_with_the_certificate() {
    let life = json!({ "expires_in": 3600 });
    let hour = Duration::from_secs(3600);
    let mut host = at(NOT_AFTER - hour).answer(token(life.clone()));
    assert_eq!(host.acquire(&*mutual(json!({}))).unwrap().lifetime(), Lifetime::For(hour));
    let mut host = at(NOT_AFTER - hour / 2).answer(token(life));
    let until = Lifetime::Until(SystemTime::UNIX_EPOCH + NOT_AFTER);
    assert_eq!(host.acquire(&*mutual(json!({}))).unwrap().lifetime(), until);
    let mut host = at(NOT_AFTER + hour);
    let error = host.acquire(&*mutual(json!({}))).unwrap_err();
    assert!(host.sent().is_empty() && error.message().contains("expired at 2126-10-30"), "{error}");
}

#[test]
fn the_issuer_is_handed_a_self_signed_certificate_with_its_key() {
    let keys = |method: &str| mutual(json!({ "client_auth": method })).public_keys().unwrap();
    let published = keys("self_signed_tls_client_auth");
    let base64: String = CERTIFICATE.lines().filter(|line| !line.starts_with("---")).collect();
    assert_eq!((&published[0]["kty"], &published[0]["x5c"]), (&json!("EC"), &json!([base64])));
    assert!(published[0].get("d").is_none());
    assert_eq!(keys("tls_client_auth"), Vec::<Value>::new());
}
