use std::time::{Duration, SystemTime};

use countersign::{Error, Lifetime};

use super::clock::{GRANULARITY_MS, Moment};

/// When a credential is renewed and when it ends, in milliseconds of effective time.
///
/// Everything is folded in when a credential is published, so that each use costs one compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Counted from when the credential was asked for.
    pub since: u64,
    /// From here on the next use starts a renewal: 50–80 % of life.
    pub refresh_at: u64,
    /// From here on it is not placed any more: its end less a margin for requests in flight, a tenth of life, 5 s
    /// at most.
    pub unusable_at: u64,
    /// Its end by the issuer's word, in wall time.
    pub expires_at: Option<SystemTime>,
    /// It serves one request.
    pub single_use: bool,
}

/// So far away that it never comes.
const NEVER: u64 = u64::MAX;
const LONGEST_MARGIN_MS: u64 = 5_000;

impl Life {
    /// The life of a credential that was asked for at `asked` and arrived at `now`. `default` stands in for a
    /// lifetime that the issuer did not state; `chance`, from 0 to 1, places the refresh point.
    ///
    /// # Errors
    /// [`Unavailable`](countersign::ErrorKind::Unavailable) when it had expired on arrival, or was about to.
    pub fn new(
        lifetime: Lifetime,
        asked: Moment,
        now: u64,
        default: Duration,
        chance: f64,
    ) -> Result<Self, Error> {
        let since = asked.effective;
        let ends = |span: Duration| Self::ending(span, asked, now, chance);
        match lifetime {
            Lifetime::SingleUse => {
                Ok(Self { since, refresh_at: since, unusable_at: since, expires_at: None, single_use: true })
            }
            Lifetime::UntilRejected => {
                Ok(Self { since, refresh_at: NEVER, unusable_at: NEVER, expires_at: None, single_use: false })
            }
            Lifetime::For(span) => ends(span),
            Lifetime::Until(end) => ends(end.duration_since(asked.wall).unwrap_or_default()),
            // `Unstated`, and whatever a newer core may add.
            _ => ends(default),
        }
    }

    fn ending(span: Duration, asked: Moment, now: u64, chance: f64) -> Result<Self, Error> {
        let (since, life) = (asked.effective, millis(span));
        let end = since.saturating_add(life);
        let unusable_at = end - (life / 10).clamp(GRANULARITY_MS.min(life), LONGEST_MARGIN_MS);
        if unusable_at <= now {
            return Err(Error::unavailable(
                "the credential had expired when it arrived; compare this machine's clock with the issuer's",
            ));
        }
        let refresh_after = Duration::from_millis(life).mul_f64(0.5 + 0.3 * chance.clamp(0.0, 1.0));
        let refresh_at = since.saturating_add(millis(refresh_after)).min(unusable_at);
        let expires_at = asked.wall.checked_add(span);
        Ok(Self { since, refresh_at, unusable_at, expires_at, single_use: false })
    }
}

/// Longer than any process lives, and far from an overflow.
const LONGEST_LIFE_MS: u64 = 1 << 50;

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(LONGEST_LIFE_MS)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use countersign::ErrorKind;
    use proptest::prelude::*;

    use super::*;

    const DEFAULT: Duration = Duration::from_secs(300);

    fn asked() -> Moment {
        Moment { effective: 1000, wall: UNIX_EPOCH + Duration::from_secs(1_000_000) }
    }

    #[test]
    fn an_hour_is_renewed_halfway_and_ends_five_seconds_early() {
        let life = Life::new(Lifetime::For(Duration::from_secs(3600)), asked(), 1500, DEFAULT, 0.0).unwrap();
        assert_eq!((life.refresh_at, life.unusable_at), (1_801_000, 3_596_000));
        let late = Life::new(Lifetime::For(Duration::from_secs(3600)), asked(), 1500, DEFAULT, 1.0).unwrap();
        assert_eq!(late.refresh_at, 2_881_000);
    }

    #[test]
    fn an_unstated_lifetime_is_the_default_and_never_forever() {
        let life = Life::new(Lifetime::Unstated, asked(), 1500, DEFAULT, 0.0).unwrap();
        assert_eq!(life.unusable_at, 296_000);
    }

    #[test]
    fn what_expired_on_arrival_is_refused() {
        let past = asked().wall - Duration::from_secs(1);
        for lifetime in [
            Lifetime::Until(past),
            Lifetime::Until(asked().wall),
            Lifetime::For(Duration::ZERO),
            Lifetime::For(Duration::from_millis(500)),
        ] {
            let error = Life::new(lifetime, asked(), 1500, DEFAULT, 0.5).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{lifetime:?}");
        }
    }

    proptest! {
        #[test]
        fn a_life_is_ordered_and_ends_before_its_end(millis: u64, waited in 0..10_000u64, chance in 0.0..=1.0) {
            let span = Duration::from_millis(millis);
            for lifetime in [Lifetime::For(span), Lifetime::Unstated] {
                let Ok(life) = Life::new(lifetime, asked(), 1000 + waited, DEFAULT, chance) else {
                    prop_assert!(millis <= 50 || millis <= waited + (millis / 10).clamp(50, 5000));
                    continue;
                };
                let whole = if lifetime == Lifetime::Unstated { 300_000 } else { millis };
                prop_assert!(life.since <= life.refresh_at && life.refresh_at <= life.unusable_at);
                prop_assert!(life.unusable_at < life.since.saturating_add(whole));
            }
        }

        #[test]
        fn until_an_instant_is_for_what_remains(remaining in 1..10_000_000u64, chance in 0.0..=1.0) {
            let span = Duration::from_millis(remaining);
            let until = Life::new(Lifetime::Until(asked().wall + span), asked(), 1000, DEFAULT, chance);
            prop_assert_eq!(until, Life::new(Lifetime::For(span), asked(), 1000, DEFAULT, chance));
        }
    }
}
