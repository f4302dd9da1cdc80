//! Shared by the tests: fixtures, and a verifier that is not ours (`jsonwebtoken`).
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Caller, Error};
use countersign_jose::{Algorithm, ClaimsConfig, HeaderConfig, KeyConfig, SigningKey, TokenSigner};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

/// 64 bytes: enough for HS512.
pub const SECRET: &str = "throw-away-secret-of-64-bytes-throw-away-secret-of-64-bytes-0123";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn file(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

pub fn base64_file(name: &str) -> String {
    STANDARD.encode(std::fs::read(path(name)).unwrap())
}

/// The content of a one-block PEM file.
pub fn der(name: &str) -> Vec<u8> {
    let base64: String = file(name).lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(base64).unwrap()
}

pub fn key(algorithm: Algorithm, config: Value) -> Result<SigningKey, Error> {
    let config: KeyConfig = serde_json::from_value(config).unwrap();
    SigningKey::new(algorithm, &config)
}

pub fn signer(key: SigningKey, header: Value, claims: Value) -> Result<TokenSigner, Error> {
    let header: HeaderConfig = serde_json::from_value(header).unwrap();
    let claims: ClaimsConfig = serde_json::from_value(claims).unwrap();
    TokenSigner::new(key, &header, &claims)
}

/// 2026-01-01T00:00:00Z and a bit.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_767_225_600_999)
}

pub fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Mints a token and asks `jsonwebtoken` whether the public key of the PEM file verifies it.
pub fn verified_by(key: SigningKey, public: &str) {
    let algorithm = key.algorithm();
    let signer = signer(key, json!({}), json!({ "subject": "ada", "audience": "orders" })).unwrap();
    let token = signer.mint(&Caller::new(), now(), [7; 16]).unwrap();
    let claims = verify(token.text.expose(), algorithm, &decoding_key(algorithm, public));
    assert_eq!(claims["sub"], "ada");
}

pub fn decoding_key(algorithm: Algorithm, public: &str) -> DecodingKey {
    match algorithm.as_str().as_bytes() {
        [b'H', ..] => DecodingKey::from_secret(SECRET.as_bytes()),
        [b'E', b'S', ..] => DecodingKey::from_ec_pem(file(public).as_bytes()).unwrap(),
        [b'E', ..] => DecodingKey::from_ed_pem(file(public).as_bytes()).unwrap(),
        _ => DecodingKey::from_rsa_pem(file(public).as_bytes()).unwrap(),
    }
}

pub fn verify(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Value {
    let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Value>(token, key, &validation).unwrap().claims
}
