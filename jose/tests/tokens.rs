//! What stands in a token: header, claims, dates; and what may not be put there.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Caller, ErrorKind};
use countersign_jose::{Algorithm, ClaimsConfig, HeaderConfig, Period, SigningKey, TokenSigner};
use serde_json::{Value, json};
use support::{file, key, now, part, signer};

const NOW: u64 = 1_767_225_600;

fn hmac() -> SigningKey {
    SigningKey::from_secret(Algorithm::Hs256, support::SECRET.as_bytes()).unwrap()
}

fn rsa() -> SigningKey {
    let bundle = file("rsa-pkcs8.pem") + &file("leaf-certificate.pem") + &file("ca-certificate.pem");
    key(Algorithm::Rs256, json!(bundle)).unwrap()
}

fn claims_for(claims: Value, caller: &Caller) -> Value {
    let token = signer(hmac(), json!({}), claims).unwrap().mint(caller, now(), [0xff; 16]).unwrap();
    part(token.text.expose(), 1)
}

fn header_of(key: SigningKey, header: Value) -> Value {
    let token = signer(key, header, json!({})).unwrap().mint(&Caller::new(), now(), [0; 16]).unwrap();
    part(token.text.expose(), 0)
}

#[track_caller]
fn refused(key: SigningKey, header: Value, claims: Value, field: &str, word: &str) {
    let error = signer(key, header, claims).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some(field)), "{error}");
    assert!(error.message().contains(word), "`{word}` is not in: {error}");
}

#[test]
fn claims_stand_as_configured() {
    let caller = Caller::from_iter([("user", "ada \"the first\"\n"), ("tenant", "acme")]);
    let claims = claims_for(
        json!({
            "issuer": "https://erp.example",
            "subject": "{{ caller.user }}",
            "audience": ["orders", "{{ caller.tenant }}-billing"],
            "lifetime": "5m",
            "backdate": "30s",
            "claims": {
                "roles": ["reader", "of-{{ caller.tenant }}"],
                "deep": { "level": 3, "ratio": 0.5, "yes": true, "nothing": null, "who": "{{ caller.user }}" },
                "empty": "",
            },
        }),
        &caller,
    );
    assert_eq!(
        claims,
        json!({
            "iss": "https://erp.example",
            "sub": "ada \"the first\"\n",
            "aud": ["orders", "acme-billing"],
            "jti": "_____________________w",
            "iat": NOW - 30,
            "nbf": NOW - 30,
            "exp": NOW + 300,
            "roles": ["reader", "of-acme"],
            "deep": { "level": 3, "ratio": 0.5, "yes": true, "nothing": null, "who": "ada \"the first\"\n" },
            "empty": "",
        })
    );
}

#[test]
fn a_single_audience_is_a_text_and_a_list_of_one_stays_a_list() {
    assert_eq!(claims_for(json!({ "audience": "a" }), &Caller::new())["aud"], "a");
    assert_eq!(claims_for(json!({ "audience": ["a"] }), &Caller::new())["aud"], json!(["a"]));
}

#[test]
fn switches_leave_claims_out_but_never_the_expiry() {
    let claims = claims_for(json!({ "jti": false, "iat": false, "nbf": false }), &Caller::new());
    assert_eq!(claims, json!({ "exp": NOW + 300 }));
}

#[test]
fn the_expiry_told_is_the_expiry_in_the_token() {
    let signer = signer(hmac(), json!({}), json!({ "lifetime": "1h" })).unwrap();
    let token = signer.mint(&Caller::new(), now(), [0; 16]).unwrap();
    assert_eq!(token.expires_at, UNIX_EPOCH + Duration::from_secs(NOW + 3600));
    assert_eq!(part(token.text.expose(), 1)["exp"], NOW + 3600);
}

#[test]
fn two_random_numbers_make_two_names() {
    let signer = signer(hmac(), json!({}), json!({})).unwrap();
    let name =
        |random| part(signer.mint(&Caller::new(), now(), random).unwrap().text.expose(), 1)["jti"].clone();
    assert_ne!(name([1; 16]), name([2; 16]));
}

#[test]
fn caller_attributes_are_those_that_some_claim_reads() {
    let signer = signer(
        hmac(),
        json!({}),
        json!({
            "subject": "{{ caller.user }}",
            "audience": ["{{ caller.region }}"],
            "claims": { "a": [{ "b": "{{ caller.tenant }} {{ caller.user }}" }], "c": "no template" },
        }),
    )
    .unwrap();
    assert_eq!(signer.caller_attributes().collect::<Vec<_>>(), ["region", "tenant", "user"]);
}

#[test]
fn a_caller_without_the_attribute_gets_no_token() {
    let signer = signer(hmac(), json!({}), json!({ "claims": { "t": ["{{ caller.tenant }}"] } })).unwrap();
    let error = signer.mint(&Caller::new(), now(), [0; 16]).unwrap_err();
    assert_eq!(error.field(), Some("claims.t[0]"));
    assert!(error.message().contains("`tenant`"));
}

#[test]
fn a_registered_claim_that_comes_out_empty_gets_no_token() {
    for (claims, field) in [
        (json!({ "issuer": "{{ caller.user }}" }), "issuer"),
        (json!({ "subject": "{{ caller.user }}" }), "subject"),
        (json!({ "audience": ["a", "{{ caller.user }}"] }), "audience[1]"),
    ] {
        let signer = signer(hmac(), json!({}), claims).unwrap();
        let error = signer.mint(&Caller::from_iter([("user", "")]), now(), [0; 16]).unwrap_err();
        assert_eq!(error.field(), Some(field));
    }
}

#[test]
fn a_clock_before_1970_gets_no_token() {
    let signer = signer(hmac(), json!({}), json!({})).unwrap();
    let error =
        signer.mint(&Caller::new(), SystemTime::UNIX_EPOCH - Duration::from_secs(1), [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn claims_that_make_no_sense_are_refused() {
    for (claims, field, word) in [
        (json!({ "subject": "" }), "subject", "is empty"),
        (json!({ "audience": [] }), "audience", "empty list"),
        (json!({ "audience": ["a", ""] }), "audience[1]", "is empty"),
        (json!({ "lifetime": "0s" }), "lifetime", "is zero"),
        (json!({ "claims": { "x": { "y": ["{{ env.HOME }}"] } } }), "claims.x.y[0]", "`env.HOME`"),
        (json!({ "claims": { "x": "{{ caller." } }), "claims.x", "is not a template"),
        (json!({ "claims": { "iss": "twice" } }), "claims.iss", "`issuer`"),
        (json!({ "claims": { "sub": "twice" } }), "claims.sub", "`subject`"),
        (json!({ "claims": { "aud": "twice" } }), "claims.aud", "`audience`"),
        (json!({ "claims": { "exp": 1 } }), "claims.exp", "`lifetime`"),
        (json!({ "claims": { "nbf": 1 } }), "claims.nbf", "`nbf`"),
        (json!({ "claims": { "iat": 1 } }), "claims.iat", "`iat`"),
        (json!({ "claims": { "jti": "x" } }), "claims.jti", "`jti`"),
    ] {
        refused(hmac(), json!({}), claims, field, word);
    }
}

#[test]
fn unknown_settings_and_wrong_types_are_refused() {
    for claims in [
        json!({ "isuer": "x" }),
        json!({ "lifetime": 300 }),
        json!({ "lifetime": "300" }),
        json!({ "audience": 7 }),
        json!({ "audience": [7] }),
    ] {
        assert!(serde_json::from_value::<ClaimsConfig>(claims.clone()).is_err(), "{claims}");
    }
    for header in [json!({ "x5tt": true }), json!({ "kid": 7 }), json!({ "other": [] })] {
        assert!(serde_json::from_value::<HeaderConfig>(header.clone()).is_err(), "{header}");
    }
}

#[test]
fn the_header_says_algorithm_and_type() {
    assert_eq!(header_of(hmac(), json!({})), json!({ "alg": "HS256", "typ": "JWT" }));
    assert_eq!(header_of(hmac(), json!({ "typ": "" })), json!({ "alg": "HS256" }));
    let header = json!({ "typ": "at+jwt", "cty": "x", "kid": "7", "other": { "ver": 2, "tags": ["a"] } });
    assert_eq!(
        header_of(hmac(), header),
        json!({ "alg": "HS256", "typ": "at+jwt", "cty": "x", "kid": "7", "ver": 2, "tags": ["a"] })
    );
}

#[test]
fn kid_is_the_jwks_own_unless_set() {
    let jwk = json!(format!(r#"{{"kty":"oct","kid":"of-the-jwk","k":"{}"}}"#, "A".repeat(43)));
    let key = || key(Algorithm::Hs256, jwk.clone()).unwrap();
    assert_eq!(header_of(key(), json!({}))["kid"], "of-the-jwk");
    assert_eq!(header_of(key(), json!({ "kid": "mine" }))["kid"], "mine");
    assert_eq!(header_of(key(), json!({ "kid": false })).get("kid"), None);
}

#[test]
fn the_published_key_has_the_name_that_the_tokens_say() {
    let thumbprint = rsa().public_jwk(None).unwrap().thumbprint();
    for (header, said) in [
        (json!({ "kid": true }), Some(thumbprint.as_str())),
        (json!({ "kid": "mine" }), Some("mine")),
        (json!({}), None),
    ] {
        let signer = signer(rsa(), header.clone(), json!({})).unwrap();
        assert_eq!(signer.jwks().unwrap().keys[0].kid(), said.unwrap_or(&thumbprint));
        assert_eq!(header_of(rsa(), header).get("kid").and_then(Value::as_str), said);
    }
    let refusal = signer(hmac(), json!({}), json!({})).unwrap().jwks().unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Unsupported);
}

#[test]
fn certificates_stand_in_the_header_with_the_fingerprints_that_openssl_prints() {
    let header = header_of(rsa(), json!({ "x5t": true, "x5t_s256": true, "x5c": true }));
    let printed = |name: &str| {
        let hex = file(name);
        let bytes = hex.trim().split(':').map(|pair| u8::from_str_radix(pair, 16).unwrap());
        URL_SAFE_NO_PAD.encode(bytes.collect::<Vec<_>>())
    };
    assert_eq!(header["x5t"], printed("leaf-sha1.txt"));
    assert_eq!(header["x5t#S256"], printed("leaf-sha256.txt"));
    let chain =
        ["leaf-certificate.pem", "ca-certificate.pem"].map(|name| STANDARD.encode(support::der(name)));
    assert_eq!(header["x5c"], json!(chain));
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    for setting in ["x5t", "x5t_s256", "x5c"] {
        refused(hmac(), json!({ setting: true }), json!({}), &format!("headers.{setting}"), "certificate");
    }
    refused(hmac(), json!({ "kid": true }), json!({}), "headers.kid", "shared secret");
    refused(hmac(), json!({ "kid": "" }), json!({}), "headers.kid", "is empty");
    for name in ["alg", "kid", "typ", "cty", "x5t", "x5t#S256", "x5c", "crit", "b64", "jwk", "enc", "zip"] {
        let other = json!({ "other": { name: true } });
        refused(rsa(), other, json!({}), &format!("headers.other.{name}"), "cannot be set here");
    }
}

#[test]
fn client_assertions_are_about_the_client_alone() {
    let header = HeaderConfig::default();
    let make = |client, audience, lifetime| {
        TokenSigner::client_assertion(hmac(), &header, client, audience, Period::from_secs(lifetime))
    };
    // What looks like a template is none here.
    let signer = make("{{ caller.user }}", "https://login.example/token", 60).unwrap();
    assert_eq!(signer.caller_attributes().count(), 0);
    let token = signer.mint(&Caller::new(), now(), [0; 16]).unwrap();
    assert_eq!(
        part(token.text.expose(), 1),
        json!({
            "iss": "{{ caller.user }}",
            "sub": "{{ caller.user }}",
            "aud": "https://login.example/token",
            "jti": "AAAAAAAAAAAAAAAAAAAAAA",
            "iat": NOW,
            "exp": NOW + 60,
        })
    );
    for (client, audience, lifetime, field) in
        [("", "a", 60, "client_id"), ("c", "", 60, "audience"), ("c", "a", 0, "lifetime")]
    {
        assert_eq!(make(client, audience, lifetime).unwrap_err().field(), Some(field));
    }
}

#[test]
fn debug_shows_neither_key_nor_token() {
    let signer = signer(hmac(), json!({}), json!({})).unwrap();
    let token = signer.mint(&Caller::new(), now(), [0; 16]).unwrap();
    let shown = format!("{signer:?} {token:?}");
    assert!(!shown.contains(token.text.expose().as_str()));
    assert!(!shown.contains(&support::SECRET[..8]));
}
