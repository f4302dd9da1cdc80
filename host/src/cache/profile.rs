use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use countersign::{Caller, Challenge, Origin};
use http::HeaderMap;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::runtime::Handle;

use super::backoff::{Failure, Jitter};
use super::clock::Clock;
use super::counters::{Counters, Counts};
use super::key::{Key, KeyView};
use super::replica::Front;
use super::slot::Slot;
use super::snapshot::{Generation, Snapshot};
use super::store::Store;
use super::tasks::Tasks;
use crate::acquire::Acquire;

/// A usable credential, or why there is none.
pub type Outcome = Result<Arc<Snapshot>, Arc<Failure>>;

/// What the caches of a host share.
pub struct Environment {
    /// What lifetimes run on.
    pub clock: Clock,
    /// Where renewal state is kept.
    pub store: Arc<dyn Store>,
    /// Chance for refresh points and pauses.
    pub jitter: Jitter,
    /// Where conversations run.
    pub runtime: Handle,
}

/// What follows from a profile's settings.
#[derive(Clone)]
pub struct Settings {
    /// Obtains the credentials.
    pub acquire: Arc<dyn Acquire>,
    /// The lifetime of credentials whose issuer stated none.
    pub default_lifetime: Duration,
    /// The name under which renewal state is stored. It must change when the settings name another issuer or
    /// account, for what is stored goes to whoever they name.
    pub store_as: String,
}

/// The credentials of one profile, one per value of its declared inputs.
///
/// Try in this order: [`try_place`](ProfileCache::try_place), [`try_current`](ProfileCache::try_current),
/// [`current`](ProfileCache::current). When an upstream rejects what was placed, [`reject`](ProfileCache::reject) it and
/// begin again.
///
/// Dropping it ends the conversations under way.
pub struct ProfileCache {
    /// Of the one credential of profiles without inputs.
    front: Arc<Front>,
    /// The one of the environment, near at hand.
    clock: Clock,
    shared: Arc<Shared>,
    epoch: ArcSwap<Epoch>,
    replacing: Mutex<()>,
}

/// What all slots of a profile share.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    environment: Arc<Environment>,
    pub(crate) counters: Arc<Counters>,
    tasks: Tasks,
}

impl Shared {
    pub(crate) fn new(name: Arc<str>, environment: Arc<Environment>, counters: Arc<Counters>) -> Self {
        Self { name, environment, counters, tasks: Tasks::default() }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.environment.clock
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.environment.store
    }

    pub(crate) fn jitter(&self) -> &Jitter {
        &self.environment.jitter
    }

    /// Runs a conversation to its end, whatever becomes of the caller.
    pub(crate) fn spawn(&self, conversation: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(&self.environment.runtime, conversation);
    }
}

/// The time of one set of settings. What was obtained under it goes when it goes.
struct Epoch {
    number: u64,
    settings: Arc<Settings>,
    slots: Slots,
}

/// Made when the first caller comes.
enum Slots {
    /// The profile declares no inputs.
    Sole(OnceLock<Arc<Slot>>),
    Keyed(OnceLock<Box<Cache<Key, Arc<Slot>>>>),
}

/// How many keys a profile's cache holds, and for how long unused; the least recently used go first.
const MOST_KEYS: u64 = 10_000;
const IDLE: Duration = Duration::from_secs(3600);

impl ProfileCache {
    /// An empty cache; `name` is the profile's, for logs. Nothing is spawned and nothing acquired before it is used.
    pub fn new(name: impl Into<Arc<str>>, settings: Settings, environment: Arc<Environment>) -> Self {
        Self::counting(name.into(), settings, environment, Arc::default())
    }

    /// An empty cache that counts on where this one is: for the profile that comes after it under its name.
    #[must_use]
    pub fn successor(&self, settings: Settings, environment: Arc<Environment>) -> Self {
        let name = Arc::clone(&self.shared.name);
        Self::counting(name, settings, environment, Arc::clone(&self.shared.counters))
    }

    fn counting(
        name: Arc<str>,
        settings: Settings,
        environment: Arc<Environment>,
        counters: Arc<Counters>,
    ) -> Self {
        let (clock, front) = (environment.clock.clone(), Arc::new(Front::replicated(0)));
        let shared = Arc::new(Shared::new(name, environment, counters));
        let epoch = ArcSwap::from_pointee(Epoch::new(0, settings));
        Self { front, clock, shared, epoch, replacing: Mutex::new(()) }
    }

    /// The hot path: sets the headers of the current credential, if it is fresh, headers are all that it places, and
    /// the profile declares no inputs. No lock, no allocation, no clock is read.
    ///
    /// Returns what was placed, for [`reject`](ProfileCache::reject). With `None` nothing was placed: ask
    /// [`current`](ProfileCache::current).
    #[inline(always)]
    pub fn try_place(&self, headers: &mut HeaderMap) -> Option<Generation> {
        match self.front.place(self.clock.coarse(), headers) {
            None => self.try_place_anew(headers),
            placed => placed,
        }
    }

    /// The same without what makes it fast: when the time is not at hand, when this thread has no replica yet, and for
    /// other headers than `Authorization`. Kept apart, so that the way that is gone mostly is short.
    #[inline(never)]
    fn try_place_anew(&self, headers: &mut HeaderMap) -> Option<Generation> {
        self.front.place_anew(self.clock.now(), headers, &self.shared.counters, || {
            match &self.epoch.load().slots {
                Slots::Sole(slot) => slot.get()?.snapshot(),
                Slots::Keyed(_) => None,
            }
        })
    }

    /// A usable credential, if there is one; never waits. When its renewal is due, this starts it.
    pub fn try_current(&self, caller: &Caller, target: &Origin) -> Option<Arc<Snapshot>> {
        let epoch = self.epoch.load();
        let now = self.clock.now();
        let snapshot = match &epoch.slots {
            Slots::Sole(slot) => slot.get()?.usable(now)?,
            Slots::Keyed(slots) => slots.get()?.get(&epoch.view(caller, target))?.usable(now)?,
        };
        self.shared.counters.placements.bump();
        Some(snapshot)
    }

    /// A usable credential; waits for one to be obtained if need be. Dropping the future is harmless.
    ///
    /// # Errors
    /// Why there is none; everybody is told the same until its pause is over.
    pub async fn current(&self, caller: &Caller, target: &Origin) -> Outcome {
        loop {
            let epoch = self.epoch.load_full();
            let outcome = epoch.slot(caller, target, self).obtain().await;
            // What settings brought that were replaced meanwhile is not used.
            if Arc::ptr_eq(&epoch, &self.epoch.load()) {
                if outcome.is_ok() {
                    self.shared.counters.placements.bump();
                }
                return outcome;
            }
        }
    }

    /// An upstream rejected the credential of that generation: it is invalidated, and no other. The next conversation
    /// is told the challenge.
    ///
    /// Returns whether trying once more may help, with what [`current`](ProfileCache::current) then gives. It does not when
    /// credentials were rejected again and again: then the current one stays for a growing while, so that an
    /// upstream that rejects everything does not send all its calls to the issuer.
    pub fn reject(
        &self,
        caller: &Caller,
        target: &Origin,
        generation: Generation,
        challenge: Challenge,
    ) -> bool {
        self.epoch.load().slot(caller, target, self).reject(generation, challenge)
    }

    /// New settings win at once: what was obtained under those before is not placed any more, and there is no way
    /// back to it if the new ones cannot acquire.
    pub fn replace(&self, settings: Settings) {
        let _one_at_a_time = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.epoch.load().number + 1;
        self.front.take_over(number);
        self.epoch.store(Arc::new(Epoch::new(number, settings)));
        tracing::info!(profile = &*self.shared.name, "the settings were replaced");
    }

    /// Who obtains its credentials now.
    pub(crate) fn acquire(&self) -> Arc<dyn Acquire> {
        Arc::clone(&self.epoch.load().settings.acquire)
    }

    /// How the profile is doing.
    pub fn status(&self) -> Status {
        let now = self.clock.tick().effective;
        let epoch = self.epoch.load();
        let slots: Vec<_> = match &epoch.slots {
            Slots::Sole(slot) => slot.get().cloned().into_iter().collect(),
            Slots::Keyed(slots) => {
                slots.get().into_iter().flat_map(|slots| slots.iter()).map(|(_, slot)| slot).collect()
            }
        };
        let per_caller = matches!(epoch.slots, Slots::Keyed(_));
        let snapshot = slots.iter().filter_map(|slot| slot.snapshot()).max_by_key(|it| it.generation());
        let failures = slots.iter().filter_map(|slot| slot.failing(now));
        Status {
            per_caller,
            keys: if per_caller { slots.len() } else { 1 },
            usable: slots
                .iter()
                .filter_map(|slot| slot.snapshot())
                .filter(|it| now < it.life().unusable_at)
                .count(),
            generation: snapshot.as_ref().map(|it| it.generation()),
            age: snapshot.as_ref().map(|it| Duration::from_millis(now.saturating_sub(it.life().since))),
            expires_at: snapshot.as_ref().and_then(|it| it.life().expires_at),
            failure: failures.max_by_key(|failure| failure.since),
            counts: self.shared.counters.counts(),
        }
    }
}

impl ProfileCache {
    /// Ends the conversations under way, and begins no more: callers without a credential are told so.
    pub fn close(&self) {
        self.shared.tasks.close();
    }
}

impl Drop for ProfileCache {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for ProfileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileCache").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

/// How a profile is doing; no secret, and no size that grows with callers.
#[derive(Debug, Clone)]
pub struct Status {
    /// Whether there is a credential for each caller or target: the profile declares inputs.
    pub per_caller: bool,
    /// How many keys are known: 1 for profiles without inputs.
    pub keys: usize,
    /// How many of them have a credential that may be placed.
    pub usable: usize,
    /// The newest credential.
    pub generation: Option<Generation>,
    /// How long ago the newest was asked for.
    pub age: Option<Duration>,
    /// When the newest ends by its issuer's word.
    pub expires_at: Option<SystemTime>,
    /// The latest failure whose pause holds.
    pub failure: Option<Arc<Failure>>,
    /// What happened since the start.
    pub counts: Counts,
}

impl Epoch {
    fn new(number: u64, settings: Settings) -> Self {
        let inputs = settings.acquire.inputs();
        let slots = if inputs.caller_attributes().len() == 0 && !inputs.reads_target() {
            Slots::Sole(OnceLock::new())
        } else {
            Slots::Keyed(OnceLock::new())
        };
        Self { number, settings: Arc::new(settings), slots }
    }

    fn view<'a>(&'a self, caller: &'a Caller, target: &'a Origin) -> KeyView<'a> {
        KeyView { inputs: self.settings.acquire.inputs(), caller, target }
    }

    fn slot(&self, caller: &Caller, target: &Origin, of: &ProfileCache) -> Arc<Slot> {
        let made = |key, front| {
            let (shared, settings) = (Arc::clone(&of.shared), Arc::clone(&self.settings));
            Arc::new(Slot::new(shared, settings, self.number, key, front))
        };
        let slots = match &self.slots {
            Slots::Sole(slot) => {
                return Arc::clone(slot.get_or_init(|| made(Key::sole(), Arc::clone(&of.front))));
            }
            Slots::Keyed(slots) => slots.get_or_init(|| Box::new(slots_by_key())),
        };
        let view = self.view(caller, target);
        slots.get(&view).unwrap_or_else(|| {
            let key = view.to_key();
            slots.get_with(key.clone(), || made(key, Arc::new(Front::single(self.number))))
        })
    }
}

fn slots_by_key() -> Cache<Key, Arc<Slot>> {
    // Least recently used, for the default policy may not admit a newcomer: each of its calls would acquire.
    Cache::builder().max_capacity(MOST_KEYS).time_to_idle(IDLE).eviction_policy(EvictionPolicy::lru()).build()
}
