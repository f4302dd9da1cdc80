//! The pages over a host that runs.

use super::checker::Metrics;
use super::*;
use crate::Host;

const CONFIG: &str = r#"
[profiles.bearer]
type = "bearer"
token = "cAnArY-4f9b27-SiNgS-n0where"

[profiles.key]
type = "api-key"
query = "api_key"
key = "cAnArY-4f9b27-SiNgS-n0where"

[profiles.user]
type = "basic"
username = "ada"
password = "cAnArY-4f9b27-SiNgS-n0where"

[connectors.bearer]
base_url = "https://bearer.example/api"
profile = "bearer"

[connectors.several]
base_url = "https://several.example"
profiles = ["key", "user"]
"#;

/// A host as the proxy shows it.
struct Running {
    host: Mutex<Host>,
    stats: Stats,
    history: ReloadHistory,
}

impl Source for Running {
    fn is_draining(&self) -> bool {
        false
    }

    fn overview(&self) -> Overview {
        let host = self.host.lock().unwrap();
        let connectors = host.connectors();
        let connectors = connectors.iter().map(|name| host.connector(name).unwrap());
        Overview {
            draining: false,
            started: SystemTime::now(),
            now: SystemTime::now(),
            config: "countersign.toml".into(),
            reloads: self.history.so_far(),
            listeners: Vec::new(),
            connectors: connectors.map(|connector| ConnectorOverview::from(&*connector)).collect(),
            profiles: host.profiles().map(ProfileOverview::from).collect(),
            plugins: host.types().plugins().map(PluginOverview::from).collect(),
            totals: self.stats.totals(),
        }
    }
}

impl Running {
    async fn place(&self, connector: &str) -> String {
        let connector = self.host.lock().unwrap().connector(connector).unwrap();
        let uri = connector.base_url().join("/x").unwrap();
        let mut parts = Request::get(uri).body(()).unwrap().into_parts().0;
        connector.authorize(&mut parts).await.unwrap();
        let headers = parts.headers.values().map(|value| value.to_str().unwrap());
        format!("{} {}", parts.uri, headers.collect::<Vec<_>>().join(" "))
    }

    fn page(&self, path: &str) -> String {
        let request = Request::get(path).header("host", "localhost").body(()).unwrap();
        let answer = served::answer(&request, tcp(), self).into_body();
        let body = tokio::task::block_in_place(|| Handle::current().block_on(answer.collect()));
        String::from_utf8(body.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn all_pages(&self) -> String {
        ["/healthz", "/readyz", "/metrics", "/status"].map(|path| self.page(path)).concat()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_host_tell_no_secret_and_its_counters_survive_reloads() {
    use base64::Engine as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let host = Host::start(&path).await.unwrap();
    let running =
        Running { host: Mutex::new(host), stats: Stats::default(), history: ReloadHistory::default() };

    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("ada:{CANARY}"));
    assert!(running.place("bearer").await.contains(CANARY), "the canary did not reach the wire");
    let several = running.place("several").await;
    assert!(several.contains(CANARY) && several.contains(&encoded), "the canary did not reach the wire");
    let metrics = Metrics::read(&running.page("/metrics"));
    for profile in ["bearer", "key", "user"] {
        let placements = format!("countersign_placements_total{{profile=\"{profile}\"}}");
        assert_eq!(metrics.value(&placements), Some(1.0), "{profile}");
    }

    // A bad edit, in whose finding the canary could stand.
    std::fs::write(&path, CONFIG.replace("query = \"api_key\"", &format!("default_lifetime = \"{CANARY}\"")))
        .unwrap();
    let host = running.host.lock().unwrap().clone();
    let findings = host.reload(&path).await.unwrap_err();
    running.history.failed(SystemTime::now(), findings.to_string());
    assert!(running.page("/status").contains("countersign.toml:"));

    // A good one, by which two profiles begin anew and one is gone.
    let edited = CONFIG.replace("profiles = [\"key\", \"user\"]", "profile = \"user\"");
    let edited = edited
        .replace("\"ada\"", "\"bob\"")
        .replace("type = \"bearer\"", "type = \"bearer\"\ndefault_lifetime = \"1m\"");
    std::fs::write(&path, edited).unwrap();
    let host = host.reload(&path).await.unwrap();
    *running.host.lock().unwrap() = host;
    running.history.succeeded(SystemTime::now());
    running.place("bearer").await;
    running.place("several").await;
    let after = Metrics::read(&running.page("/metrics"));
    for (series, value) in metrics.counters() {
        assert!(after.value(series).is_some_and(|now| now >= value), "{series} went down");
    }
    assert_eq!(after.value("countersign_placements_total{profile=\"user\"}"), Some(2.0));

    let pages = running.all_pages();
    for secret in [CANARY, &encoded] {
        assert!(!pages.to_lowercase().contains(&secret.to_lowercase()), "{secret} stands in:\n{pages}");
    }
    assert!(!pages.contains("/api"), "a base URL's path is nobody's business:\n{pages}");
}
