use super::*;

#[test]
fn client_credentials_are_asked_for_as_in_the_rfc() {
    // RFC 6749 §4.4.2
    let request = sent(json!({
        "token_url": "https://server.example.com/token",
        "client_id": "s6BhdRkqt3",
        "client_secret": "gX1fBat3bV",
    }));
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://server.example.com/token"));
    assert_eq!(header(&request, "authorization"), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
    assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header(&request, "accept"), Some("application/json"));
    assert_eq!(body(&request), "grant_type=client_credentials");
}

#[test]
fn id_and_secret_are_form_encoded_before_they_become_basic() {
    // RFC 6749 §2.3.1: `a:b` → `a%3Ab`, `p w%£` → `p+w%25%C2%A3`
    let request = sent(json!({ "client_id": "a:b", "client_secret": "p w%£\n" }));
    assert_eq!(header(&request, "authorization"), Some("Basic YSUzQWI6cCt3JTI1JUMyJUEz"));
}

#[test]
fn secrets_go_into_the_body_when_told_so() {
    let request = sent(json!({ "client_auth": "client_secret_post", "client_secret": "a&b" }));
    assert_eq!(body(&request), "grant_type=client_credentials&client_id=erp&client_secret=a%26b");
    assert_eq!(header(&request, "authorization"), None);
}

#[test]
fn a_public_client_sends_its_id_if_it_has_one() {
    let public = json!({ "client_auth": "none", "client_secret": null });
    assert_eq!(body(&sent(public.clone())), "grant_type=client_credentials&client_id=erp");
    let mut nameless = public;
    nameless["client_id"] = Value::Null;
    assert_eq!(body(&sent(nameless)), "grant_type=client_credentials");
}

#[test]
fn scope_audience_resource_and_extras_are_sent() {
    let request = sent(json!({
        "scope": ["orders.read", "orders.write"],
        "audience": "https://api.example/",
        "resource": ["https://a.example", "urn:b"],
        "extra_parameters": { "tenant": CANARY },
        "extra_headers": { "X-Tenant": CANARY },
    }));
    assert_eq!(
        body(&request),
        "grant_type=client_credentials&scope=orders.read+orders.write&audience=https%3A%2F%2Fapi.example%2F\
         &resource=https%3A%2F%2Fa.example&resource=urn%3Ab&tenant=canary-5c1e"
    );
    assert_eq!(header(&request, "x-tenant"), Some(CANARY));
}

#[test]
fn scopes_may_be_written_as_one_text() {
    assert!(body(&sent(json!({ "scope": " a  b\n" }))).ends_with("&scope=a+b"));
}
