//! What the pages tell of plugins.

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::exposition::{Exposition, Family};
use super::metrics::unix_seconds;
use super::overview::Overview;
use super::status::counted;
use crate::plugin::{Condition, LastFailure, Plugin, PluginStatus};

/// One plugin that runs.
#[derive(Debug, Clone)]
pub(crate) struct PluginOverview {
    /// The name by which the configuration knows it.
    pub(crate) name: String,
    /// What it says of its version.
    pub(crate) version: String,
    /// Its file.
    pub(crate) file: PathBuf,
    /// Where its code runs.
    pub(crate) isolation: &'static str,
    /// The types that it brings.
    pub(crate) types: Vec<String>,
    /// How it is.
    pub(crate) status: PluginStatus,
}

impl From<&Plugin> for PluginOverview {
    fn from(plugin: &Plugin) -> Self {
        Self {
            name: plugin.name(),
            version: plugin.about().version.clone(),
            file: plugin.file().to_owned(),
            isolation: plugin.isolation().as_str(),
            types: plugin.manifests().iter().map(|manifest| manifest.name.clone()).collect(),
            status: plugin.status(),
        }
    }
}

/// For `/status`.
pub(super) fn describe(plugin: &PluginOverview, now: SystemTime) -> Value {
    let status = &plugin.status;
    json!({
        "name": plugin.name,
        "version": plugin.version,
        "file": plugin.file.display().to_string(),
        "isolation": plugin.isolation,
        "types": plugin.types,
        "state": status.condition.as_str(),
        "process": status.process,
        "starts": status.starts,
        "failures": counted(status.failures.iter().map(|(cause, count)| (cause.as_str(), *count))),
        "stuck_calls": status.stuck,
        "refused_calls": status.refused,
        "last_failure": status.last_failure.as_ref().map(|failure| last_failure(failure, now)),
    })
}

fn last_failure(failure: &LastFailure, now: SystemTime) -> Value {
    json!({
        "cause": failure.cause.as_str(),
        "message": failure.words,
        "at": unix_seconds(now.checked_sub(failure.ago).unwrap_or(now)),
    })
}

/// For `/metrics`.
pub(super) fn metrics(page: &mut Exposition, overview: &Overview) {
    if overview.plugins.is_empty() {
        return;
    }
    page.gauge("countersign_plugin_info", "A plugin that was loaded; always 1.", |it| {
        for PluginOverview { name, version, isolation, .. } in &overview.plugins {
            it.series(&[("plugin", name), ("version", version), ("isolation", isolation)], 1_u64);
        }
    });
    page.gauge(
        "countersign_plugin_ready",
        "0 while the plugin is in quarantine: its calls fail at once.",
        |it| {
            each(it, overview, |it, plugin, status| {
                it.series(&[("plugin", plugin)], u8::from(status.condition != Condition::Quarantined));
            });
        },
    );
    page.counter("countersign_plugin_starts_total", "How often the plugin's process was started.", |it| {
        each(it, overview, |it, plugin, status| it.series(&[("plugin", plugin)], status.starts));
    });
    page.counter(
        "countersign_plugin_failures_total",
        "Failures of the plugin as a whole, by cause; causes that occurred.",
        |it| {
            each(it, overview, |it, plugin, status| {
                for (cause, count) in &status.failures {
                    it.series(&[("plugin", plugin), ("cause", cause.as_str())], *count);
                }
            });
        },
    );
    page.gauge("countersign_plugin_calls_stuck", "Calls that were given up and have not returned.", |it| {
        each(it, overview, |it, plugin, status| it.series(&[("plugin", plugin)], status.stuck));
    });
    page.counter(
        "countersign_plugin_calls_refused_total",
        "Calls that failed at once because the plugin was in quarantine.",
        |it| each(it, overview, |it, plugin, status| it.series(&[("plugin", plugin)], status.refused)),
    );
}

fn each(
    family: &mut Family<'_>,
    overview: &Overview,
    mut write: impl FnMut(&mut Family<'_>, &str, &PluginStatus),
) {
    overview.plugins.iter().for_each(|plugin| write(family, &plugin.name, &plugin.status));
}
