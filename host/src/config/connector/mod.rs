//! `[connectors.NAME]`. Not here: the rejection rule, which has a table and a file of its own.

mod caller;
mod serve;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::alike::Alike;
use super::probe::Probe;
use super::reader::Reader;
use super::rejection::Rejection;
use super::{Findings, Site, name};
use crate::connector::BaseUrl;

pub use caller::CallerSource;
pub(crate) use caller::KEYS as CALLER_KEYS;
pub use serve::ConnectorServe;
pub(crate) use serve::MOST_CONCURRENT;

/// `[connectors.NAME]`: one upstream API and what its calls carry.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Its name.
    pub name: Arc<str>,
    /// Where its calls go, and nowhere else.
    pub base_url: BaseUrl,
    /// The names of its profiles, in the order in which they are applied; at least one, each exists.
    pub profiles: Vec<String>,
    /// The total deadline of a call; 30 s unless configured.
    pub timeout: Duration,
    /// Which answers say that the credential was refused.
    pub rejection: Arc<Rejection>,
    /// The call by which it is tried out.
    pub probe: Arc<Probe>,
    /// A file with further certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// What it says of calls that come through the proxy.
    pub serve: Arc<ConnectorServe>,
    /// Where it stands, for whoever finds something wrong later.
    pub site: Site,
}

pub(crate) const KEYS: [&str; 15] = [
    "base_url",
    "profile",
    "profiles",
    "timeout",
    "rejection",
    "probe",
    "ca_file",
    "allow_http",
    "caller",
    "listen",
    "hosts",
    "pass_headers",
    "max_concurrent",
    "connect_timeout",
    "idle_timeout",
];

/// Reads every connector; one with a fault is left out.
pub(crate) fn read(
    sites: &[(&str, Site)],
    profiles: &HashMap<&str, ()>,
    findings: &mut Findings,
) -> Vec<ConnectorConfig> {
    let mut known =
        Known { profiles, rejections: Alike::default(), probes: Alike::default(), serves: Alike::default() };
    let mut connectors = Vec::with_capacity(sites.len());
    connectors.extend(sites.iter().filter_map(|(name, site)| connector(name, site, &mut known, findings)));
    connectors
}

/// The profiles that there are, and what the connectors met so far say.
struct Known<'k> {
    profiles: &'k HashMap<&'k str, ()>,
    rejections: Alike<Rejection>,
    probes: Alike<Probe>,
    serves: Alike<ConnectorServe>,
}

fn connector(
    name: &str,
    site: &Site,
    known: &mut Known<'_>,
    findings: &mut Findings,
) -> Option<ConnectorConfig> {
    let mut reader = Reader::new(site, &KEYS, findings);
    let base_url = base_url(&mut reader);
    let profiles = profiles(&mut reader, known.profiles);
    let timeout = reader.duration("timeout", Duration::from_secs(3600)).unwrap_or(Duration::from_secs(30));
    let ca_file = reader.authorities("ca_file");
    let rejection = reader.table("rejection");
    let rejection = Rejection::of(rejection.as_ref(), findings);
    let probe = Reader::of_known(site, findings).table("probe");
    let probe = Probe::of(probe.as_ref(), findings);
    let serve = ConnectorServe::of(site, findings);
    Some(ConnectorConfig {
        name: name.into(),
        base_url: base_url?,
        profiles: profiles?,
        timeout,
        rejection: known.rejections.of(rejection),
        probe: known.probes.of(probe),
        ca_file,
        serve: known.serves.of(serve),
        site: site.clone(),
    })
}

fn base_url(reader: &mut Reader<'_>) -> Option<BaseUrl> {
    let allow_http = reader.boolean("allow_http").unwrap_or(false);
    if reader.node("base_url").is_none() {
        reader.fault(
            "",
            "lacks `base_url`",
            Some("name the API: `base_url = \"https://orders.example/api\"`"),
        );
        return None;
    }
    let url = match BaseUrl::parse(reader.string("base_url")?) {
        Ok(url) => url,
        Err(message) => {
            reader.fault("base_url", message, None);
            return None;
        }
    };
    let origin = url.origin();
    if !origin.is_https() && !origin.is_loopback() && !allow_http {
        reader.fault(
            "base_url",
            "is not https: everybody on the way could read and reuse the credential",
            Some("use https://, or, if the network itself is trusted, `allow_http = true`"),
        );
        return None;
    }
    Some(url)
}

fn profiles(reader: &mut Reader<'_>, known: &HashMap<&str, ()>) -> Option<Vec<String>> {
    let names = match (reader.node("profile"), reader.node("profiles")) {
        (Some(_), Some(_)) => {
            reader.fault("profiles", "stands beside `profile`", Some("keep one of the two"));
            return None;
        }
        (Some(_), None) => vec![(reader.string("profile")?, "profile".to_owned())],
        (None, Some(_)) => {
            let names = reader.strings("profiles")?;
            names.into_iter().enumerate().map(|(i, name)| (name, format!("profiles[{i}]"))).collect()
        }
        (None, None) => Vec::new(),
    };
    if names.is_empty() {
        let field = if reader.node("profiles").is_some() { "profiles" } else { "" };
        reader.fault(field, "names no profile", Some("add `profile = \"NAME\"`"));
        return None;
    }
    let mut good: Vec<String> = Vec::with_capacity(names.len());
    for (name, field) in &names {
        if !known.contains_key(name) {
            let mut all: Vec<&str> = known.keys().copied().collect();
            all.sort_unstable();
            let help = name::suggestion(name, &all, "there are no profiles; add `[profiles.NAME]`");
            reader.fault(field, format!("there is no profile `{}`", shown(name)), Some(&help));
        } else if good.iter().any(|other| other == name) {
            reader.fault(field, format!("names the profile `{name}` twice"), None);
        } else {
            good.push((*name).to_owned());
        }
    }
    (good.len() == names.len()).then_some(good)
}

/// A name as it may be repeated: what is no name might be anything.
fn shown(name: &str) -> &str {
    if name::fault(name).is_none() { name } else { "…" }
}
