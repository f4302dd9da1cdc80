use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::Error;
use rustix::time::{ClockId, clock_gettime};

/// How often a [`Ticker`] reads the clocks: the hot path is at most so late, in milliseconds.
pub const GRANULARITY_MS: u64 = 50;

/// Time as lifetimes see it: one *effective* time, in milliseconds, that never goes back.
///
/// With each reading it advances by the larger of what `CLOCK_BOOTTIME` and what wall time advanced by. So suspend
/// counts; a wall clock that jumps forward lets credentials expire early; and one that is set back extends no life.
/// Cloning gives another handle of the same clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Source,
    last: Mutex<Reading>,
    /// The effective time as a running [`Ticker`] saw it last; [`UNKNOWN`] while there is none.
    coarse: AtomicU64,
}

/// Both clocks and the effective time that followed from them, in nanoseconds.
struct Reading {
    boot: i64,
    wall: i64,
    effective: u64,
}

/// Later than everything: who compares with it has a second look.
const UNKNOWN: u64 = u64::MAX;

/// One reading: effective time for lifetimes, wall time for what issuers say.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Effective time, in milliseconds.
    pub effective: u64,
    /// Wall time.
    pub wall: SystemTime,
}

impl Clock {
    /// The clocks of this machine.
    pub fn system() -> Self {
        Self::over(Source::System)
    }

    /// A clock that stands until it is moved, for tests.
    pub fn manual(wall: SystemTime) -> ManualClock {
        ManualClock(Self::over(Source::Manual(Mutex::new(Manual { boot: 0, wall: nanos(wall) }))))
    }

    /// The effective time, in milliseconds, for the hot path: coarse while a [`Ticker`] runs, exact otherwise.
    #[inline]
    pub fn now(&self) -> u64 {
        match self.coarse() {
            UNKNOWN => self.tick().effective,
            coarse => coarse,
        }
    }

    /// The effective time as a [`Ticker`] keeps it; without one the end of all times. Nothing is read and nothing waits.
    #[inline(always)]
    pub(crate) fn coarse(&self) -> u64 {
        self.0.coarse.load(Ordering::Relaxed)
    }

    /// Reads both clocks anew.
    pub fn tick(&self) -> Moment {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (boot, wall) = self.0.source.read();
        let advanced = boot.saturating_sub(last.boot).max(wall.saturating_sub(last.wall)).max(0);
        let effective = last.effective.saturating_add(advanced.unsigned_abs());
        *last = Reading { boot, wall, effective };
        Moment { effective: effective / 1_000_000, wall: instant(wall) }
    }

    fn keep(&self) {
        self.0.coarse.store(self.tick().effective, Ordering::Relaxed);
    }

    fn over(source: Source) -> Self {
        let (boot, wall) = source.read();
        let last = Mutex::new(Reading { boot, wall, effective: 1_000_000 });
        Self(Arc::new(Inner { source, last, coarse: AtomicU64::new(UNKNOWN) }))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Moves a [`Clock`] by hand; boot time and wall time apart, where the test is about their difference.
#[derive(Debug, Clone)]
pub struct ManualClock(Clock);

impl ManualClock {
    /// The clock that is moved.
    pub fn clock(&self) -> Clock {
        self.0.clone()
    }

    /// Lets time pass, as it mostly does: both clocks advance.
    pub fn advance(&self, by: Duration) {
        self.set(|manual| {
            manual.boot += span(by);
            manual.wall += span(by);
        });
    }

    /// Lets time pass while the wall clock stands.
    pub fn advance_boot(&self, by: Duration) {
        self.set(|manual| manual.boot += span(by));
    }

    /// Sets the wall clock, forth or back, without letting time pass.
    pub fn set_wall(&self, wall: SystemTime) {
        self.set(|manual| manual.wall = nanos(wall));
    }

    fn set(&self, change: impl FnOnce(&mut Manual)) {
        if let Source::Manual(manual) = &self.0.0.source {
            change(&mut manual.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

enum Source {
    System,
    Manual(Mutex<Manual>),
}

/// Nanoseconds, like [`Reading`].
struct Manual {
    boot: i64,
    wall: i64,
}

impl Source {
    fn read(&self) -> (i64, i64) {
        match self {
            Self::System => (system(ClockId::Boottime), system(ClockId::Realtime)),
            Self::Manual(manual) => {
                let manual = manual.lock().unwrap_or_else(PoisonError::into_inner);
                (manual.boot, manual.wall)
            }
        }
    }
}

fn system(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

fn nanos(wall: SystemTime) -> i64 {
    span(wall.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn instant(nanos: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// A thread that keeps a clock's coarse time, every [`GRANULARITY_MS`]. It ends when this is dropped.
///
/// Without one everything works, but each placement reads the clocks (some 50 ns).
#[derive(Debug)]
pub struct Ticker {
    clock: Clock,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Unavailable`](countersign::ErrorKind::Unavailable) when the system gives no thread.
    pub fn start(clock: &Clock) -> Result<Self, Error> {
        let (stop, stopped) = mpsc::channel();
        let ticking = clock.clone();
        let tick = move || {
            while matches!(
                stopped.recv_timeout(Duration::from_millis(GRANULARITY_MS)),
                Err(RecvTimeoutError::Timeout)
            ) {
                ticking.keep();
            }
        };
        let thread = std::thread::Builder::new()
            .name("countersign-tick".to_owned())
            .spawn(tick)
            .map_err(|error| Error::unavailable(format!("the clock's thread did not start: {error}")))?;
        clock.keep();
        Ok(Self { clock: clock.clone(), stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.clock.0.coarse.store(UNKNOWN, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn time_passes_once_though_two_clocks_say_so() {
        let manual = Clock::manual(at(1000));
        let before = manual.clock().now();
        manual.advance(SECOND);
        assert_eq!(manual.clock().now() - before, 1000);
    }

    #[test]
    fn suspend_counts_though_wall_time_stood() {
        let manual = Clock::manual(at(1000));
        let before = manual.clock().now();
        manual.advance_boot(SECOND);
        assert_eq!(manual.clock().now() - before, 1000);
    }

    #[test]
    fn a_wall_clock_set_forth_counts_even_after_it_was_set_back() {
        let manual = Clock::manual(at(1000));
        let before = manual.clock().now();
        manual.set_wall(at(500));
        assert_eq!(manual.clock().now(), before);
        manual.set_wall(at(1000));
        assert_eq!(manual.clock().now() - before, 500_000);
    }

    #[test]
    fn a_ticker_keeps_the_coarse_time_and_its_end_makes_it_exact_again() {
        let clock = Clock::system();
        let ticker = Ticker::start(&clock).unwrap();
        let coarse = clock.now();
        assert!(clock.tick().effective >= coarse);
        drop(ticker);
        assert_eq!(clock.coarse(), UNKNOWN);
        assert!(clock.now() >= coarse);
    }

    proptest! {
        #[test]
        fn effective_time_is_monotone_and_never_slower_than_either_clock(
            moves in proptest::collection::vec((0..10_000u64, -10_000..10_000i64), 1..40),
        ) {
            let manual = Clock::manual(at(1_000_000));
            let clock = manual.clock();
            let mut last = clock.tick();
            for (boot, wall) in moves {
                manual.advance_boot(Duration::from_millis(boot));
                let shift = Duration::from_millis(wall.unsigned_abs());
                manual.set_wall(if wall < 0 { last.wall - shift } else { last.wall + shift });
                let next = clock.tick();
                let advanced = i64::try_from(next.effective - last.effective).unwrap();
                prop_assert_eq!(advanced, wall.max(i64::try_from(boot).unwrap()));
                last = next;
            }
        }
    }
}
