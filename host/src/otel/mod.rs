//! Export of traces and metrics by OTLP over HTTP (`http/protobuf`), as the environment says by the names of
//! OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT`, …). Only with the feature `otel`.
//!
//! Not here: what is told. Spans are `tracing`'s, and the numbers those of the metrics page.

mod call;
mod environment;
mod metrics;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

pub(crate) use self::call::CallTrace;
use self::environment::Environment;
use self::metrics::MetricsExport;
use self::sender::Sender;
use crate::admin::Source;

/// How long what is left may take to be sent at the end.
const LAST: Duration = Duration::from_secs(3);

/// The export that runs. What is left is sent by [`end`](Otel::end).
pub(crate) struct Otel {
    traces: Option<SdkTracerProvider>,
    metrics: Option<MetricsExport>,
}

impl Otel {
    /// Starts what the environment asks for; `None` when that is nothing.
    ///
    /// # Errors
    /// What of the environment cannot be followed, in words.
    pub(crate) fn from_env() -> Result<Option<Self>, String> {
        let Some(environment) = Environment::read()? else { return Ok(None) };
        let sender = Sender::new(environment.timeout)?;
        let resource = Resource::builder();
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
        let resource = if named { resource } else { resource.with_service_name("countersign") };
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = resource.with_attribute(version).build();
        let traces = if environment.traces { Some(traces(&sender, &resource)?) } else { None };
        let metrics = environment.metrics.map(|metrics| MetricsExport::new(sender, &resource, metrics));
        Ok(Some(Self { traces, metrics }))
    }

    /// What hears the spans.
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let tracer: Tracer = self.traces.as_ref()?.tracer("countersign");
        let told = Targets::new()
            .with_target(call::TARGET, tracing::Level::INFO)
            .with_target("countersign_host", tracing::Level::DEBUG)
            .with_target("countersign", tracing::Level::INFO)
            .with_target(call::ACCESS, tracing::level_filters::LevelFilter::OFF);
        let layer = OpenTelemetryLayer::new(tracer).with_location(false).with_threads(false);
        let layer = layer.with_target(false).with_tracked_inactivity(false);
        Some(layer.with_filter(told))
    }

    /// Sends the numbers from time to time from now on.
    pub(crate) fn tell(&mut self, source: Arc<dyn Source>) {
        if let Some(metrics) = &mut self.metrics {
            metrics.start(source);
        }
    }

    /// Sends what is left. It may block for some seconds.
    pub(crate) fn end(self) {
        if let Some(metrics) = self.metrics {
            metrics.end(LAST);
        }
        if let Some(traces) = self.traces
            && let Err(error) = traces.shutdown_with_timeout(LAST)
        {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

fn traces(sender: &Sender, resource: &Resource) -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder().with_http().with_http_client(sender.clone()).build();
    let exporter = exporter.map_err(|error| format!("traces cannot be exported: {error}"))?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Ok(provider.with_resource(resource.clone()).build())
}
