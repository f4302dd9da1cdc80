//! A secret does its work through the proxy and is told nowhere: in no log at its most talkative, no metric, no status, no
//! problem.

use countersign_tests::canary::{CANARY, contains_canary};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::proxy::{OPEN, Serve};
use serde_json::json;

/// A connector and its profile, both of this name.
fn toml(name: &str, api: &FaultServer, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"{name}\"\n\
         caller = {{ user = {{ header = \"X-User\", required = false }} }}\n[profiles.{name}]\n{profile}\n",
        api.url("/api")
    )
}

/// An answer of a token endpoint that is full of secrets.
fn token() -> Reply {
    let body = json!({
        "access_token": format!("a-{CANARY}"), "refresh_token": CANARY, "token_type": "Bearer", "expires_in": 3600,
    });
    Reply::json(body.to_string()).header("Set-Cookie", format!("session={CANARY}"))
}

/// Secrets of every kind, in every place, by the connector's name.
fn profiles(issuer: &str) -> Vec<(&'static str, String)> {
    let oauth2 = |secret: &str| {
        format!(
            "type = \"oauth2\"\ntoken_url = \"{issuer}\"\nclient_id = \"erp\"\nclient_secret = \"{secret}\""
        )
    };
    vec![
        ("basic", format!("type = \"basic\"\nusername = \"erp\"\npassword = \"{CANARY}\"")),
        ("bearer", format!("type = \"bearer\"\ntoken = \"{CANARY}\"")),
        ("header", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nheader = \"X-Key\"")),
        ("query", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nquery = \"key\"")),
        ("cookie", format!("type = \"api-key\"\nkey = \"{CANARY}\"\ncookie = \"session\"")),
        (
            "jwt",
            format!(
                "type = \"jwt-bearer\"\nkey = {{ secret = \"{CANARY}{CANARY}\" }}\nclaims = {{ canary = \"{CANARY}\" }}"
            ),
        ),
        ("oauth", oauth2(CANARY)),
        ("post", oauth2(CANARY) + "\nclient_auth = \"client_secret_post\""),
    ]
}

/// What the admin listener tells.
fn told(serve: &Serve) -> Vec<String> {
    let address = serve.admin_url("").trim_start_matches("http://").parse().unwrap();
    ["/metrics", "/status", "/readyz", "/healthz"]
        .iter()
        .map(|path| {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            let answer = countersign_tests::client::call(address, request);
            assert!(matches!(answer.status, 200 | 503), "{path}: {}", answer.text());
            format!("{path} {:?} {}", answer.headers, answer.text())
        })
        .collect()
}

/// The configuration of a proxy that tells all it does.
fn start(folder: &Folder, connectors: &str) -> Serve {
    let toml = format!(
        "{}{connectors}",
        OPEN.replace("[serve]\n", "[serve]\nadmin = \"127.0.0.1:0\"\nthreads = 2\n")
    );
    Serve::start_with(folder, &toml, |command| {
        command.env("COUNTERSIGN_LOG", "trace");
    })
}

#[track_caller]
fn assert_silent(serve: &Serve, texts: &[String]) {
    let said = serve.said();
    assert!(said.contains(" DEBUG ") && said.contains(" method=GET "), "it was not talkative:\n{said}");
    for line in said.lines().chain(texts.iter().map(String::as_str)) {
        assert!(!contains_canary(line), "the canary sings in: {line}");
    }
}

#[test]
fn every_secret_is_used_and_told_nowhere() {
    let api = FaultServer::start([Reply::status(200).body("ok")]);
    let issuer = FaultServer::start([token()]);
    let folder = Folder::new();
    let profiles = profiles(&issuer.url("/token"));
    let connectors: String = profiles.iter().map(|(name, profile)| toml(name, &api, profile)).collect();
    let serve = start(&folder, &connectors);
    let mut texts = Vec::new();
    for (name, _) in &profiles {
        // Once with the credential being made, once as it lies ready.
        for _ in 0..2 {
            let before = api.count();
            let answer = serve.get(&format!("/{name}/1?x=1"), "X-User: ada\r\n");
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            texts.push(format!("{answer:?}"));
            let sent = api.requests().split_off(before);
            assert_eq!(sent.len(), 1, "{name}");
            let used = contains_canary(&sent[0].wire()) || *name == "jwt";
            assert!(used, "{name}: the canary did not reach the wire: {}", sent[0].wire());
        }
    }
    assert!(issuer.requests().iter().all(|request| contains_canary(&request.wire())));
    assert_eq!(issuer.count(), 2);
    texts.extend(told(&serve));
    assert!(texts.iter().any(|text| text.contains("countersign_") && text.contains("connector=\"oauth\"")));
    assert_silent(&serve, &texts);
}

#[test]
fn what_clients_send_is_told_nowhere() {
    let api = FaultServer::start([Reply::status(200).body("ok")]);
    let folder = Folder::new();
    let pass = "type = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"";
    let serve = start(&folder, &toml("orders", &api, pass));
    let address = serve.address();
    let fields = format!(
        "Authorization: Bearer {CANARY}\r\nProxy-Authorization: Basic {CANARY}\r\nCookie: s={CANARY}\r\nX-User: {CANARY}\r\nX-Other: {CANARY}\r\n"
    );
    let mut texts = Vec::new();
    let query = format!("/orders/1?token={CANARY}");
    let answer = serve.call("POST", &query, &fields, CANARY);
    assert_eq!(answer.status, 200);
    assert!(contains_canary(&api.requests()[0].wire()), "the canary did not reach the wire");
    for request in [
        // Refused for each reason that there is, with the secret in it.
        format!("GET /orders/../{CANARY} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET /{CANARY} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: {CANARY}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: {address}\r\nOrigin: https://{CANARY}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: {address}\r\n{CANARY} : x\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: {address}\r\nX-User: {CANARY}\r\nX-User: {CANARY}\r\n\r\n"),
        format!("GET /orders/1 HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: {CANARY}\r\n\r\n"),
        format!("GET /orders/1 {CANARY}\r\n\r\n"),
        format!("TRACE /orders/{CANARY} HTTP/1.1\r\nHost: {address}\r\nX: {CANARY}\r\n\r\n"),
        format!(
            "POST /orders/1 HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n\r\n"
        ),
    ] {
        let answer = countersign_tests::client::call(address, &request);
        assert!((400..600).contains(&answer.status), "{request}: {}", answer.status);
        texts.push(format!("{answer:?}"));
    }
    texts.extend(told(&serve));
    for text in &texts {
        assert!(!contains_canary(text), "the canary sings in: {text}");
    }
    // The path of a request is told in the access log, for that is what it is for; nothing else of it.
    let path = format!("/{CANARY}");
    for line in serve.said().lines().filter(|line| !line.contains(&path)) {
        assert!(!contains_canary(line), "the canary sings in: {line}");
    }
}

#[test]
fn what_goes_wrong_is_told_without_what_was_secret() {
    let html = format!("<p>{CANARY}</p>");
    let error = json!({ "error": "invalid_client", "error_description": CANARY, CANARY: CANARY }).to_string();
    for (issued, answered, status) in [
        (Reply::json(&error).with_status(401), Reply::status(200), 502),
        (Reply::html(&html).with_status(500), Reply::status(200), 503),
        (Reply::raw(CANARY), Reply::status(200), 503),
        (Reply::json(&error), Reply::status(200), 502),
        (token(), Reply::raw(format!("HTTP/1.1 {CANARY}\r\n\r\n")), 502),
        (token(), Reply::reset_after_request(), 502),
        (token(), Reply::status(401).header("WWW-Authenticate", format!("Bearer error=\"{CANARY}\"")), 401),
        (token(), Reply::redirect(format!("/elsewhere?token=x&u={}", "y")), 302),
    ] {
        let issuer = FaultServer::start([issued.clone()]);
        let api = FaultServer::start([answered.clone()]);
        let folder = Folder::new();
        let profile = format!(
            "type = \"oauth2\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"{CANARY}\"",
            issuer.url("/token")
        );
        let serve = start(&folder, &toml("orders", &api, &profile));
        let answer = serve.get("/orders/1", "");
        assert_eq!(answer.status, status, "{issued:?} {answered:?} {}", answer.text());
        assert!(contains_canary(&issuer.requests()[0].wire()), "the canary did not reach the wire");
        let mut texts = told(&serve);
        // What the upstream says is the client's, to the letter; our own problems are not to repeat it.
        if answer.status >= 500 {
            texts.push(format!("{answer:?}"));
        }
        assert_silent(&serve, &texts);
    }
}

#[test]
fn the_token_of_the_proxy_is_told_nowhere() {
    let api = FaultServer::start([Reply::status(200).body("ok")]);
    let folder = Folder::new();
    folder.put("countersign.token", format!("{CANARY}\n"));
    let profile = "type = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"";
    let toml = format!(
        "[serve]\nlisten = \"127.0.0.1:0\"\naccess = \"token\"\nadmin = \"127.0.0.1:0\"\n{}",
        toml("orders", &api, profile)
    );
    let serve = Serve::start_with(&folder, &toml, |command| {
        command.env("COUNTERSIGN_LOG", "trace");
    });
    assert_eq!(serve.token(), CANARY);
    let answer = serve.get("/orders/1", &format!("Authorization: Bearer {CANARY}\r\n"));
    assert_eq!(answer.status, 200, "the canary was not used");
    let mut texts = told(&serve);
    texts.push(format!("{:?}", serve.get("/orders/1", &format!("Authorization: Bearer x{CANARY}\r\n"))));
    texts.push(api.requests()[0].wire());
    assert_silent(&serve, &texts);
}
