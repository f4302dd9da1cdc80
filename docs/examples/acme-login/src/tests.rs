// ANCHOR: first
use std::time::Duration;

use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{ErrorKind, Lifetime, Profile};
use serde_json::json;

use super::AcmeLogin;

fn login() -> Box<dyn Profile> {
    let settings = json!({ "login_url": "https://acme.example/login", "user": "erp", "password": "canary" });
    profile::<AcmeLogin>(settings).unwrap()
}

fn session(name: &str) -> Answer {
    Answer::json(200, json!({ "session": name, "ttl_seconds": 900 }))
}

#[test]
fn a_login_gives_a_session_for_as_long_as_acme_says() {
    let mut host = ScriptedHost::new().answer(session("s1"));
    let credential = host.acquire(&*login()).unwrap();
    assert_eq!(host.placed(&credential), [("header", "x-acme-session", "s1")]);
    assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(900)));
    assert_eq!(host.sent()[0].body.expose(), br#"{"password":"canary","user":"erp"}"#);
}
// ANCHOR_END: first

#[test]
fn a_session_is_prolonged_without_the_password() {
    let mut host = ScriptedHost::new().previous("s1").answer(session("s2"));
    let credential = host.acquire(&*login()).unwrap();
    assert_eq!(host.placed(&credential), [("header", "x-acme-session", "s2")]);
    assert_eq!((host.sent().len(), host.sent()[0].method.as_str()), (1, "PUT"));
}

#[test]
fn a_session_that_acme_will_not_prolong_is_replaced() {
    let mut host = ScriptedHost::new().previous("s1").answer(Answer::new(410, "")).answer(session("s2"));
    host.acquire(&*login()).unwrap();
    assert_eq!(host.sent()[1].method, "POST");
}

#[test]
fn a_refused_password_is_denied_and_named_nowhere() {
    let mut host = ScriptedHost::new().answer(Answer::new(403, "canary"));
    let error = host.acquire(&*login()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!error.to_string().contains("canary"));
}

#[test]
fn an_empty_user_is_found_before_anything_is_sent() {
    let settings = json!({ "login_url": "https://acme.example/login", "user": "", "password": "x" });
    assert_eq!(profile::<AcmeLogin>(settings).err().unwrap().field(), Some("user"));
}

#[test]
fn a_url_that_no_password_may_go_to_is_found_before_anything_is_sent() {
    for url in ["login", "ftp://acme.example/login", "http://acme.example/login", "https://u:p@acme.example/"]
    {
        let settings = json!({ "login_url": url, "user": "erp", "password": "x" });
        assert_eq!(profile::<AcmeLogin>(settings).err().unwrap().field(), Some("login_url"), "{url}");
    }
}
