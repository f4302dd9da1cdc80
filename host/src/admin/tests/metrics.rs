use countersign::ErrorKind;

use super::checker::Metrics;
use super::*;
use crate::proxy::stats::Refusal;

async fn scrape(proxy: &Proxy) -> Metrics {
    let (status, page) = proxy.get("/metrics").await;
    assert_eq!(status, 200);
    Metrics::read(&page)
}

/// Has everything happen that is counted.
async fn busy(proxy: &Proxy) {
    let worker = proxy.stats.worker(["crm", "orders"]);
    worker.accepted();
    worker.refused(Refusal::Access);
    let orders = worker.connector(1);
    orders.begin();
    orders.answered(200, Duration::from_micros(1500));
    orders.answered(401, Duration::from_secs(90));
    orders.replayed();
    orders.refused(Refusal::Caller);
    orders.failed(ErrorKind::RateLimited);
    orders.unreachable(true);
    orders.unreachable(false);
    proxy.call("jwt", "ada").await.unwrap();
    proxy.reject("jwt", "ada");
    proxy.call("users", "ada").await.unwrap();
    proxy.fails_from_now_on("users", Error::denied("the issuer said no"));
    proxy.call("users", "bob").await.unwrap_err();
    proxy.history.succeeded(at(1_000_010));
    proxy.history.failed(at(1_000_020), "countersign.toml:3:1: wrong".into());
}

#[tokio::test]
async fn every_page_of_metrics_is_well_formed() {
    let proxy = Proxy::new();
    scrape(&proxy).await;
    busy(&proxy).await;
    let metrics = scrape(&proxy).await;
    for (series, value) in [
        ("countersign_connections_accepted_total", 1.0),
        ("countersign_connections_open", 1.0),
        (r#"countersign_refused_total{reason="access"}"#, 1.0),
        (r#"countersign_refused_total{reason="host"}"#, 0.0),
        (r#"countersign_requests_total{connector="orders",class="2xx"}"#, 1.0),
        (r#"countersign_requests_total{connector="orders",class="4xx"}"#, 1.0),
        (r#"countersign_requests_total{connector="crm",class="2xx"}"#, 0.0),
        (r#"countersign_requests_in_flight{connector="orders"}"#, 1.0),
        (r#"countersign_replays_total{connector="orders"}"#, 1.0),
        (r#"countersign_requests_refused_total{connector="orders",reason="caller"}"#, 1.0),
        (r#"countersign_requests_without_credential_total{connector="orders",kind="rate-limited"}"#, 1.0),
        (r#"countersign_upstream_failures_total{connector="orders",reason="timeout"}"#, 1.0),
        (r#"countersign_upstream_failures_total{connector="orders",reason="unreachable"}"#, 1.0),
        (r#"countersign_request_duration_seconds_bucket{connector="orders",le="0.001"}"#, 0.0),
        (r#"countersign_request_duration_seconds_bucket{connector="orders",le="0.0025"}"#, 1.0),
        (r#"countersign_request_duration_seconds_bucket{connector="orders",le="60"}"#, 1.0),
        (r#"countersign_request_duration_seconds_bucket{connector="orders",le="+Inf"}"#, 2.0),
        (r#"countersign_request_duration_seconds_sum{connector="orders"}"#, 90.0015),
        (r#"countersign_acquires_total{profile="jwt"}"#, 1.0),
        (r#"countersign_rejections_total{profile="jwt"}"#, 1.0),
        (r#"countersign_acquire_failures_total{profile="users",kind="denied"}"#, 1.0),
        (r#"countersign_credentials_usable{profile="users"}"#, 1.0),
        (r#"countersign_credential_expires_in_seconds{profile="users"}"#, 3600.0),
        (r#"countersign_credential_age_seconds{profile="users"}"#, 0.0),
        (r#"countersign_config_reloads_total{result="failed"}"#, 1.0),
        ("countersign_config_last_reload_successful", 0.0),
        ("countersign_config_last_reload_success_timestamp_seconds", 1_000_010.0),
        ("countersign_start_time_seconds", 1_000_000.0),
    ] {
        assert_eq!(metrics.value(series), Some(value), "{series}");
    }
    let build = format!("countersign_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(metrics.value(&build), Some(1.0));
    // Of connectors that were never called there is no histogram, of profiles without a credential no age.
    assert_eq!(metrics.value(r#"countersign_request_duration_seconds_count{connector="crm"}"#), None);
    assert_eq!(metrics.value(r#"countersign_credential_age_seconds{profile="spare"}"#), None);
}

#[tokio::test]
async fn age_and_expiry_follow_the_clock() {
    let proxy = Proxy::new();
    proxy.call("jwt", "ada").await.unwrap();
    proxy.clock.advance(Duration::from_secs(100));
    let metrics = scrape(&proxy).await;
    assert_eq!(metrics.value(r#"countersign_credential_age_seconds{profile="jwt"}"#), Some(100.0));
    assert_eq!(metrics.value(r#"countersign_credential_expires_in_seconds{profile="jwt"}"#), Some(3500.0));
    proxy.clock.advance(Duration::from_secs(3600));
    let metrics = scrape(&proxy).await;
    assert_eq!(metrics.value(r#"countersign_credential_expires_in_seconds{profile="jwt"}"#), Some(-100.0));
}

#[tokio::test]
async fn counters_survive_a_reload() {
    let proxy = Proxy::new();
    busy(&proxy).await;
    let before = scrape(&proxy).await;
    // `orders` is not in the new configuration, `shop` is new; the old block was dropped with its worker's generation.
    let worker = proxy.stats.worker(["crm", "shop"]);
    worker.connector(1).answered(200, Duration::ZERO);
    let after = scrape(&proxy).await;
    let mut compared = 0;
    for (series, value) in before.counters() {
        assert!(after.value(series).is_some_and(|now| now >= value), "{series} went down");
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
    assert_eq!(after.value(r#"countersign_requests_total{connector="shop",class="2xx"}"#), Some(1.0));
}

#[tokio::test]
async fn no_series_comes_with_a_caller() {
    let proxy = Proxy::new();
    busy(&proxy).await;
    proxy.works_again("users");
    let before = scrape(&proxy).await;
    for caller in 0..500 {
        proxy.call("users", &format!("zaphod-{caller}")).await.unwrap();
    }
    let after = scrape(&proxy).await;
    assert_eq!(after.value(r#"countersign_credentials_usable{profile="users"}"#), Some(501.0));
    assert_eq!(before.names(), after.names());
    for path in ["/metrics", "/status", "/readyz"] {
        let (_, page) = proxy.get(path).await;
        assert!(!page.contains("zaphod") && page.len() < 20_000, "{path}:\n{page}");
    }
}

#[tokio::test]
async fn the_book_lists_each_metric() {
    let book = include_str!("../../../../docs/src/operating.md");
    let proxy = Proxy::new();
    proxy.has_a_plugin();
    let metrics = scrape(&proxy).await;
    let missing: Vec<_> = metrics.families().filter(|name| !book.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "the book lacks {missing:?}");
    for words in book.split('`').filter(|words| words.starts_with("countersign_")) {
        let name = words.split([' ', '{']).next().unwrap();
        assert!(metrics.families().any(|known| known == name), "the book tells of {name}");
    }
}
