//! A credential goes to its connector's origin and path, once or twice, and nowhere else.

use countersign::ErrorKind;
use countersign_host::{Answer, Client, Error, Host};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read, request};
use countersign_tests::tls::{self, TestCa};
use http::{Method, Request};

const KEY: &str = "k3y-of-the-api";

/// A connector `orders` with a key in this place, for this API's `/api`.
fn toml(api: &FaultServer, place: &str, more: &str) -> String {
    format!(
        "[connectors.orders]\nbase_url = \"{}\"\nprofile = \"key\"\n{more}\n[profiles.key]\ntype = \"api-key\"\nkey = \"{KEY}\"\n{place}\n",
        api.url("/api")
    )
}

async fn send(host: &Host, method: Method, path: &str, body: &str) -> Result<Answer, Error> {
    Client::new().send(&*host.connector("orders")?, request(method, path, body)).await
}

async fn follow(host: &Host, request: Request<bytes::Bytes>) -> Answer {
    let connector = host.connector("orders").unwrap();
    Client::new().follow_redirects(true).send(&connector, request).await.unwrap()
}

#[tokio::test]
async fn requests_that_lead_elsewhere_are_refused_before_they_are_sent() {
    let (api, elsewhere) =
        (FaultServer::start([Reply::status(200)]), FaultServer::start([Reply::status(200)]));
    let folder = Folder::new();
    let host = folder.host(&toml(&api, "header = \"X-Key\"", "")).await;
    let host_and_port = api.url("").replace("http://", "");
    let stranger = elsewhere.url("").replace("http://", "");
    let absolute = [
        format!("http://{stranger}/api/x"),
        format!("http://{host_and_port}@{stranger}/api/x"),
        format!("http://user@{host_and_port}/api/x"),
        format!("https://{host_and_port}/api/x"),
        format!("http://{host_and_port}/apis"),
        format!("http://{host_and_port}/"),
        format!("http://{host_and_port}/api/../admin"),
        format!("http://{host_and_port}/api/%2e%2e/admin"),
        format!("http://{host_and_port}/api/.%2E/admin"),
        format!("http://{host_and_port}/api/..%2fadmin"),
        format!("http://{host_and_port}/api/%252e%252e%252fadmin"),
        format!("http://{host_and_port}/api/x%5c..%5cadmin"),
        format!("http://{host_and_port}/api/..;/admin"),
    ];
    let relative = ["/../admin", "/%2e%2e/admin", "/x/..%2f..%2fadmin"].map(str::to_owned);
    for target in absolute.iter().chain(&relative) {
        let Err(error) = send(&host, Method::GET, target, "").await else { panic!("{target} was sent") };
        assert_eq!(error.kind(), ErrorKind::Config, "{target}: {error}");
        assert!(!format!("{error} {error:?}").contains(KEY), "{error}");
        // Whoever sends requests on their own gets nothing either, and the request is as it was.
        if let Ok(wish) = Request::get(target.as_str()).body(()) {
            let (mut parts, ()) = wish.into_parts();
            assert!(host.connector("orders").unwrap().authorize(&mut parts).await.is_err(), "{target}");
            assert!(parts.headers.is_empty(), "{target}");
        }
    }
    // A path that only looks like another host is a path.
    let path = format!("//{stranger}/x");
    assert_eq!(
        send(&host, Method::GET, &path, "").await.map(|answer| answer.status().as_u16()).unwrap_or(0),
        200
    );
    assert_eq!(api.requests()[0].target, format!("/api//{stranger}/x"));
    assert_eq!((api.count(), elsewhere.connections()), (1, 0));
}

#[tokio::test]
async fn redirects_inside_carry_the_credential() {
    let api = FaultServer::start([Reply::redirect("/api/new?x=1").with_status(307), Reply::status(200)]);
    let folder = Folder::new();
    let host = folder.host(&toml(&api, "header = \"X-Key\"", "")).await;
    let answer = follow(&host, request(Method::POST, "/old", "body")).await;
    assert_eq!(answer.status(), 200);
    let second = &api.requests()[1];
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/api/new?x=1"));
    assert_eq!((second.header("x-key"), second.text().as_str()), (Some(KEY), "body"));
}

#[tokio::test]
async fn redirects_elsewhere_go_without_anything_that_a_profile_touched() {
    let elsewhere = FaultServer::start([Reply::status(200)]);
    for (place, own) in [
        ("header = \"X-Key\"", ("x-key", "mine")),
        ("headers = { Authorization = \"Bearer x\" }\nheader = \"X-Key\"", ("authorization", "mine")),
        ("query = \"key\"", ("x-other", "mine")),
        ("cookie = \"key\"", ("cookie", "key=mine; other=mine")),
    ] {
        let api = FaultServer::start([Reply::redirect(elsewhere.url("/login?next=1"))]);
        let folder = Folder::new();
        let host = folder.host(&toml(&api, place, "")).await;
        let mut wish = request(Method::GET, "/orders?page=1", "");
        wish.headers_mut().insert(own.0, own.1.parse().unwrap());
        wish.headers_mut().insert("x-trace", "1".parse().unwrap());
        let before = elsewhere.count();
        assert_eq!(follow(&host, wish).await.status(), 200, "{place}");
        assert!(api.requests()[0].wire().contains(KEY), "{place}: the API got its credential");
        let strayed = elsewhere.requests().pop().unwrap();
        assert_eq!((elsewhere.count(), strayed.target.as_str()), (before + 1, "/login?next=1"));
        assert!(!strayed.wire().contains(KEY), "{place}: {}", strayed.wire());
        assert_eq!(strayed.header("cookie"), None, "{place}");
        assert_eq!(strayed.header("authorization"), None, "{place}");
        assert_eq!(strayed.header("x-trace"), Some("1"), "{place}");
    }
}

#[tokio::test]
async fn redirects_elsewhere_are_handed_back_where_following_would_tell_something() {
    let elsewhere = FaultServer::start([Reply::status(200)]);
    let echo = elsewhere.url(&format!("/login?next=/api?key={KEY}"));
    for (place, method, location, status) in [
        ("query = \"key\"", Method::GET, echo.clone(), 302),
        ("query = \"key\"", Method::GET, elsewhere.url(&format!("/{KEY}")), 302),
        // A body goes elsewhere only with methods that are not followed there.
        ("header = \"X-Key\"", Method::POST, elsewhere.url("/"), 307),
        ("header = \"X-Key\"", Method::PUT, elsewhere.url("/"), 308),
        ("header = \"X-Key\"", Method::DELETE, elsewhere.url("/"), 302),
        // In clear over the network.
        ("header = \"X-Key\"", Method::GET, "http://elsewhere.example/".to_owned(), 302),
    ] {
        let api = FaultServer::start([Reply::redirect(&location).with_status(status)]);
        let folder = Folder::new();
        let host = folder.host(&toml(&api, place, "")).await;
        let answer = follow(&host, request(method.clone(), "/orders", "body")).await;
        assert_eq!(answer.status(), status, "{method} {location}");
    }
    assert_eq!(elsewhere.connections(), 0);
    // Nobody who did not ask is sent anywhere.
    let api = FaultServer::start([Reply::redirect("/api/new")]);
    let folder = Folder::new();
    let host = folder.host(&toml(&api, "header = \"X-Key\"", "")).await;
    assert_eq!(send(&host, Method::GET, "/", "").await.unwrap().status(), 302);
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let api = FaultServer::start([Reply::redirect("/api/again")]);
    let folder = Folder::new();
    let host = folder.host(&toml(&api, "header = \"X-Key\"", "")).await;
    let connector = host.connector("orders").unwrap();
    let sent = Client::new().follow_redirects(true).send(&connector, request(Method::GET, "/", "")).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(api.count() <= 12, "{}", api.count());
}

/// An issuer that numbers its tokens, and a connector that uses them.
fn numbered(api: &FaultServer, rejection: &str) -> (FaultServer, String) {
    let token = |number| Reply::json(format!(r#"{{"access_token":"t-{number}","expires_in":3600}}"#));
    let issuer = FaultServer::start((1..10).map(token));
    let toml = format!(
        r#"
        [connectors.orders]
        base_url = "{}"
        profile = "erp"
        {rejection}
        [profiles.erp]
        type = "oauth2"
        token_url = "{}"
        client_id = "erp"
        client_secret = "s"
        "#,
        api.url("/api"),
        issuer.url("/token")
    );
    (issuer, toml)
}

fn tokens(api: &FaultServer) -> Vec<String> {
    let carried =
        |seen: &countersign_tests::http1::Recorded| seen.header("authorization").unwrap()[7..].to_owned();
    api.requests().iter().map(carried).collect()
}

#[tokio::test]
async fn a_rejected_call_is_replayed_once_with_a_new_credential_if_that_is_harmless() {
    let api = FaultServer::start([Reply::status(401), Reply::status(200)]);
    let (issuer, toml) = numbered(&api, "");
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    assert_eq!(send(&host, Method::PUT, "/orders", "body").await.unwrap().status(), 200);
    assert_eq!(tokens(&api), ["t-1", "t-2"]);
    assert_eq!(api.requests()[1].text(), "body");
    assert_eq!(issuer.count(), 2);
}

#[tokio::test]
async fn an_api_that_always_rejects_gets_two_calls_and_no_more() {
    let api = FaultServer::start([Reply::status(401).body("no")]);
    let (_issuer, toml) = numbered(&api, "");
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    let (status, body) = read(send(&host, Method::GET, "/orders", "").await.unwrap()).await;
    assert_eq!((status, body.as_str()), (401, "no"));
    assert_eq!(api.count(), 2);
}

#[tokio::test]
async fn a_post_is_not_replayed_but_its_credential_is_replaced() {
    let api = FaultServer::start([Reply::status(401), Reply::status(200)]);
    let (_issuer, toml) = numbered(&api, "");
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    assert_eq!(send(&host, Method::POST, "/orders", "body").await.unwrap().status(), 401);
    assert_eq!(api.count(), 1);
    assert_eq!(send(&host, Method::POST, "/orders", "body").await.unwrap().status(), 200);
    assert_eq!(tokens(&api), ["t-1", "t-2"]);
}

#[tokio::test]
async fn a_rejection_may_hide_in_a_header_and_a_body() {
    let rule = r#"rejection = { status = [200], header = { X-Error = "expired" }, body_contains = "token", replay = "always" }"#;
    let api = FaultServer::start([
        Reply::json("the token is old, but no header says so"),
        Reply::json("all well").header("X-Error", "expired"),
        Reply::status(401).header("X-Error", "expired").body("another token"),
        Reply::json(r#"{"error":"the token is old"}"#).header("X-Error", "Expired"),
        Reply::json(r#"{"ok":true}"#),
    ]);
    let (_issuer, toml) = numbered(&api, rule);
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    // What was looked at comes back whole.
    for whole in ["the token is old, but no header says so", "all well", "another token", r#"{"ok":true}"#] {
        assert_eq!(read(send(&host, Method::POST, "/orders", "x").await.unwrap()).await.1, whole);
    }
    assert_eq!(tokens(&api), ["t-1", "t-1", "t-1", "t-1", "t-2"]);
}

#[tokio::test]
async fn several_kinds_of_answers_may_be_rejections() {
    let rule = r#"rejection = { replay = "always", also = [{ status = [200], body_contains = "token_expired" }, { status = [400, 403], header = { X-Error = "session" } }] }"#;
    for (answer, rejected) in [
        (Reply::status(401), true),
        (Reply::json(r#"{"ok":false,"error":"token_expired"}"#), true),
        (Reply::status(400).header("X-Error", "no session"), true),
        (Reply::status(403).body("token_expired"), false),
        (Reply::json(r#"{"ok":false,"error":"no such order"}"#), false),
    ] {
        let api = FaultServer::start([answer.clone(), Reply::json("{}")]);
        let (_issuer, toml) = numbered(&api, rule);
        let folder = Folder::new();
        let host = folder.host(&toml).await;
        send(&host, Method::POST, "/orders", "x").await.unwrap();
        assert_eq!(tokens(&api), if rejected { vec!["t-1", "t-2"] } else { vec!["t-1"] }, "{answer:?}");
    }
}

#[tokio::test]
async fn a_rule_on_bodies_gets_them_uncompressed() {
    let api = FaultServer::start([Reply::json("{}")]);
    for (rule, asked) in
        [("rejection = { status = [200], body_contains = \"x\" }", "identity"), ("", "gzip, br")]
    {
        let (_issuer, toml) = numbered(&api, rule);
        let folder = Folder::new();
        let host = folder.host(&toml).await;
        let mut request = request(Method::GET, "/orders", "");
        request.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
        Client::new().send(&host.connector("orders").unwrap(), request).await.unwrap();
        assert_eq!(api.requests().last().unwrap().header("accept-encoding"), Some(asked));
    }
}

#[tokio::test]
async fn a_signature_covers_what_earlier_profiles_placed_and_two_of_a_kind_are_refused() {
    let api = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new().with_plugins(&["acme-hmac"]);
    let secret = "a-shared-secret-of-32-characters";
    let host = folder
        .host(&format!(
            r#"
            [plugins]
            dir = "plugins"
            [profiles.tenant]
            type = "api-key"
            query_parameters = {{ tenant = "t 1" }}
            [profiles.hmac]
            type = "acme-hmac"
            secret = "{secret}"
            [profiles.other]
            type = "acme-hmac"
            secret = "{secret}"
            [connectors.orders]
            base_url = "{0}"
            profiles = ["tenant", "hmac"]
            [connectors.both]
            base_url = "{0}"
            profiles = ["hmac", "other"]
            "#,
            api.url("/api")
        ))
        .await;
    send(&host, Method::GET, "/orders?page=2", "").await.unwrap();
    let seen = api.requests().pop().unwrap();
    assert_eq!(seen.target, "/api/orders?page=2&tenant=t%201");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!("GET\n{}\n{}\n{empty}", seen.target, seen.header("x-acme-timestamp").unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    let signature: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seen.header("x-acme-signature"), Some(signature.as_str()));

    // A type that declares nothing is found out by the first call.
    let error = get(&host, "both", "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(api.count(), 1);
}

#[tokio::test]
async fn an_api_whose_certificate_does_not_fit_gets_nothing() {
    let ca = TestCa::new();
    for identity in [tls::self_signed(), ca.wrong_name(), ca.expired(), TestCa::new().server()] {
        let api = FaultServer::start_tls(&identity, [Reply::status(200)]);
        let folder = Folder::new();
        folder.put("ca.pem", ca.pem());
        let host = folder.host(&toml(&api, "header = \"X-Key\"", "ca_file = \"ca.pem\"")).await;
        let error = send(&host, Method::GET, "/orders", "").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(api.count(), 0, "something was sent to a stranger");
    }
    let api = FaultServer::start_tls(&ca.server(), [Reply::status(200)]);
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    let host = folder.host(&toml(&api, "header = \"X-Key\"", "ca_file = \"ca.pem\"")).await;
    assert_eq!(send(&host, Method::GET, "/orders", "").await.unwrap().status(), 200);
}

#[tokio::test]
async fn no_value_can_break_a_request_apart() {
    for (breaker, name) in [("\r\nx-evil: 1", "CR LF"), ("\nx-evil: 1", "LF"), ("\0", "NUL"), ("\r", "CR")] {
        for profile in [
            "type = \"bearer\"\ntoken = \"${file:secret}\"",
            "type = \"basic\"\nusername = \"${file:secret}\"\npassword = \"p\"",
            "type = \"basic\"\nusername = \"u\"\npassword = \"${file:secret}\"",
            "type = \"api-key\"\nheader = \"X-Key\"\nkey = \"${file:secret}\"",
            "type = \"api-key\"\nquery = \"key\"\nkey = \"${file:secret}\"",
            "type = \"api-key\"\ncookie = \"key\"\nkey = \"${file:secret}\"",
            "type = \"api-key\"\nheaders = { X-Key = \"${file:secret}\" }",
            "type = \"api-key\"\nheader = \"${file:secret}\"\nkey = \"k\"",
            "type = \"oauth2\"\ntoken_url = \"https://a.example/t\"\nclient_id = \"c\"\nclient_secret = \"s\"\nextra_headers = { X-Key = \"${file:secret}\" }",
            "type = \"oauth2\"\ntoken_url = \"https://a.example/${file:secret}\"\nclient_id = \"c\"\nclient_secret = \"s\"",
        ] {
            let folder = Folder::new();
            folder.put("secret", format!("canary{breaker}and-more"));
            let findings = folder
                .refusal(&format!(
                    "[profiles.p]\n{profile}\n[connectors.c]\nbase_url = \"https://a.example\"\nprofile = \"p\"\n"
                ))
                .await;
            let words = findings.to_string();
            assert!(words.contains("countersign.toml:"), "{name}: {profile}\n{words}");
            assert!(!words.contains("canary"), "{name}: {profile}\n{words}");
        }
    }
    // What comes in by a caller is only known when it comes.
    let api = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new();
    let host = folder
        .host(&toml(&api, "header = \"X-Key\"\nheaders = { X-User = \"{{ caller.user }}\" }", ""))
        .await;
    for user in ["a\r\nx-evil: 1", "a\nb", "a\0"] {
        let mut wish = request(Method::GET, "/", "");
        wish.extensions_mut().insert([("user", user)].into_iter().collect::<countersign::Caller>());
        let connector = host.connector("orders").unwrap();
        assert!(Client::new().send(&connector, wish).await.is_err(), "{user:?}");
    }
    assert_eq!(api.connections(), 0);
}
