use serde_json::Value;

use super::checker::Metrics;
use super::*;
use crate::proxy::stats::Refusal;

async fn json(proxy: &Proxy, path: &str) -> (u16, Value) {
    let (status, body) = proxy.get(path).await;
    (status, serde_json::from_str(&body).unwrap())
}

fn failing(page: &Value) -> Vec<(&str, &str)> {
    let each = page["failing"].as_array().unwrap().iter();
    each.map(|it| (it["profile"].as_str().unwrap(), it["kind"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn the_process_is_healthy_until_it_drains() {
    let proxy = Proxy::new();
    assert_eq!(proxy.get("/healthz").await, (200, "ok\n".into()));
    assert_eq!(proxy.get("/readyz").await.0, 200);
    proxy.draining.store(true, Ordering::Relaxed);
    assert_eq!(proxy.get("/healthz").await, (503, "draining\n".into()));
    let (status, page) = json(&proxy, "/readyz").await;
    assert_eq!((status, &page["ready"], &page["draining"]), (503, &Value::Bool(false), &Value::Bool(true)));
}

#[tokio::test]
async fn readiness_goes_with_the_credential_and_comes_back() {
    let proxy = Proxy::new();
    assert_eq!(proxy.get("/readyz").await.0, 200, "what was not used yet is no obstacle");
    proxy.fails_from_now_on("jwt", Error::login_required("a person has to log in"));
    proxy.call("jwt", "ada").await.unwrap_err();
    let (status, page) = json(&proxy, "/readyz").await;
    assert_eq!((status, failing(&page)), (503, vec![("jwt", "login-required")]));
    let ready = "countersign_profile_ready{profile=\"jwt\"} ";
    assert!(proxy.get("/metrics").await.1.contains(&format!("{ready}0\n")));

    proxy.fails_from_now_on("jwt", Error::unavailable("cannot be reached"));
    let (issuer, cache) = proxy.profile("jwt");
    let again = Issuer { inputs: Inputs::none(), error: Mutex::new(issuer.error.lock().unwrap().clone()) };
    cache.replace(Settings {
        acquire: Arc::new(again),
        default_lifetime: Duration::from_secs(300),
        store_as: "jwt".into(),
    });
    assert_eq!(proxy.get("/readyz").await.0, 200, "new settings begin anew");
    proxy.call("jwt", "ada").await.unwrap_err();
    assert_eq!(failing(&json(&proxy, "/readyz").await.1), [("jwt", "unavailable")]);
    proxy.clock.advance(Duration::from_secs(61));
    assert_eq!(proxy.get("/readyz").await.0, 200, "after the pause somebody has to try");
    assert!(proxy.get("/metrics").await.1.contains(&format!("{ready}1\n")));
}

#[tokio::test]
async fn a_failed_renewal_is_no_obstacle_while_the_credential_can_be_used() {
    let proxy = Proxy::new();
    proxy.call("jwt", "ada").await.unwrap();
    proxy.fails_from_now_on("jwt", Error::denied("no"));
    proxy.clock.advance(Duration::from_secs(3000));
    proxy.call("jwt", "ada").await.unwrap();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(proxy.profile("jwt").1.status().failure.is_some());
    assert_eq!(proxy.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn a_profile_that_no_connector_uses_is_no_obstacle() {
    let proxy = Proxy::new();
    proxy.fails_from_now_on("spare", Error::login_required("a person has to log in"));
    proxy.call("spare", "ada").await.unwrap_err();
    assert_eq!(proxy.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn one_caller_who_is_refused_does_not_take_the_proxy_from_the_others() {
    let proxy = Proxy::new();
    proxy.fails_from_now_on("users", Error::denied("no such user"));
    proxy.call("users", "mallory").await.unwrap_err();
    assert_eq!(proxy.get("/readyz").await.0, 200);
    proxy.fails_from_now_on("users", Error::unavailable("cannot be reached"));
    proxy.call("users", "ada").await.unwrap_err();
    proxy.clock.advance(Duration::from_secs(301));
    proxy.call("users", "ada").await.unwrap_err();
    assert_eq!(failing(&json(&proxy, "/readyz").await.1), [("users", "unavailable")]);
}

#[tokio::test]
async fn the_status_tells_what_is_configured_and_how_it_goes() {
    let proxy = Proxy::new();
    let worker = proxy.stats.worker(["crm", "orders"]);
    worker.connector(1).begin();
    worker.connector(1).answered(200, Duration::ZERO);
    worker.refused(Refusal::Host);
    proxy.call("jwt", "ada").await.unwrap();
    proxy.clock.advance(Duration::from_secs(90));
    proxy.history.failed(at(1_000_050), "countersign.toml:3:1: profiles.crm: has no `type`".into());
    proxy.fails_from_now_on("users", Error::rate_limited("wait"));
    proxy.call("users", "ada").await.unwrap_err();

    let (status, page) = json(&proxy, "/status").await;
    assert_eq!(status, 200);
    assert_eq!(page["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(page["uptime_seconds"], 90);
    assert_eq!(page["config"], "countersign.toml");
    assert_eq!(page["ready"], false);
    assert_eq!(page["reloads"]["failed"], 1);
    assert_eq!(page["reloads"]["last"]["ok"], false);
    let findings = page["reloads"]["last"]["findings"].as_str().unwrap();
    assert!(findings.contains(":3:1:"), "{findings}");
    assert_eq!(page["listeners"][0]["address"], "127.0.0.1:7070");
    assert_eq!(page["refused"]["host"], 1);

    let orders = &page["connectors"][1];
    assert_eq!((&orders["name"], &orders["origin"]), (&"orders".into(), &"https://orders.example".into()));
    assert_eq!((&orders["in_flight"], &orders["answers"]["2xx"]), (&1.into(), &1.into()));
    assert_eq!(orders["profiles"][0], "jwt");

    let jwt = &page["profiles"][0];
    assert_eq!((&jwt["type"], &jwt["plugin"]), (&"bearer".into(), &Value::Null));
    assert_eq!(jwt["credentials"]["newest"]["age_seconds"], 90);
    assert_eq!(jwt["credentials"]["newest"]["expires_in_seconds"], 3510.0);
    assert!(jwt["credentials"]["newest"]["generation"].is_string());
    assert_eq!((&jwt["acquires"], &jwt["placements"]), (&1.into(), &1.into()));
    assert_eq!(page["profiles"][1]["plugin"], "/etc/countersign/plugins/acme.so");
    let users = &page["profiles"][2];
    assert_eq!(
        (&users["failure"]["kind"], &users["failure"]["message"]),
        (&"rate-limited".into(), &"wait".into())
    );
    assert_eq!(users["credentials"]["per_caller"], true);
}

#[tokio::test]
async fn the_pages_tell_how_the_plugins_are() {
    let proxy = Proxy::new();
    let (_, page) = proxy.get("/metrics").await;
    assert!(!page.contains("countersign_plugin"), "there is none");
    proxy.has_a_plugin();
    let (_, page) = json(&proxy, "/status").await;
    assert_eq!(
        page["plugins"],
        serde_json::json!([{
            "name": "acme-login",
            "version": "1.2.3",
            "file": "/etc/countersign/plugins/libacme_login.so",
            "isolation": "process",
            "types": ["acme-login"],
            "state": "quarantined",
            "process": 4711,
            "starts": 6,
            "failures": { "crash": 5, "stuck": 1 },
            "stuck_calls": 1,
            "refused_calls": 7,
            "last_failure": { "cause": "crash", "message": "was killed by SIGSEGV", "at": 999_990 },
        }])
    );
    let metrics = Metrics::read(&proxy.get("/metrics").await.1);
    for (series, value) in [
        (r#"countersign_plugin_info{plugin="acme-login",version="1.2.3",isolation="process"}"#, 1.0),
        (r#"countersign_plugin_ready{plugin="acme-login"}"#, 0.0),
        (r#"countersign_plugin_starts_total{plugin="acme-login"}"#, 6.0),
        (r#"countersign_plugin_failures_total{plugin="acme-login",cause="crash"}"#, 5.0),
        (r#"countersign_plugin_calls_stuck{plugin="acme-login"}"#, 1.0),
        (r#"countersign_plugin_calls_refused_total{plugin="acme-login"}"#, 7.0),
    ] {
        assert_eq!(metrics.value(series), Some(value), "{series}");
    }
}

#[tokio::test]
async fn no_page_tells_a_secret() {
    let proxy = Proxy::new();
    let (one, other) = (proxy.call("jwt", "ada").await.unwrap(), proxy.call("users", "ada").await.unwrap());
    assert!(one.contains(CANARY) && other.contains(CANARY), "the canary did not reach the wire");
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/nothing"] {
        let (_, page) = proxy.get(path).await;
        assert!(!page.to_lowercase().contains(&CANARY.to_lowercase()), "{path} tells it:\n{page}");
    }
    assert!(!format!("{:?}", proxy.overview()).contains(CANARY));
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let proxy = Proxy::new();
    for (method, path, expected) in [
        ("HEAD", "/metrics", 200),
        ("POST", "/metrics", 405),
        ("DELETE", "/status", 405),
        ("OPTIONS", "/healthz", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/orders/42", 404),
        ("GET", "/status?verbose", 200),
    ] {
        let request =
            Request::builder().method(method).uri(path).header("host", "127.0.0.1").body(()).unwrap();
        let answer = served::answer(&request, tcp(), &*proxy);
        assert_eq!(answer.status().as_u16(), expected, "{method} {path}");
        assert_eq!(answer.headers().contains_key("allow"), expected == 405, "{method} {path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn only_names_that_cannot_be_made_to_lead_here_are_answered() {
    let proxy = Proxy::new();
    let asked = async |uri: &str, headers: &[(&str, &str)], guard| {
        let builder = headers.iter().fold(Request::get(uri), |it, (name, value)| it.header(*name, *value));
        proxy.answer(&builder.body(()).unwrap(), guard).await.0
    };
    for host in
        ["localhost", "LOCALHOST:7071", "127.0.0.1:7071", "127.1.2.3", "[::1]:7071", "[::ffff:127.0.0.1]"]
    {
        assert_eq!(asked("/status", &[("host", host)], tcp()).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:7071",
        "user@localhost",
        "192.0.2.1",
        "127.0.0.1:port",
        "",
        "localhost, evil.example",
    ] {
        assert_eq!(asked("/status", &[("host", host)], tcp()).await, 403, "{host:?}");
    }
    assert_eq!(asked("/status", &[], tcp()).await, 403);
    assert_eq!(asked("/status", &[("host", "localhost"), ("host", "evil.example")], tcp()).await, 403);
    assert_eq!(asked("http://evil.example/status", &[("host", "localhost")], tcp()).await, 403);
    assert_eq!(asked("http://localhost/status", &[("host", "localhost")], tcp()).await, 200);
    // A browser cannot reach a unix socket.
    assert_eq!(asked("/status", &[("host", "countersign")], Guard::Unix).await, 200);
}

#[tokio::test]
async fn web_pages_are_not_answered() {
    let proxy = Proxy::new();
    for (name, value, expected) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:7071", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
    ] {
        for guard in [tcp(), Guard::Unix] {
            let request =
                Request::get("/metrics").header("host", "localhost").header(name, value).body(()).unwrap();
            assert_eq!(proxy.answer(&request, guard).await.0, expected, "{name}: {value}");
        }
    }
}
