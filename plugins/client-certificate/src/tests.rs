#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use countersign::testing::{ScriptedHost, profile};
use countersign::{Credential, Error, ErrorKind, Lifetime};
use serde_json::{Value, json};

use super::ClientCertificate;

/// Throw-away keys: see the README beside them.
macro_rules! test_key {
    ($name:literal) => {
        include_str!(concat!("../../../jose/tests/data/", $name))
    };
}

const CERTIFICATE: &str = test_key!("p256-certificate.pem");
const KEY: &str = test_key!("p256-pkcs8.pem");

/// The certificate's own words: 2026-11-23T12:04:06Z to 2126-10-30T12:04:06Z.
const NOT_BEFORE: Duration = Duration::from_secs(1_795_435_446);
const NOT_AFTER: Duration = Duration::from_secs(4_949_035_446);

fn acquire(now: Duration, settings: Value) -> Result<Credential, Error> {
    let mut host = ScriptedHost::new().at(SystemTime::UNIX_EPOCH + now);
    host.acquire(&*profile::<ClientCertificate>(settings)?)
}

fn separate() -> Value {
    json!({ "certificate": CERTIFICATE, "key": KEY })
}

#[test]
fn the_certificate_is_presented_until_it_ends_and_nothing_is_placed() {
    let credential = acquire(NOT_BEFORE, separate()).unwrap();
    assert!(credential.placements().is_empty() && !credential.signs());
    assert_eq!(credential.lifetime(), Lifetime::Until(SystemTime::UNIX_EPOCH + NOT_AFTER));
    let presented = credential.client_certificate().unwrap();
    assert_eq!(presented.chain_pem.trim(), CERTIFICATE.trim());
    assert!(presented.key_pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let places = profile::<ClientCertificate>(separate()).unwrap().places().unwrap();
    assert!(places.presents_certificate() && places.iter().next().is_none(), "`check` knows of it");
}

#[test]
fn one_text_serves_as_well_as_two() {
    for text in [format!("{KEY}{CERTIFICATE}"), format!("{CERTIFICATE}{KEY}")] {
        let credential = acquire(NOT_BEFORE, json!({ "key": text })).unwrap();
        assert_eq!(credential.client_certificate().unwrap().chain_pem.trim(), CERTIFICATE.trim());
    }
}

#[test]
fn expired_and_not_yet_valid_are_said_with_the_date() {
    let error = acquire(NOT_AFTER + Duration::from_secs(1), separate()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "nothing but another certificate helps");
    assert!(error.message().contains("expired at 2126-10-30T12:04:06Z"), "{error}");
    let error = acquire(NOT_BEFORE - Duration::from_secs(60), separate()).unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Unavailable, Some(Duration::from_secs(60))),
        "{error}"
    );
    assert!(error.message().contains("not valid before 2026-11-23T12:04:06Z"), "{error}");
}

#[test]
fn what_does_not_belong_together_is_refused_at_once() {
    let rsa = test_key!("rsa-pkcs8.pem");
    for (settings, field, says) in [
        (json!({ "certificate": CERTIFICATE, "key": rsa }), "certificate", "another key"),
        (json!({ "key": format!("{rsa}{CERTIFICATE}") }), "key", "another key"),
        (json!({ "key": KEY }), "certificate", "is missing"),
        (json!({ "certificate": format!("{CERTIFICATE}{KEY}"), "key": KEY }), "certificate", "private key"),
        (json!({ "certificate": KEY, "key": KEY }), "certificate", "private key"),
        (json!({ "certificate": "canary", "key": KEY }), "certificate", "is not PEM"),
        (json!({ "certificate": CERTIFICATE, "key": CERTIFICATE }), "key", "is a certificate"),
        (json!({ "certificate": CERTIFICATE, "key": "canary" }), "key", "neither PEM nor JWK"),
        (json!({ "certificate": CERTIFICATE, "key": { "secret": "canary" } }), "key.secret", "shared secret"),
        (
            json!({ "certificate": CERTIFICATE, "key": { "pem": KEY, "certificate": CERTIFICATE } }),
            "certificate",
            "given twice",
        ),
    ] {
        let error = profile::<ClientCertificate>(settings.clone()).err().unwrap();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some(field)), "{error}");
        assert!(error.message().contains(says), "{says}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
