use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    surroundings: Arc<Surroundings>,
    making: Mutex<Making>,
}

/// How the profile is made.
struct Making {
    /// What the instance that runs was made from.
    from: MadeFrom,
    /// What it takes to make another, if that may ever be needed: its settings came from files.
    anew: Option<Box<Anew>>,
}

/// What a profile is made anew from when a file has changed.
struct Anew {
    config: ProfileConfig,
    registry: Arc<Registry>,
    /// The files behind its settings, as they were when it was made.
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
        let settings = surroundings.settings(&config, instance, grants);
        let environment = Arc::clone(&surroundings.environment);
        let bound = match before {
            Some(before) => before.bound.successor(settings, environment),
            None => BoundProfile::new(Arc::clone(&config.name), settings, environment),
        };
        let type_name = Arc::clone(&config.type_name);
        let making = Mutex::new(Making { from, anew: Anew::of(config, registry, files) });
        Self { bound: Arc::new(bound), type_name, surroundings: Arc::clone(surroundings), making }
    }

    /// Whether its settings came from files.
    pub(super) fn has_files(&self) -> bool {
        self.making().anew.is_some()
    }

    /// Whether what was made ready is the very profile that runs.
    pub(super) fn is(&self, ready: &ReadyProfile, surroundings: &Arc<Surroundings>) -> bool {
        Arc::ptr_eq(&self.surroundings, surroundings) && self.making().from == ready.made.from
    }

    /// Goes on under a configuration that means the same by it.
    pub(super) fn go_on(&self, ready: ReadyProfile, registry: &Arc<Registry>) {
        let mut making = self.making();
        let ReadyProfile { config, made: Made { from, mut files, .. } } = ready;
        // Else a file has changed meanwhile, and the instance that runs is newer.
        if making.from != from
            && let Some(anew) = making.anew.take()
        {
            files = anew.files;
        }
        making.anew = Anew::of(config, registry, files);
    }

    /// Makes it anew if a file behind its settings has changed.
    pub(crate) fn look(&self, sources: &Sources) {
        let mut making = self.making();
        let Making { from, anew: Some(anew) } = &mut *making else { return };
        if !anew.files.iter().any(Watched::changed) {
            return;
        }
        // As they are before they are read: what changes from here on is seen the next time.
        let before = anew.files.iter().map(|file| Watched::now(file.path())).collect();
        let name = &*self.bound.name;
        match make(&anew.registry, &anew.config, sources, None) {
            Ok(made) => {
                self.bound.replace(self.surroundings.settings(&anew.config, made.instance, made.grants));
                (anew.files, *from) = (made.files, made.from);
                info!(profile = name, "a file behind its settings has changed; the profile was made anew");
            }
            Err(findings) => {
                // Half-written, or wrong: the profile goes on as it is, and whatever comes next is tried again.
                warn!(
                    profile = name,
                    "a file behind its settings has changed, but it cannot be used: {findings}"
                );
                anew.files = before;
            }
        }
    }

    fn making(&self) -> MutexGuard<'_, Making> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Anew {
    fn of(config: ProfileConfig, registry: &Arc<Registry>, files: Vec<Watched>) -> Option<Box<Self>> {
        let registry = Arc::clone(registry);
        (!files.is_empty()).then(|| Box::new(Self { config, registry, files }))
    }
}
