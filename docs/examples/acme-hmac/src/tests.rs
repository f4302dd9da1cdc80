use countersign::testing::{ScriptedHost, profile};
use countersign::{Profile, RequestHead};
use serde_json::json;

use super::AcmeHmac;

const SECRET: &str = "throw-away-throw-away-throw-away";

fn signature(profile: &dyn Profile, request: &RequestHead<'_>) -> String {
    let mut host = ScriptedHost::new();
    let credential = host.acquire(profile).unwrap();
    let edits = host.sign(profile, credential, request).unwrap();
    assert_eq!(edits[0], ("header", "x-acme-timestamp".to_owned(), "1767225600".to_owned()));
    edits[1].2.clone()
}

// ANCHOR: vector
#[test]
fn the_signature_is_what_openssl_says() {
    let profile = profile::<AcmeHmac>(json!({ "secret": SECRET })).unwrap();
    let request = RequestHead::new("POST", "https", "acme.example", "/orders")
        .with_query(Some("page=2"))
        .with_body(Some(b"{}"));
    // printf 'POST\n/orders?page=2\n1767225600\n%s' "$(printf '{}' | sha256sum | cut -c-64)" |
    //     openssl dgst -sha256 -hmac throw-away-throw-away-throw-away
    assert_eq!(
        signature(&*profile, &request),
        "7d67eaef883b8ea4e3f2f5a83f0948e53e6e6f57a48430786eabd112a06bfbfb"
    );
}
// ANCHOR_END: vector

#[test]
fn method_path_query_and_body_all_count() {
    let profile = profile::<AcmeHmac>(json!({ "secret": SECRET })).unwrap();
    let request = RequestHead::new("POST", "https", "acme.example", "/orders");
    let signatures = std::collections::HashSet::from([
        signature(&*profile, &request),
        signature(&*profile, &RequestHead::new("PUT", "https", "acme.example", "/orders")),
        signature(&*profile, &RequestHead::new("POST", "https", "acme.example", "/order")),
        signature(&*profile, &request.with_query(Some("page=2"))),
        signature(&*profile, &request.with_body(Some(b"{}"))),
    ]);
    assert_eq!(signatures.len(), 5);
}

#[test]
fn a_short_secret_is_refused() {
    let error = profile::<AcmeHmac>(json!({ "secret": "short" })).err().unwrap();
    assert_eq!(error.field(), Some("secret"));
}
