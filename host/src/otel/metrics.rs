use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1 as otlp;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::task::JoinHandle;

use super::environment::MetricsTarget;
use super::sender::Sender;
use crate::admin::{self, Kind, Metric, Number, Overview, Series, Source};

/// Sends the numbers of the metrics page from time to time.
pub(super) struct MetricsExport {
    sender: Sender,
    to: Arc<To>,
    running: Option<(Arc<dyn Source>, JoinHandle<()>)>,
}

struct To {
    target: MetricsTarget,
    resource: Resource,
}

impl MetricsExport {
    pub(super) fn new(sender: Sender, resource: &opentelemetry_sdk::Resource, target: MetricsTarget) -> Self {
        let attributes = resource.iter().map(|(key, value)| pair(key.as_str(), &value.as_str())).collect();
        let resource = Resource { attributes, ..Resource::default() };
        Self { sender, to: Arc::new(To { target, resource }), running: None }
    }

    pub(super) fn start(&mut self, source: Arc<dyn Source>) {
        let Some(runtime) = self.sender.runtime() else { return };
        let (client, to, told) = (self.sender.client().clone(), Arc::clone(&self.to), Arc::clone(&source));
        let task = runtime.spawn(async move {
            loop {
                tokio::time::sleep(to.target.every).await;
                to.send(&client, &told.overview()).await;
            }
        });
        self.running = Some((source, task));
    }

    /// Sends the last numbers.
    pub(super) fn end(self, within: Duration) {
        let (Some((source, task)), Some(runtime)) = (self.running, self.sender.runtime()) else { return };
        task.abort();
        let (client, to) = (self.sender.client().clone(), self.to);
        let (done, last) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            to.send(&client, &source.overview()).await;
            let _ = done.send(());
        });
        let _ = last.recv_timeout(within);
    }
}

impl To {
    async fn send(&self, client: &reqwest::Client, overview: &Overview) {
        let body = request(self.resource.clone(), overview).encode_to_vec();
        let mut request = client.post(&self.target.url).header("content-type", "application/x-protobuf");
        for (name, value) in &self.target.headers {
            request = request.header(name, value);
        }
        match request.body(body).send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "metrics were not exported"),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "metrics were not exported");
            }
        }
    }
}

/// All that the metrics page tells, as OTLP.
fn request(resource: Resource, overview: &Overview) -> ExportMetricsServiceRequest {
    let mut page = admin::Exposition::metrics();
    admin::fill(&mut page, overview);
    let times = Times { start: nanoseconds(overview.started), now: nanoseconds(overview.now) };
    let metrics = page.into_metrics();
    let metrics = metrics.into_iter().filter(|metric| !metric.series.is_empty());
    let scope = InstrumentationScope {
        name: "countersign".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = otlp::ScopeMetrics {
        scope: Some(scope),
        metrics: metrics.map(|metric| times.metric(metric)).collect(),
        ..otlp::ScopeMetrics::default()
    };
    let resource_metrics = otlp::ResourceMetrics {
        resource: Some(resource),
        scope_metrics: vec![scope_metrics],
        ..otlp::ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

/// Since when is counted, and when it is told.
#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

impl Times {
    fn metric(self, metric: Metric) -> otlp::Metric {
        let Metric { name, kind, help, series } = metric;
        let temporality = otlp::AggregationTemporality::Cumulative.into();
        let data = match kind {
            Kind::Gauge => Data::Gauge(otlp::Gauge { data_points: self.numbers(series) }),
            Kind::Counter => Data::Sum(otlp::Sum {
                data_points: self.numbers(series),
                aggregation_temporality: temporality,
                is_monotonic: true,
            }),
            Kind::Histogram => Data::Histogram(otlp::Histogram {
                data_points: self.histograms(series),
                aggregation_temporality: temporality,
            }),
        };
        let unit = if name.ends_with("_seconds") { "s" } else { "" };
        otlp::Metric {
            // A collector that writes Prometheus' format puts it there again.
            name: name.strip_suffix("_total").unwrap_or(&name).to_owned(),
            description: help,
            unit: unit.to_owned(),
            data: Some(data),
            ..otlp::Metric::default()
        }
    }

    fn numbers(self, series: Vec<Series>) -> Vec<otlp::NumberDataPoint> {
        let point = |series: Series| otlp::NumberDataPoint {
            attributes: attributes(&series.labels),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            value: Some(match series.value {
                Number::Whole(whole) => Value::AsInt(i64::try_from(whole).unwrap_or(i64::MAX)),
                Number::Real(real) => Value::AsDouble(real),
            }),
            ..otlp::NumberDataPoint::default()
        };
        series.into_iter().map(point).collect()
    }

    /// The page tells buckets that contain those below them; here each counts for itself.
    fn histograms(self, series: Vec<Series>) -> Vec<otlp::HistogramDataPoint> {
        let mut points = Vec::new();
        let mut point = otlp::HistogramDataPoint::default();
        for Series { suffix, mut labels, value } in series {
            let whole = match value {
                Number::Whole(whole) => whole,
                Number::Real(_) => 0,
            };
            match suffix {
                "_bucket" => {
                    let end = labels.pop().map(|(_, end)| end).unwrap_or_default();
                    point.bucket_counts.push(whole - point.bucket_counts.iter().sum::<u64>());
                    if let Some(end) = end.parse().ok().filter(|end: &f64| end.is_finite()) {
                        point.explicit_bounds.push(end);
                    }
                }
                "_sum" => {
                    point.sum = Some(match value {
                        Number::Real(real) => real,
                        #[allow(clippy::cast_precision_loss)]
                        Number::Whole(whole) => whole as f64,
                    });
                }
                _ => {
                    point.count = whole;
                    point.attributes = attributes(&labels);
                    (point.start_time_unix_nano, point.time_unix_nano) = (self.start, self.now);
                    points.push(std::mem::take(&mut point));
                }
            }
        }
        points
    }
}

fn attributes(labels: &[(String, String)]) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| pair(name, value)).collect()
}

fn pair(name: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn nanoseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
