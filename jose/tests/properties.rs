//! Whatever the claims and whoever the caller, a token's payload is the JSON that was configured.

#![allow(clippy::unwrap_used)]

mod support;

use countersign::Caller;
use countersign_jose::{Algorithm, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON whose texts are no templates.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    any::<String>()
        .prop_filter("no template", |text| !["{{", "{%", "{#"].iter().any(|open| text.contains(open)))
}

fn claims_of(claims: Value, caller: &Caller) -> Value {
    let key = SigningKey::from_secret(Algorithm::Hs256, support::SECRET.as_bytes()).unwrap();
    let signer = support::signer(key, json!({}), claims).unwrap();
    let token = signer.mint(caller, support::now(), [0; 16]).unwrap();
    let verifier = support::decoding_key(Algorithm::Hs256, "");
    support::verify(token.text.expose(), Algorithm::Hs256, &verifier)
}

proptest! {
    #[test]
    fn custom_claims_come_out_as_they_went_in(value in any_json()) {
        let claims = claims_of(json!({ "claims": { "custom": value.clone() } }), &Caller::new());
        prop_assert_eq!(&claims["custom"], &value);
    }

    /// A caller's attribute is a text in the token and nothing but: it cannot add claims or close a string.
    #[test]
    fn caller_attributes_cannot_break_out(user in ".+", tenant in any::<String>()) {
        let caller = Caller::from_iter([("user", user.as_str()), ("tenant", tenant.as_str())]);
        let claims = claims_of(
            json!({
                "subject": "{{ caller.user }}",
                "jti": false, "iat": false, "nbf": false,
                "claims": { "list": [1, "<{{ caller.tenant }}>"] },
            }),
            &caller,
        );
        let expected = json!({ "sub": user, "exp": claims["exp"], "list": [1, format!("<{tenant}>")] });
        prop_assert_eq!(claims, expected);
    }

    /// No text makes the key reader panic, and none is repeated in its error.
    #[test]
    fn any_text_is_a_key_or_a_clear_error(text in ".{0,200}", label in "[A-Z ]{0,20}") {
        for text in [
            text.clone(),
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----"),
            format!("{{\"kty\":\"{label}\",\"d\":{text}}}"),
        ] {
            let error = support::key(Algorithm::Es256, json!(text)).unwrap_err();
            prop_assert!(text.len() < 20 || !error.message().contains(&text));
        }
    }

    #[test]
    fn any_bytes_are_a_keystore_or_a_clear_error(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0..3usize) {
        use base64::Engine;
        let magic: &[u8] = [&[][..], &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], &[0x30, 0x82, 0, 0x10]][start];
        let keystore = base64::engine::general_purpose::STANDARD.encode([magic, &bytes].concat());
        let config = json!({ "keystore": keystore, "password": "changeit" });
        prop_assert!(support::key(Algorithm::Es256, config).is_err());
    }
}
