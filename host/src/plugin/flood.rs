use std::time::{Duration, Instant};

/// Bounds how much a plugin may log: so many records a second, the rest is counted.
#[derive(Debug, Default)]
pub(super) struct Flood {
    second: Option<Instant>,
    taken: u32,
    missed: u64,
    missed_now: u32,
}

/// Whether a record is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It is; so many before it were not.
    Yes { missed: u64 },
    /// It is not.
    No,
    /// It is not, and there were so many in this second that nobody means them to be read.
    Torrent,
}

impl Flood {
    /// Records a second.
    pub(super) const LIMIT: u32 = 1000;
    /// Records that are missed within a second before it is a torrent.
    pub(super) const TORRENT: u32 = 20 * Self::LIMIT;

    /// Counts one record as of `now`.
    pub(super) fn admit(&mut self, now: Instant) -> Admitted {
        let over = self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1));
        if over {
            (self.second, self.taken, self.missed_now) = (Some(now), 0, 0);
        }
        if self.taken == Self::LIMIT {
            self.missed += 1;
            self.missed_now += 1;
            return if self.missed_now < Self::TORRENT { Admitted::No } else { Admitted::Torrent };
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

    #[test]
    fn a_torrent_is_twenty_times_a_second_s_records_within_one() {
        let (mut flood, now) = (Flood::default(), Instant::now());
        let admitted = |flood: &mut Flood, now, count| (0..count).map(|_| flood.admit(now)).last().unwrap();
        assert_eq!(admitted(&mut flood, now, Flood::LIMIT + Flood::TORRENT - 1), Admitted::No);
        let later = now + Duration::from_secs(1);
        assert_eq!(admitted(&mut flood, later, Flood::LIMIT + Flood::TORRENT - 1), Admitted::No);
        assert_eq!(flood.admit(later), Admitted::Torrent);
    }
}
