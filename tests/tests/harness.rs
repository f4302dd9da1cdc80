//! The harness itself: real servers let the right ones in and nobody else, and faults are what they say they are.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign_tests::fault::{FaultServer, Hold, Reply};
use countersign_tests::jwt_api::{JwtApi, Rules};
use countersign_tests::nginx::Nginx;
use countersign_tests::oidc_provider::OidcProvider;
use countersign_tests::program::Program;
use countersign_tests::tls::TestCa;
use countersign_tests::{apache, echo, keys, nginx, tls};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use reqwest::{Client, Response};
use serde_json::{Value, json};

fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

fn trusting(ca: &TestCa) -> Client {
    let ca = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
    Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap()
}

async fn get(url: String) -> Response {
    client().get(url).send().await.unwrap()
}

fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

fn token(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

#[tokio::test]
async fn nginx_wants_the_right_password() {
    let guard = nginx::Guard::Basic { user: "jörg".into(), password: "p:ä\"$1".into() };
    let Some(server) = Nginx::start(&[("/basic", &[guard])]) else { return };

    assert_eq!(get(server.url("/basic")).await.status(), 401);
    let wrong = client().get(server.url("/basic")).basic_auth("jörg", Some("p")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let right =
        client().get(server.url("/basic/x?y=1")).basic_auth("jörg", Some("p:ä\"$1")).send().await.unwrap();
    assert_eq!(right.status(), 200, "{}", server.errors());
    let seen = echo::parse(&right.text().await.unwrap());
    assert_eq!(seen["user"], "jörg");
    assert_eq!(seen["uri"], "/basic/x?y=1");
}

#[tokio::test]
async fn nginx_wants_every_key_as_it_is() {
    let guards = [
        nginx::Guard::Header { name: "X-Api-Key".into(), value: "Ab$c\"d\\e.f".into() },
        nginx::Guard::Query { name: "tenant".into(), value: "T%201".into() },
        nginx::Guard::Cookie { name: "session".into(), value: "s+/=".into() },
    ];
    let Some(server) = Nginx::start(&[("/keys", &guards)]) else { return };
    let call = async |key: &str, query: &str, cookie: &str| {
        let request = client().post(server.url(&format!("/keys?{query}"))).header("x-api-key", key);
        request.header("cookie", format!("other=1; session={cookie}")).body("x").send().await.unwrap()
    };

    let right = call("Ab$c\"d\\e.f", "tenant=T%201", "s+/=").await;
    assert_eq!(right.status(), 200, "{}", server.errors());
    assert_eq!(echo::parse(&right.text().await.unwrap())["x-api-key"], "Ab$c\"d\\e.f");
    assert_eq!(call("AB$c\"d\\e.f", "tenant=T%201", "s+/=").await.status(), 401);
    assert_eq!(call("Ab$c\"d\\e.f", "tenant=T%202", "s+/=").await.status(), 401);
    assert_eq!(call("Ab$c\"d\\e.f", "tenant=T%201", "s").await.status(), 401);
}

#[tokio::test]
async fn nginx_speaks_tls_with_our_certificate() {
    let ca = TestCa::new();
    let Some(server) = Nginx::start_tls(&ca.server(), &[("/open", &[])]) else { return };

    let response = trusting(&ca).get(server.url("/open")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, reqwest::Version::HTTP_2));
    assert!(trusting(&TestCa::new()).get(server.url("/open")).send().await.is_err());
}

/// Run by the test below in a process of its own, which is then killed.
#[test]
fn a_server_is_started_for_good() {
    if std::env::var_os("COUNTERSIGN_TESTS_HANG").is_some() {
        let server = Nginx::start(&[]).unwrap();
        println!("\n{}", server.url("/"));
        std::io::stdin().read_line(&mut String::new()).unwrap();
    }
}

#[test]
fn nothing_outlives_a_killed_test() {
    if Program::Nginx.path().is_none() {
        return;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_server_is_started_for_good", "--nocapture"])
        .env("COUNTERSIGN_TESTS_HANG", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = lines.into_iter().find(|line| line.starts_with("http://")).unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    assert!(TcpStream::connect(&address).is_ok());

    test.kill().unwrap();
    test.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < until, "nginx goes on at {address}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn apache_wants_the_right_password() {
    let guard = apache::Guard::Basic { user: "erp".into(), password: "p:ä".into() };
    let Some(server) = apache::Apache::start(&apache::VerifyKeys::default(), &[("/basic", guard)]) else {
        return;
    };

    assert_eq!(get(server.url("/basic")).await.status(), 401);
    assert_eq!(get(server.url("/elsewhere")).await.status(), 200);
    let right = client().get(server.url("/basic/x")).basic_auth("erp", Some("p:ä")).send().await.unwrap();
    assert_eq!(right.status(), 200, "{}", server.errors());
    assert_eq!(right.headers()["echo-user"], "erp");
}

#[tokio::test]
async fn apache_lets_in_only_tokens_that_are_signed_current_and_meant_for_it() {
    let (ours, theirs) = (keys::rsa(), keys::rsa());
    let guard = apache::Guard::Jwt { issuer: "https://erp.example".into(), audience: "orders-api".into() };
    let verify =
        apache::VerifyKeys { pem: vec![("k1".into(), ours.public)], ..apache::VerifyKeys::default() };
    let Some(server) = apache::Apache::start(&verify, &[("/jwt", guard)]) else { return };
    let ours = EncodingKey::from_rsa_pem(ours.private.as_bytes()).unwrap();
    let theirs = EncodingKey::from_rsa_pem(theirs.private.as_bytes()).unwrap();
    let call = async |token: String| {
        client().get(server.url("/jwt")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let claims = |change: Value| {
        let mut claims = json!({
            "iss": "https://erp.example", "aud": "orders-api", "sub": "u1",
            "iat": in_seconds(-5), "exp": in_seconds(60),
        });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    let rs256 = |key, change| token(Algorithm::RS256, Some("k1"), key, &claims(change));

    assert_eq!(get(server.url("/jwt")).await.status(), 401);
    assert_eq!(call(rs256(&ours, json!({}))).await, 200, "{}", server.errors());
    assert_eq!(call(rs256(&ours, json!({ "aud": ["other", "orders-api"] }))).await, 200);
    assert_eq!(call(rs256(&theirs, json!({}))).await, 401, "another key");
    assert_eq!(call(rs256(&ours, json!({ "exp": in_seconds(-60) }))).await, 401, "expired");
    assert_eq!(call(rs256(&ours, json!({ "iss": "https://evil.example" }))).await, 401, "another issuer");
    assert_eq!(call(rs256(&ours, json!({ "aud": "crm-api" }))).await, 401, "another audience");
}

#[tokio::test]
async fn apache_verifies_shared_secrets() {
    let secret = "a-shared-secret-of-32-characters";
    let guard = apache::Guard::Jwt { issuer: "https://erp.example".into(), audience: "orders-api".into() };
    let verify = apache::VerifyKeys { secret: Some(secret.into()), ..apache::VerifyKeys::default() };
    let Some(server) = apache::Apache::start(&verify, &[("/jwt", guard)]) else { return };
    let claims = json!({
        "iss": "https://erp.example", "aud": "orders-api", "sub": "u1",
        "iat": in_seconds(-5), "exp": in_seconds(60),
    });
    let call = async |secret: &str| {
        let token = token(Algorithm::HS256, None, &EncodingKey::from_secret(secret.as_bytes()), &claims);
        client().get(server.url("/jwt")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };

    assert_eq!(call(secret).await, 200, "{}", server.errors());
    assert_eq!(call("b-shared-secret-of-32-characters").await, 401);
}

#[tokio::test]
async fn the_provider_issues_tokens_to_clients_it_knows() {
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [{
            "client_id": "erp", "client_secret": "s3cret", "grant_types": ["client_credentials", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic", "scope": "openid offline_access read",
        }],
        "scopes": ["read"],
        "resources": { "https://orders.example": { "scope": "read", "lifetime": 120 } },
    })) else {
        return;
    };
    let ask = async |secret: &str, form: &[(&str, &str)]| {
        let request = client().post(provider.url("/token")).basic_auth("erp", Some(secret));
        let response = request.form(form).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let form =
        [("grant_type", "client_credentials"), ("scope", "read"), ("resource", "https://orders.example")];

    let discovered: Value =
        get(provider.url("/.well-known/openid-configuration")).await.json().await.unwrap();
    assert_eq!(discovered["token_endpoint"], provider.url("/token"));
    assert_eq!(
        ask("wrong", &form).await,
        (
            401,
            json!({
                "error": "invalid_client", "error_description": "client authentication failed",
            })
        )
    );
    let (status, answer) = ask("s3cret", &form).await;
    assert_eq!(status, 200, "{answer} {}", provider.errors());
    assert_eq!(answer["expires_in"], 120);
    assert_eq!(answer["access_token"].as_str().unwrap().split('.').count(), 3, "a JWT");

    let first = provider.refresh_token(&client(), "erp", "openid offline_access", "u1").await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", first.as_str())];
    let (status, answer) = ask("s3cret", &form).await;
    assert_eq!(status, 200, "{answer} {}", provider.errors());
    assert_ne!(answer["refresh_token"], first);
    assert_eq!(ask("s3cret", &form).await.1["error"], "invalid_grant", "it was rotated");
}

#[tokio::test]
async fn apache_accepts_the_providers_tokens_by_its_published_keys() {
    let ca = TestCa::new();
    let config = json!({
        "clients": [{
            "client_id": "erp", "client_secret": "s3cret", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "client_secret_post",
        }],
        "resources": { "https://orders.example": {}, "https://crm.example": {} },
    });
    let Some(provider) = OidcProvider::start_tls(&ca.server(), None, config) else { return };
    let guard =
        apache::Guard::Jwt { issuer: provider.issuer().into(), audience: "https://orders.example".into() };
    let verify = apache::VerifyKeys { jwks: Some((provider.url("/jwks"), ca.pem())), ..Default::default() };
    let Some(server) = apache::Apache::start(&verify, &[("/jwt", guard)]) else { return };
    let call = async |resource: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "erp"),
            ("client_secret", "s3cret"),
            ("resource", resource),
        ];
        let answer = trusting(&ca).post(provider.url("/token")).form(&form).send().await.unwrap();
        let token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        client().get(server.url("/jwt")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };

    assert_eq!(call("https://orders.example").await, 200, "{}", server.errors());
    assert_eq!(call("https://crm.example").await, 401, "another audience");
}

#[tokio::test]
async fn the_provider_speaks_tls_with_our_certificate() {
    let ca = TestCa::new();
    let Some(provider) = OidcProvider::start_tls(&ca.server(), None, json!({ "clients": [] })) else {
        return;
    };
    let url = provider.url("/.well-known/openid-configuration");

    assert!(provider.issuer().starts_with("https://"));
    assert_eq!(trusting(&ca).get(&url).send().await.unwrap().status(), 200);
    assert!(trusting(&TestCa::new()).get(&url).send().await.is_err());
}

#[tokio::test]
async fn the_provider_verifies_assertions() {
    let (client_key, issuer_key) = (keys::p256(), keys::ed25519());
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [{
            "client_id": "erp", "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
            "token_endpoint_auth_method": "private_key_jwt", "public_key_pem": client_key.public,
            "token_endpoint_auth_signing_alg": "ES256",
        }],
        "resources": { "https://orders.example": { "scope": "read" } },
        "assertion_issuers": [
            { "issuer": "https://erp.example", "alg": "EdDSA", "public_key_pem": issuer_key.public },
        ],
    })) else {
        return;
    };
    let client_key = EncodingKey::from_ec_pem(client_key.private.as_bytes()).unwrap();
    let issuer_key = EncodingKey::from_ed_pem(issuer_key.private.as_bytes()).unwrap();
    let ask = async |issuer: &str, id: &str| {
        let authentication = json!({
            "iss": "erp", "sub": "erp", "aud": provider.issuer(), "jti": id, "exp": in_seconds(60),
        });
        let assertion =
            json!({ "iss": issuer, "sub": "u1", "aud": provider.url("/token"), "exp": in_seconds(60) });
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("assertion", token(Algorithm::EdDSA, None, &issuer_key, &assertion)),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", token(Algorithm::ES256, None, &client_key, &authentication)),
            ("resource", "https://orders.example".to_owned()),
        ];
        let response = client().post(provider.url("/token")).form(&form).send().await.unwrap();
        response.json::<Value>().await.unwrap()
    };

    let answer = ask("https://erp.example", "1").await;
    assert!(answer["access_token"].is_string(), "{answer} {}", provider.errors());
    assert_eq!(ask("https://evil.example", "2").await["error"], "invalid_grant");
    assert_eq!(
        ask("https://erp.example", "1").await["error"],
        "invalid_client",
        "a client assertion is good once"
    );
}

#[tokio::test]
async fn the_jwt_api_lets_in_only_tokens_that_are_signed_current_and_meant_for_it() {
    let pair = keys::p256();
    let key = EncodingKey::from_ec_pem(pair.private.as_bytes()).unwrap();
    let decoding = DecodingKey::from_ec_pem(pair.public.as_bytes()).unwrap();
    let mut rules = Rules::bearer("https://erp.example", "orders-api", Algorithm::ES256, decoding);
    rules.single_use = true;
    let api = JwtApi::start(rules);
    let call = async |change: Value| {
        let mut claims = json!({ "iss": "https://erp.example", "aud": "orders-api", "exp": in_seconds(60) });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let request = client().get(api.url("/x")).bearer_auth(token(Algorithm::ES256, None, &key, &claims));
        request.send().await.unwrap()
    };

    let refused = get(api.url("/x")).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Bearer realm=\"jwt-api\"")
    );
    let right = call(json!({ "jti": "1", "sub": "u1" })).await;
    assert_eq!(right.status(), 200);
    assert_eq!(right.json::<Value>().await.unwrap()["claims"]["sub"], "u1");
    for change in [
        json!({ "jti": "1" }),
        json!({}),
        json!({ "jti": "2", "exp": in_seconds(-1) }),
        json!({ "jti": "3", "nbf": in_seconds(30) }),
        json!({ "jti": "4", "iss": "x" }),
        json!({ "jti": "5", "aud": "x" }),
    ] {
        assert_eq!(call(change.clone()).await.status(), 401, "{change}");
    }
    assert_eq!(api.requests().len(), 8);
}

#[tokio::test]
async fn the_fault_server_follows_its_script_and_repeats_the_end() {
    let server = FaultServer::start([
        Reply::status(429).header("Retry-After", "3"),
        Reply::json("{").with_status(500),
        Reply::redirect("http://elsewhere.example/"),
        Reply::html("<p>no</p>"),
    ]);
    let call = async || {
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client.post(server.url("/token")).form(&[("a b", "c&d")]).send().await.unwrap()
    };

    assert_eq!(call().await.headers()["retry-after"], "3");
    assert_eq!(call().await.text().await.unwrap(), "{");
    assert_eq!(call().await.headers()["location"], "http://elsewhere.example/");
    assert_eq!(call().await.headers()["content-type"], "text/html");
    assert_eq!(call().await.text().await.unwrap(), "<p>no</p>");
    assert_eq!(server.count(), 5);
    assert_eq!(server.requests()[0].form("a b").as_deref(), Some("c&d"));
    server.rescript([Reply::status(204)]);
    assert_eq!(call().await.status(), 204);
}

#[tokio::test]
async fn the_fault_server_breaks_off_where_it_is_told() {
    let server = FaultServer::start([
        Reply::reset_on_accept(),
        Reply::reset_after_request(),
        Reply::json("{}").closing_in_headers(),
        Reply::json("{\"access_token\":\"x\"}").truncated_at(5),
        Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"),
    ]);
    for (fault, reset) in [("on accept", true), ("after the request", true), ("in headers", false)] {
        let error = format!("{:?}", client().get(server.url("/")).send().await.unwrap_err());
        assert_eq!(error.contains("ConnectionReset"), reset, "{fault}: {error}");
    }
    assert!(get(server.url("/")).await.bytes().await.is_err(), "truncated");
    assert!(client().get(server.url("/")).send().await.is_err(), "not HTTP");
    assert_eq!((server.connections(), server.count()), (5, 4));
}

#[tokio::test]
async fn the_fault_server_never_ends_or_takes_its_time() {
    let server = FaultServer::start([
        Reply::json("[1,").endless(),
        Reply::json("{}").dripping(Duration::from_secs(20)),
        Reply::silent(),
    ]);
    let mut endless = get(server.url("/")).await;
    let mut read = 0;
    while read < 1 << 20 {
        read += endless.chunk().await.unwrap().unwrap().len();
    }
    let mut slow = get(server.url("/")).await;
    assert_eq!(slow.chunk().await.unwrap().unwrap().len(), 1);
    let impatient = Client::builder().no_proxy().timeout(Duration::from_millis(50)).build().unwrap();
    assert!(impatient.get(server.url("/")).send().await.unwrap_err().is_timeout());
}

// `wait_for` blocks its thread, so the calls need another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fault_server_holds_replies_back() {
    let hold = Hold::new();
    let server = FaultServer::start([Reply::json("{}").held(&hold)]);
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(get(server.url("/")))).collect();

    server.wait_for(5);
    assert!(calls.iter().all(|call| !call.is_finished()));
    hold.release();
    for call in calls {
        assert_eq!(call.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn clients_refuse_faulty_certificates() {
    let ca = TestCa::new();
    let client = trusting(&ca);
    for (identity, fits) in
        [(ca.server(), true), (tls::self_signed(), false), (ca.expired(), false), (ca.wrong_name(), false)]
    {
        let server = FaultServer::start_tls(&identity, [Reply::status(200)]);
        assert_eq!(client.get(server.url("/")).send().await.is_ok(), fits);
        assert_eq!(server.count(), usize::from(fits));
    }
}
