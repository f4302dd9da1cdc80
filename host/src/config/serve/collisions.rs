//! What `[serve]` and the connectors say together: who may come where, and that no address or host is claimed twice.

use std::collections::HashMap;

use super::{Access, ServeConfig};
use crate::config::listen::{Listen, is_loopback};
use crate::config::site::join;
use crate::config::tree::{Node, Value};
use crate::config::{ConnectorConfig, Finding, Findings, Site, authority};

/// Looks at everything that the proxy listens on and is called by. Without `[serve]` nothing of it is used.
pub(crate) fn check(serve: Option<&ServeConfig>, connectors: &[ConnectorConfig], findings: &mut Findings) {
    let Some(serve) = serve else { return };
    let listeners: Vec<_> =
        tables(serve, connectors).flat_map(|site| claims(site, "listen", listen)).collect();
    findings.extend(nowhere(serve, &listeners));
    findings.extend(listeners.iter().filter_map(|listener| listener.access_fault(serve)));
    findings.extend(serve.admin_fault());
    let admin = claims(&serve.site, "admin", listen);
    findings.extend(same_address(listeners.iter().chain(&admin)));
    let hosts = tables(serve, connectors).flat_map(|site| claims(site, "hosts", host));
    findings.extend(same_host(hosts, &listeners));
}

/// Nowhere to listen, and no fault that has been told.
fn nowhere(serve: &ServeConfig, listeners: &[Claim<'_, Listen>]) -> Option<Finding> {
    let told = serve.site.table().get("listen").is_some_and(|entry| match &entry.node.value {
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    (listeners.is_empty() && !told).then(|| {
        let finding = serve.site.finding("lacks `listen`, and no connector has one of its own");
        finding.with_help("say where to listen: `listen = \"127.0.0.1:7070\"`")
    })
}

/// A value and the setting that it stands in.
struct Claim<'c, T> {
    value: T,
    site: &'c Site,
    field: String,
}

/// `[serve]` and the connectors.
fn tables<'c>(serve: &'c ServeConfig, connectors: &'c [ConnectorConfig]) -> impl Iterator<Item = &'c Site> {
    std::iter::once(&serve.site).chain(connectors.iter().map(|connector| &connector.site))
}

/// The values of a key, one or several, each with its place. What is wrong was told when it was read, and is left out.
fn claims<'c, T>(site: &'c Site, key: &str, parse: impl Fn(&str, &Site) -> Option<T>) -> Vec<Claim<'c, T>> {
    let claim = |node: &Node, field: String| Some(Claim { value: parse(node.as_str()?, site)?, site, field });
    match site.table().get(key).map(|entry| &entry.node) {
        None => Vec::new(),
        Some(Node { value: Value::Array(items), .. }) => {
            let items = items.iter().enumerate();
            items.filter_map(|(index, item)| claim(item, format!("{key}[{index}]"))).collect()
        }
        Some(node) => claim(node, key.to_owned()).into_iter().collect(),
    }
}

fn listen(text: &str, site: &Site) -> Option<Listen> {
    Listen::parse(text, site.file()).ok()
}

fn host(text: &str, _: &Site) -> Option<String> {
    authority::parse(text).ok()
}

impl<T> Claim<'_, T> {
    /// The path of the setting.
    fn path(&self) -> String {
        join(self.site.path(), &self.field)
    }

    fn finding(&self, message: impl Into<String>) -> Finding {
        self.site.finding_at(&self.field, message)
    }
}

impl Claim<'_, Listen> {
    fn access_fault(&self, serve: &ServeConfig) -> Option<Finding> {
        let Listen::Tcp(address) = self.value else { return None };
        let local = is_loopback(address.ip());
        match serve.access {
            // What `access` says could not be read: that is told already.
            None if serve.site.table().get("access").is_some() => None,
            None => {
                let message =
                    "is a TCP address, where every process of this machine could borrow credentials";
                Some(
                    self.finding(message).with_help(
                        "say in `[serve]` who may come: `access = \"token\"`, or listen on `unix:…`",
                    ),
                )
            }
            Some(Access::AnyLocalProcess) if !local => {
                let message = "can be reached from other machines, but `access` is `any-local-process`";
                Some(self.finding(message).with_help("listen on `127.0.0.1:…`, or `access = \"token\"`"))
            }
            Some(Access::Token) if !local => {
                let message =
                    "can be reached from other machines, and the token crosses the network in clear";
                Some(self.finding(message).with_help("listen on `127.0.0.1:…` or `unix:…`").as_warning())
            }
            Some(Access::Token | Access::AnyLocalProcess) => None,
        }
    }
}

impl ServeConfig {
    fn admin_fault(&self) -> Option<Finding> {
        self.admin.as_ref().filter(|admin| !admin.is_local())?;
        let message = "can be reached from other machines, and nobody there is asked who they are";
        Some(self.site.finding_at("admin", message).with_help("listen on `127.0.0.1:…` or `unix:…`"))
    }
}

/// Every address that another listener has already.
fn same_address<'l>(listeners: impl Iterator<Item = &'l Claim<'l, Listen>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Only those can collide that have this in common.
    let mut groups: HashMap<String, Vec<&Claim<'_, Listen>>> = HashMap::new();
    for listener in listeners {
        let group = match &listener.value {
            Listen::Tcp(address) => format!("{} {}", address.is_ipv4(), address.port()),
            other => other.to_string(),
        };
        let others = groups.entry(group).or_default();
        match others.iter().find(|other| other.value.collides(&listener.value)) {
            Some(other) => {
                findings.push(listener.finding(format!("is the address of `{}`, too", other.path())));
            }
            None => others.push(listener),
        }
    }
    findings
}

/// Every value of `Host` that means something else already.
fn same_host<'c>(
    hosts: impl Iterator<Item = Claim<'c, String>>,
    listeners: &[Claim<'c, Listen>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut claimed: HashMap<String, (&Site, String)> = HashMap::new();
    for listener in listeners {
        for host in own_hosts(&listener.value) {
            claimed.insert(host, (listener.site, listener.path()));
        }
    }
    for host in hosts {
        match claimed.get(&host.value) {
            // Said twice of one and the same, it means nothing else.
            Some((site, _)) if std::ptr::eq(*site, host.site) => {}
            Some((_, other)) => findings.push(host.finding(format!("is a host of `{other}`, too"))),
            None => {
                let claim = (host.site, host.path());
                claimed.insert(host.value, claim);
            }
        }
    }
    findings
}

/// By which `Host` clients reach a listener without being told another.
fn own_hosts(listen: &Listen) -> Vec<String> {
    let Listen::Tcp(address) = listen else { return Vec::new() };
    if address.port() == 0 {
        return Vec::new();
    }
    let mut texts = vec![address.to_string()];
    if is_loopback(address.ip()) || address.ip().is_unspecified() {
        texts.push(format!("localhost:{}", address.port()));
    }
    texts.iter().filter_map(|text| authority::parse(text).ok()).collect()
}
