//! From a setup to a running host. What did not change goes on from the host before, if there is one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Running;
use super::file::ConfigFile;
use super::ground::Ground;
use super::profile::RunningProfile;
use super::surroundings::{Surroundings, read_roots};
use crate::config::{ConnectorConfig, Findings};
use crate::connector::{Connector, Definition};
use crate::setup::{ReadyProfile, Setup};
use crate::transport::{Options, Transport};

/// # Errors
/// What cannot be had; nothing of the host before has changed then.
pub(super) fn assemble(
    setup: Setup,
    path: &Path,
    ground: Arc<Ground>,
    before: Option<&Running>,
) -> Result<Running, Findings> {
    let surroundings =
        Surroundings::of(setup.http, setup.store, path, &ground, before.map(|before| &before.surroundings))?;
    let registry = setup.registry;
    let mut profiles: BTreeMap<Arc<str>, Arc<RunningProfile>> = BTreeMap::new();
    let (mut new, mut same): (Vec<_>, Vec<(_, ReadyProfile)>) = (Vec::new(), Vec::new());
    for ready in setup.profiles {
        let known = before.and_then(|before| before.profiles.get(ready.name()));
        let profile = match known {
            Some(known) if known.is(&ready, &surroundings) => {
                same.push((Arc::clone(known), ready));
                Arc::clone(known)
            }
            _ => {
                let known = known.map(Arc::as_ref);
                let profile = Arc::new(RunningProfile::start(ready, &registry, &surroundings, known));
                new.push(Arc::clone(&profile));
                profile
            }
        };
        profiles.insert(Arc::clone(&profile.bound.name), profile);
    }

    let mut connectors = HashMap::with_capacity(setup.connectors.len());
    let mut authorities = Authorities { config: path, known: HashMap::new() };
    for config in setup.connectors {
        let name = Arc::clone(&config.name);
        let known = before.and_then(|before| before.connectors.get(&name));
        let connector = connector(config, &profiles, &ground, known, &mut authorities)?;
        connectors.insert(name, connector);
    }

    // From here on nothing fails.
    for (profile, ready) in same {
        profile.go_on(ready, &registry);
    }
    ground.watch.add(new.iter().filter(|profile| profile.has_files()));
    Ok(Running {
        connectors,
        profiles,
        registry,
        serve: setup.serve,
        warnings: setup.warnings,
        file: ConfigFile::used(setup.watched),
        surroundings,
        ground,
    })
}

/// A connector: the one before, if it is the same.
fn connector(
    config: ConnectorConfig,
    profiles: &BTreeMap<Arc<str>, Arc<RunningProfile>>,
    ground: &Ground,
    known: Option<&Arc<Connector>>,
    authorities: &mut Authorities<'_>,
) -> Result<Arc<Connector>, Findings> {
    let used = config.profiles.iter().filter_map(|name| profiles.get(name.as_str()));
    let roots = config.ca_file.as_deref().map(|file| authorities.roots(file)).transpose()?;
    let definition = Definition {
        name: config.name,
        base_url: config.base_url,
        profiles: used.map(|profile| Arc::clone(&profile.bound)).collect(),
        rejection: config.rejection,
        probe: config.probe,
        timeout: config.timeout,
        serve: config.serve,
        roots,
    };
    if let Some(known) = known.filter(|known| known.is(&definition)) {
        return Ok(Arc::clone(known));
    }
    let transport = match &config.ca_file {
        None => ground.plain.clone(),
        Some(file) => authorities
            .transport(file)
            .map_err(|error| Findings::from(config.site.finding_at("ca_file", error.message())))?,
    };
    Ok(Arc::new(Connector::new(definition, ground.clock.clone(), transport)))
}

/// Files with certificate authorities, each read once however many connectors name it.
struct Authorities<'p> {
    config: &'p Path,
    known: HashMap<PathBuf, (Arc<[u8]>, Option<Transport>)>,
}

impl Authorities<'_> {
    fn roots(&mut self, file: &Path) -> Result<Arc<[u8]>, Findings> {
        if let Some((roots, _)) = self.known.get(file) {
            return Ok(Arc::clone(roots));
        }
        let roots = read_roots(self.config, file)?;
        self.known.insert(file.to_owned(), (Arc::clone(&roots), None));
        Ok(roots)
    }

    /// Connections to servers with such certificates, after [`roots`](Authorities::roots).
    fn transport(&mut self, file: &Path) -> Result<Transport, countersign::Error> {
        let Some((roots, transport)) = self.known.get_mut(file) else {
            return Transport::new(Options::default());
        };
        if let Some(transport) = transport {
            return Ok(transport.clone());
        }
        let made = Transport::new(Options { roots: Some(roots), ..Options::default() })?;
        Ok(transport.insert(made).clone())
    }
}
