use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::exposition::{Exposition, Family};
use super::overview::{Overview, ProfileOverview};
use super::plugins;
use super::readiness::obstacle;
use crate::cache::Counts;
use crate::proxy::stats::{BOUNDS, ConnectorTotals};

/// The page for Prometheus.
///
/// Labels are names of the configuration and words of the program, never anything of a caller's: what there is to
/// tell grows with the configuration only. Connectors that were never called have no histogram.
pub(super) fn render(overview: &Overview) -> String {
    let mut page = Exposition::text();
    fill(&mut page, overview);
    page.into_text()
}

/// All that there is to tell in numbers.
pub(crate) fn fill(page: &mut Exposition, overview: &Overview) {
    process(page, overview);
    connections(page, overview);
    requests(page, overview);
    durations(page, overview);
    counts(page, overview);
    credentials(page, overview);
    plugins::metrics(page, overview);
}

fn process(page: &mut Exposition, overview: &Overview) {
    let reloads = &overview.reloads;
    page.gauge("countersign_build_info", "The program's version; always 1.", |it| {
        it.series(&[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
    });
    let started = unix_seconds(overview.started);
    page.gauge("countersign_start_time_seconds", "When the process began to serve, in Unix time.", |it| {
        it.series(&[], started);
    });
    page.gauge("countersign_draining", "1 while the proxy ends and serves only what is under way.", |it| {
        it.series(&[], u8::from(overview.draining));
    });
    page.counter("countersign_config_reloads_total", "How often the configuration was read again.", |it| {
        it.series(&[("result", "ok")], reloads.ok);
        it.series(&[("result", "failed")], reloads.failed);
    });
    let successful = reloads.last.as_ref().is_none_or(|reload| reload.findings.is_none());
    page.gauge(
        "countersign_config_last_reload_successful",
        "0 while the configuration's file holds something that did not take effect.",
        |it| it.series(&[], u8::from(successful)),
    );
    let last_ok = reloads.last_ok.map_or(started, unix_seconds);
    page.gauge(
        "countersign_config_last_reload_success_timestamp_seconds",
        "When the configuration in effect took effect, in Unix time.",
        |it| it.series(&[], last_ok),
    );
}

fn connections(page: &mut Exposition, overview: &Overview) {
    let totals = &overview.totals;
    page.counter("countersign_connections_accepted_total", "Connections that clients made.", |it| {
        it.series(&[], totals.accepted);
    });
    page.gauge("countersign_connections_open", "Connections of clients that are open.", |it| {
        it.series(&[], totals.open());
    });
    page.counter(
        "countersign_refused_total",
        "Requests and connections that were refused before it was known which connector they are for.",
        |it| totals.refused().for_each(|(why, count)| it.series(&[("reason", why.as_str())], count)),
    );
}

fn requests(page: &mut Exposition, overview: &Overview) {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    page.counter(
        "countersign_requests_total",
        "Requests that the upstream answered, by status class.",
        |it| {
            each_connector(it, overview, |it, name, totals| {
                for (class, count) in CLASSES.into_iter().zip(totals.answers) {
                    it.series(&[("connector", name), ("class", class)], count);
                }
            });
        },
    );
    page.gauge("countersign_requests_in_flight", "Requests that are under way.", |it| {
        each_connector(it, overview, |it, name, totals| {
            it.series(&[("connector", name)], totals.in_flight());
        });
    });
    page.counter(
        "countersign_replays_total",
        "Requests that were sent again with another credential.",
        |it| {
            each_connector(it, overview, |it, name, totals| {
                it.series(&[("connector", name)], totals.replays)
            });
        },
    );
    page.counter(
        "countersign_requests_refused_total",
        "Requests for a connector that the proxy refused, by reason; reasons that occurred.",
        |it| {
            each_connector(it, overview, |it, name, totals| {
                for (why, count) in totals.refused() {
                    it.series(&[("connector", name), ("reason", why.as_str())], count);
                }
            });
        },
    );
    page.counter(
        "countersign_requests_without_credential_total",
        "Requests that went nowhere because no credential could be had, by the failure's kind; kinds that occurred.",
        |it| {
            each_connector(it, overview, |it, name, totals| {
                for (kind, count) in totals.failed() {
                    it.series(&[("connector", name), ("kind", kind.as_str())], count);
                }
            });
        },
    );
    page.counter(
        "countersign_upstream_failures_total",
        "Requests without an answer of the upstream.",
        |it| {
            each_connector(it, overview, |it, name, totals| {
                it.series(&[("connector", name), ("reason", "timeout")], totals.timed_out);
                it.series(&[("connector", name), ("reason", "unreachable")], totals.unreachable);
            });
        },
    );
}

fn durations(page: &mut Exposition, overview: &Overview) {
    const HELP: &str = "Seconds until the head of the upstream's answer, credential included.";
    page.histogram("countersign_request_duration_seconds", HELP, |it| {
        each_connector(it, overview, |it, name, totals| {
            if totals.begun == 0 {
                return;
            }
            let ends = BOUNDS.iter().map(|bound| bound.seconds).chain(["+Inf"]);
            let mut below = 0;
            for (end, count) in ends.zip(totals.latency) {
                below += count;
                it.series_of("_bucket", &[("connector", name), ("le", end)], below);
            }
            let sum = Duration::from_micros(totals.latency_sum).as_secs_f64();
            it.series_of("_sum", &[("connector", name)], sum);
            it.series_of("_count", &[("connector", name)], below);
        });
    });
}

fn counts(page: &mut Exposition, overview: &Overview) {
    type Pick = fn(&Counts) -> u64;
    let metrics: [(&str, &str, Pick); 4] = [
        ("countersign_placements_total", "Credentials that were placed on requests.", |it| it.placements),
        ("countersign_acquires_total", "Conversations with the profile about a credential.", |it| {
            it.acquires
        }),
        ("countersign_renewals_total", "Those of them that ran ahead of a credential's end.", |it| {
            it.renewals
        }),
        ("countersign_rejections_total", "Rejections by upstreams that gave a credential up.", |it| {
            it.rejections
        }),
    ];
    for (name, help, pick) in metrics {
        page.counter(name, help, |it| {
            each_profile(it, overview, |it, profile| {
                it.series(&[("profile", &profile.name)], pick(&profile.status.counts));
            });
        });
    }
    page.counter(
        "countersign_acquire_failures_total",
        "Conversations with the profile that failed, by kind; kinds that occurred.",
        |it| {
            each_profile(it, overview, |it, profile| {
                for (kind, count) in &profile.status.counts.failures {
                    it.series(&[("profile", &profile.name), ("kind", kind.as_str())], *count);
                }
            });
        },
    );
}

fn credentials(page: &mut Exposition, overview: &Overview) {
    page.gauge("countersign_profile_ready", "0 while no call can get the profile's credential.", |it| {
        each_profile(it, overview, |it, profile| {
            it.series(&[("profile", &profile.name)], u8::from(obstacle(profile).is_none()));
        });
    });
    page.gauge("countersign_credentials_usable", "Credentials that may be placed.", |it| {
        each_profile(it, overview, |it, profile| {
            it.series(&[("profile", &profile.name)], profile.status.usable);
        });
    });
    page.gauge("countersign_credential_age_seconds", "Age of the newest credential.", |it| {
        each_profile(it, overview, |it, profile| {
            if let Some(age) = profile.status.age {
                it.series(&[("profile", &profile.name)], age.as_secs_f64());
            }
        });
    });
    page.gauge(
        "countersign_credential_expires_in_seconds",
        "Seconds until the newest credential ends by its issuer's word; below 0 when it has.",
        |it| {
            each_profile(it, overview, |it, profile| {
                if let Some(end) = profile.status.expires_at {
                    it.series(&[("profile", &profile.name)], seconds_until(end, overview.now));
                }
            });
        },
    );
}

fn each_connector(
    family: &mut Family<'_>,
    overview: &Overview,
    mut write: impl FnMut(&mut Family<'_>, &str, &ConnectorTotals),
) {
    overview.totals.connectors.iter().for_each(|(name, totals)| write(family, name, totals));
}

fn each_profile(
    family: &mut Family<'_>,
    overview: &Overview,
    mut write: impl FnMut(&mut Family<'_>, &ProfileOverview),
) {
    overview.profiles.iter().for_each(|profile| write(family, profile));
}

pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

pub(super) fn seconds_until(end: SystemTime, now: SystemTime) -> f64 {
    match end.duration_since(now) {
        Ok(left) => left.as_secs_f64(),
        Err(over) => -over.duration().as_secs_f64(),
    }
}
