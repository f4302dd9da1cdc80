//! The published examples of the RFCs (`data/rfc-vectors.json` names the section of each).

#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

fn vectors() -> Vec<(String, Value, SigningKey)> {
    let vectors: Vec<Value> = serde_json::from_str(&support::file("rfc-vectors.json")).unwrap();
    let load = |vector: Value| {
        let algorithm: Algorithm = serde_json::from_value(vector["alg"].clone()).unwrap();
        let key = support::key(algorithm, json!(vector["jwk"].to_string())).unwrap();
        (vector["source"].as_str().unwrap().to_owned(), vector, key)
    };
    vectors.into_iter().map(load).collect()
}

fn sign(key: &SigningKey, message: &str) -> String {
    let mut buffer = [0; SigningKey::MAX_SIGNATURE_BYTES];
    URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes(), &mut buffer).unwrap())
}

#[test]
fn signatures_are_those_of_the_rfcs() {
    for (source, vector, key) in vectors() {
        let input = vector["signing_input"].as_str().unwrap();
        let signature = sign(&key, input);
        match vector["signature"].as_str() {
            Some(published) => assert_eq!(signature, published, "{source}"),
            None => {
                let jwk = serde_json::from_value(vector["jwk"].clone()).unwrap();
                let verifier = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
                let claims = support::verify(&format!("{input}.{signature}"), key.algorithm(), &verifier);
                assert_eq!(claims["iss"], "joe", "{source}");
            }
        }
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let (_, vector, key) =
        vectors().into_iter().find(|(_, vector, _)| vector["thumbprint"].is_string()).unwrap();
    assert_eq!(key.public_jwk(None).unwrap().thumbprint(), vector["thumbprint"].as_str().unwrap());
}

#[test]
fn public_keys_are_the_public_members_of_the_private_ones_and_nothing_else() {
    for (source, vector, key) in vectors() {
        if key.algorithm().is_symmetric() {
            let refusal = key.public_jwk(None).unwrap_err();
            assert_eq!(refusal.kind(), countersign::ErrorKind::Unsupported);
            continue;
        }
        let mut expected = vector["jwk"].clone();
        let members = expected.as_object_mut().unwrap();
        members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
        members.extend([
            ("kid".to_owned(), json!("orders")),
            ("alg".to_owned(), vector["alg"].clone()),
            ("use".to_owned(), json!("sig")),
        ]);
        let public = serde_json::to_value(key.public_jwk(Some("orders")).unwrap()).unwrap();
        assert_eq!(public, expected, "{source}");
    }
}
