use std::future::Future;

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of the spans.
pub(super) const TARGET: &str = "countersign::call";

/// The target of the access log, which the span tells already.
pub(super) const ACCESS: &str = "countersign::access";

/// The span of a call through the proxy.
pub(crate) struct CallTrace(Span);

impl CallTrace {
    /// A call begins. It belongs to the trace that `traceparent` names (W3C Trace Context), and from now on the request
    /// names this span there, so that the upstream's spans belong to it.
    pub(crate) fn begin(connector: &str, method: &Method, headers: &mut HeaderMap) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            "call",
            otel.name = format_args!("{method} {connector}"),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method.as_str(),
            http.response.status_code = Empty,
            countersign.connector = connector,
            countersign.problem = Empty,
        );
        if !span.is_disabled() {
            let context = TraceContextPropagator::new();
            // An error means that nobody exports.
            let _ = span.set_parent(context.extract(&HeaderExtractor(headers)));
            context.inject_context(&span.context(), &mut HeaderInjector(headers));
            // A trace without state is written as an empty field, which some servers take for a fault.
            if headers.get("tracestate").is_some_and(http::HeaderValue::is_empty) {
                headers.remove("tracestate");
            }
        }
        Self(span)
    }

    /// What happens within the call.
    pub(crate) fn around<F: Future>(&self, future: F) -> Instrumented<F> {
        future.instrument(self.0.clone())
    }

    /// The call was answered; `problem` is why it was not by the upstream.
    pub(crate) fn answered(&self, status: StatusCode, problem: Option<&str>) {
        self.0.record("http.response.status_code", i64::from(status.as_u16()));
        if let Some(problem) = problem {
            self.0.record("countersign.problem", problem);
        }
        if status.is_server_error() {
            self.0.record("otel.status_code", "ERROR");
        }
    }
}
