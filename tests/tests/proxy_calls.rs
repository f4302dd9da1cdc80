//! What becomes of a call on its way through the proxy: whose it is, what of it goes on, and what comes back when the
//! credential is refused, is not to be had, or the upstream does not answer.

use std::time::{Duration, Instant};

use countersign_tests::client::Answer;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::http1::Recorded;
use countersign_tests::jwt_api::{JwtApi, Rules};
use countersign_tests::proxy::{OPEN, Serve};
use countersign_tests::service::free_port;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123";

/// A connector `orders` with more lines of its own, and the profile `key`: an API key in `X-Key`.
fn keyed(api: &FaultServer, connector: &str) -> String {
    format!(
        "{OPEN}[connectors.orders]\nbase_url = \"{}\"\nprofile = \"key\"\n{connector}\n\
         [profiles.key]\ntype = \"api-key\"\nkey = \"of-the-connector\"\nheader = \"X-Key\"\n",
        api.url("/api")
    )
}

/// The same with the profile `login`, an OAuth client at an issuer.
fn oauth(api: &FaultServer, issuer: &str, connector: &str) -> String {
    format!(
        "{OPEN}[connectors.orders]\nbase_url = \"{}\"\nprofile = \"login\"\n{connector}\n\
         [profiles.login]\ntype = \"oauth2\"\ntoken_url = \"{issuer}\"\nclient_id = \"erp\"\nclient_secret = \"s3cret\"\n",
        api.url("/api")
    )
}

/// A token endpoint's answers: `token-1`, `token-2` and so on.
fn tokens(count: usize) -> impl Iterator<Item = Reply> {
    (1..=count).map(|number| {
        let token =
            json!({ "access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 3600 });
        Reply::json(token.to_string())
    })
}

fn only(api: &FaultServer) -> Recorded {
    let requests = api.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
    requests.into_iter().next().unwrap()
}

#[test]
fn the_api_verifies_the_caller_that_a_header_named() {
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let api = JwtApi::start(Rules::bearer("erp", "orders", Algorithm::HS256, key));
    let folder = Folder::new();
    let serve = Serve::start(
        &folder,
        &format!(
            r#"{OPEN}
[connectors.orders]
base_url = "{}"
profile = "user"
caller = {{ user = {{ header = "X-User" }}, tenant = {{ header = "X-Tenant", required = false }}, channel = {{ value = "erp" }} }}

[profiles.user]
type = "jwt-bearer"
key = {{ secret = "{SECRET}" }}
issuer = "erp"
audience = "orders"
subject = "{{{{ caller.user }}}}"
claims = {{ channel = "{{{{ caller.channel }}}}" }}
"#,
            api.url("/api")
        ),
    );
    for user in ["ada", "grace", "jürgen", "ada"] {
        let answer = serve.get("/orders/1", &format!("x-USER: {user}\r\nX-Tenant: acme\r\n"));
        assert_eq!(answer.status, 200, "{} {:?}", answer.text(), answer.headers);
        let claims = &answer.json()["claims"];
        assert_eq!((&claims["sub"], &claims["channel"]), (&json!(user), &json!("erp")));
    }
    for request in api.requests() {
        assert_eq!((request.header("x-user"), request.header("x-tenant")), (None, None), "{request:?}");
    }
    for fields in ["", "X-User:\r\n", "X-User: ada\r\nX-User: grace\r\n", "X-User: ada\r\nX-User: ada\r\n"] {
        let problem = serve.get("/orders/1", fields).problem(400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("`x-user`") && detail.contains("`user`"), "{detail}");
        assert_eq!((&problem["connector"], &problem["kind"]), (&json!("orders"), &json!("caller")));
    }
    assert_eq!(api.requests().len(), 4);
}

#[test]
fn what_belongs_to_the_clients_connection_and_its_own_credentials_go_no_further() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &keyed(&api, ""));
    let fields = "Connection: keep-alive, X-Hop, x-key\r\nConnection: X-Other\r\nX-Hop: 1\r\nX-Other: 2\r\nX-Key: mine\r\n\
                  Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
                  Proxy-Authorization: Basic bWluZQ==\r\nAuthorization: Basic bWluZQ==\r\nCookie: session=mine\r\n\
                  Cookie: b=mine\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: mine\r\n\
                  X-Forwarded-Proto: https\r\nX-Real-IP: 10.0.0.1\r\nVia: 1.1 mine\r\n\
                  Accept: text/plain\r\nX-Mine: a\r\nX-Mine: b\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    assert_eq!(serve.get("/orders/1", fields).status, 204);
    let mut names: Vec<_> = only(&api).headers.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    assert_eq!(names, ["accept", "host", "traceparent", "x-key", "x-mine", "x-mine"]);
    assert_eq!(only(&api).header("x-key"), Some("of-the-connector"));
    assert_eq!(only(&api).header("host"), Some(api.url("").trim_start_matches("http://")));
}

#[test]
fn what_belongs_to_the_upstreams_connection_comes_no_further() {
    let api = FaultServer::start([Reply::status(200)
        .header("Connection", "keep-alive, X-Hop")
        .header("X-Hop", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Authenticate", "Basic")
        .header("Alt-Svc", "h2=\":443\"")
        .header("Upgrade", "h2c")
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2")
        .header("WWW-Authenticate", "Bearer")
        .header("Date", "Tue, 15 Nov 1994 08:12:31 GMT")
        .body("ok")]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &keyed(&api, ""));
    let answer = serve.get("/orders/1", "");
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "set-cookie", "set-cookie", "www-authenticate"]);
    assert_eq!(answer.header("date"), Some("Tue, 15 Nov 1994 08:12:31 GMT"));
}

#[test]
fn what_the_operator_lets_pass_goes_on() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let pass = "pass_headers = [\"authorization\", \"cookie\", \"x-forwarded-for\", \"X-User\"]\n\
                caller = { user = { header = \"X-User\" } }";
    let serve = Serve::start(&folder, &keyed(&api, pass));
    let fields = "Authorization: Basic bWluZQ==\r\nCookie: a=1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n\
                  X-User: ada\r\nX-Key: mine\r\n";
    assert_eq!(serve.get("/orders/1", fields).status, 204);
    let request = only(&api);
    for (name, value) in [
        ("authorization", Some("Basic bWluZQ==")),
        ("cookie", Some("a=1")),
        ("x-forwarded-for", Some("10.0.0.1")),
        ("x-user", Some("ada")),
        ("x-real-ip", None),
        // What a profile places is never the client's.
        ("x-key", Some("of-the-connector")),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    assert_eq!(request.headers.iter().filter(|(name, _)| name == "x-key").count(), 1);
}

#[test]
fn addresses_in_answers_lead_back_through_the_proxy() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let toml = keyed(&api, "hosts = [\"orders.test\"]");
    let serve = Serve::start(&folder, &toml);
    let origin = api.url("");
    for (location, mapped, by_host) in [
        (format!("{origin}/api/2?x=1#y"), "/orders/2?x=1#y".to_owned(), "/2?x=1#y".to_owned()),
        (format!("{origin}/api"), "/orders".into(), "/".into()),
        ("/api/2".into(), "/orders/2".into(), "/2".into()),
        ("2".into(), "2".into(), "2".into()),
        ("?page=2".into(), "?page=2".into(), "?page=2".into()),
        (format!("{}/api/2", origin.trim_start_matches("http:")), "/orders/2".into(), "/2".into()),
        // Not below the connector's prefix: said as it is, so that nobody takes it for ours.
        ("/login".into(), format!("{origin}/login"), format!("{origin}/login")),
        ("/apiary/x".into(), format!("{origin}/apiary/x"), format!("{origin}/apiary/x")),
        (
            "https://login.example/x".into(),
            "https://login.example/x".into(),
            "https://login.example/x".into(),
        ),
    ] {
        for status in [302, 201] {
            let reply = Reply::status(status).header("Location", location.as_str());
            api.rescript([reply.header("Content-Location", location.as_str())]);
            let answer = serve.get("/orders/1", "");
            assert_eq!((answer.status, answer.header("location")), (status, Some(&*mapped)), "{location}");
            assert_eq!(answer.header("content-location"), Some(&*mapped), "{location}");
        }
        let address = serve.address();
        let answer = countersign_tests::client::call(address, "GET /1 HTTP/1.1\r\nHost: orders.test\r\n\r\n");
        assert_eq!(answer.header("location"), Some(&*by_host), "{location}");
    }
}

#[test]
fn a_key_in_the_query_does_not_come_back() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let toml = keyed(&api, "").replace("header = \"X-Key\"", "query = \"key\"");
    let serve = Serve::start(&folder, &toml);
    let origin = api.url("");
    for (location, mapped) in [
        (format!("{origin}/api/2?key=of-the-connector&page=2"), Some("/orders/2?page=2".to_owned())),
        ("/api/2?page=2&key=of-the-connector".into(), Some("/orders/2?page=2".into())),
        ("2?key=of-the-connector".into(), Some("/orders/2".into())),
        ("?key=of-the-connector&page=2".into(), Some("/orders/1?page=2".into())),
        (format!("{origin}/login?key=of-the-connector"), Some(format!("{origin}/login"))),
        ("https://login.example/?key=of-the-connector".into(), Some("https://login.example/".into())),
    ] {
        api.rescript([Reply::redirect(location.as_str())]);
        let answer = serve.get("/orders/1?a=b", "");
        assert_eq!(answer.header("location").map(str::to_owned), mapped, "{location}");
        assert!(!format!("{answer:?}").contains("of-the-connector"), "{location}: {answer:?}");
    }
    assert_eq!(api.requests()[0].target, "/api/1?a=b&key=of-the-connector");
    assert!(!serve.said().contains("of-the-connector"), "{}", serve.said());
}

/// The credentials that came, in their order.
fn bearers(api: &FaultServer) -> Vec<String> {
    let bearer =
        |request: &Recorded| request.header("authorization").unwrap_or_default().replace("Bearer ", "");
    api.requests().iter().map(bearer).collect()
}

#[test]
fn a_rejected_call_is_made_once_more_with_another_credential_and_its_body() {
    let api = FaultServer::start([Reply::status(401), Reply::status(200).body("done")]);
    let issuer = FaultServer::start(tokens(2));
    let folder = Folder::new();
    let serve = Serve::start(&folder, &oauth(&api, &issuer.url("/token"), ""));
    let answer = serve.call("PUT", "/orders/1", "", "the body");
    assert_eq!((answer.status, answer.text()), (200, "done".into()));
    assert_eq!(bearers(&api), ["token-1", "token-2"]);
    assert_eq!(api.requests().iter().map(Recorded::text).collect::<Vec<_>>(), ["the body"; 2]);
    // What the second call got goes to the next ones, too.
    assert_eq!(serve.get("/orders/1", "").status, 200);
    assert_eq!(bearers(&api).last().unwrap(), "token-2");
    assert_eq!(issuer.count(), 2);
}

#[test]
fn a_call_is_made_once_more_at_most() {
    let api = FaultServer::start([Reply::status(401).body("no")]);
    let issuer = FaultServer::start(tokens(9));
    let folder = Folder::new();
    let serve = Serve::start(&folder, &oauth(&api, &issuer.url("/token"), ""));
    let answer = serve.get("/orders/1", "");
    assert_eq!((answer.status, answer.text()), (401, "no".into()));
    assert_eq!(bearers(&api), ["token-1", "token-2"]);
}

#[test]
fn what_could_do_harm_twice_is_not_made_once_more() {
    for (method, body, calls) in [
        ("POST", Ok("twelve bytes"), 1),
        ("POST", Ok(""), 1),
        ("PATCH", Ok("{}"), 1),
        // Larger than what is kept, or of a size that nobody knows.
        ("PUT", Ok("nine byte"), 1),
        ("PUT", Err("chunk"), 1),
        ("PUT", Ok("8 bytes!"), 2),
        ("DELETE", Ok(""), 2),
    ] {
        let api = FaultServer::start([Reply::status(401), Reply::status(200)]);
        let issuer = FaultServer::start(tokens(9));
        let folder = Folder::new();
        let toml = oauth(&api, &issuer.url("/token"), "rejection = { max_replay_body = 8 }");
        let serve = Serve::start(&folder, &toml);
        let answer = match body {
            Ok(body) => serve.call(method, "/orders/1", "", body),
            Err(chunk) => serve.call_chunked(method, "/orders/1", &[chunk]),
        };
        let status = if calls == 1 { 401 } else { 200 };
        assert_eq!((answer.status, api.count()), (status, calls), "{method} {body:?}");
    }
}

#[test]
fn a_rule_on_the_body_is_looked_at_and_the_body_still_comes_whole() {
    let said = json!({ "error": "token expired" }).to_string();
    let other = json!({ "error": "no such order", "padding": "x".repeat(100_000) }).to_string();
    let api = FaultServer::start([
        Reply::json(&other),
        Reply::json(&said),
        Reply::json("{}"),
        Reply::status(401).body("is not the rule"),
    ]);
    let issuer = FaultServer::start(tokens(9));
    let folder = Folder::new();
    let rule = "rejection = { status = [200], header = { content-type = \"json\" }, body_contains = \"token expired\" }";
    let serve = Serve::start(&folder, &oauth(&api, &issuer.url("/token"), rule));
    let answer = serve.get("/orders/1", "");
    assert_eq!((answer.status, answer.text()), (200, other));
    let answer = serve.get("/orders/1", "");
    assert_eq!((answer.status, answer.text()), (200, "{}".into()));
    assert_eq!(bearers(&api), ["token-1", "token-1", "token-2"]);
    assert_eq!(serve.get("/orders/1", "").status, 401);
    assert_eq!(api.count(), 4);
}

/// What a problem about a missing credential says.
fn no_credential(answer: &Answer, status: u16, kind: &str) -> Value {
    let problem = answer.problem(status);
    assert_eq!(problem["connector"], "orders", "{problem}");
    assert_eq!(problem["profile"], "login", "{problem}");
    assert_eq!(problem["kind"], kind, "{problem}");
    assert!(!answer.text().contains("s3cret"), "{problem}");
    problem
}

#[test]
fn without_a_credential_nothing_is_sent_and_the_problem_says_whose_it_is() {
    let api = FaultServer::start([Reply::status(204)]);
    for (reply, status, kind) in [
        (Reply::status(503), 503, "unavailable"),
        (Reply::reset_after_request(), 503, "unavailable"),
        (Reply::status(429).header("Retry-After", "7"), 503, "rate-limited"),
        (
            Reply::json("{\"error\":\"invalid_client\",\"error_description\":\"s3cret is wrong\"}")
                .with_status(401),
            502,
            "denied",
        ),
        (Reply::html("<p>s3cret</p>"), 503, "unavailable"),
    ] {
        let issuer = FaultServer::start([reply]);
        let folder = Folder::new();
        let serve = Serve::start(&folder, &oauth(&api, &issuer.url("/token"), ""));
        let answer = serve.call("POST", "/orders/1", "", "a body");
        let problem = no_credential(&answer, status, kind);
        assert!(problem["detail"].as_str().unwrap().contains("the request was not sent"), "{problem}");
        assert_eq!(
            answer.header("retry-after").is_some(),
            status == 503 && kind == "rate-limited",
            "{answer:?}"
        );
    }
    assert_eq!(api.count(), 0);
}

#[test]
fn an_issuer_that_hangs_keeps_nobody_longer_than_the_connectors_timeout() {
    let api = FaultServer::start([Reply::status(204)]);
    let issuer = FaultServer::start([Reply::silent()]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &oauth(&api, &issuer.url("/token"), "timeout = \"1s\""));
    let began = Instant::now();
    no_credential(&serve.get("/orders/1", ""), 504, "unavailable");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(api.count(), 0);
}

#[test]
fn an_upstream_that_is_down_or_slow_or_no_http_is_a_problem_of_its_own() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::silent()]);
    let down =
        keyed(&api, "timeout = \"1s\"").replace(&api.url(""), &format!("http://127.0.0.1:{}", free_port()));
    let problem = Serve::start(&folder, &down).get("/orders/1?secret=1", "").problem(502);
    assert_eq!((&problem["kind"], &problem["connector"]), (&json!("upstream"), &json!("orders")));
    assert!(!problem.to_string().contains("secret=1"), "{problem}");

    let serve = Serve::start(&folder, &keyed(&api, "timeout = \"1s\""));
    let began = Instant::now();
    assert_eq!(serve.get("/orders/1", "").problem(504)["kind"], "upstream");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for reply in [
        Reply::raw("SSH-2.0-OpenSSH\r\n"),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        Reply::raw(""),
        Reply::reset_after_request(),
        Reply::status(200).closing_in_headers(),
    ] {
        api.rescript([reply.clone()]);
        let answer = serve.call("POST", "/orders/1", "", "a body");
        assert_eq!(answer.problem(502)["kind"], "upstream", "{reply:?}");
    }
}

#[test]
fn an_upstreams_answer_that_is_cut_off_is_cut_off() {
    let api = FaultServer::start([Reply::status(200).body("x".repeat(1000)).truncated_at(500)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &keyed(&api, ""));
    let mut client = countersign_tests::client::Client::connect(serve.address());
    client.send(format!("GET /orders/1 HTTP/1.1\r\nHost: {}\r\n\r\n", serve.address()));
    assert_eq!(client.head().header("content-length"), Some("1000"));
    assert!(client.rest().len() <= 500);
}

/// Signed by `acme-hmac`, a plugin: the profile that is in `docs/examples/`.
#[test]
fn a_profile_that_signs_the_body_gets_it_up_to_a_limit() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new().with_plugins(&["acme-hmac"]);
    let serve = Serve::start(
        &folder,
        &format!(
            "{OPEN}[serve.limits]\nmax_buffered_body = 1000\n[plugins]\ndir = \"plugins\"\n\
             [connectors.orders]\nbase_url = \"{}\"\nprofile = \"signed\"\n\
             [profiles.signed]\ntype = \"acme-hmac\"\nsecret = \"{SECRET}\"\n",
            api.url("/api")
        ),
    );
    let largest = "x".repeat(1000);
    for chunks in [&["the body"][..], &[&largest], &[""], &["abc", "de"]] {
        let body = chunks.concat();
        let answer = match chunks {
            [body] => serve.call("POST", "/orders/1?x=1", "", body),
            chunks => serve.call_chunked("POST", "/orders/1?x=1", chunks),
        };
        assert_eq!(answer.status, 204, "{}", answer.text());
        let request = api.requests().pop().unwrap();
        assert_eq!(request.text(), body);
        let time = request.header("x-acme-timestamp").unwrap();
        assert_eq!(request.header("x-acme-signature"), Some(&*signature(time, &body)), "{body}");
    }
    let before = api.count();
    let problem = serve.call("POST", "/orders/1", "", &"x".repeat(1001)).problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("max_buffered_body"), "{problem}");
    serve.call_chunked("POST", "/orders/1", &[&largest, "x"]).problem(413);
    assert_eq!(api.count(), before);
}

fn signature(time: &str, body: &str) -> String {
    use aws_lc_rs::{digest, hmac};
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hash = hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
    let text = format!("POST\n/api/1?x=1\n{time}\n{hash}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}
