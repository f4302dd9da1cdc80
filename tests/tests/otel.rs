//! The export by OpenTelemetry: a collector of our own takes what the program sends, and reads it by the messages that
//! OpenTelemetry publishes.

use std::io::{BufReader, Write};
use std::sync::{Arc, Mutex};

use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::http1::{Recorded, read_request};
use countersign_tests::proxy::{OPEN, Serve};
use countersign_tests::raw::RawServer;
use countersign_tests::upstream::{Reading, Rules, Upstream};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::process::Signal;

const CANARY: &str = "canary-7f3a-secret";

/// What `Program` is run with: a collector's address in the environment.
struct Collector {
    server: RawServer,
    came: Arc<Mutex<Vec<Recorded>>>,
}

impl Collector {
    fn start() -> Self {
        let came = Arc::<Mutex<Vec<Recorded>>>::default();
        let shared = Arc::clone(&came);
        let server = RawServer::start(move |stream| {
            let mut reader = BufReader::new(&stream);
            while let Ok(Some(request)) = read_request(&mut reader) {
                shared.lock().unwrap().push(request);
                if (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                    break;
                }
            }
        });
        Self { server, came }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn came(&self, path: &str) -> Vec<Recorded> {
        let came = self.came.lock().unwrap();
        came.iter().filter(|request| request.target == path).cloned().collect()
    }

    fn spans(&self) -> Vec<Span> {
        let batches = self.came("/v1/traces").into_iter();
        batches
            .map(|request| ExportTraceServiceRequest::decode(&*request.body).unwrap())
            .flat_map(|batch| batch.resource_spans)
            .flat_map(|of_resource| of_resource.scope_spans)
            .flat_map(|of_scope| of_scope.spans)
            .collect()
    }

    /// The newest numbers.
    fn metrics(&self) -> Vec<Metric> {
        let last = self.came("/v1/metrics").pop().expect("metrics were sent");
        let mut request = ExportMetricsServiceRequest::decode(&*last.body).unwrap();
        request.resource_metrics.remove(0).scope_metrics.remove(0).metrics
    }
}

fn served(upstream: &Upstream, folder: &Folder, adjust: impl FnOnce(&mut std::process::Command)) -> Serve {
    let toml = format!(
        "{OPEN}\n[profiles.token]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n\
         [connectors.orders]\nbase_url = \"{}\"\nprofile = \"token\"\n",
        upstream.url("/api")
    );
    Serve::start_of(built::program_with_otel(), folder, &toml, adjust)
}

fn upstream() -> Upstream {
    let rules = Rules { prefix: "/api".to_owned(), credential: format!("Bearer {CANARY}") };
    Upstream::start(Reading::Strict, rules)
}

fn attribute<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a any_value::Value> {
    attributes.iter().find(|pair| pair.key == name)?.value.as_ref()?.value.as_ref()
}

fn text(value: &str) -> any_value::Value {
    any_value::Value::StringValue(value.to_owned())
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn calls_are_spans_of_the_clients_trace_and_numbers_are_those_of_the_metrics_page() {
    let (collector, upstream, folder) = (Collector::start(), upstream(), Folder::new());
    let proxy = served(&upstream, &folder, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b");
    });
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(proxy.get("/orders/1?secret=canary", &traceparent).status, 200);
    assert_eq!(proxy.get("/orders/%2e%2e/x", "").status, 400);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_for_end(), 0, "{}", proxy.said());

    let spans = collector.spans();
    let call = spans.iter().find(|span| hex(&span.trace_id) == TRACE).expect("a span of the client's trace");
    assert_eq!((call.name.as_str(), hex(&call.parent_span_id).as_str()), ("GET orders", PARENT));
    assert_eq!(attribute(&call.attributes, "countersign.connector"), Some(&text("orders")));
    let status = attribute(&call.attributes, "http.response.status_code");
    assert_eq!(status, Some(&any_value::Value::IntValue(200)));
    let seen = upstream.take();
    let named = seen.whole[0].header("traceparent").unwrap();
    assert_eq!(named, format!("00-{TRACE}-{}-01", hex(&call.span_id)), "the upstream's spans are this one's");
    assert_eq!(seen.whole[0].header("tracestate"), None);
    let refused = spans.iter().find(|span| attribute(&span.attributes, "countersign.problem").is_some());
    assert_eq!(
        attribute(&refused.expect("a refused call").attributes, "http.response.status_code"),
        Some(&any_value::Value::IntValue(400))
    );
    assert!(spans.iter().any(|span| span.name == "acquire"), "credentials' conversations are told");

    let metrics = collector.metrics();
    let metric =
        |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap().data.as_ref().unwrap();
    let Data::Sum(requests) = metric("countersign_requests") else { panic!("not a sum") };
    assert!(requests.is_monotonic && requests.aggregation_temporality == 2);
    let ok =
        requests.data_points.iter().find(|point| attribute(&point.attributes, "class") == Some(&text("2xx")));
    assert_eq!(ok.unwrap().value, Some(Value::AsInt(1)));
    let Data::Histogram(durations) = metric("countersign_request_duration_seconds") else {
        panic!("not one")
    };
    let point = &durations.data_points[0];
    assert_eq!((point.count, point.bucket_counts.iter().sum::<u64>()), (1, 1));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert!(point.sum.unwrap() > 0.0);

    let all = collector.came.lock().unwrap();
    assert!(all.iter().all(|request| request.header("x-tenant") == Some("a b")));
    for request in all.iter() {
        let body = String::from_utf8_lossy(&request.body);
        assert!(!body.contains("canary"), "a secret was exported: {body}");
    }
}

#[test]
fn a_trace_that_is_not_sampled_is_not_exported_and_goes_on_as_such() {
    let (collector, upstream, folder) = (Collector::start(), upstream(), Folder::new());
    let proxy = served(&upstream, &folder, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    });
    proxy.get("/orders/1", &format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n"));
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_for_end(), 0);
    assert!(collector.spans().iter().all(|span| hex(&span.trace_id) != TRACE));
    let seen = upstream.take();
    let named = seen.whole[0].header("traceparent").unwrap();
    assert!(named.starts_with(&format!("00-{TRACE}-")) && named.ends_with("-00"), "{named}");
}

#[test]
fn without_an_endpoint_nothing_is_exported_and_traceparent_passes_as_it_is() {
    let (upstream, folder) = (upstream(), Folder::new());
    let proxy = served(&upstream, &folder, |_| {});
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    proxy.get("/orders/1", &format!("traceparent: {traceparent}\r\n"));
    assert_eq!(upstream.take().whole[0].header("traceparent"), Some(&*traceparent));
}

#[test]
fn a_collector_that_is_not_there_is_nobodys_problem_but_the_logs() {
    let (upstream, folder) = (upstream(), Folder::new());
    let proxy = served(&upstream, &folder, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    });
    assert_eq!(proxy.get("/orders/1", "").status, 200);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_for_end(), 0);
    assert!(proxy.said().contains("metrics were not exported"), "{}", proxy.said());
}

#[test]
fn what_cannot_be_followed_is_said_at_start() {
    let folder = Folder::new();
    let config =
        folder.config(&format!("{OPEN}[connectors.a]\nbase_url = \"http://127.0.0.1:1\"\nprofiles = []\n"));
    for (name, value, words) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`http/protobuf` only"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon", "number of milliseconds"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary", "`name=value,…`"),
    ] {
        let output = std::process::Command::new(built::program_with_otel())
            .arg("--config")
            .arg(&config)
            .arg("serve")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && !said.contains("canary"), "{said}");
    }
}
