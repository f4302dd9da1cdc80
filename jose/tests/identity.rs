//! Every format that a key comes in yields an identity for TLS, in one form that every TLS library reads.

#![allow(clippy::unwrap_used)]

mod support;

use countersign::Error;
use countersign_jose::{Identity, IdentityConfig};
use serde_json::{Value, json};
use support::{base64_file, der, file};

fn identity(config: Value) -> Result<Identity, Error> {
    let config: IdentityConfig = serde_json::from_value(config).unwrap();
    Identity::new(&config)
}

/// The key that a connection would use, as DER.
fn presented_key(identity: &Identity) -> Vec<u8> {
    use base64::Engine;
    let pem = identity.client_certificate().key_pem.expose();
    let lines = pem.strip_prefix("-----BEGIN PRIVATE KEY-----\n").unwrap();
    let lines = lines.strip_suffix("-----END PRIVATE KEY-----\n").unwrap();
    assert!(lines.lines().all(|line| line.len() <= 64));
    base64::engine::general_purpose::STANDARD.decode(lines.replace('\n', "")).unwrap()
}

#[test]
fn each_format_of_a_key_becomes_the_same_pkcs8() {
    let expected = der("rsa-pkcs8.pem");
    let certificate = file("rsa-certificate.pem");
    for key in [
        json!(file("rsa-pkcs8.pem")),
        json!(file("rsa-pkcs1.pem")),
        json!({ "pem": file("rsa-pbkdf2.pem"), "passphrase": "throw-away" }),
        json!({ "pem": file("rsa-scrypt.pem"), "passphrase": "throw-away" }),
    ] {
        let identity = identity(json!({ "certificate": certificate, "key": key })).unwrap();
        assert_eq!(presented_key(&identity), expected);
    }
    let keystore = json!({ "keystore": base64_file("identity.p12"), "password": "changeit" });
    let identity = identity(json!({ "key": keystore })).unwrap();
    assert_eq!(presented_key(&identity), expected);
    assert_eq!(identity.certificates().as_der(), [der("rsa-certificate.pem")]);
    assert_eq!(identity.client_certificate().chain_pem.trim(), certificate.trim());
}

#[test]
fn a_certificate_beside_a_keystore_takes_the_place_of_its_own_and_issuers_follow() {
    let jks = json!({
        "keystore": base64_file("java.jks"), "password": "changeit", "key_password": "secondpass",
    });
    let chain = format!("{}{}", file("rsa-certificate.pem"), file("ca-certificate.pem"));
    for key in [jks.clone(), json!({ "keystore": base64_file("legacy.p12"), "password": "changeit" })] {
        let identity = identity(json!({ "certificate": chain, "key": key })).unwrap();
        assert_eq!(presented_key(&identity), der("rsa-pkcs8.pem"));
        assert_eq!(identity.certificates().as_der(), [der("rsa-certificate.pem"), der("ca-certificate.pem")]);
    }
    // What they hold themselves is of version 1.
    for (key, field) in [
        (jks, "key.keystore"),
        (json!({ "keystore": base64_file("modern.p12"), "password": "changeit" }), "key.keystore"),
        (json!(format!("{}{}", file("rsa-pkcs8.pem"), file("leaf-certificate.pem"))), "key"),
    ] {
        let error = identity(json!({ "key": key })).unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(error.message().contains("X.509 version before 3"), "{error}");
    }
}

#[test]
fn elliptic_curves_come_as_pkcs8_too() {
    let identity = identity(json!({
        "certificate": file("p256-certificate.pem"), "key": file("p256-sec1.pem"),
    }))
    .unwrap();
    let again: IdentityConfig = serde_json::from_value(json!({
        "certificate": file("p256-certificate.pem"),
        "key": identity.client_certificate().key_pem.expose(),
    }))
    .unwrap();
    assert_eq!(presented_key(&identity), presented_key(&Identity::new(&again).unwrap()));
}

#[test]
fn what_tls_has_no_use_for_is_refused_and_nothing_is_shown() {
    let certificate = file("p256-certificate.pem");
    for (key, field, says) in [
        (json!({ "secret": support::SECRET }), "key.secret", "shared secret"),
        (json!(file("rsa-pss.pem")), "key", "RSASSA-PSS"),
        (json!({ "pem": file("rsa-pbkdf2.pem"), "passphrase": "wrong" }), "key.passphrase", "does not open"),
        (json!(file("rsa-pbkdf2.pem")), "key", "passphrase"),
        (
            json!({ "keystore": base64_file("no-certificate.p12"), "password": "changeit" }),
            "certificate",
            "key",
        ),
    ] {
        let error = identity(json!({ "certificate": certificate, "key": key })).unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    let shown = identity(json!({ "certificate": certificate, "key": file("p256-pkcs8.pem") })).unwrap();
    assert_eq!(format!("{shown:?}"), "Identity { not_after: \"2126-10-30T12:04:06Z\", .. }");
}
