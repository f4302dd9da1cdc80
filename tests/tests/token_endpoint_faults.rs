//! What a sick token endpoint gets: an error that says who must act and tells no secret, and an API that is never
//! called without a credential.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign::ErrorKind::{self, Denied, RateLimited, Unavailable, Unsupported};
use countersign_host::{Client, Host};
use countersign_tests::fault::{FaultServer, Hold, Reply};
use countersign_tests::folder::{Folder, get, request};
use countersign_tests::tls::{self, TestCa};
use http::Method;

/// The client's secret: must reach the token endpoint, and no error.
const SECRET: &str = "s3cr3t-of-the-client";
/// Stands in every faulty body, and must not stand in an error.
const BODY: &str = "words-of-the-body";

struct Case {
    name: &'static str,
    server: FaultServer,
    kind: ErrorKind,
    says: &'static str,
    retry_after: Option<u64>,
}

fn case(name: &'static str, reply: Reply, kind: ErrorKind, says: &'static str) -> Case {
    Case { name, server: FaultServer::start([reply]), kind, says, retry_after: None }
}

/// A profile and a connector for each token endpoint, all for the same API.
fn toml(http: &str, endpoints: &[(&str, String)], api: &FaultServer) -> String {
    let mut toml = format!("[http]\n{http}\n");
    for (name, url) in endpoints {
        write!(
            toml,
            r#"
            [profiles.{name}]
            type = "oauth2"
            token_url = "{url}"
            client_id = "erp"
            client_secret = "{SECRET}"
            [connectors.{name}]
            base_url = "{}"
            profile = "{name}"
            "#,
            api.url("/api")
        )
        .unwrap();
    }
    toml
}

/// Calls the API through each case, and looks at what comes of it.
async fn all_fail_closed(http: &str, cases: &[Case]) {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(200)]);
    let url = |case: &Case| case.server.url(&format!("/t/token?key={SECRET}"));
    let endpoints: Vec<_> = cases.iter().map(|case| (case.name, url(case))).collect();
    let host = folder.host(&toml(http, &endpoints, &api)).await;
    for Case { name, server, kind, says, retry_after } in cases {
        let Err(error) = get(&host, name, "/orders").await else { panic!("{name}: the call went out") };
        let words = format!("{error} {error:?}");
        assert_eq!(error.kind(), *kind, "{name}: {words}");
        assert!(words.contains(says), "{name}: {words}");
        assert!(words.contains(&server.url("/t/token")), "{name}: the endpoint is not named: {words}");
        assert!(!words.contains(SECRET) && !words.contains(BODY), "{name}: {words}");
        assert_eq!(error.retry_after(), retry_after.map(Duration::from_secs), "{name}");
        // Within the pause nobody asks again, and nobody calls the API instead.
        let seen = (server.connections(), server.count());
        assert!(seen.0 == 1 && seen.1 <= 1, "{name}: {seen:?}");
        if let Some(asked) = server.requests().first() {
            assert_eq!(asked.method, "POST", "{name}");
        }
    }
    assert_eq!(api.connections(), 0, "the API was called without a credential");
}

#[tokio::test]
async fn bad_answers_are_errors_that_say_what_is_wrong() {
    let good = |more: &str| Reply::json(format!(r#"{{"access_token":"t","token_type":"Bearer"{more}}}"#));
    let refusal = |code: &str| {
        Reply::json(format!(r#"{{"error":"{code}","error_description":"{BODY}"}}"#)).with_status(400)
    };
    let cases = [
        case("status-500", Reply::status(500).body(BODY), Unavailable, "status 500"),
        case("status-404", Reply::html(BODY).with_status(404), Denied, "is the URL right"),
        case("status-401", Reply::status(401).body(BODY), Denied, "status 401"),
        case("invalid-client", refusal("invalid_client"), Denied, "invalid_client"),
        case("unknown-code", refusal(BODY), Denied, "not registered"),
        case("error-with-200", refusal("invalid_scope").with_status(200), Denied, "invalid_scope"),
        case("html", Reply::html(format!("<html>{BODY}</html>")), Unavailable, "content type is text/html"),
        case("not-json", Reply::json(format!("access_token={BODY}")), Unavailable, "not JSON"),
        case("broken-json", Reply::json(format!(r#"{{"access_token" "{BODY}"}}"#)), Unavailable, "not JSON"),
        case("half-json", Reply::json(format!(r#"{{"access_token":"{BODY}"#)), Unavailable, "cut off"),
        case(
            "json-and-more",
            Reply::json(format!(r#"{{"access_token":"t"}} {BODY}"#)),
            Unavailable,
            "goes on",
        ),
        case("a-list", Reply::json(format!(r#"["{BODY}"]"#)), Unavailable, "not of the expected shape"),
        case("nothing", Reply::json(""), Unavailable, "cut off"),
        case("empty-token", Reply::json(r#"{"access_token":""}"#), Unavailable, "without an access_token"),
        case("null-token", Reply::json(r#"{"access_token":null}"#), Unavailable, "without an access_token"),
        case("no-token", Reply::json("{}"), Unavailable, "without an access_token"),
        case(
            "token-with-line-end",
            Reply::json(format!(r#"{{"access_token":"t\r\n{BODY}: x","token_type":"Bearer"}}"#)),
            Unavailable,
            "characters that no token has",
        ),
        case(
            "token-with-nul",
            Reply::json(format!(r#"{{"access_token":"{BODY}\u0000"}}"#)),
            Unavailable,
            "characters that no token has",
        ),
        case(
            "unknown-type",
            Reply::json(format!(r#"{{"access_token":"t","token_type":"{BODY}"}}"#)),
            Unsupported,
            "type other than Bearer",
        ),
        case("expires-in-0", good(r#","expires_in":0"#), Unavailable, "expired already"),
        case("expires-in-negative", good(r#","expires_in":-5"#), Unavailable, "expired already"),
        case(
            "expires-in-words",
            good(&format!(r#","expires_in":"{BODY}""#)),
            Unavailable,
            "`expires_in` is not what it should be",
        ),
        case("expires-in-object", good(r#","expires_in":{}"#), Unavailable, "`expires_in` is not"),
        case(
            "same-key-twice",
            Reply::json(format!(r#"{{"access_token":"t","access_token":"{BODY}"}}"#)),
            Unavailable,
            "the answer's body is not",
        ),
        case("endless", Reply::json(BODY).endless(), Unavailable, "more than 256 KiB"),
        case(
            "one-byte-too-long",
            Reply::json(format!(r#"{{"access_token":"t"}}{}"#, " ".repeat(256 * 1024))),
            Unavailable,
            "more than 256 KiB",
        ),
        case("cut-body", good("").truncated_at(20), Unavailable, "gave no whole answer"),
        case("cut-headers", good("").closing_in_headers(), Unavailable, "gave no whole answer"),
        case("not-http", Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"), Unavailable, "gave no whole answer"),
        case("reset", Reply::reset_after_request(), Unavailable, "gave no whole answer"),
        case("reset-at-once", Reply::reset_on_accept(), Unavailable, "127.0.0.1"),
    ];
    all_fail_closed("", &cases).await;
    let reached = cases.iter().filter_map(|case| case.server.requests().pop());
    let proofs: Vec<_> =
        reached.filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect();
    assert_eq!(
        proofs.len(),
        cases.len() - 1,
        "each was asked with the client's secret, but the one that hung up"
    );
}

#[tokio::test]
async fn how_long_to_wait_is_taken_from_seconds_and_from_dates() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let waits =
        |reply: Reply, name, kind, says, wait| Case { retry_after: wait, ..case(name, reply, kind, says) };
    let cases = [
        waits(Reply::status(429).header("Retry-After", "40"), "seconds", RateLimited, "status 429", Some(40)),
        waits(
            Reply::status(429).header("Date", date).header("Retry-After", "Sun, 06 Nov 1994 08:50:07 GMT"),
            "date",
            RateLimited,
            "status 429",
            Some(30),
        ),
        waits(
            Reply::status(503).header("Retry-After", "9"),
            "unavailable",
            Unavailable,
            "status 503",
            Some(9),
        ),
        waits(Reply::status(429), "unsaid", RateLimited, "status 429", None),
        waits(Reply::status(429).header("Retry-After", BODY), "nonsense", RateLimited, "status 429", None),
    ];
    all_fail_closed("", &cases).await;
}

#[tokio::test]
async fn redirects_of_a_token_endpoint_are_never_followed() {
    let elsewhere = FaultServer::start([Reply::json(r#"{"access_token":"stolen"}"#)]);
    let to = |status| Reply::redirect(elsewhere.url("/token")).with_status(status);
    let cases = [301, 302, 303, 307, 308].map(|status| {
        let name = Box::leak(format!("status-{status}").into_boxed_str());
        case(name, to(status), Unavailable, "redirects are not followed")
    });
    all_fail_closed("", &cases).await;
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_exchange_ends_at_its_total_deadline_however_it_drips() {
    let token = Reply::json(r#"{"access_token":"t","token_type":"Bearer"}"#);
    let cases = [
        case("drip", token.dripping(Duration::from_millis(100)), Unavailable, "no whole answer within 0.5 s"),
        case("silent", Reply::silent(), Unavailable, "no whole answer within 0.5 s"),
    ];
    let started = Instant::now();
    all_fail_closed(r#"timeout = "500ms""#, &cases).await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test]
async fn certificates_that_do_not_fit_end_the_exchange_before_it_begins() {
    let ca = TestCa::new();
    let token = || [Reply::json(r#"{"access_token":"t"}"#)];
    let faulty = |name, identity: &tls::Identity, says| Case {
        name,
        server: FaultServer::start_tls(identity, token()),
        kind: Unavailable,
        says,
        retry_after: None,
    };
    let cases = [
        faulty("self-signed", &tls::self_signed(), "UnknownIssuer"),
        faulty("wrong-name", &ca.wrong_name(), "not valid for"),
        faulty("expired", &ca.expired(), "expired"),
        faulty("another-authority", &TestCa::new().server(), "certificate"),
    ];
    let folder = Folder::new();
    let authority = folder.put("ca.pem", ca.pem());
    let trust = format!("ca_file = \"{}\"", authority.display());
    all_fail_closed(&trust, &cases).await;
    assert!(cases.iter().all(|case| case.server.count() == 0), "something was sent to a stranger");

    // The same with a certificate that fits, or nothing was shown.
    let good = FaultServer::start_tls(&ca.server(), token());
    let api = FaultServer::start([Reply::status(200)]);
    let host = folder.host(&toml(&trust, &[("good", good.url("/token"))], &api)).await;
    assert_eq!(get(&host, "good", "/").await.unwrap().status(), 200);
}

#[tokio::test]
async fn odd_answers_that_can_be_understood_are() {
    let cases: [(&str, &str); 7] = [
        ("no-lifetime", r#"{"access_token":"t","token_type":"Bearer"}"#),
        ("lifetime-as-text", r#"{"access_token":"t","expires_in":"3600"}"#),
        ("lifetime-with-fraction", r#"{"access_token":"t","expires_in":3600.5}"#),
        ("endless-lifetime", r#"{"access_token":"t","expires_in":1e300}"#),
        ("lifetime-of-u64", r#"{"access_token":"t","expires_in":18446744073709551615}"#),
        ("type-in-capitals", r#"{"access_token":"t","token_type":"BEARER"}"#),
        ("more-than-we-know", r#"{"access_token":"t","scope":null,"x":[{}],"x":2}"#),
    ];
    let longest = r#"{"access_token":"t"}"#.to_owned();
    let longest = format!("{longest}{}", " ".repeat(256 * 1024 - longest.len()));
    let cases = cases.into_iter().chain([("as-long-as-may-be", longest.as_str())]).collect::<Vec<_>>();
    let servers: Vec<_> = cases.iter().map(|(_, body)| FaultServer::start([Reply::json(*body)])).collect();
    let endpoints: Vec<_> =
        cases.iter().zip(&servers).map(|((name, _), server)| (*name, server.url("/token"))).collect();
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(200)]);
    let host = folder.host(&toml("", &endpoints, &api)).await;
    for ((name, _), server) in cases.iter().zip(&servers) {
        for _ in 0..2 {
            get(&host, name, "/orders").await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(api.requests().pop().unwrap().header("authorization"), Some("Bearer t"), "{name}");
        }
        assert_eq!(server.count(), 1, "{name}: the token was kept");
    }
}

/// Starts so many calls that all wait for the same credential; returns once each of them does.
async fn waiting(host: &Host, calls: usize) -> Vec<tokio::task::JoinHandle<Result<u16, ErrorKind>>> {
    let begun = Arc::new(AtomicUsize::new(0));
    let tasks = (0..calls)
        .map(|_| {
            let (connector, begun) = (host.connector("erp").unwrap(), Arc::clone(&begun));
            tokio::spawn(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                let sent = Client::new().send(&connector, request(Method::GET, "/orders", "")).await;
                sent.map(|answer| answer.status().as_u16()).map_err(|error| error.kind())
            })
        })
        .collect();
    // On this one thread, a task that has begun has got as far as it can without the token.
    while begun.load(Ordering::Relaxed) < calls {
        tokio::task::yield_now().await;
    }
    tasks
}

async fn outcomes(
    tasks: Vec<tokio::task::JoinHandle<Result<u16, ErrorKind>>>,
) -> Vec<Result<u16, ErrorKind>> {
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn a_thousand_callers_at_a_cold_start_make_one_exchange() {
    let hold = Hold::new();
    let issuer = FaultServer::start([Reply::json(r#"{"access_token":"t","expires_in":3600}"#).held(&hold)]);
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let host = folder.host(&toml("", &[("erp", issuer.url("/token"))], &api)).await;
    // The first two hundred go on to the API; the rest only want the credential, for sockets are few.
    let connector = host.connector("erp").unwrap();
    let calls = waiting(&host, 200).await;
    let more: Vec<_> = (0..800)
        .map(|_| {
            let connector = Arc::clone(&connector);
            tokio::spawn(async move {
                let request = http::Request::get(connector.base_url().join("/").unwrap()).body(()).unwrap();
                let (mut parts, ()) = request.into_parts();
                connector.authorize(&mut parts).await.map(|_| parts)
            })
        })
        .collect();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(calls.iter().all(|call| !call.is_finished()));
    hold.release();
    assert_eq!(outcomes(calls).await, [Ok(204); 200]);
    for task in more {
        assert_eq!(task.await.unwrap().unwrap().headers["authorization"], "Bearer t");
    }
    assert_eq!(issuer.count(), 1);
    assert_eq!(api.count(), 200);
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_exchange_to_those_who_wait() {
    let hold = Hold::new();
    let issuer = FaultServer::start([Reply::json(r#"{"access_token":"t","expires_in":3600}"#).held(&hold)]);
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let host = folder.host(&toml("", &[("erp", issuer.url("/token"))], &api)).await;
    let leader = waiting(&host, 1).await;
    let others = waiting(&host, 9).await;
    for task in leader {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    hold.release();
    assert_eq!(outcomes(others).await, [Ok(204); 9]);
    assert_eq!((issuer.count(), api.count()), (1, 9));
}

#[tokio::test]
async fn a_thousand_callers_of_a_failing_issuer_make_one_exchange_per_pause_all_told() {
    let hold = Hold::new();
    let issuer = FaultServer::start([
        Reply::status(503).header("Retry-After", "2").held(&hold),
        Reply::json(r#"{"access_token":"t","expires_in":3600}"#),
    ]);
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let host = folder.host(&toml("", &[("erp", issuer.url("/token"))], &api)).await;
    let calls = waiting(&host, 1000).await;
    hold.release();
    assert_eq!(outcomes(calls).await, [Err(Unavailable); 1000]);
    // Those who come later within the pause are told the same, and cost nothing.
    assert_eq!(outcomes(waiting(&host, 1000).await).await, [Err(Unavailable); 1000]);
    assert_eq!((issuer.count(), api.connections()), (1, 0));

    let until = Instant::now() + Duration::from_secs(20);
    while get(&host, "erp", "/").await.is_err() {
        assert!(Instant::now() < until, "the pause never ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((issuer.count(), api.count()), (2, 1));
}

#[tokio::test]
async fn a_credential_keeps_serving_while_its_issuer_is_down_until_its_end_and_not_after() {
    let issuer =
        FaultServer::start([Reply::json(r#"{"access_token":"t","expires_in":4}"#), Reply::status(500)]);
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let host = folder.host(&toml("", &[("erp", issuer.url("/token"))], &api)).await;
    let asked = Instant::now();
    get(&host, "erp", "/").await.unwrap();
    let got = Instant::now();
    let mut served_while_down = 0;
    let error = loop {
        let sent = Instant::now();
        match get(&host, "erp", "/").await {
            Ok(_) => {
                assert!(sent - got < Duration::from_secs(4), "an expired credential was sent");
                served_while_down += usize::from(issuer.count() > 1);
            }
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(error.kind(), Unavailable);
    assert!(error.to_string().contains("status 500"), "{error}");
    assert!(served_while_down > 0, "renewal fails ahead of the end, and nobody notices");
    assert!(asked.elapsed() > Duration::from_secs(3), "it was given up early: {:?}", asked.elapsed());
    let served = api.count();
    assert!(get(&host, "erp", "/").await.is_err());
    assert_eq!(api.count(), served, "the API was called without a credential");
}

/// A type that names nobody, and paths that only the operator may know.
#[tokio::test]
async fn the_host_names_the_endpoint_where_a_type_does_not_and_no_path_that_a_source_gave() {
    let plain = FaultServer::start([Reply::status(401)]);
    let sourced = FaultServer::start([Reply::status(401)]);
    let folder = Folder::new().with_plugins(&["acme-login"]);
    folder.put("login-url", sourced.url(&format!("/{SECRET}/login")));
    let profile = |name: &str, url: &str| {
        format!(
            "[profiles.{name}]\ntype = \"acme-login\"\nlogin_url = \"{url}\"\nuser = \"u\"\npassword = \"p\"\n\
             [connectors.{name}]\nbase_url = \"https://api.example\"\nprofile = \"{name}\"\n"
        )
    };
    let toml = profile("plain", &plain.url("/sessions/login")) + &profile("sourced", "${file:login-url}");
    let host = folder.host(&toml).await;
    let Err(error) = get(&host, "plain", "/").await else { panic!("the call went out") };
    let said = format!("{}: answered with status 401", plain.url("/sessions/login"));
    assert!(error.to_string().contains(&said), "{error}");
    let Err(error) = get(&host, "sourced", "/").await else { panic!("the call went out") };
    let said = format!("{}: answered with status 401", sourced.url("").trim_end_matches('/'));
    assert!(error.to_string().contains(&said) && !error.to_string().contains(SECRET), "{error}");
}
