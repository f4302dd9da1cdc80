//! Without a configured algorithm the key's own is pinned.

#![allow(clippy::unwrap_used)]

mod support;

use countersign_jose::{Algorithm, KeyConfig, SigningKey};
use serde_json::{Value, json};
use support::{SECRET, base64_file, file, verified_by};

fn key(config: Value) -> Result<SigningKey, countersign::Error> {
    let config: KeyConfig = serde_json::from_value(config).unwrap();
    SigningKey::new(None, &config)
}

/// The example key of RFC 8037 §A.1, with changes.
fn ed25519(changes: Value) -> Value {
    let mut jwk = json!({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

#[test]
fn the_kind_of_key_decides() {
    for (config, algorithm) in [
        (json!(file("rsa-pkcs1.pem")), Algorithm::Rs256),
        (json!(file("rsa-pss.pem")), Algorithm::Ps256),
        (json!(file("p256-sec1.pem")), Algorithm::Es256),
        (json!(file("p384-pkcs8.pem")), Algorithm::Es384),
        (json!(file("ed25519-pkcs8.pem")), Algorithm::EdDsa),
        (json!({ "secret": SECRET }), Algorithm::Hs256),
        (json!({ "pem": file("rsa-pbkdf2.pem"), "passphrase": "throw-away" }), Algorithm::Rs256),
        (json!({ "keystore": base64_file("modern.p12"), "password": "changeit" }), Algorithm::Rs256),
        (json!(ed25519(json!({})).to_string()), Algorithm::EdDsa),
    ] {
        assert_eq!(key(config).unwrap().algorithm(), algorithm);
    }
    verified_by(key(json!(file("p256-pkcs8.pem"))).unwrap(), "p256-public.pem");
}

#[test]
fn a_jwks_alg_decides_before_its_kind() {
    let secret = json!({ "kty": "oct", "alg": "HS512", "k": "A".repeat(86) });
    assert_eq!(key(json!(secret.to_string())).unwrap().algorithm(), Algorithm::Hs512);
}

#[test]
fn an_alg_that_does_not_fit_or_is_unknown_is_refused() {
    for alg in ["ES256", "none", "RSA-OAEP", "canary"] {
        let error = key(json!(ed25519(json!({ "alg": alg })).to_string())).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn the_one_signing_key_of_a_set_is_taken_and_of_several_none() {
    let encryption = ed25519(json!({ "use": "enc", "kid": "e" }));
    let one = json!({ "keys": [encryption, ed25519(json!({ "kid": "a" }))] });
    assert_eq!(key(json!(one.to_string())).unwrap().kid(), Some("a"));
    let two = json!({ "keys": [ed25519(json!({ "kid": "a" })), ed25519(json!({ "kid": "b" }))] });
    assert!(key(json!(two.to_string())).unwrap_err().message().contains("several"));
    let chosen = key(json!({ "jwk": two.to_string(), "kid": "b" })).unwrap();
    assert_eq!((chosen.kid(), chosen.algorithm()), (Some("b"), Algorithm::EdDsa));
}

#[test]
fn a_secret_shorter_than_the_hash_is_still_refused() {
    assert!(key(json!({ "secret": "short" })).is_err());
}
