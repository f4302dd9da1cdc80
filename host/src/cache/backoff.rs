use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use countersign::{Error, ErrorKind};

/// Why there is no credential, and when it is tried again: one value, shared by all who are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// Since when, in wall time.
    pub since: SystemTime,
    /// How long nobody tries again; `None`: until the settings change.
    pub pause: Option<Duration>,
    /// The pause's end in milliseconds of effective time.
    pub(crate) until: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(300);

/// How long to leave an issuer alone after the `streak`th failure in a row (from 1): exponential with full jitter
/// by `chance` (0 to 1), or what the issuer asked for. `None` when trying again cannot help.
pub(crate) fn pause(error: &Error, streak: u32, chance: f64) -> Option<Duration> {
    let (base, cap) = match error.kind() {
        ErrorKind::Config | ErrorKind::Unsupported | ErrorKind::LoginRequired => return None,
        ErrorKind::Unavailable | ErrorKind::RateLimited => (1, 60),
        // `Denied`, `Internal`, and whatever a newer core may add.
        _ => (5, 300),
    };
    if let Some(asked) = error.retry_after() {
        return Some(asked.clamp(SHORTEST, LONGEST));
    }
    let doublings = streak.saturating_sub(1).min(16);
    let window = Duration::from_secs((base << doublings).min(cap)).mul_f64(chance.clamp(0.0, 1.0));
    let whole_millis = Duration::from_millis(window.as_millis() as u64);
    Some(whole_millis.max(SHORTEST))
}

/// Where chance comes from; seeded in tests. Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter(Arc<Mutex<fastrand::Rng>>);

impl Jitter {
    /// Another sequence in each process.
    pub fn random() -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::new())))
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// The next number from 0 to 1.
    pub fn chance(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(error: &Error, streak: u32) -> Option<u64> {
        pause(error, streak, 1.0).map(|pause| pause.as_secs())
    }

    #[test]
    fn pauses_double_up_to_their_cap() {
        let (unavailable, denied) = (Error::unavailable("x"), Error::denied("x"));
        let told: Vec<_> = (1..=8).map(|streak| seconds(&unavailable, streak).unwrap()).collect();
        assert_eq!(told, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(&denied, 1), Some(5));
        assert_eq!(seconds(&denied, u32::MAX), Some(300));
        assert_eq!(seconds(&Error::internal("x"), 3), Some(20));
    }

    #[test]
    fn jitter_is_full_and_leaves_a_shortest_pause() {
        let unavailable = Error::unavailable("x");
        assert_eq!(pause(&unavailable, 4, 0.25), Some(Duration::from_secs(2)));
        assert_eq!(pause(&unavailable, 4, 0.0), Some(SHORTEST));
    }

    #[test]
    fn retry_after_is_honoured_and_capped() {
        let asked = |wait| Error::rate_limited("x").with_retry_after(Duration::from_secs(wait));
        assert_eq!(pause(&asked(17), 9, 0.0), Some(Duration::from_secs(17)));
        assert_eq!(pause(&asked(86_400), 1, 0.0), Some(LONGEST));
        assert_eq!(pause(&asked(0), 1, 0.0), Some(SHORTEST));
        assert_eq!(seconds(&Error::rate_limited("x"), 2), Some(2));
    }

    #[test]
    fn what_only_people_can_mend_is_not_tried_again() {
        for error in [Error::config("x"), Error::unsupported("x"), Error::login_required("x")] {
            assert_eq!(pause(&error.with_retry_after(LONGEST), 1, 1.0), None);
        }
    }
}
