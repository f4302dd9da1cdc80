use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, MaxSizeReached};

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

    /// The hot path: places this thread's replica of the current credential, if there is one, it is fresh, and it is a
    /// value of `Authorization`. `None` says nothing but that [`place_anew`](Front::place_anew) has to look.
    #[inline(always)]
    pub(crate) fn place(&self, now: u64, headers: &mut HeaderMap) -> Option<Generation> {
        let generation = self.fresh(now)?;
        let place = |replicas: &RefCell<Vec<Replica>>| match replicas.borrow().get(self.index.0) {
            Some(Replica::Authorization(replica)) if replica.generation.0.get() == generation => {
                replica.place(headers)
            }
            _ => None,
        };
        REPLICAS.try_with(place).unwrap_or(None)
    }

    /// Places this thread's replica, whatever it is; it is made if need be, of what `current` gives.
    pub(crate) fn place_anew(
        &self,
        now: u64,
        headers: &mut HeaderMap,
        counters: &Counters,
        current: impl FnOnce() -> Option<Arc<Snapshot>>,
    ) -> Option<Generation> {
        let generation = self.fresh(now)?;
        let place = |replicas: &RefCell<Vec<Replica>>| {
            let mut replicas = replicas.borrow_mut();
            let replica = self.index.of(&mut replicas);
            if replica.generation() != generation {
                let snapshot = current().filter(|it| it.generation().0.get() == generation)?;
                *replica = Replica::of(&snapshot, counters);
            }
            replica.place(headers)
        };
        REPLICAS.try_with(place).unwrap_or(None)
    }

    /// The generation that may be placed at that time, 0 if there is none.
    #[inline(always)]
    fn fresh(&self, now: u64) -> Option<u64> {
        (now < self.attention.load(Ordering::Acquire)).then(|| self.generation.load(Ordering::Acquire))
    }
}

thread_local! {
    /// By [`Index`]. What is out of date is replaced at its next use, and lies there until then.
    static REPLICAS: RefCell<Vec<Replica>> = const { RefCell::new(Vec::new()) };
}

/// A thread's own copy of a credential: placing it writes nothing that another thread reads.
enum Replica {
    Missing,
    /// Mostly it is this. With a name that is known when this is compiled, nothing is left to parse and hash.
    Authorization(Own<HeaderValue>),
    Headers(Own<Vec<(HeaderName, HeaderValue)>>),
}

struct Own<T> {
    generation: Generation,
    placements: Arc<Part>,
    value: T,
}

impl Replica {
    fn of(snapshot: &Snapshot, counters: &Counters) -> Self {
        let (generation, placements) = (snapshot.generation(), counters.placements.part());
        let mut headers: Vec<_> = snapshot.copied_headers().collect();
        match headers.pop_if(|(name, _)| *name == AUTHORIZATION && snapshot.headers().len() == 1) {
            Some((_, value)) => Self::Authorization(Own { generation, placements, value }),
            None => Self::Headers(Own { generation, placements, value: headers }),
        }
    }

    fn generation(&self) -> u64 {
        match self {
            Self::Missing => 0,
            Self::Authorization(copy) => copy.generation.0.get(),
            Self::Headers(copy) => copy.generation.0.get(),
        }
    }

    fn place(&self, headers: &mut HeaderMap) -> Option<Generation> {
        match self {
            Self::Missing => None,
            Self::Authorization(copy) => copy.replace(headers),
            Self::Headers(copy) => copy.place(headers),
        }
    }
}

impl Own<HeaderValue> {
    #[inline(always)]
    fn place(&self, headers: &mut HeaderMap) -> Option<Generation> {
        match self.append(headers) {
            Ok(false) => {
                self.placements.bump();
                Some(self.generation)
            }
            Ok(true) => self.replace(headers),
            Err(_) => None,
        }
    }

    /// Returns whether there was a value before. Appending costs less than inserting: there is none to be given back, as there hardly
    /// ever is.
    // A function of its own, around both the clone and the place it goes to: in one with more than that, or in two, the clone is
    // written in pieces and moved in others, and the processor waits for the pieces, a fifth of the time that all of this takes.
    // The name is given by reference, as nowhere else in this crate: what is made of `http`'s code for that is ours alone, and comes
    // in line, with the name's hash known. Shared with others it is called, and hashes: a tenth.
    #[inline(never)]
    fn append(&self, headers: &mut HeaderMap) -> Result<bool, MaxSizeReached> {
        let mut value = self.value.clone();
        value.set_sensitive(true);
        headers.try_append(&AUTHORIZATION, value)
    }

    /// The request had others: all of them go.
    #[cold]
    #[inline(never)]
    fn replace(&self, headers: &mut HeaderMap) -> Option<Generation> {
        headers.try_insert(AUTHORIZATION, self.value.clone()).ok()?;
        self.placements.bump();
        Some(self.generation)
    }
}

impl Own<Vec<(HeaderName, HeaderValue)>> {
    fn place(&self, headers: &mut HeaderMap) -> Option<Generation> {
        for (name, value) in &self.value {
            headers.try_insert(name.clone(), value.clone()).ok()?;
        }
        self.placements.bump();
        Some(self.generation)
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

    /// The replica of that index, among a thread's.
    fn of<'a>(&self, replicas: &'a mut Vec<Replica>) -> &'a mut Replica {
        if replicas.len() <= self.0 {
            replicas.resize_with(self.0 + 1, || Replica::Missing);
        }
        &mut replicas[self.0]
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
