use countersign::{ErrorKind, Secret};

use super::*;

fn refreshing() -> Box<dyn Profile> {
    made(json!({ "grant": "refresh_token", "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA\n" }))
}

fn invalid_grant() -> Answer {
    Answer::json(400, json!({ "error": "invalid_grant", "error_description": CANARY }))
}

/// The state that a credential leaves when the issuer rotates the token to `to`.
fn rotated(profile: &dyn Profile, to: &str) -> Secret {
    let mut host = ScriptedHost::new().answer(token(json!({ "refresh_token": to })));
    host.acquire(profile).unwrap().renewal().unwrap().clone()
}

#[test]
fn a_refresh_token_is_exchanged_as_in_the_rfc() {
    // RFC 6749 §6
    let mut host = ScriptedHost::new().answer(token(json!({})));
    host.acquire(&*refreshing()).unwrap();
    assert_eq!(body(&host.sent()[0]), "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA");
}

#[test]
fn a_rotated_token_is_used_the_next_time() {
    let profile = refreshing();
    let state = rotated(&*profile, "second");
    let mut host = ScriptedHost::new().previous(state).answer(token(json!({ "refresh_token": "third" })));
    let state = host.acquire(&*profile).unwrap().renewal().unwrap().clone();
    assert!(body(&host.sent()[0]).ends_with("refresh_token=second"));
    let mut host = ScriptedHost::new().previous(state).answer(token(json!({})));
    host.acquire(&*profile).unwrap();
    assert!(body(&host.sent()[0]).ends_with("refresh_token=third"));
}

#[test]
fn a_token_that_is_not_rotated_is_kept() {
    let profile = refreshing();
    let mut host = ScriptedHost::new().previous(rotated(&*profile, "second")).answer(token(json!({})));
    let state = host.acquire(&*profile).unwrap().renewal().unwrap().clone();
    let mut host = ScriptedHost::new().previous(state).answer(token(json!({ "refresh_token": "" })));
    host.acquire(&*profile).unwrap();
    assert!(body(&host.sent()[0]).ends_with("refresh_token=second"));
}

#[test]
fn a_refused_previous_token_falls_back_once_to_the_configured_one() {
    let profile = refreshing();
    let state = rotated(&*profile, "second");
    let mut host =
        ScriptedHost::new().previous(state.clone()).answer(invalid_grant()).answer(token(json!({})));
    let renewal = host.acquire(&*profile).unwrap().renewal().unwrap().clone();
    assert_eq!(host.sent().len(), 2);
    assert!(body(&host.sent()[1]).ends_with("refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"));

    let mut next = ScriptedHost::new().previous(renewal).answer(token(json!({})));
    next.acquire(&*profile).unwrap();
    assert!(body(&next.sent()[0]).ends_with("refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"));

    let mut host = ScriptedHost::new().previous(state).answer(invalid_grant()).answer(invalid_grant());
    let error = host.acquire(&*profile).unwrap_err();
    assert_eq!((error.kind(), host.sent().len()), (ErrorKind::LoginRequired, 2));
    assert!(error.message().contains("invalid_grant") && error.message().contains("log in anew"), "{error}");
    assert!(!error.to_string().contains("canary"));
}

#[test]
fn only_a_refused_grant_falls_back() {
    let profile = refreshing();
    let state = rotated(&*profile, "second");
    for answer in
        [Answer::new(500, ""), Answer::json(401, json!({ "error": "invalid_client" })), Answer::new(400, "")]
    {
        let mut host = ScriptedHost::new().previous(state.clone()).answer(answer);
        assert_ne!(host.acquire(&*profile).unwrap_err().kind(), ErrorKind::LoginRequired);
        assert_eq!(host.sent().len(), 1);
    }
}

#[test]
fn a_newly_configured_token_replaces_what_was_kept_of_the_old_one() {
    let state = rotated(&*refreshing(), "second");
    let mut host = ScriptedHost::new().previous(state).answer(token(json!({})));
    host.acquire(&*made(json!({ "grant": "refresh_token", "refresh_token": "new" }))).unwrap();
    assert!(body(&host.sent()[0]).ends_with("refresh_token=new"));
}

#[test]
fn state_that_is_not_understood_is_left_alone() {
    let mut host = ScriptedHost::new().previous(CANARY).answer(token(json!({})));
    host.acquire(&*refreshing()).unwrap();
    assert!(body(&host.sent()[0]).ends_with("refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"));
}

#[test]
fn other_grants_keep_nothing() {
    let mut host = ScriptedHost::new().answer(token(json!({ "refresh_token": "r" })));
    assert!(host.acquire(&*made(json!({}))).unwrap().renewal().is_none());
}
