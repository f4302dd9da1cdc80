use std::time::Duration;

use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Challenge, ErrorKind, Lifetime, RequestHead};
use serde_json::json;

use super::challenge::StepUp;
use super::on_behalf::OnBehalf;
use super::rotating::Rotating;
use super::session_key::SessionKey;

fn body(host: &ScriptedHost) -> String {
    String::from_utf8(host.sent()[0].body.expose().clone()).unwrap()
}

// ANCHOR: caller
#[test]
fn each_user_has_a_token_and_nobody_has_none() {
    let settings = json!({ "token_url": "https://acme.example/token", "client_secret": "s" });
    let on_behalf = profile::<OnBehalf>(settings).unwrap();
    let mut host = ScriptedHost::new()
        .caller("user", "ada")
        .answer(Answer::json(200, json!({ "access_token": "t", "expires_in": 60 })));
    let credential = host.acquire(&*on_behalf).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(60)));
    assert_eq!(body(&host), "subject=ada&client_secret=s");
    assert_eq!(ScriptedHost::new().acquire(&*on_behalf).unwrap_err().kind(), ErrorKind::Config);
}
// ANCHOR_END: caller

// ANCHOR: challenge
#[test]
fn what_the_api_asks_for_is_asked_for() {
    let settings = json!({ "token_url": "https://acme.example/token", "client_secret": "s" });
    let step_up = profile::<StepUp>(settings).unwrap();
    let headers = vec![("www-authenticate".to_owned(), r#"Acme scope="orders:write""#.to_owned())];
    let mut host = ScriptedHost::new()
        .challenge(Challenge { status: 401, headers })
        .answer(Answer::json(200, json!({ "token": "t" })));
    let credential = host.acquire(&*step_up).unwrap();
    assert_eq!(host.placed(&credential), [("header", "authorization", "Acme t")]);
    assert_eq!(body(&host), "scope=orders%3Awrite&client_secret=s");
}
// ANCHOR_END: challenge

#[test]
fn the_first_key_signs() {
    let keys = json!({ "keys": [{ "id": "new", "secret": "k" }, { "id": "old", "secret": "j" }] });
    let rotating = profile::<Rotating>(keys).unwrap();
    let mut host = ScriptedHost::new();
    let credential = host.acquire(&*rotating).unwrap();
    let edits =
        host.sign(&*rotating, credential, &RequestHead::new("GET", "https", "a.example", "/")).unwrap();
    assert_eq!(edits[0], ("header", "x-acme-key".to_owned(), "new".to_owned()));
    assert_eq!(profile::<Rotating>(json!({ "keys": [] })).err().unwrap().field(), Some("keys"));
}

#[test]
fn the_key_of_the_session_signs() {
    let settings = json!({ "login_url": "https://acme.example/login", "password": "p" });
    let session_key = profile::<SessionKey>(settings).unwrap();
    let session = json!({ "session": "s-1", "key": "k", "ttl_seconds": 900 });
    let mut host = ScriptedHost::new().answer(Answer::json(200, session));
    let credential = host.acquire(&*session_key).unwrap();
    let edits =
        host.sign(&*session_key, credential, &RequestHead::new("GET", "https", "a.example", "/x")).unwrap();
    // printf /x | openssl dgst -sha256 -hmac k
    assert_eq!(edits[1].2, "a75b5d0a1e8254c5c729b8fa4f84ec242d7b6ffe1ac4e4fb37e69910d2ca9f7f");
}
