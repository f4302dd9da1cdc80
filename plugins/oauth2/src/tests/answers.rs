use std::time::Duration;

use countersign::{Credential, ErrorKind, Lifetime};
use proptest::prelude::*;

use super::*;

fn acquire(answer: Answer) -> Result<Credential, Error> {
    acquire_with(json!({}), answer)
}

fn acquire_with(changes: Value, answer: Answer) -> Result<Credential, Error> {
    let mut host = ScriptedHost::new().answer(answer);
    let outcome = host.acquire(&*made(changes));
    assert_eq!(host.sent().len(), 1);
    assert!(header(&host.sent()[0], "authorization").is_some());
    outcome
}

/// The error, of which is known that it names the endpoint and repeats nothing of the body.
fn failed(answer: Answer) -> Error {
    let error = acquire(answer).unwrap_err();
    assert!(error.message().starts_with("token endpoint at https://login.example: "), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    error
}

#[test]
fn a_good_answer_becomes_a_bearer_token_that_lives_as_long_as_it_says() {
    // RFC 6749 §4.4.3
    let answer = json!({
        "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "example-ignored-below",
        "expires_in": 3600, "example_parameter": "example_value"
    });
    let mut bearer = answer;
    bearer["token_type"] = "bEaReR".into();
    let credential = acquire(Answer::json(200, bearer)).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(3600)));
    let placed = ScriptedHost::new().placed(&credential).remove(0);
    assert_eq!(placed, ("header", "authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA"));
    assert!(credential.renewal().is_none());
}

#[test]
fn header_and_scheme_can_be_others() {
    let credential = acquire_with(json!({ "header": "X-Token", "scheme": "" }), token(json!({}))).unwrap();
    assert_eq!(ScriptedHost::new().placed(&credential), [("header", "x-token", "2YotnFZFEjr1zCsicMWpAA")]);
}

#[test]
fn lifetimes_are_read_in_every_spelling() {
    const TEN_YEARS: u64 = 10 * 366 * 86_400;
    for (expires_in, seconds) in [
        (json!(1), 1),
        (json!("3600"), 3600),
        (json!(" 3600 "), 3600),
        (json!(3599.9), 3599),
        (json!("3599.9"), 3599),
        (json!(u64::MAX), TEN_YEARS),
        (json!(1e300), TEN_YEARS),
        (json!("99999999999999999999999999"), TEN_YEARS),
    ] {
        let credential = acquire(token(json!({ "expires_in": expires_in }))).unwrap();
        assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(seconds)), "{expires_in}");
    }
}

#[test]
fn an_integer_beyond_all_bounds_is_a_long_life() {
    let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":99999999999999999999999999}"#;
    let credential = acquire(Answer::new(200, body)).unwrap();
    assert!(matches!(credential.lifetime(), Lifetime::For(life) if life > Duration::from_secs(3600)));
}

#[test]
fn without_expires_in_the_lifetime_is_unstated() {
    for fields in [json!({}), json!({ "expires_in": null })] {
        assert_eq!(acquire(token(fields)).unwrap().lifetime(), Lifetime::Unstated);
    }
}

#[test]
fn a_token_that_has_expired_already_is_no_token() {
    for expires_in in
        [json!(0), json!(-1), json!("0"), json!("-3600"), json!(0.4), json!(-1e300), json!(i64::MIN)]
    {
        let error = failed(token(json!({ "expires_in": expires_in })));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("expires_in"), "{error}");
    }
}

#[test]
fn a_lifetime_that_is_no_number_is_an_error_that_names_the_field() {
    for expires_in in [
        json!("canary"),
        json!(""),
        json!(true),
        json!([1]),
        json!({ "canary": 1 }),
        json!("inf"),
        json!("NaN"),
    ] {
        let error = failed(token(json!({ "expires_in": expires_in })));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{expires_in}");
        assert!(error.message().contains("expires_in"), "{error}");
    }
}

#[test]
fn a_missing_type_is_taken_for_bearer_and_an_unknown_one_is_not() {
    assert!(acquire(token(json!({ "token_type": null }))).is_ok());
    for kind in ["DPoP", "mac", "", "N_A", "canary"] {
        assert_eq!(failed(token(json!({ "token_type": kind }))).kind(), ErrorKind::Unsupported, "{kind}");
    }
}

#[test]
fn a_missing_or_empty_token_is_no_token() {
    for access_token in [json!(null), json!("")] {
        let error = failed(token(json!({ "access_token": access_token })));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("without an access_token"), "{error}");
    }
}

#[test]
fn a_token_with_characters_that_no_token_has_is_refused() {
    for access_token in ["canary\r\nx: y", "canary canary", "canary\n", "canary\0", "canaryé", " canary"] {
        let error = failed(token(json!({ "access_token": access_token })));
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{access_token:?}");
    }
    assert!(acquire(token(json!({ "access_token": "00D!AQ|a.b-c_d~e+f/g==" }))).is_ok());
}

#[test]
fn bodies_that_are_no_answer_are_errors_of_the_issuer() {
    for body in [
        "",
        "canary",
        "<html><body>canary</body></html>",
        r#"{"access_token":"canary","token_ty"#,
        r#"{"access_token":"canary","token_type":"Bearer"} canary"#,
        r#"{"access_token":"canary","access_token":"canary","token_type":"Bearer"}"#,
        r#"{"access_token":"t","token_type":"Bearer","expires_in":1,"expires_in":99999}"#,
        r#"{"access_token":"t","token_type":"mac","token_type":"Bearer"}"#,
        r#"{"access_token":{"canary":1},"token_type":"Bearer"}"#,
        r#"{"access_token":"t","token_type":["canary"]}"#,
        r#"["canary"]"#,
        "null",
        "\"canary\"",
        "access_token=canary&token_type=bearer",
        "{\"access_token\":\"can\u{0}ary\"}",
    ] {
        assert_eq!(failed(Answer::new(200, body)).kind(), ErrorKind::Unavailable, "{body}");
    }
    let not_utf8 = Answer::new(200, b"{\"access_token\":\"\xff\xfe\",\"token_type\":\"Bearer\"}".to_vec());
    assert_eq!(failed(not_utf8).kind(), ErrorKind::Unavailable);
    let deep = Answer::new(200, "[".repeat(100_000));
    assert_eq!(failed(deep).kind(), ErrorKind::Unavailable);
}

#[test]
fn a_page_is_named_by_its_content_type() {
    let error = failed(Answer::new(200, "<html>canary").header("content-type", "text/html; charset=utf-8"));
    assert!(error.message().contains("text/html"), "{error}");
}

#[test]
fn statuses_without_an_error_code_decide_the_kind() {
    for (status, kind) in [
        (301, ErrorKind::Unavailable),
        (302, ErrorKind::Unavailable),
        (307, ErrorKind::Unavailable),
        (304, ErrorKind::Unavailable),
        (400, ErrorKind::Denied),
        (401, ErrorKind::Denied),
        (403, ErrorKind::Denied),
        (404, ErrorKind::Denied),
        (408, ErrorKind::Unavailable),
        (429, ErrorKind::RateLimited),
        (500, ErrorKind::Unavailable),
        (502, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
        (599, ErrorKind::Unavailable),
        (101, ErrorKind::Denied),
    ] {
        for body in ["", "<html>canary</html>", r#"{"canary":1}"#, r#"{"error":{"canary":1}}"#, r#"{"error"#]
        {
            let error = failed(Answer::new(status, body).header("location", "https://canary.example/"));
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(error.message().contains(&status.to_string()), "{error}");
        }
    }
}

#[test]
fn registered_error_codes_decide_the_kind_and_are_named() {
    for (code, kind) in [
        ("invalid_request", ErrorKind::Denied),
        ("invalid_client", ErrorKind::Denied),
        ("invalid_grant", ErrorKind::Denied),
        ("unauthorized_client", ErrorKind::Denied),
        ("unsupported_grant_type", ErrorKind::Denied),
        ("invalid_scope", ErrorKind::Denied),
        ("invalid_target", ErrorKind::Denied),
        ("access_denied", ErrorKind::Denied),
        ("server_error", ErrorKind::Unavailable),
        ("temporarily_unavailable", ErrorKind::Unavailable),
        ("interaction_required", ErrorKind::LoginRequired),
    ] {
        // 200 too: some servers say every no with it
        for status in [400, 401, 403, 200] {
            let body =
                json!({ "error": code, "error_description": CANARY, "error_uri": "https://canary.example" });
            let error = failed(Answer::json(status, body));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert!(error.message().contains(code), "{error}");
        }
    }
}

#[test]
fn an_error_code_that_is_not_registered_is_not_repeated() {
    let error = failed(Answer::json(400, json!({ "error": CANARY })));
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("400"), "{error}");
}

#[test]
fn an_error_code_does_not_outweigh_the_status_of_a_server_that_is_not_well() {
    assert_eq!(
        failed(Answer::json(500, json!({ "error": "invalid_client" }))).kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(
        failed(Answer::json(429, json!({ "error": "invalid_client" }))).kind(),
        ErrorKind::RateLimited
    );
}

#[test]
fn the_wait_that_a_server_asks_for_is_kept() {
    let seconds = failed(Answer::new(429, "canary").header("retry-after", "17"));
    assert_eq!(seconds.retry_after(), Some(Duration::from_secs(17)));
    let date = Answer::new(503, "")
        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .header("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
    assert_eq!(failed(date).retry_after(), Some(Duration::from_secs(60)));
    let with_code =
        Answer::json(400, json!({ "error": "temporarily_unavailable" })).header("retry-after", "5");
    assert_eq!(failed(with_code).retry_after(), Some(Duration::from_secs(5)));
    let nonsense = failed(Answer::new(429, "").header("retry-after", "canary"));
    assert_eq!((nonsense.kind(), nonsense.retry_after()), (ErrorKind::RateLimited, None));
}

#[test]
fn no_answer_is_an_error_that_names_the_endpoint() {
    let error = ScriptedHost::new().no_answer().acquire(&*made(json!({}))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("https://login.example"), "{error}");
}

proptest! {
    #[test]
    fn no_body_makes_it_panic_or_leak(status in 100u16..600, body in "\\PC{0,40}") {
        let body = format!("{{\"access_token\": {CANARY}{body}");
        let error = acquire(Answer::new(status, body)).unwrap_err();
        prop_assert!(!error.to_string().contains(CANARY));
        prop_assert!(error.kind() != ErrorKind::Internal);
    }

    #[test]
    fn no_lifetime_overflows(expires_in in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
        match acquire(token(json!({ "expires_in": expires_in }))) {
            Ok(credential) => {
                let Lifetime::For(life) = credential.lifetime() else { panic!("stated") };
                prop_assert!(life >= Duration::from_secs(1) && life <= Duration::from_secs(10 * 366 * 86_400));
            }
            Err(error) => prop_assert!(expires_in < 1.0 && error.kind() == ErrorKind::Unavailable),
        }
    }
}
