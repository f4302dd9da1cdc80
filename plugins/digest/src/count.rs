use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use countersign::Error;

use crate::follow::Follow;

/// How often a nonce was used (`nc`, RFC 7616 §3.4): no two requests get the same number, on whatever threads.
#[derive(Debug, Default)]
pub(crate) struct Count {
    used: AtomicU32,
    pub(crate) follow: Follow,
}

impl Count {
    /// The next number; the first is 1.
    ///
    /// # Errors
    /// [`Unavailable`](countersign::ErrorKind::Unavailable) when the numbers are used up: a count that begins anew would be
    /// a replay.
    pub(crate) fn next(&self) -> Result<u32, Error> {
        let before =
            self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_add(1));
        // Below the largest number, for it was added to.
        before.map(|before| before.wrapping_add(1)).map_err(|_| {
            Error::unavailable(
                "the nonce was used as often as can be counted; the next challenge brings another",
            )
        })
    }

    #[cfg(test)]
    pub(crate) fn exhausted() -> Self {
        Self { used: AtomicU32::new(u32::MAX - 1), follow: Follow::default() }
    }
}

/// The counts of nonces that were used lately: a server that hands out the same nonce again finds it counted on.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<VecDeque<(String, Arc<Count>)>>);

impl Counts {
    /// The count of a nonce that a challenge brought just now.
    pub(crate) fn begun(&self, nonce: &str) -> Arc<Count> {
        let count = self.of(nonce);
        count.follow.begin();
        count
    }

    /// The count of a nonce.
    fn of(&self, nonce: &str) -> Arc<Count> {
        const MOST: usize = 64;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = known.iter().find(|(known, _)| known == nonce) {
            return Arc::clone(count);
        }
        let count = Arc::new(Count::default());
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back((nonce.to_owned(), Arc::clone(&count)));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_given_twice_on_many_threads() {
        let count = Count::default();
        let mut all: Vec<u32> = std::thread::scope(|scope| {
            let each = || (0..5_000).map(|_| count.next().unwrap()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(each)).collect();
            threads
                .into_iter()
                .flat_map(|thread| {
                    let given = thread.join().unwrap();
                    assert!(given.is_sorted(), "on one thread they increase");
                    given
                })
                .collect()
        });
        all.sort_unstable();
        assert_eq!(all, (1..=40_000).collect::<Vec<u32>>());
    }

    #[test]
    fn a_used_up_count_stays_used_up() {
        let count = Count::exhausted();
        assert_eq!(count.next().unwrap(), u32::MAX);
        for _ in 0..3 {
            assert!(count.next().is_err());
        }
    }

    #[test]
    fn a_nonce_that_comes_again_is_counted_on() {
        let counts = Counts::default();
        assert_eq!(counts.of("a").next().unwrap(), 1);
        assert_eq!(counts.of("b").next().unwrap(), 1);
        assert_eq!(counts.of("a").next().unwrap(), 2);
    }
}
