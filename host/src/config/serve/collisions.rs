//! What `[serve]` and the connectors say together: who may come where, and that no address or host is claimed twice.

use std::collections::HashMap;

use super::{Access, ServeConfig};
use crate::config::listen::{Listen, is_loopback};
use crate::config::site::join;
use crate::config::{ConnectorConfig, Finding, Findings, Site, authority};

/// Looks at everything that the proxy listens on and is called by. Without `[serve]` nothing of it is used.
pub(crate) fn check(serve: Option<&ServeConfig>, connectors: &[ConnectorConfig], findings: &mut Findings) {
    let Some(serve) = serve else { return };
    let listeners = listeners(serve, connectors);
    if listeners.is_empty() && serve.site.table().get("listen").is_none() {
        let finding = serve.site.finding("lacks `listen`, and no connector has one of its own");
        findings.push(finding.with_help("say where to listen: `listen = \"127.0.0.1:7070\"`"));
    }
    for listener in &listeners {
        findings.extend(listener.access_fault(serve));
    }
    findings.extend(serve.admin_fault());
    let admin =
        serve.admin.as_ref().map(|listen| Listener { listen, site: &serve.site, field: "admin".into() });
    findings.extend(same_address(listeners.iter().chain(&admin)));
    findings.extend(same_host(serve, connectors, &listeners));
}

/// An address and the setting that it stands in.
struct Listener<'c> {
    listen: &'c Listen,
    site: &'c Site,
    field: String,
}

/// Where connections are taken for connectors.
fn listeners<'c>(serve: &'c ServeConfig, connectors: &'c [ConnectorConfig]) -> Vec<Listener<'c>> {
    let own = serve.listen.iter().enumerate().map(|(index, listen)| {
        let indexed = format!("listen[{index}]");
        // A single one need not be an array.
        let field = if serve.site.node(&indexed).is_ok() { indexed } else { "listen".to_owned() };
        Listener { listen, site: &serve.site, field }
    });
    let theirs = connectors.iter().filter_map(|connector| {
        let listen = connector.serve.listen.as_ref()?;
        Some(Listener { listen, site: &connector.site, field: "listen".to_owned() })
    });
    own.chain(theirs).collect()
}

impl Listener<'_> {
    /// The path of the setting.
    fn path(&self) -> String {
        join(self.site.path(), &self.field)
    }

    fn finding(&self, message: impl Into<String>) -> Finding {
        self.site.finding_at(&self.field, message)
    }

    fn access_fault(&self, serve: &ServeConfig) -> Option<Finding> {
        let Listen::Tcp(address) = self.listen else { return None };
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
        let admin = self.admin.as_ref().filter(|admin| !admin.is_local())?;
        let message = format!("{admin} can be reached from other machines, and asks nobody who they are");
        Some(self.site.finding_at("admin", message).with_help("listen on `127.0.0.1:…` or `unix:…`"))
    }
}

/// Every address that another listener has already.
fn same_address<'l>(listeners: impl Iterator<Item = &'l Listener<'l>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Only those can collide that have this in common.
    let mut groups: HashMap<String, Vec<&Listener<'_>>> = HashMap::new();
    for listener in listeners {
        let group = match listener.listen {
            Listen::Tcp(address) => format!("{} {}", address.is_ipv4(), address.port()),
            other => other.to_string(),
        };
        let others = groups.entry(group).or_default();
        match others.iter().find(|other| other.listen.collides(listener.listen)) {
            Some(other) => {
                findings.push(listener.finding(format!("is the address of `{}`, too", other.path())));
            }
            None => others.push(listener),
        }
    }
    findings
}

/// Every value of `Host` that means something else already.
fn same_host(
    serve: &ServeConfig,
    connectors: &[ConnectorConfig],
    listeners: &[Listener<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut claimed: HashMap<String, String> = HashMap::new();
    for listener in listeners {
        for host in own_hosts(listener.listen) {
            claimed.insert(host, listener.path());
        }
    }
    let own = serve.hosts.iter().enumerate();
    let own = own.map(|(index, host)| (&serve.site, index, host));
    let theirs = connectors.iter().flat_map(|connector| {
        let hosts = connector.serve.hosts.iter().enumerate();
        hosts.map(|(index, host)| (&connector.site, index, host))
    });
    for (site, index, host) in own.chain(theirs) {
        let field = format!("hosts[{index}]");
        let path = join(site.path(), &field);
        if let Some(other) = claimed.get(host) {
            findings.push(site.finding_at(&field, format!("is a host of `{other}`, too")));
        } else {
            claimed.insert(host.clone(), path);
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
