use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use http::uri::{Authority, Scheme};

use super::access::Access;
use super::inbound::Strip;
use super::listen::{Bound, own_uid};
use super::route::{Routes, Whose};
use super::token::Token;
use super::upstream::{self, Tls, Trust};
use crate::config::{self, Findings, Listen, ServeConfig, ServeLimits};
use crate::connector::Connector;
use crate::{Error, Host};

/// A listener of the process; it stays while configurations come and go that want it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) id: u64,
    pub(crate) listen: Listen,
    pub(crate) bound: Bound,
}

impl Door {
    /// As a person reads it, with the port that the system chose where none was given.
    pub(crate) fn address(&self) -> String {
        self.bound.tcp_address().map_or_else(|| self.listen.to_string(), |address| address.to_string())
    }
}

/// One configuration as the workers see it. It never changes; another takes its place.
#[derive(Debug)]
pub(crate) struct Generation {
    host: Host,
    connectors: Vec<Arc<Served>>,
    names: HashMap<Box<str>, usize>,
    entrances: HashMap<u64, Arc<Entrance>>,
    limits: ServeLimits,
}

/// What a listener means in one configuration.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) access: Access,
    pub(crate) routes: Routes,
    /// Who may connect to a unix socket.
    pub(crate) uids: Vec<u32>,
    /// The connector that has it for itself.
    pub(crate) own: Option<usize>,
}

/// A connector as the proxy serves it, with what is the same for all of its calls.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) connector: Arc<Connector>,
    pub(crate) strip: Strip,
    /// `/NAME`: what its paths begin with here, where the path names the connector.
    pub(crate) ours: String,
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    pub(crate) host: HeaderValue,
    /// Calls under way, of the configurations before, too.
    pub(crate) under_way: Arc<AtomicUsize>,
    pub(crate) tls: Option<(Trust, Tls)>,
    /// The proxy on the way to the upstream.
    pub(crate) proxy: Option<upstream::Proxy>,
}

impl Generation {
    /// What a running configuration means to those who come in by `doors`. Calls that are under way in the one `before`
    /// count against its limits.
    ///
    /// # Errors
    /// What cannot be served: a token file, a certificate authority, an inherited socket that nobody may use.
    pub(crate) fn new(
        host: Host,
        config: &ServeConfig,
        doors: &[Arc<Door>],
        before: Option<&Self>,
    ) -> Result<Self, Findings> {
        let mut names = HashMap::new();
        let mut connectors = Vec::new();
        let mut trusts = Trusts::default();
        for name in host.connectors() {
            let connector = host
                .connector(name)
                .map_err(|error| Findings::from(config.site.finding_at("", error.to_string())))?;
            let mut served = Served::new(connector, &mut trusts)
                .map_err(|error| Findings::from(config.site.finding_at("", error.to_string())))?;
            if let Some(before) = before.and_then(|before| Some(before.served(before.of_name(name)?))) {
                served.under_way = Arc::clone(&before.under_way);
            }
            names.insert(name.into(), connectors.len());
            connectors.push(Arc::new(served));
        }
        let mut generation =
            Self { host, connectors, names, entrances: HashMap::new(), limits: config.limits.clone() };
        let mut token = None;
        for door in doors {
            let entrance = generation.entrance_of(door, config, &mut token)?;
            generation.entrances.insert(door.id, Arc::new(entrance));
        }
        Ok(generation)
    }

    fn entrance_of(
        &self,
        door: &Door,
        config: &ServeConfig,
        token: &mut Option<Arc<Token>>,
    ) -> Result<Entrance, Findings> {
        let own = self
            .connectors
            .iter()
            .position(|served| served.connector.serve().listen.as_ref() == Some(&door.listen))
            .filter(|_| !config.listen.contains(&door.listen));
        let whose = own.map_or(Whose::Named, Whose::Connector);
        let of_connectors = self.connectors.iter().enumerate().flat_map(|(index, served)| {
            served.connector.serve().hosts.iter().map(move |host| (host.clone(), index))
        });
        let address = door.bound.tcp_address();
        let routes = Routes::new(address, whose, &config.hosts, of_connectors);
        let wrong = |what: String| Findings::from(config.site.finding_at("", what));
        let access = match (address, config.access) {
            (None, _) => Access::Reachable,
            (Some(_), Some(config::Access::Token)) => {
                let token = match token {
                    Some(token) => Arc::clone(token),
                    none => {
                        let opened = Token::open(&config.token_file).map_err(|error| {
                            Findings::from(config.site.finding_at("token_file", error.to_string()))
                        })?;
                        Arc::clone(none.insert(Arc::new(opened)))
                    }
                };
                Access::Token(token)
            }
            (Some(address), Some(config::Access::AnyLocalProcess))
                if address.ip().to_canonical().is_loopback() =>
            {
                Access::Reachable
            }
            (Some(address), Some(config::Access::AnyLocalProcess)) => {
                return Err(wrong(format!(
                    "{address} can be reached from other machines, but `access` is `any-local-process`; \
                     use `access = \"token\"` or a loopback address"
                )));
            }
            (Some(_), None) => {
                return Err(wrong(format!(
                    "{} is TCP, which every process of this machine can reach; say who may use it: \
                     `access = \"token\"`",
                    door.listen
                )));
            }
        };
        let mut uids = config.allow_uids.clone();
        uids.push(own_uid());
        Ok(Entrance { access, routes, uids, own })
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn limits(&self) -> &ServeLimits {
        &self.limits
    }

    pub(crate) fn served(&self, index: usize) -> &Arc<Served> {
        &self.connectors[index]
    }

    /// Whether a call is under way, on whichever thread.
    pub(crate) fn is_busy(&self) -> bool {
        self.connectors.iter().any(|served| served.under_way.load(Ordering::Relaxed) > 0)
    }

    pub(crate) fn all_served(&self) -> &[Arc<Served>] {
        &self.connectors
    }

    pub(crate) fn of_name(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// What a listener means; `None` when this configuration has it no more.
    pub(crate) fn entrance(&self, door: u64) -> Option<&Arc<Entrance>> {
        self.entrances.get(&door)
    }
}

impl Served {
    fn new(connector: Arc<Connector>, trusts: &mut Trusts) -> Result<Self, Error> {
        let base = connector.base_url();
        let scheme = if base.origin().is_https() { Scheme::HTTPS } else { Scheme::HTTP };
        let invalid = || connector.error(countersign::Error::config("the base URL has no valid authority"));
        let authority: Authority = base.authority().parse().map_err(|_| invalid())?;
        let host = HeaderValue::from_str(base.authority()).map_err(|_| invalid())?;
        let tls = match base.origin().is_https() {
            false => None,
            true => Some(trusts.of(connector.roots()).map_err(|error| connector.error(error))?),
        };
        let serve = connector.serve();
        let proxy = upstream::Proxy::of_environment(base.origin()).map_err(|error| connector.error(error))?;
        Ok(Self {
            proxy,
            strip: Strip::new(&serve.pass_headers, &serve.caller),
            ours: format!("/{}", connector.name()),
            scheme,
            authority,
            host,
            under_way: Arc::default(),
            tls,
            connector,
        })
    }
}

/// Reading certificate authorities takes milliseconds: once for all who believe the same.
#[derive(Default)]
struct Trusts {
    system: Option<(Trust, Tls)>,
    with_roots: HashMap<Box<[u8]>, (Trust, Tls)>,
}

impl Trusts {
    fn of(&mut self, roots: Option<&[u8]>) -> Result<(Trust, Tls), countersign::Error> {
        let known = match roots {
            None => self.system.clone(),
            Some(roots) => self.with_roots.get(roots).cloned(),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let trust = Trust::new(roots)?;
        let tls = Tls::new(&trust, None)?;
        let made = (trust, tls);
        match roots {
            None => self.system = Some(made.clone()),
            Some(roots) => {
                self.with_roots.insert(roots.into(), made.clone());
            }
        }
        Ok(made)
    }
}
