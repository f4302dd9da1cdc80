use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::metrics::{seconds_until, unix_seconds};
use super::overview::{ConnectorOverview, ListenerOverview, Overview, ProfileOverview, Reload};
use super::plugins;
use super::readiness::Readiness;
use crate::cache::Failure;
use crate::proxy::stats::ConnectorTotals;

/// The page for people and their tools. Times are Unix seconds.
pub(super) fn render(overview: &Overview) -> Value {
    let Overview { reloads, totals, .. } = overview;
    let uptime = overview.now.duration_since(overview.started).unwrap_or_default();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": unix_seconds(overview.started),
        "uptime_seconds": uptime.as_secs(),
        "config": overview.config.display().to_string(),
        "ready": Readiness::of(overview).is_ready(),
        "draining": overview.draining,
        "reloads": {
            "ok": reloads.ok,
            "failed": reloads.failed,
            "last": reloads.last.as_ref().map(reload),
        },
        "listeners": overview.listeners.iter().map(listener).collect::<Value>(),
        "connections": { "accepted": totals.accepted, "open": totals.open() },
        "refused": counted(totals.refused().map(|(why, count)| (why.as_str(), count))),
        "connectors": overview.connectors.iter().map(|it| connector(it, overview)).collect::<Value>(),
        "plugins": overview.plugins.iter().map(|it| plugins::describe(it, overview.now)).collect::<Value>(),
        "profiles": overview.profiles.iter().map(|it| profile(it, overview)).collect::<Value>(),
    })
}

fn reload(reload: &Reload) -> Value {
    json!({
        "at": unix_seconds(reload.at),
        "ok": reload.findings.is_none(),
        "findings": reload.findings,
    })
}

fn listener(listener: &ListenerOverview) -> Value {
    json!({ "address": listener.address, "connector": listener.connector, "access": listener.access })
}

fn connector(connector: &ConnectorOverview, overview: &Overview) -> Value {
    let none = ConnectorTotals::default();
    let totals = overview.totals.connectors.get(&connector.name).unwrap_or(&none);
    let [informed, succeeded, redirected, client_error, server_error] = totals.answers;
    json!({
        "name": &*connector.name,
        "origin": connector.origin,
        "profiles": names(&connector.profiles),
        "in_flight": totals.in_flight(),
        "answers": {
            "1xx": informed,
            "2xx": succeeded,
            "3xx": redirected,
            "4xx": client_error,
            "5xx": server_error,
        },
        "replays": totals.replays,
        "timeouts": totals.timed_out,
        "unreachable": totals.unreachable,
        "refused": counted(totals.refused().map(|(why, count)| (why.as_str(), count))),
        "without_credential": counted(totals.failed().map(|(kind, count)| (kind.as_str(), count))),
    })
}

fn profile(profile: &ProfileOverview, overview: &Overview) -> Value {
    let status = &profile.status;
    let counts = &status.counts;
    json!({
        "name": &*profile.name,
        "type": &*profile.type_name,
        "plugin": profile.plugin.as_ref().map(|file| file.display().to_string()),
        "credentials": {
            "per_caller": status.per_caller,
            "known": status.keys,
            "usable": status.usable,
            "newest": status.generation.map(|generation| json!({
                "generation": generation.to_string(),
                "age_seconds": status.age.map(|age| age.as_secs()),
                "expires_in_seconds": status.expires_at.map(|end| seconds_until(end, overview.now).floor()),
            })),
        },
        "failure": status.failure.as_deref().map(failure),
        "placements": counts.placements,
        "acquires": counts.acquires,
        "renewals": counts.renewals,
        "rejections": counts.rejections,
        "failures": counted(counts.failures.iter().map(|(kind, count)| (kind.as_str(), *count))),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "kind": failure.error.kind().as_str(),
        "message": failure.error.to_string(),
        "since": unix_seconds(failure.since),
        "pause_seconds": failure.pause.map(|pause| pause.as_secs_f64()),
    })
}

fn names(names: &[Arc<str>]) -> Value {
    names.iter().map(|name| Value::from(&**name)).collect()
}

/// What occurred.
pub(super) fn counted<'k>(counts: impl Iterator<Item = (&'k str, u64)>) -> Value {
    let occurred = counts.filter(|(_, count)| *count > 0);
    Value::Object(occurred.map(|(key, count)| (key.to_owned(), count.into())).collect::<Map<_, _>>())
}
