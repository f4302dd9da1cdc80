//! A token is made: how much that costs beside the bare signature.

use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use countersign::Caller;
use countersign_jose::{Algorithm, ClaimsConfig, HeaderConfig, KeyConfig, SigningKey, TokenSigner};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use serde_json::json;

use crate::harness::{Group, Table, repeat};

const RSA: &str = include_str!("../../jose/tests/data/rsa-pkcs8.pem");
const P256: &str = include_str!("../../jose/tests/data/p256-pkcs8.pem");
pub(crate) const ED25519: &str = include_str!("../../jose/tests/data/ed25519-pkcs8.pem");
const SHARED: &[u8] = b"0123456789abcdef0123456789abcdef";

const NOW: Duration = Duration::from_secs(1_790_000_000);
const ROUNDS: usize = 301;

/// Measures each algorithm.
pub fn measure() -> Vec<Table> {
    vec![rs256(), es256(), eddsa(), hs256()]
}

fn rs256() -> Table {
    let key = RsaKeyPair::from_pkcs8(&der(RSA)).expect("the key is RSA");
    let random = SystemRandom::new();
    let bare = move |message: &[u8]| {
        let mut signature = [0; 256];
        key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("the key signs");
        signature
    };
    let theirs = EncodingKey::from_rsa_pem(RSA.as_bytes()).expect("the key is RSA");
    table(
        Algorithm::Rs256,
        1.05,
        2,
        || asymmetric(Algorithm::Rs256, RSA),
        bare,
        jsonwebtoken::Algorithm::RS256,
        theirs,
    )
}

fn es256() -> Table {
    let key =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(P256)).expect("the key is P-256");
    let random = SystemRandom::new();
    let bare = move |message: &[u8]| key.sign(&random, message).expect("the key signs");
    let theirs = EncodingKey::from_ec_pem(P256.as_bytes()).expect("the key is P-256");
    table(
        Algorithm::Es256,
        1.1,
        40,
        || asymmetric(Algorithm::Es256, P256),
        bare,
        jsonwebtoken::Algorithm::ES256,
        theirs,
    )
}

fn eddsa() -> Table {
    let key = Ed25519KeyPair::from_pkcs8(&der(ED25519)).expect("the key is Ed25519");
    let bare = move |message: &[u8]| key.sign(message);
    let theirs = EncodingKey::from_ed_pem(ED25519.as_bytes()).expect("the key is Ed25519");
    table(
        Algorithm::EdDsa,
        1.1,
        40,
        || asymmetric(Algorithm::EdDsa, ED25519),
        bare,
        jsonwebtoken::Algorithm::EdDSA,
        theirs,
    )
}

fn hs256() -> Table {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SHARED);
    let bare = move |message: &[u8]| hmac::sign(&key, message);
    let ours = || SigningKey::from_secret(Algorithm::Hs256, SHARED).expect("the secret is long enough");
    let theirs = EncodingKey::from_secret(SHARED);
    table(Algorithm::Hs256, 2.0, 500, ours, bare, jsonwebtoken::Algorithm::HS256, theirs)
}

fn table<S>(
    algorithm: Algorithm,
    limit: f64,
    operations: u32,
    key: impl Fn() -> SigningKey,
    bare: impl Fn(&[u8]) -> S,
    their_algorithm: jsonwebtoken::Algorithm,
    their_key: EncodingKey,
) -> Table {
    let now = UNIX_EPOCH + NOW;
    let signer =
        TokenSigner::new(key(), &HeaderConfig::default(), &claims("ada")).expect("the claims are right");
    let nobody = Caller::new();
    let mint = |random| signer.mint(&nobody, now, random).expect("nothing is missing");
    let claims_of_caller = claims("{{ caller.user }}");
    let signer_for =
        TokenSigner::new(key(), &HeaderConfig::default(), &claims_of_caller).expect("the claims are right");
    let caller = Caller::from_iter([("user", "ada")]);
    let mint_for = |random| signer_for.mint(&caller, now, random).expect("the caller has what is read");

    let token = mint([7; 16]);
    let (input, _) = token.text.expose().rsplit_once('.').expect("a token has three parts");
    let their_header = Header::new(their_algorithm);
    let their_claims = Claims::default();

    let mut group = Group::new(format!("A token is made: {algorithm}"), ROUNDS);
    group.lane("aws-lc-rs, the bare signature", operations, || repeat(operations, || bare(input.as_bytes())));
    let mut count = 0_u128;
    group.lane("`TokenSigner::mint`", operations, || {
        repeat(operations, || {
            count += 1;
            mint(count.to_be_bytes())
        })
    });
    group.at_most_times(limit);
    let mut count = 0_u128;
    group.lane("the same, its subject a template over the caller", operations, || {
        repeat(operations, || {
            count += 1;
            mint_for(count.to_be_bytes())
        })
    });
    group.at_most_times(limit);
    group.lane("`jsonwebtoken::encode`", operations, || {
        repeat(operations, || {
            jsonwebtoken::encode(&their_header, &their_claims, &their_key).expect("it encodes")
        })
    });
    group.run()
}

fn asymmetric(algorithm: Algorithm, pem: &str) -> SigningKey {
    SigningKey::new(algorithm, &KeyConfig::Text(pem.into())).expect("the key fits")
}

fn claims(subject: &str) -> ClaimsConfig {
    serde_json::from_value(json!({
        "issuer": "https://erp.example",
        "subject": subject,
        "audience": "orders-api",
        "lifetime": "5m",
    }))
    .expect("the claims are right")
}

/// The same claims for `jsonwebtoken`, which finds them filled in.
#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    sub: &'static str,
    aud: &'static str,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: &'static str,
}

impl Default for Claims {
    fn default() -> Self {
        let now = NOW.as_secs();
        Self {
            iss: "https://erp.example",
            sub: "ada",
            aud: "orders-api",
            iat: now,
            nbf: now,
            exp: now + 300,
            jti: "BwcHBwcHBwcHBwcHBwcHBw",
        }
    }
}

/// What a PEM block holds.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(text).expect("the key is PEM")
}
