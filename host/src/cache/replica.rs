use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::counters::{Counters, Part};
use super::snapshot::{Generation, Snapshot};

/// What the hot path looks at before it places anything: which credential is current, and until when nobody else
/// needs to look. Read by all threads, written seldom.
#[derive(Debug)]
pub(crate) struct Front {
    /// The generation that replicas may place; 0 while there is none.
    generation: AtomicU64,
    /// From this effective time on the slow path has a look.
    attention: AtomicU64,
    /// The settings that may write here; others came too late.
    epoch: Mutex<u64>,
    /// Where each thread keeps its replica.
    index: Index,
}

impl Front {
    /// Of a credential that replicas place.
    pub(crate) fn replicated(epoch: u64) -> Self {
        Self { index: Index::take(), ..Self::single(epoch) }
    }

    /// Of one that is not placed by [`place`](Front::place).
    pub(crate) const fn single(epoch: u64) -> Self {
        let (generation, attention) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { generation, attention, epoch: Mutex::new(epoch), index: Index(NONE) }
    }

    pub(crate) fn attention(&self) -> u64 {
        self.attention.load(Ordering::Acquire)
    }

    /// New settings take over: nothing is current, and what the settings before still bring is ignored.
    pub(crate) fn take_over(&self, epoch: u64) {
        let mut owner = self.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        *owner = epoch;
        self.generation.store(0, Ordering::Release);
    }

    /// Makes a credential current; `None` for one that replicas cannot place.
    pub(crate) fn publish(&self, epoch: u64, generation: Option<Generation>, attention: u64) {
        self.write(epoch, || {
            // In this order, and read in the other: who sees the new time sees the new generation too, so that
            // nobody takes an old credential for as long-lived as the new one.
            self.generation.store(generation.map_or(0, |generation| generation.0.get()), Ordering::Release);
            self.attention.store(attention, Ordering::Release);
        });
    }

    /// Nothing is current any more.
    pub(crate) fn withdraw(&self, epoch: u64) {
        self.write(epoch, || self.generation.store(0, Ordering::Release));
    }

    /// The current credential needs no look until then.
    pub(crate) fn look_again(&self, epoch: u64, at: u64) {
        self.write(epoch, || self.attention.store(at, Ordering::Release));
    }

    /// Whether the caller is the one to have the look that was due at `attention`.
    pub(crate) fn claim_look(&self, attention: u64, next: u64) -> bool {
        self.attention.compare_exchange(attention, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn write(&self, epoch: u64, change: impl FnOnce()) {
        let owner = self.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        if *owner == epoch {
            change();
        }
    }

    /// The hot path: places this thread's replica of the current credential, if there is one and it is fresh.
    /// `current` gives the credential when the replica has to be made anew.
    #[inline]
    pub(crate) fn place(
        &self,
        now: u64,
        headers: &mut HeaderMap,
        counters: &Counters,
        current: impl FnOnce() -> Option<Arc<Snapshot>>,
    ) -> Option<Generation> {
        if now >= self.attention.load(Ordering::Acquire) {
            return None;
        }
        let generation = self.generation.load(Ordering::Acquire);
        let placed = REPLICAS.try_with(|replicas| match replicas.borrow().get(self.index.0) {
            Some(Some(replica)) if replica.generation.0.get() == generation => replica.place(headers),
            _ => None,
        });
        match placed {
            Ok(Some(placed)) => Some(placed),
            _ => self.place_anew(generation, headers, counters, current),
        }
    }

    /// Makes this thread's replica, and places it. Kept apart, so that the way that is gone mostly is short.
    #[cold]
    #[inline(never)]
    fn place_anew(
        &self,
        generation: u64,
        headers: &mut HeaderMap,
        counters: &Counters,
        current: impl FnOnce() -> Option<Arc<Snapshot>>,
    ) -> Option<Generation> {
        let snapshot = current().filter(|snapshot| snapshot.generation().0.get() == generation)?;
        let make = |replicas: &RefCell<Vec<_>>| {
            self.index.put(&mut replicas.borrow_mut(), Replica::of(&snapshot, counters)).place(headers)
        };
        REPLICAS.try_with(make).ok().flatten()
    }
}

thread_local! {
    /// By [`Index`]. What is out of date is replaced at its next use, and lies there until then.
    static REPLICAS: RefCell<Vec<Option<Replica>>> = const { RefCell::new(Vec::new()) };
}

/// A thread's own copy of a credential: placing it writes nothing that another thread reads.
struct Replica {
    generation: Generation,
    placements: Arc<Part>,
    /// The one of `Authorization`, mostly the only one. With a name that is known when this is compiled, nothing is left to
    /// parse and hash.
    authorization: Option<HeaderValue>,
    others: Vec<(HeaderName, HeaderValue)>,
}

impl Replica {
    #[cold]
    fn of(snapshot: &Snapshot, counters: &Counters) -> Self {
        let mut others: Vec<_> = snapshot.copied_headers().collect();
        let authorization = others.iter().position(|(name, _)| *name == AUTHORIZATION);
        let authorization = authorization.map(|index| others.remove(index).1);
        Self {
            generation: snapshot.generation(),
            placements: counters.placements.part(),
            authorization,
            others,
        }
    }

    /// A call: inlined, the copy of the value is moved once more, and the processor waits for it.
    #[inline(never)]
    fn place(&self, headers: &mut HeaderMap) -> Option<Generation> {
        if let Some(value) = &self.authorization {
            headers.try_insert(AUTHORIZATION, value.clone()).ok()?;
        }
        if !self.others.is_empty() {
            self.place_others(headers)?;
        }
        self.placements.bump();
        Some(self.generation)
    }

    #[inline(never)]
    fn place_others(&self, headers: &mut HeaderMap) -> Option<()> {
        for (name, value) in &self.others {
            headers.try_insert(name, value.clone()).ok()?;
        }
        Some(())
    }
}

/// An index into each thread's replicas, reused when its owner is gone.
#[derive(Debug)]
struct Index(usize);

/// The index of those that have no replicas.
const NONE: usize = usize::MAX;

/// Indices that were given back, and the first that was never given.
static INDICES: Mutex<(Vec<usize>, usize)> = Mutex::new((Vec::new(), 0));

impl Index {
    fn take() -> Self {
        let mut indices = INDICES.lock().unwrap_or_else(PoisonError::into_inner);
        Self(indices.0.pop().unwrap_or_else(|| {
            indices.1 += 1;
            indices.1 - 1
        }))
    }

    fn put<'a>(&self, replicas: &'a mut Vec<Option<Replica>>, replica: Replica) -> &'a Replica {
        if replicas.len() <= self.0 {
            replicas.resize_with(self.0 + 1, || None);
        }
        replicas[self.0].insert(replica)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if self.0 == NONE {
            return;
        }
        INDICES.lock().unwrap_or_else(PoisonError::into_inner).0.push(self.0);
    }
}
