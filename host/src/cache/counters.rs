use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign::ErrorKind;

/// What a profile's credentials went through since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Credentials handed out for requests.
    pub placements: u64,
    /// Conversations with the profile.
    pub acquires: u64,
    /// Those of them that ran in the background, ahead of expiry.
    pub renewals: u64,
    /// Rejections by upstreams that invalidated a credential.
    pub rejections: u64,
    /// Conversations that failed, by kind; kinds that never occurred are left out.
    pub failures: Vec<(ErrorKind, u64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) placements: Tally,
    pub(crate) acquires: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) rejections: AtomicU64,
    failures: [AtomicU64; KINDS.len()],
}

/// All kinds, in the order in which counters of them stand.
pub(crate) const KINDS: [ErrorKind; 7] = [
    ErrorKind::Config,
    ErrorKind::Denied,
    ErrorKind::Unavailable,
    ErrorKind::RateLimited,
    ErrorKind::LoginRequired,
    ErrorKind::Unsupported,
    ErrorKind::Internal,
];

impl Counters {
    pub(crate) fn failed(&self, kind: ErrorKind) {
        if let Some(index) = KINDS.iter().position(|known| *known == kind) {
            bump(&self.failures[index]);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failures = KINDS.into_iter().zip(self.failures.iter().map(read));
        Counts {
            placements: self.placements.sum(),
            acquires: read(&self.acquires),
            renewals: read(&self.renewals),
            rejections: read(&self.rejections),
            failures: failures.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A counter of which each thread has its own part, summed when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What came without a part of its own, and the parts of those that are gone.
    rest: AtomicU64,
    parts: Mutex<Vec<Arc<Part>>>,
}

/// One thread's part, on cache lines of its own. Only that thread writes it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Part(AtomicU64);

impl Part {
    #[inline]
    pub(crate) fn bump(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

impl Tally {
    /// A part for the calling thread.
    pub(crate) fn part(&self) -> Arc<Part> {
        let part = Arc::default();
        self.settled().push(Arc::clone(&part));
        part
    }

    pub(crate) fn bump(&self) {
        bump(&self.rest);
    }

    fn sum(&self) -> u64 {
        let parts = self.settled();
        let live: u64 = parts.iter().map(|part| part.0.load(Ordering::Relaxed)).sum();
        self.rest.load(Ordering::Relaxed) + live
    }

    /// The parts in use; those whose thread let go of them are added to the rest.
    fn settled(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Part>>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain_mut(|part| match Arc::get_mut(part) {
            Some(gone) => {
                self.rest.fetch_add(*gone.0.get_mut(), Ordering::Relaxed);
                false
            }
            None => true,
        });
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_threads_that_ended_still_count_and_take_no_room() {
        let tally = Tally::default();
        let mine = tally.part();
        mine.bump();
        tally.bump();
        for _ in 0..10 {
            std::thread::scope(|scope| {
                scope.spawn(|| tally.part().bump());
            });
        }
        assert_eq!(tally.sum(), 12);
        assert_eq!(tally.parts.lock().unwrap().len(), 1);
        assert_eq!(tally.sum(), 12);
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let counters = Counters::default();
        counters.failed(ErrorKind::Denied);
        counters.failed(ErrorKind::Denied);
        assert_eq!(counters.counts().failures, [(ErrorKind::Denied, 2)]);
    }
}
