use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::plugins::PluginOverview;
use crate::ProfileStatus;
use crate::cache::Status;
use crate::connector::Connector;
use crate::proxy::stats::Totals;
use crate::registry::Home;

/// Where the pages get what they tell: the running proxy.
pub(crate) trait Source: Send + Sync + 'static {
    /// Whether the proxy ends: it takes no more connections, and serves those that are under way.
    fn is_draining(&self) -> bool;

    /// Everything, as it is now; gathered for one page.
    fn overview(&self) -> Overview;
}

/// The proxy at one moment. It holds no secret, and nothing that grows with callers.
#[derive(Debug, Clone)]
pub(crate) struct Overview {
    /// Whether the proxy ends.
    pub(crate) draining: bool,
    /// When the process started to serve.
    pub(crate) started: SystemTime,
    /// Now.
    pub(crate) now: SystemTime,
    /// The configuration's file.
    pub(crate) config: PathBuf,
    /// What came of reading it again.
    pub(crate) reloads: Reloads,
    /// Where the proxy listens.
    pub(crate) listeners: Vec<ListenerOverview>,
    /// The configuration's connectors, in the order of their names.
    pub(crate) connectors: Vec<ConnectorOverview>,
    /// The configuration's profiles, in the order of their names.
    pub(crate) profiles: Vec<ProfileOverview>,
    /// The plugins that run, in the order of their files' names.
    pub(crate) plugins: Vec<PluginOverview>,
    /// What went through the proxy.
    pub(crate) totals: Totals,
}

/// One address.
#[derive(Debug, Clone)]
pub(crate) struct ListenerOverview {
    /// `127.0.0.1:7070`, `unix:/run/countersign/proxy.sock`.
    pub(crate) address: String,
    /// The connector that has it for itself.
    pub(crate) connector: Option<String>,
    /// Who may come: `token`, `any-local-process`, `peer`.
    pub(crate) access: &'static str,
}

/// One connector.
#[derive(Debug, Clone)]
pub(crate) struct ConnectorOverview {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its base URL's origin; paths may tell more than metrics should.
    pub(crate) origin: String,
    /// Names of its profiles.
    pub(crate) profiles: Vec<Arc<str>>,
}

/// One profile.
#[derive(Debug, Clone)]
pub(crate) struct ProfileOverview {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its type.
    pub(crate) type_name: Arc<str>,
    /// The file that brings the type; `None` when it is built in.
    pub(crate) plugin: Option<PathBuf>,
    /// How it is doing.
    pub(crate) status: Status,
}

impl From<&Connector> for ConnectorOverview {
    fn from(connector: &Connector) -> Self {
        Self {
            name: connector.name().into(),
            origin: connector.base_url().origin().to_string(),
            profiles: connector.profiles().map(Arc::from).collect(),
        }
    }
}

impl From<ProfileStatus<'_>> for ProfileOverview {
    fn from(profile: ProfileStatus<'_>) -> Self {
        let plugin = match profile.home {
            Home::BuiltIn => None,
            Home::Plugin(file) => Some(file.to_owned()),
        };
        Self {
            name: profile.name.into(),
            type_name: profile.type_name.into(),
            plugin,
            status: profile.status,
        }
    }
}

impl Overview {
    /// The profiles that a connector uses.
    pub(super) fn used_profiles(&self) -> impl Iterator<Item = &ProfileOverview> {
        let mut used: Vec<&str> = self
            .connectors
            .iter()
            .flat_map(|connector| connector.profiles.iter().map(|name| &**name))
            .collect();
        used.sort_unstable();
        self.profiles.iter().filter(move |profile| used.binary_search(&&*profile.name).is_ok())
    }
}

/// What came of reading the configuration again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reloads {
    /// How often it took effect.
    pub(crate) ok: u64,
    /// How often something was wrong with it, and nothing changed.
    pub(crate) failed: u64,
    /// When the configuration that is in effect took effect, unless that was at the start.
    pub(crate) last_ok: Option<SystemTime>,
    /// The last time that it was read.
    pub(crate) last: Option<Reload>,
}

/// One reading of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Reload {
    /// When.
    pub(crate) at: SystemTime,
    /// What was wrong, one finding after the other, if it did not take effect. Findings hold no setting's value.
    pub(crate) findings: Option<String>,
}

/// The reloads of this process; written by whoever reloads, read by pages.
#[derive(Debug, Default)]
pub(crate) struct ReloadHistory(Mutex<Reloads>);

impl ReloadHistory {
    /// A configuration took effect.
    pub(crate) fn succeeded(&self, at: SystemTime) {
        self.write(|reloads| {
            reloads.ok += 1;
            reloads.last_ok = Some(at);
            reloads.last = Some(Reload { at, findings: None });
        });
    }

    /// Something was wrong with a configuration, and nothing changed.
    pub(crate) fn failed(&self, at: SystemTime, findings: String) {
        self.write(|reloads| {
            reloads.failed += 1;
            reloads.last = Some(Reload { at, findings: Some(findings) });
        });
    }

    /// What came of them so far.
    pub(crate) fn so_far(&self) -> Reloads {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, change: impl FnOnce(&mut Reloads)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
