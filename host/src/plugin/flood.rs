use std::time::{Duration, Instant};

/// Bounds how much a plugin may log: so many records a second, the rest is counted.
#[derive(Debug, Default)]
pub(super) struct Flood {
    second: Option<Instant>,
    taken: u32,
    missed: u64,
}

/// Whether a record is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is; so many before it were not.
    Yes { missed: u64 },
    /// It is not.
    No,
}

impl Flood {
    /// Records a second.
    pub(super) const LIMIT: u32 = 1000;

    /// Counts one record as of `now`.
    pub(super) fn admit(&mut self, now: Instant) -> Admitted {
        let over = self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1));
        if over {
            (self.second, self.taken) = (Some(now), 0);
        }
        if self.taken == Self::LIMIT {
            self.missed += 1;
            return Admitted::No;
        }
        self.taken += 1;
        Admitted::Yes { missed: std::mem::take(&mut self.missed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_what_was_missed_is_told_a_second_later() {
        let (mut flood, now) = (Flood::default(), Instant::now());
        for _ in 0..Flood::LIMIT {
            assert_eq!(flood.admit(now), Admitted::Yes { missed: 0 });
        }
        assert_eq!(flood.admit(now), Admitted::No);
        assert_eq!(flood.admit(now + Duration::from_millis(999)), Admitted::No);
        assert_eq!(flood.admit(now + Duration::from_secs(1)), Admitted::Yes { missed: 2 });
        assert_eq!(flood.admit(now + Duration::from_secs(1)), Admitted::Yes { missed: 0 });
    }
}
