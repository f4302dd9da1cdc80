//! What the proxy tells of itself, on a listener of its own: `/healthz`, `/readyz`, `/metrics`, `/status`.
//!
//! Here live the pages and the small server for them. Not here: what they tell, which the proxy gathers in an
//! [`Overview`]; the counters (`proxy/stats/`).

mod exposition;
mod guard;
mod metrics;
mod overview;
mod pages;
mod plugins;
mod readiness;
mod server;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use overview::{
    ConnectorOverview, ListenerOverview, Overview, ProfileOverview, ReloadHistory, Source,
};
pub(crate) use plugins::PluginOverview;
pub(crate) use server::Admin;
#[cfg(feature = "otel")]
pub(crate) use {
    exposition::{Exposition, Kind, Metric, Number, Series},
    metrics::fill,
};
