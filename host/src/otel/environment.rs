use std::env;
use std::time::Duration;

/// What `OTEL_…` says.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) traces: bool,
    pub(super) metrics: Option<MetricsTarget>,
    pub(super) timeout: Duration,
}

/// Where and how often metrics go.
#[derive(Debug)]
pub(super) struct MetricsTarget {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) every: Duration,
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

impl Environment {
    /// `None` when nothing is to be exported: no endpoint is named, or `OTEL_SDK_DISABLED` is `true`.
    pub(super) fn read() -> Result<Option<Self>, String> {
        if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let wanted = |exporter: &str| set(exporter).is_none_or(|value| value != "none");
        let traces =
            (set(ENDPOINT).is_some() || set(TRACES_ENDPOINT).is_some()) && wanted("OTEL_TRACES_EXPORTER");
        let url = set(METRICS_ENDPOINT)
            .or_else(|| set(ENDPOINT).map(|base| format!("{}/v1/metrics", base.trim_end_matches('/'))))
            .filter(|_| wanted("OTEL_METRICS_EXPORTER"));
        if !traces && url.is_none() {
            return Ok(None);
        }
        for protocol in [
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
        ] {
            if set(protocol).is_some_and(|value| value != "http/protobuf") {
                return Err(format!("{protocol}: this program speaks `http/protobuf` only"));
            }
        }
        let milliseconds = |name: &str, default: u64| match set(name) {
            None => Ok(Duration::from_millis(default)),
            Some(value) => match value.parse() {
                Ok(1..) => Ok(Duration::from_millis(value.parse().unwrap_or(default))),
                _ => Err(format!("{name} is not a number of milliseconds")),
            },
        };
        let every = milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?;
        let timeout = milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?;
        let headers = headers()?;
        Ok(Some(Self { traces, metrics: url.map(|url| MetricsTarget { url, headers, every }), timeout }))
    }
}

/// `OTEL_EXPORTER_OTLP_HEADERS`: `name=value`, separated by commas, percent-encoded.
fn headers() -> Result<Vec<(String, String)>, String> {
    let name = "OTEL_EXPORTER_OTLP_METRICS_HEADERS";
    let Some(list) = set(name).or_else(|| set("OTEL_EXPORTER_OTLP_HEADERS")) else { return Ok(Vec::new()) };
    let pairs = list.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) =
                pair.split_once('=').ok_or("OTEL_EXPORTER_OTLP_HEADERS is not `name=value,…`")?;
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy();
            Ok((name.trim().to_owned(), value.into_owned()))
        })
        .collect()
}

/// A variable that is set to something.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
