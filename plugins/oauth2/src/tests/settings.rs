use super::certificate::{KEY, OTHER, identity};
use super::*;
use crate::OAuth2Config;

#[test]
fn an_endpoint_must_be_https_unless_it_is_on_this_machine() {
    for url in [
        "http://login.example/token",
        "http://localhost.example/",
        "http://10.0.0.1/token",
        "http://0.0.0.0/",
    ] {
        let error = refused(json!({ "token_url": url }));
        assert_eq!(error.field(), Some("token_url"));
        assert!(error.message().contains("use https://"), "{error}");
        assert_eq!(refused(json!({ "token_url": null, "issuer": url })).field(), Some("issuer"));
    }
    for url in ["http://127.0.0.1:8080/token", "http://localhost/token", "http://[::1]:1/token"] {
        made(json!({ "token_url": url }));
    }
}

#[test]
fn urls_that_are_none_are_refused_where_they_stand() {
    for url in [
        "",
        "login.example/token",
        "ftp://login.example",
        "https://canary:canary@login.example/",
        "https://login.example/#canary",
        "https://login.example/a b",
    ] {
        assert_eq!(refused(json!({ "token_url": url })).field(), Some("token_url"), "{url}");
        assert_eq!(refused(json!({ "token_url": null, "issuer": url })).field(), Some("issuer"), "{url}");
    }
    assert_eq!(
        refused(json!({ "token_url": null, "issuer": "https://login.example/?a" })).field(),
        Some("issuer")
    );
    assert_eq!(refused(json!({ "token_url": null })).field(), Some("token_url"));
}

#[test]
fn settings_that_do_not_go_together_are_refused_where_they_stand() {
    for (changes, field) in [
        (json!({ "client_secret": null }), "client_secret"),
        (json!({ "client_secret": "\n" }), "client_secret"),
        (json!({ "client_auth": "none" }), "client_secret"),
        (json!({ "client_auth": "client_secret_post", "client_secret": null }), "client_secret"),
        (json!({ "client_auth": "canary" }), "client_auth"),
        (json!({ "client_auth": "tls_client_auth" }), "client_secret"),
        (json!({ "client_auth": "tls_client_auth", "client_secret": null }), "client_certificate"),
        (
            json!({ "client_auth": "self_signed_tls_client_auth", "client_secret": null }),
            "client_certificate",
        ),
        (json!({ "certificate_bound": true }), "client_certificate"),
        (json!({ "client_certificate": { "key": "canary" } }), "client_certificate.key"),
        (json!({ "client_certificate": { "key": KEY } }), "client_certificate.certificate"),
        (
            json!({ "client_certificate": { "key": KEY, "certificate": OTHER } }),
            "client_certificate.certificate",
        ),
        (json!({ "client_certificate": identity(), "token_url": "http://127.0.0.1:1/token" }), "token_url"),
        (json!({ "dpop": "canary" }), "dpop"),
        (json!({ "dpop": { "kee": "canary" } }), "dpop.kee"),
        (json!({ "dpop": { "key": "canary" } }), "dpop.key"),
        (json!({ "dpop": { "key": { "secret": "canary-of-more-than-32-characters" } } }), "dpop.key"),
        (json!({ "dpop": { "key": KEY, "algorithm": "RS256" } }), "dpop.key"),
        (json!({ "dpop": { "algorithm": "ES256" } }), "dpop.algorithm"),
        (
            json!({
                "dpop": true, "client_auth": "none", "client_secret": null, "grant": "refresh_token",
                "refresh_token": CANARY,
            }),
            "dpop.key",
        ),
        (json!({ "extra_headers": { "DPoP": CANARY } }), "extra_headers.DPoP"),
        (json!({ "client_id": null }), "client_id"),
        (json!({ "client_id": "" }), "client_id"),
        (json!({ "grant": "password" }), "grant"),
        (json!({ "grant": "refresh_token" }), "refresh_token"),
        (json!({ "grant": "refresh_token", "refresh_token": "" }), "refresh_token"),
        (json!({ "refresh_token": CANARY }), "refresh_token"),
        (json!({ "scope": "" }), "scope"),
        (json!({ "scope": ["a", "can\"ary"] }), "scope"),
        (json!({ "scope": 1 }), "scope"),
        (json!({ "scope": ["a", 1] }), "scope[1]"),
        (json!({ "audience": "" }), "audience"),
        (json!({ "resource": "canary" }), "resource"),
        (json!({ "resource": ["https://a.example", "https://a.example/#canary"] }), "resource[1]"),
        (json!({ "extra_parameters": { "grant_type": CANARY } }), "extra_parameters.grant_type"),
        (json!({ "extra_parameters": { "client_secret": CANARY } }), "extra_parameters.client_secret"),
        (json!({ "extra_parameters": { "": CANARY } }), "extra_parameters."),
        (json!({ "extra_headers": { "Authorization": CANARY } }), "extra_headers.Authorization"),
        (json!({ "extra_headers": { "Host": CANARY } }), "extra_headers.Host"),
        (json!({ "extra_headers": { "X-A": "canary\r\nx" } }), "extra_headers.X-A"),
        (json!({ "header": "Content-Length" }), "header"),
        (json!({ "scheme": "a b" }), "scheme"),
    ] {
        let shown = changes.to_string();
        assert_eq!(refused(changes).field(), Some(field), "{shown}");
    }
}

#[test]
fn debug_is_blind() {
    let all = json!({
        "grant": "refresh_token", "refresh_token": CANARY, "client_secret": CANARY,
        "extra_parameters": { "a": CANARY }, "extra_headers": { "a": CANARY },
    });
    let config: OAuth2Config = serde_json::from_value(settings(all)).unwrap();
    assert_eq!(config.client_secret.as_ref().unwrap().expose(), CANARY);
    assert!(!format!("{config:?}").contains("canary"));
    let profile = <OAuth2 as countersign::AuthProfile>::new(config).unwrap();
    assert!(!format!("{profile:?}").contains("canary"));
}
