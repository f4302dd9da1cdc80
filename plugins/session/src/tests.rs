use std::time::{Duration, UNIX_EPOCH};

use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Challenge, Credential, Error, ErrorKind, HttpRequest, Lifetime, Profile};
use serde_json::{Value, json};

use super::*;

const URL: &str = "https://api.example/login";

/// A login with a password, whose answer is JSON.
fn settings() -> Value {
    json!({
        "login": { "url": URL, "json": { "user": "erp", "password": "c4nary-password" } },
        "answer": { "token": "/data/token" },
        "errors": ["/error/message"],
    })
}

fn with(more: Value) -> Value {
    let mut settings = settings();
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn session(settings: Value) -> Box<dyn Profile> {
    profile::<Session>(settings.clone()).unwrap_or_else(|error| panic!("{error}: {settings}"))
}

fn refused(settings: Value) -> Error {
    let Some(error) = profile::<Session>(settings.clone()).err() else { panic!("not refused: {settings}") };
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    error
}

fn good() -> Answer {
    Answer::json(200, json!({ "data": { "token": "t-1" } }))
}

fn acquired(settings: Value, answer: Answer) -> Result<Credential, Error> {
    ScriptedHost::new().answer(answer).acquire(&*session(settings))
}

/// Why an answer is no success. Whatever it is, it does not show what was sent.
fn error(settings: Value, answer: Answer) -> Error {
    let error = acquired(settings, answer).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    error
}

fn placed(credential: &Credential) -> Vec<(&'static str, &str, &str)> {
    ScriptedHost::new().placed(credential)
}

fn body(request: &HttpRequest) -> String {
    String::from_utf8(request.body.expose().clone()).unwrap()
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let header = request.headers.iter().find(|header| header.name == name)?;
    Some(header.value.expose())
}

#[test]
fn a_login_is_sent_and_its_token_placed() {
    let mut host = ScriptedHost::new().answer(good());
    let credential = host.acquire(&*session(settings())).unwrap();
    assert_eq!(placed(&credential), [("header", "authorization", "Bearer t-1")]);
    assert_eq!(credential.lifetime(), Lifetime::Unstated);
    assert!(credential.renewal().is_none(), "nothing is kept that nobody needs");
    let sent = &host.sent()[0];
    assert_eq!((sent.method.as_str(), sent.url.as_str()), ("POST", URL));
    assert_eq!(header(sent, "content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&body(sent)).unwrap(),
        json!({ "user": "erp", "password": "c4nary-password" })
    );
}

#[test]
fn every_part_of_a_request_is_a_template() {
    let settings = json!({
        "variables": { "secret": "a{{b{%c\n" },
        "login": {
            "method": "PUT",
            "url": "https://api.example/{{ caller.tenant }}/login?a=b",
            "headers": { "X-User": "{{ caller.user }}", "Accept": "text/plain" },
            "query_parameters": { "q": "{{ caller.user }} &" },
            "cookies": { "c": "1", "d": "{{ caller.tenant }}" },
            "basic": { "username": "{{ caller.user }}", "password": "{{ variables.secret }}" },
            "json": [{ "user": "{{ caller.user }}", "n": 1, "ok": true, "none": null, "s": "{{ variables.secret }}" }],
        },
        "answer": { "token": { "body": true } },
        "headers": { "X-Token": "{{ answer.token }}/{{ caller.zone }}" },
    });
    let session = session(settings);
    assert_eq!(session.inputs().caller_attributes().collect::<Vec<_>>(), ["tenant", "user", "zone"]);
    let mut host = ScriptedHost::new()
        .caller("user", "ad\"a")
        .caller("tenant", "t1")
        .caller("zone", "z")
        .answer(Answer::new(200, "t-1\n").header("Content-Type", "text/plain"));
    let credential = host.acquire(&*session).unwrap();
    assert_eq!(placed(&credential), [("header", "x-token", "t-1/z")]);
    let sent = &host.sent()[0];
    assert_eq!(sent.method, "PUT");
    assert_eq!(sent.url, "https://api.example/t1/login?a=b&q=ad%22a%20%26");
    assert_eq!((header(sent, "x-user"), header(sent, "accept")), (Some("ad\"a"), Some("text/plain")));
    assert_eq!(header(sent, "cookie"), Some("c=1; d=t1"));
    // `ad"a:a{{b{%c`, by coreutils' base64.
    assert_eq!(header(sent, "authorization"), Some("Basic YWQiYTphe3tieyVj"));
    assert_eq!(
        serde_json::from_str::<Value>(&body(sent)).unwrap(),
        json!([{ "user": "ad\"a", "n": 1, "ok": true, "none": null, "s": "a{{b{%c" }])
    );
}

#[test]
fn a_form_and_a_text_are_sent_as_they_are() {
    let form = json!({ "url": URL, "form": { "user": "a b", "password": "ä&=" } });
    let mut host = ScriptedHost::new().answer(good());
    host.acquire(&*session(with(json!({ "login": form })))).unwrap();
    assert_eq!(body(&host.sent()[0]), "password=%C3%A4%26%3D&user=a+b");
    assert_eq!(header(&host.sent()[0], "content-type"), Some("application/x-www-form-urlencoded"));
    let text = json!({ "url": URL, "body": "<login/>", "headers": { "content-type": "text/xml" } });
    let mut host = ScriptedHost::new().answer(good());
    host.acquire(&*session(with(json!({ "login": text })))).unwrap();
    assert_eq!(
        (body(&host.sent()[0]).as_str(), header(&host.sent()[0], "content-type")),
        ("<login/>", Some("text/xml"))
    );
}

#[test]
fn values_are_read_from_wherever_they_are() {
    let answer = || {
        Answer::json(
            200,
            json!({ "a": { "b~/c": [ { "k": "x", "t": 5 }, { "k": "y", "t": "found" } ] }, "ok": true }),
        )
        .header("X-Token", "in-header")
        .header("Set-Cookie", "SID=in-cookie; Path=/; HttpOnly")
    };
    for (reading, expected) in [
        (json!("/a/b~0~1c/1/t"), "found"),
        (json!({ "json": "/a/b~0~1c/0/t" }), "5"),
        (json!("/ok"), "true"),
        (json!({ "jmespath": "a.\"b~/c\"[?k=='y'] | [0].t" }), "found"),
        (json!({ "header": "x-TOKEN" }), "in-header"),
        (json!({ "cookie": "SID" }), "in-cookie"),
    ] {
        let credential = acquired(with(json!({ "answer": { "token": reading } })), answer()).unwrap();
        assert_eq!(placed(&credential)[0].2, format!("Bearer {expected}"), "{reading}");
    }
    let whole =
        acquired(with(json!({ "answer": { "token": "" } })), Answer::json(201, json!("text"))).unwrap();
    assert_eq!(placed(&whole)[0].2, "Bearer text");
}

#[test]
fn several_values_go_to_several_places_and_an_optional_one_may_be_missing() {
    let settings = with(json!({
        "answer": { "a": "/a", "b": { "json": "/b", "optional": true } },
        "headers": { "X-A": "{{ answer.a }}" },
        "query_parameters": { "b": "{{ answer.b }}" },
        "cookies": { "ab": "{{ answer.a }}-{{ answer.b }}", "a": "{{ answer.a }}" },
    }));
    let both = acquired(settings.clone(), Answer::json(200, json!({ "a": "1", "b": "2" }))).unwrap();
    assert_eq!(
        placed(&both),
        [("header", "x-a", "1"), ("query", "b", "2"), ("cookie", "a", "1"), ("cookie", "ab", "1-2")]
    );
    let one = acquired(settings.clone(), Answer::json(200, json!({ "a": "1", "b": null }))).unwrap();
    assert_eq!(placed(&one), [("header", "x-a", "1"), ("cookie", "a", "1")]);
    let none = error(settings, Answer::json(200, json!({ "b": "2" })));
    assert!(none.message().contains("nothing at `/a`, so there is no `a`"), "{none}");
}

#[test]
fn an_error_page_is_not_taken_for_a_token() {
    let page = || {
        Answer::new(200, "<html><form action=/login>…</form></html>")
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Set-Cookie", "SID=of-somebody-unknown; Path=/")
            .header("X-Token", "x")
    };
    for reading in
        [json!({ "body": true }), json!({ "cookie": "SID" }), json!({ "header": "X-Token" }), json!("/token")]
    {
        let answer = json!({ "answer": { "token": reading }, "errors": [] });
        let error = error(with(answer.clone()), page());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.message().contains("login at https://api.example: answered with a page (HTML)"),
            "{error}"
        );
    }
    let mut wanted = with(json!({ "answer": { "token": { "cookie": "SID" } } }));
    wanted["login"]["success"] = json!({ "content_type": "text/html" });
    assert!(acquired(wanted, page()).is_ok(), "unless that is what success looks like");
}

#[test]
fn a_200_with_an_error_body_is_not_taken_for_a_token() {
    let refusal = || {
        Answer::json(200, json!({ "status": "failed", "data": { "token": "placeholder" }, "error": { "message": "wrong user" } }))
            .header("X-Result", "REFUSED: 17")
    };
    for success in [
        json!({ "equals": { "/status": "ok" } }),
        json!({ "absent": ["/error"] }),
        json!({ "present": ["/data/expires"] }),
        json!({ "status": [201] }),
        json!({ "body": "Ok." }),
        json!({ "headers": { "X-Result": "accepted" } }),
    ] {
        let mut settings = settings();
        settings["login"]["success"] = success.clone();
        let error = error(settings, refusal());
        assert_eq!(error.kind(), ErrorKind::Denied, "{success}: {error}");
        assert!(error.message().ends_with("; it says: \"wrong user\""), "{error}");
    }
    let mut settings = settings();
    settings["login"]["success"] = json!({
        "status": [200, 201], "content_type": "application/json", "headers": { "x-result": "Refused" },
        "equals": { "/status": "failed" }, "present": ["/error"], "absent": ["/none"],
    });
    assert!(acquired(settings.clone(), refusal()).is_ok(), "all rules hold");
    settings["login"]["success"]["content_type"] = json!("application/problem+json");
    let error = error(settings, refusal());
    assert!(error.message().contains("something else than application/problem+json"), "{error}");
}

#[test]
fn what_the_server_says_is_quoted_without_what_was_sent() {
    let said = |status: u16, message: &str| {
        error(settings(), Answer::json(status, json!({ "error": { "message": message } })))
    };
    let error = said(401, "No user 'ERP' with password C4NARY-password");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(
        error.message().ends_with("answered with status 401; it says: \"No user '…' with password …\""),
        "{error}"
    );
    let long = said(400, &"x".repeat(5000));
    assert!(long.message().len() < 400 && long.message().contains("x…\""), "{long}");
    assert_eq!(said(429, "later").kind(), ErrorKind::RateLimited);
    assert_eq!(said(503, "not now").kind(), ErrorKind::Unavailable);
    // Not named in `errors`, so it is not repeated at all.
    let silent = super::tests::error(settings(), Answer::json(401, json!({ "message": "c4nary" })));
    assert!(silent.message().ends_with("answered with status 401"), "{silent}");
}

#[test]
fn basic_is_not_repeated_either() {
    let mut settings = settings();
    settings["login"]["basic"] = json!({ "username": "c4nary-user", "password": "c4nary:" });
    for said in ["Basic YzRuYXJ5LXVzZXI6YzRuYXJ5Og== is wrong", "c4nary-user:c4nary: is wrong"] {
        let error = error(settings.clone(), Answer::json(401, json!({ "error": { "message": said } })));
        assert!(!error.message().contains("YzRu") && error.message().contains("is wrong"), "{error}");
    }
}

#[test]
fn what_stands_in_the_url_is_not_repeated_either() {
    let login = json!({ "url": format!("{URL}/{{{{ variables.path }}}}?key=c4nary%2Dkey"), "query_parameters": { "q": "c4nary q" } });
    let settings = with(json!({ "login": login, "variables": { "path": "c4nary-path" } }));
    let said = "wrong: c4nary-path, c4nary-key, c4nary%20q";
    let error = error(settings, Answer::json(401, json!({ "error": { "message": said } })));
    assert!(error.message().ends_with("\"wrong: …, …, …\""), "{error}");
}

#[test]
fn values_that_are_no_tokens_are_refused() {
    for (value, words) in [
        (json!({ "x": 1 }), "a list or an object"),
        (json!(null), "has nothing at"),
        (json!(" \n"), "has nothing at"),
        (json!("x".repeat(16 * 1024 + 1)), "longer than 16 KiB"),
        (json!("a\r\nb"), "control character"),
    ] {
        let error = error(settings(), Answer::json(200, json!({ "data": { "token": value } })));
        assert!(error.message().contains(words), "{error}");
    }
    for answer in
        [Answer::new(200, "{"), Answer::new(200, "[]"), Answer::new(200, "\"c4nary"), Answer::new(204, "")]
    {
        assert_eq!(error(settings(), answer).kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn it_lives_as_long_as_the_answer_says() {
    let now = ScriptedHost::new().now();
    let exp = now + Duration::from_secs(900);
    let seconds = exp.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        json!({ "exp": seconds }).to_string(),
    );
    let jwt = format!("e30.{claims}.c2ln");
    let answer = || {
        Answer::json(200, json!({ "data": { "token": jwt }, "minutes": 15, "in": "900.0", "at": "2026-01-01T01:15:00+01:00" }))
            .header("X-Expires", "Thu, 01 Jan 2026 00:15:00 GMT")
            .header("Set-Cookie", "SID=s; Max-Age=900")
    };
    let quarter = Lifetime::For(Duration::from_secs(900));
    for (life, expected) in [
        (json!({ "expires_in": "/in" }), quarter),
        (json!({ "expires_in": { "json": "/minutes", "unit": "minutes" } }), quarter),
        (json!({ "expires_at": "/at" }), Lifetime::Until(exp)),
        (json!({ "expires_at": { "header": "x-expires" } }), Lifetime::Until(exp)),
        (json!({ "expires_with": "token" }), Lifetime::Until(exp)),
        (
            json!({ "expires_with": "sid", "answer": { "token": "/data/token", "sid": { "cookie": "SID" } } }),
            quarter,
        ),
        (json!({ "lifetime": "15m" }), quarter),
        (json!({ "lifetime": "until-rejected" }), Lifetime::UntilRejected),
        (json!({ "lifetime": "15m", "expires_in": "/none" }), quarter),
        (json!({ "expires_in": "/none" }), Lifetime::Unstated),
    ] {
        let credential =
            acquired(with(life.clone()), answer()).unwrap_or_else(|error| panic!("{life}: {error}"));
        assert_eq!(credential.lifetime(), expected, "{life}");
    }
}

#[test]
fn what_has_expired_or_is_no_time_is_refused() {
    for (life, answer, words) in [
        (json!({ "expires_in": "/x" }), json!(0), "expired already"),
        (json!({ "expires_in": "/x" }), json!(-5), "expired already"),
        (json!({ "expires_at": "/x" }), json!("2025-12-31T23:59:59Z"), "expired already"),
        (json!({ "expires_at": "/x" }), json!("2026-01-01T01:00:00"), "no time"),
        (json!({ "expires_in": "/x" }), json!("soon"), "no time"),
        (json!({ "expires_with": "token" }), json!(1), "no JWT"),
    ] {
        let error = error(with(life), Answer::json(200, json!({ "data": { "token": "t" }, "x": answer })));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(words), "{error}");
    }
}

/// A session that is prolonged by its refresh token, and logged out.
fn renewed() -> Value {
    with(json!({
        "answer": { "token": "/token", "refresh": "/refresh" },
        "refresh": { "url": "https://api.example/refresh", "json": { "with": "{{ answer.refresh }}" } },
        "logout": { "method": "DELETE", "url": "https://api.example/sessions/{{ answer.token }}" },
    }))
}

fn pair(number: u32) -> Answer {
    Answer::json(200, json!({ "token": format!("t-{number}"), "refresh": format!("r-{number}") }))
}

fn urls(host: &ScriptedHost) -> Vec<&str> {
    host.sent().iter().map(|sent| sent.url.strip_prefix("https://api.example").unwrap()).collect()
}

#[test]
fn a_session_is_prolonged_with_the_values_of_before_and_else_made_anew() {
    let session = session(renewed());
    let first = ScriptedHost::new().answer(pair(1)).acquire(&*session).unwrap();
    let state = first.renewal().unwrap().clone();

    let mut host = ScriptedHost::new().previous(state.clone()).answer(pair(2));
    let second = host.acquire(&*session).unwrap();
    assert_eq!((urls(&host), body(&host.sent()[0]).as_str()), (vec!["/refresh"], r#"{"with":"r-1"}"#));
    assert_eq!(placed(&second)[0].2, "Bearer t-2");
    assert!(second.renewal().unwrap().expose().contains("r-2"));

    for answer in
        [Answer::new(401, ""), Answer::new(500, ""), Answer::json(200, json!({ "error": "expired" }))]
    {
        let mut host = ScriptedHost::new().previous(state.clone()).answer(answer).answer(pair(3));
        let third = host.acquire(&*session).unwrap();
        assert_eq!(urls(&host), ["/refresh", "/login"]);
        assert_eq!(placed(&third)[0].2, "Bearer t-3");
    }

    let mut host = ScriptedHost::new().previous(state).answer(Answer::new(429, ""));
    assert_eq!(host.acquire(&*session).unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(urls(&host), ["/refresh"], "who wants to be left alone is left alone");

    let mut host = ScriptedHost::new().previous("of another version").answer(pair(4));
    host.acquire(&*session).unwrap();
    assert_eq!(urls(&host), ["/login"]);
}

#[test]
fn what_a_refresh_does_not_name_is_kept() {
    let mut settings = renewed();
    settings["refresh_answer"] = json!({ "token": { "header": "X-New" } });
    let session = session(settings);
    let state = ScriptedHost::new().answer(pair(1)).acquire(&*session).unwrap().renewal().unwrap().clone();
    let mut host = ScriptedHost::new().previous(state).answer(Answer::new(204, "").header("X-New", "t-2"));
    let second = host.acquire(&*session).unwrap();
    assert_eq!(placed(&second)[0].2, "Bearer t-2");
    assert!(second.renewal().unwrap().expose().contains("r-1"));
}

fn rejection() -> Challenge {
    Challenge { status: 401, headers: Vec::new() }
}

#[test]
fn after_a_rejection_the_login_is_made_anew_and_the_session_logged_out() {
    let session = session(renewed());
    let state = ScriptedHost::new().answer(pair(1)).acquire(&*session).unwrap().renewal().unwrap().clone();
    let host = ScriptedHost::new().previous(state).challenge(rejection());
    let mut host = host.answer(pair(2)).answer(Answer::new(404, ""));
    let second = host.acquire(&*session).unwrap();
    assert_eq!(urls(&host), ["/login", "/sessions/t-1"], "that the logout fails is of no consequence");
    assert_eq!(host.sent()[1].method, "DELETE");
    assert!(!second.renewal().unwrap().expose().contains("t-1"));
}

#[test]
fn a_session_is_logged_out_when_the_one_after_it_is_due() {
    let mut settings = renewed();
    settings.as_object_mut().unwrap().remove("refresh");
    let session = session(settings);
    let mut state =
        ScriptedHost::new().answer(pair(1)).acquire(&*session).unwrap().renewal().unwrap().clone();
    for (number, expected) in
        [(2, vec!["/login"]), (3, vec!["/login", "/sessions/t-1"]), (4, vec!["/login", "/sessions/t-2"])]
    {
        let mut host = ScriptedHost::new().previous(state).answer(pair(number)).no_answer();
        let credential = host.acquire(&*session).unwrap();
        assert_eq!(urls(&host), expected);
        state = credential.renewal().unwrap().clone();
    }
    let mut host = ScriptedHost::new().previous(state).answer(Answer::new(500, ""));
    assert!(host.acquire(&*session).is_err());
    assert_eq!(urls(&host), ["/login"], "nothing ends before something has begun");
}

#[test]
fn no_answer_is_no_reason_to_send_the_password_again() {
    let session = session(renewed());
    let state = ScriptedHost::new().answer(pair(1)).acquire(&*session).unwrap().renewal().unwrap().clone();
    let mut host = ScriptedHost::new().previous(state).no_answer();
    assert_eq!(host.acquire(&*session).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(urls(&host), ["/refresh"]);
}

#[test]
fn misconfigurations_are_found_where_they_stand() {
    let login = |more: Value| {
        let mut settings = settings();
        for (name, value) in more.as_object().unwrap() {
            settings["login"][name] = value.clone();
        }
        settings
    };
    for (settings, field) in [
        (login(json!({ "url": "http://api.example/" })), "login.url"),
        (login(json!({ "url": "https://{{ caller.host }}/" })), "login.url"),
        (login(json!({ "url": "{{ answer.token }}" })), "login.url"),
        (login(json!({ "method": "post" })), "login.method"),
        (login(json!({ "method": "" })), "login.method"),
        (login(json!({ "form": { "a": "c4nary" } })), "login.json"),
        (login(json!({ "json": { "a": [{ "b": "{{ c4nary" }] } })), "login.json.a[0].b"),
        (login(json!({ "json": "{{ answer.token }}" })), "login.json"),
        (login(json!({ "json": "{{ variables.none }}" })), "login.json"),
        (login(json!({ "json": null, "body": "c4nary" })), "login.body"),
        (login(json!({ "headers": { "Host": "c4nary" } })), "login.headers.Host"),
        (login(json!({ "headers": { "X": "c4nary\r\nY: z" } })), "login.headers.X"),
        (
            login(
                json!({ "headers": { "Authorization": "c4nary" }, "basic": { "username": "u", "password": "p" } }),
            ),
            "login.headers.Authorization",
        ),
        (login(json!({ "basic": { "username": "", "password": "p" } })), "login.basic.username"),
        (login(json!({ "basic": { "username": "u", "password": "{{ c4nary }}" } })), "login.basic.password"),
        (login(json!({ "success": { "status": [] } })), "login.success.status"),
        (login(json!({ "success": { "status": [42] } })), "login.success.status"),
        (login(json!({ "success": { "content_type": "json" } })), "login.success.content_type"),
        (login(json!({ "success": { "present": ["a"] } })), "login.success.present[0]"),
        (login(json!({ "success": { "absent": ["/a~2"] } })), "login.success.absent[0]"),
        (login(json!({ "success": { "equals": { "/a": {} } } })), "login.success.equals./a"),
        (login(json!({ "success": { "headers": { "a b": "c" } } })), "login.success.headers.a b"),
        (with(json!({ "answer": {} })), "answer"),
        (with(json!({ "answer": { "a b": "/a" } })), "answer.a b"),
        (with(json!({ "answer": { "token": "token" } })), "answer.token.json"),
        (with(json!({ "answer": { "token": { "jmespath": "a[" } } })), "answer.token.jmespath"),
        (with(json!({ "answer": { "token": { "header": "a b" } } })), "answer.token.header"),
        (with(json!({ "answer": { "token": { "cookie": "a=b" } } })), "answer.token.cookie"),
        (with(json!({ "answer": { "token": {} } })), "answer.token"),
        (with(json!({ "answer": { "token": { "json": "/a", "header": "b" } } })), "answer.token"),
        (with(json!({ "answer": { "id": "/id" } })), "answer"),
        (with(json!({ "headers": { "X": "{{ answer.other }}" } })), "headers.X"),
        (with(json!({ "headers": { "X": "a" }, "cookies": { "c": "a b" } })), "cookies.c"),
        (with(json!({ "headers": { "X": "a", "x": "b" } })), "headers.x"),
        (with(json!({ "variables": { "a-b": "x" } })), "variables.a-b"),
        (with(json!({ "variables": { "a": "\n" } })), "variables.a"),
        (with(json!({ "lifetime": "0s" })), "lifetime"),
        (with(json!({ "lifetime": "for ever" })), "lifetime"),
        (with(json!({ "expires_in": "in", "lifetime": "5m" })), "expires_in.json"),
        (with(json!({ "expires_in": "/a", "expires_at": "/b" })), "expires_in"),
        (with(json!({ "expires_at": "/a", "expires_with": "token" })), "expires_at"),
        (with(json!({ "expires_with": "other" })), "expires_with"),
        (with(json!({ "errors": ["/a", "b"] })), "errors[1].json"),
        (with(json!({ "refresh_answer": { "token": "/t" } })), "refresh_answer"),
        (with(json!({ "refresh": { "url": URL }, "refresh_answer": {} })), "refresh_answer"),
        (
            with(json!({ "refresh": { "url": URL }, "refresh_answer": { "other": "/o" } })),
            "refresh_answer.other",
        ),
        (with(json!({ "refresh": { "url": "{{ answer.other }}" } })), "refresh.url"),
        (with(json!({ "logout": { "url": URL, "success": {} } })), "logout.success"),
        (with(json!({ "logout": { "url": "{{ caller.url }}" } })), "logout.url"),
    ] {
        let error = refused(settings.clone());
        assert_eq!(error.field(), Some(field), "{error}: {settings}");
    }
    for (settings, words) in [
        (with(json!({ "lgin": {} })), "unknown field `lgin`"),
        (login(json!({ "passwd": "c4nary" })), "unknown field `passwd`"),
        (json!({ "answer": { "token": "/t" } }), "missing field `login`"),
        (with(json!({ "answer": { "token": { "jsn": "/t" } } })), "unknown field `jsn`"),
    ] {
        let error = refused(settings);
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn debug_is_blind() {
    let mut settings = settings();
    settings["variables"] = json!({ "v": "c4nary" });
    settings["login"]["basic"] = json!({ "username": "c4nary", "password": "c4nary" });
    settings["login"]["headers"] = json!({ "X": "c4nary{{ caller.user }}" });
    settings["headers"] = json!({ "X": "c4nary{{ answer.token }}" });
    let config: SessionConfig = serde_json::from_value(settings).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("c4nary"), "{shown}");
    let shown = format!("{:?}", Session::new(config).unwrap());
    assert!(shown.contains("https://api.example") && !shown.contains("c4nary"), "{shown}");
}
