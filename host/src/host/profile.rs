use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign::protocol::Declared;
use tracing::{info, warn};

use super::surroundings::Surroundings;
use crate::config::{ProfileConfig, Sources, Watched};
use crate::connector::BoundProfile;
use crate::registry::Registry;
use crate::setup::{Made, MadeFrom, ReadyProfile, make};

/// A profile that runs: its credentials, and what it takes to make it anew. Hosts that follow each other share it as
/// long as nothing of it changes.
pub(crate) struct RunningProfile {
    pub(crate) bound: Arc<BoundProfile>,
    pub(super) type_name: Arc<str>,
    /// What its first instance declared.
    pub(crate) declared: Declared,
    making: Mutex<Making>,
}

/// How the profile is made.
struct Making {
    config: ProfileConfig,
    registry: Arc<Registry>,
    surroundings: Arc<Surroundings>,
    /// What the instance that runs was made from.
    from: MadeFrom,
    /// The files behind it, as they were then.
    files: Vec<Watched>,
}

impl RunningProfile {
    /// Starts a profile; `before` is the one that had its name.
    pub(super) fn start(
        ready: ReadyProfile,
        registry: &Arc<Registry>,
        surroundings: &Arc<Surroundings>,
        before: Option<&Self>,
    ) -> Self {
        let ReadyProfile { config, made: Made { instance, grants, from, files, .. } } = ready;
        let declared = Declared { inputs: instance.inputs().clone(), places: instance.places().cloned() };
        let settings = surroundings.settings(&config, instance, grants);
        let environment = surroundings.environment.clone();
        let bound = match before {
            Some(before) => before.bound.successor(settings, environment),
            None => BoundProfile::new(config.name.as_str().into(), settings, environment),
        };
        let type_name = Arc::clone(&config.type_name);
        let (registry, surroundings) = (Arc::clone(registry), Arc::clone(surroundings));
        let making = Mutex::new(Making { config, registry, surroundings, from, files });
        Self { bound: Arc::new(bound), type_name, declared, making }
    }

    /// Whether its settings came from files.
    pub(super) fn has_files(&self) -> bool {
        !self.making().files.is_empty()
    }

    /// Whether what was made ready is the very profile that runs.
    pub(super) fn is(&self, ready: &ReadyProfile, surroundings: &Arc<Surroundings>) -> bool {
        let making = self.making();
        Arc::ptr_eq(&making.surroundings, surroundings) && making.from == ready.made.from
    }

    /// Goes on under a configuration that means the same by it.
    pub(super) fn go_on(&self, ready: ReadyProfile, registry: &Arc<Registry>) {
        let mut making = self.making();
        // Else a file has changed meanwhile, and the instance that runs is newer.
        if making.from == ready.made.from {
            making.files = ready.made.files;
        }
        making.config = ready.config;
        making.registry = Arc::clone(registry);
    }

    /// Makes it anew if a file behind its settings has changed.
    pub(crate) fn look(&self, sources: &Sources) {
        let mut making = self.making();
        if !making.files.iter().any(Watched::changed) {
            return;
        }
        // As they are before they are read: what changes from here on is seen the next time.
        let before = making.files.iter().map(|file| Watched::now(file.path())).collect();
        let name = &*self.bound.name;
        match make(&making.registry, &making.config, sources, None) {
            Ok(made) => {
                self.bound.replace(making.surroundings.settings(&making.config, made.instance, made.grants));
                (making.files, making.from) = (made.files, made.from);
                info!(profile = name, "a file behind its settings has changed; the profile was made anew");
            }
            Err(findings) => {
                // Half-written, or wrong: the profile goes on as it is, and whatever comes next is tried again.
                warn!(
                    profile = name,
                    "a file behind its settings has changed, but it cannot be used: {findings}"
                );
                making.files = before;
            }
        }
    }

    fn making(&self) -> MutexGuard<'_, Making> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
