//! Several profiles on one connector: do they get into each other's way? What they declare of themselves says so before the
//! first call; profiles that declare nothing are found out by that call.

use countersign::{Place, Places};

use crate::config::{ConnectorConfig, Finding, Findings};

/// What is wrong with the profiles of connectors, by what each profile declares.
pub(crate) fn conflicts(connectors: &[ConnectorConfig], places: impl Fn(&str) -> Option<Places>) -> Findings {
    let mut findings = Findings::new();
    for connector in connectors {
        let profiles: Vec<_> = connector.profiles.iter().map(|name| (name.as_str(), places(name))).collect();
        let presents =
            |(_, places): &&Declared<'_>| places.as_ref().is_some_and(Places::presents_certificate);
        if let Some((name, _)) = profiles.iter().find(presents)
            && !connector.base_url.origin().is_https()
        {
            let message = format!("`{name}` presents a client certificate, which takes TLS");
            let finding = connector.site.finding_at("base_url", message);
            findings.extend([finding.with_help("use https://".to_owned())]);
        }
        for (turn, later) in profiles.iter().enumerate() {
            for earlier in profiles.iter().take(turn) {
                findings.extend(between(connector, earlier, later, turn));
            }
        }
    }
    findings
}

type Declared<'p> = (&'p str, Option<Places>);

/// What is wrong between a profile and one that comes after it.
fn between(
    connector: &ConnectorConfig,
    (first, before): &Declared<'_>,
    (second, after): &Declared<'_>,
    turn: usize,
) -> Vec<Finding> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let at = |message: String, help: String| {
        connector.site.finding_at(&format!("profiles[{turn}]"), message).with_help(help)
    };
    let mut found = Vec::new();
    if before.presents_certificate() && after.presents_certificate() {
        let message =
            format!("`{second}` presents a client certificate, and so does `{first}`; a connection has one");
        found.push(at(message, "keep one of the two".to_owned()));
    }
    let (mut same, mut covered): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (place, name) in after.iter() {
        if before.contains(place, name) {
            same.push(told(place, name));
        } else if before.covers(place, name) {
            covered.push(told(place, name));
        }
    }
    if !same.is_empty() {
        let message = format!("`{second}` places {}, which `{first}` places, too", list(&same));
        let help = "keep one of the two, or let one of them place it elsewhere".to_owned();
        found.push(at(message, help));
    } else if !covered.is_empty() {
        let message = format!(
            "`{second}` places {} after `{first}` has signed, whose signature covers it: the API would refuse that",
            list(&covered)
        );
        let help = if after.signs() && after_covers(before, after) {
            "each signs what the other places; keep one of the two".to_owned()
        } else {
            format!("put `{first}` behind `{second}`: what signs comes last")
        };
        found.push(at(message, help));
    }
    found
}

/// Whether the other order were no better.
fn after_covers(before: &Places, after: &Places) -> bool {
    before.iter().any(|(place, name)| after.covers(place, name))
}

fn told(place: Place, name: &str) -> String {
    format!("the {place} {}", name.escape_debug())
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [one, other, more @ ..] => format!("{one}, {other} and {} more", more.len()),
    }
}
