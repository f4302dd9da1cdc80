use std::time::Duration;

use countersign::ErrorKind;

use super::*;

const AT_RFC8414: &str = "https://login.example/.well-known/oauth-authorization-server/realms/a";
const AT_OIDC: &str = "https://login.example/realms/a/.well-known/openid-configuration";

fn discovering() -> Box<dyn Profile> {
    made(json!({ "token_url": null, "issuer": "https://login.example/realms/a" }))
}

fn metadata(changes: Value) -> Answer {
    let mut body =
        json!({ "issuer": "https://login.example/realms/a", "token_endpoint": "https://login.example/t" });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    Answer::json(200, body)
}

fn urls(host: &ScriptedHost) -> Vec<&str> {
    host.sent().iter().map(|request| request.url.as_str()).collect()
}

fn failed(answers: impl IntoIterator<Item = Answer>) -> (Error, usize) {
    let mut host = answers.into_iter().fold(ScriptedHost::new(), ScriptedHost::answer);
    let error = host.acquire(&*discovering()).unwrap_err();
    assert!(error.message().contains("https://login.example"), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert!(host.sent().iter().all(|request| request.method == "GET"), "no secret left for an unknown place");
    (error, host.sent().len())
}

#[test]
fn the_well_known_part_stands_before_the_issuers_path() {
    let mut host = ScriptedHost::new().answer(metadata(json!({}))).answer(token(json!({})));
    host.acquire(&*discovering()).unwrap();
    assert_eq!(urls(&host), [AT_RFC8414, "https://login.example/t"]);
    assert_eq!(host.sent()[0].method, "GET");
    assert!(host.sent()[0].body.expose().is_empty() && header(&host.sent()[0], "authorization").is_none());
}

#[test]
fn an_issuer_without_path_or_with_a_final_slash_is_found_too() {
    for issuer in ["https://login.example", "https://login.example/"] {
        let mut host = ScriptedHost::new()
            .answer(Answer::new(404, ""))
            .answer(metadata(json!({ "issuer": issuer })))
            .answer(token(json!({})));
        host.acquire(&*made(json!({ "token_url": null, "issuer": issuer }))).unwrap();
        let expected = [
            "https://login.example/.well-known/oauth-authorization-server",
            "https://login.example/.well-known/openid-configuration",
            "https://login.example/t",
        ];
        assert_eq!(urls(&host), expected);
    }
}

#[test]
fn openid_metadata_is_read_where_the_other_is_missing() {
    for missing in [
        Answer::new(404, ""),
        Answer::new(302, ""),
        Answer::new(200, "<html>canary").header("content-type", "text/html"),
    ] {
        let mut host =
            ScriptedHost::new().answer(missing).answer(metadata(json!({}))).answer(token(json!({})));
        host.acquire(&*discovering()).unwrap();
        assert_eq!(urls(&host), [AT_RFC8414, AT_OIDC, "https://login.example/t"]);
    }
}

#[test]
fn what_was_found_is_believed_for_an_hour() {
    let profile = discovering();
    let mut host = ScriptedHost::new()
        .answer(metadata(json!({})))
        .answer(token(json!({})))
        .answer(token(json!({})))
        .answer(metadata(json!({ "token_endpoint": "https://login.example/moved" })))
        .answer(token(json!({})));
    host.acquire(&*profile).unwrap();
    host.advance(Duration::from_secs(3599));
    host.acquire(&*profile).unwrap();
    assert_eq!(host.sent().len(), 3);
    host.advance(Duration::from_secs(1));
    host.acquire(&*profile).unwrap();
    assert_eq!(urls(&host)[3..], [AT_RFC8414, "https://login.example/moved"]);
}

#[test]
fn after_a_failure_it_is_looked_for_again() {
    let profile = discovering();
    let mut host = ScriptedHost::new()
        .answer(metadata(json!({})))
        .answer(Answer::new(404, ""))
        .answer(metadata(json!({ "token_endpoint": "https://login.example/moved" })))
        .answer(token(json!({})));
    host.acquire(&*profile).unwrap_err();
    host.acquire(&*profile).unwrap();
    assert_eq!(urls(&host)[2..], [AT_RFC8414, "https://login.example/moved"]);
}

#[test]
fn metadata_of_another_issuer_is_refused() {
    for issuer in ["https://canary.example", "https://login.example/realms/a/", "https://login.example"] {
        let (error, asked) = failed([metadata(json!({ "issuer": issuer }))]);
        assert_eq!((error.kind(), asked), (ErrorKind::Denied, 1));
        assert!(error.message().contains("another issuer"), "{error}");
    }
}

#[test]
fn endpoints_to_which_no_secret_may_go_are_refused() {
    for url in [
        json!("http://canary.example/token"),
        json!("ftp://canary.example/token"),
        json!("https://user:canary@login.example/"),
        json!("/canary"),
        json!("https://login.example/#canary"),
        json!("http://127.0.0.1:1/canary"),
        json!("https://localhost/canary"),
        json!(""),
        json!(null),
    ] {
        let (error, _) = failed([metadata(json!({ "token_endpoint": url }))]);
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains("token_endpoint"), "{error}");
    }
}

#[test]
fn a_loopback_issuer_may_have_a_loopback_endpoint() {
    let issuer = "http://127.0.0.1:8080";
    let answer = json!({ "issuer": issuer, "token_endpoint": "http://127.0.0.1:8080/token" });
    let mut host = ScriptedHost::new().answer(metadata(answer)).answer(token(json!({})));
    host.acquire(&*made(json!({ "token_url": null, "issuer": issuer }))).unwrap();
    assert_eq!(urls(&host)[1], "http://127.0.0.1:8080/token");
}

#[test]
fn an_issuer_that_is_not_well_is_asked_once() {
    let (error, asked) = failed([Answer::new(503, "canary").header("retry-after", "9")]);
    assert_eq!((error.kind(), asked), (ErrorKind::Unavailable, 1));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(9)));
    let (error, asked) = failed([Answer::new(429, "canary")]);
    assert_eq!((error.kind(), asked), (ErrorKind::RateLimited, 1));
}

#[test]
fn metadata_that_is_nowhere_or_broken_is_an_error() {
    let (error, asked) = failed([Answer::new(404, ""), Answer::new(404, "")]);
    assert_eq!((error.kind(), asked), (ErrorKind::Denied, 2));
    let duplicate = r#"{"issuer":"https://login.example/realms/a","token_endpoint":"https://canary.example","token_endpoint":"https://login.example/t"}"#;
    for body in ["", "{", "[]", "{\"issuer\": \"canary", duplicate] {
        let (error, _) = failed([Answer::new(200, body), Answer::new(200, body)]);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}");
    }
}
