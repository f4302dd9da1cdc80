//! How well a plugin is: whether its calls may go on, after what it did before. Shared by the homes in which it can fail
//! as a whole.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The wait after the second failure in a row; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// So many failures in a row, and the plugin is quarantined.
const MOST_FAILURES: u32 = 5;
/// How often a quarantined plugin is tried.
const TRIAL_EVERY: Duration = Duration::from_millis(800);

/// A plugin's state of health. A failure is one of the whole plugin (its process died, its thread is stuck), never an
/// error that a type answered with.
///
/// After a failure the plugin goes on at once; after the second in a row 50 ms later, then 100, then 200; after the
/// fifth it is *quarantined*: its calls fail at once, but for one every 0.8 s, which is its trial. One success ends all of
/// that.
pub(super) struct Health {
    plugin: String,
    well: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success.
    in_a_row: u32,
    /// When a call may go on.
    next: Option<Instant>,
    starts: u64,
    failures: [u64; Cause::ALL.len()],
    refused: u64,
    last: Option<(Instant, Cause, String)>,
}

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Go on.
    Go,
    /// Go on as the trial of a quarantined plugin.
    Trial,
    /// Ask again after that time.
    Wait(Duration),
    /// Nothing: the plugin is quarantined.
    Refused,
}

/// Why a plugin failed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It could not be started, or did not greet its host as the protocol says.
    Start,
    /// Its process ended by itself.
    Exit,
    /// A signal that was not its host's ended its process: it crashed, or ran into a limit.
    Crash,
    /// A call of it did not end in time.
    Stuck,
    /// It said what is not of the protocol.
    Protocol,
    /// It logged far more than its host takes.
    Flood,
}

/// How a plugin is, for those who watch it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginStatus {
    /// Whether its calls go on.
    pub condition: Condition,
    /// The id of its process, while it has one that runs.
    pub process: Option<u32>,
    /// How often its process was started; 0 for a plugin without one.
    pub starts: u64,
    /// How often it failed, by cause; causes that occurred. `Stuck` counts the calls that did not end in time.
    pub failures: Vec<(Cause, u64)>,
    /// How many calls failed at once because it was quarantined.
    pub refused: u64,
    /// How many of its calls were given up and have not returned yet.
    pub stuck: usize,
    /// Its last failure.
    pub last_failure: Option<LastFailure>,
}

/// Whether a plugin's calls go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// They do.
    Well,
    /// It failed, and nothing has succeeded since; calls go on, if after a short wait.
    BackingOff,
    /// It failed again and again: calls fail at once, but for a trial every 0.8 s.
    Quarantined,
}

/// How a plugin failed the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastFailure {
    /// Why.
    pub cause: Cause,
    /// What happened, as words whose subject is the plugin: `was killed by SIGSEGV`. They hold no secret.
    pub words: String,
    /// How long ago.
    pub ago: Duration,
}

impl Health {
    /// That of a plugin which has not failed.
    pub(super) fn new(plugin: impl Into<String>) -> Self {
        Self { plugin: plugin.into(), well: AtomicBool::new(true), state: Mutex::default() }
    }

    /// Whether a call may go on. [`Trial`](Admission::Trial) is given to one call every 0.8 s.
    pub(super) fn admit(&self, now: Instant) -> Admission {
        if self.well.load(Ordering::Acquire) {
            return Admission::Go;
        }
        let mut state = self.state();
        let left = state.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
        match (state.condition(), left) {
            (Condition::Quarantined, Duration::ZERO) => {
                state.next = Some(now + TRIAL_EVERY);
                Admission::Trial
            }
            (Condition::Quarantined, _) => {
                state.refused += 1;
                Admission::Refused
            }
            (_, Duration::ZERO) => Admission::Go,
            (_, left) => Admission::Wait(left),
        }
    }

    /// Its process was started.
    pub(super) fn started(&self) {
        self.state().starts += 1;
    }

    /// It did what was asked of it, be it that it answered with an error.
    pub(super) fn succeeded(&self) {
        if self.well.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state();
        let was = state.condition();
        (state.in_a_row, state.next) = (0, None);
        self.well.store(true, Ordering::Release);
        drop(state);
        if was == Condition::Quarantined {
            tracing::info!(
                target: "countersign::plugin", plugin = self.plugin,
                "the plugin works again, and is no more in quarantine"
            );
        }
    }

    /// It failed as a whole. The words' subject is the plugin: `was killed by SIGSEGV`; they hold no secret.
    pub(super) fn failed(&self, now: Instant, cause: Cause, words: impl Into<String>) {
        let words = words.into();
        let mut state = self.state();
        let was = state.condition();
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.next = Some(now + state.wait());
        state.failures[cause as usize] += 1;
        state.last = Some((now, cause, words.clone()));
        let (is, in_a_row) = (state.condition(), state.in_a_row);
        self.well.store(false, Ordering::Release);
        drop(state);
        if is == Condition::Quarantined && was != is {
            tracing::error!(
                target: "countersign::plugin", plugin = self.plugin, cause = cause.as_str(),
                "the plugin {words}: {in_a_row} failures in a row; it is in quarantine, and tried every 0.8 s"
            );
        } else {
            tracing::warn!(
                target: "countersign::plugin", plugin = self.plugin, cause = cause.as_str(), in_a_row,
                "the plugin {words}"
            );
        }
    }

    /// How long a call that comes now would have to wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.state().next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// What happened last, as words whose subject is the plugin.
    pub(super) fn last_words(&self) -> Option<String> {
        self.state().last.as_ref().map(|(_, _, words)| words.clone())
    }

    /// How it is as of `now`.
    pub(super) fn status(&self, now: Instant) -> PluginStatus {
        let state = self.state();
        let counted = Cause::ALL.into_iter().zip(state.failures);
        PluginStatus {
            condition: state.condition(),
            process: None,
            starts: state.starts,
            failures: counted.filter(|(_, count)| *count > 0).collect(),
            refused: state.refused,
            stuck: 0,
            last_failure: state.last.as_ref().map(|(at, cause, words)| LastFailure {
                cause: *cause,
                words: words.clone(),
                ago: now.saturating_duration_since(*at),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn condition(&self) -> Condition {
        match self.in_a_row {
            0 => Condition::Well,
            failures if failures < MOST_FAILURES => Condition::BackingOff,
            _ => Condition::Quarantined,
        }
    }

    fn wait(&self) -> Duration {
        match self.in_a_row {
            0 | 1 => Duration::ZERO,
            failures if failures < MOST_FAILURES => FIRST_WAIT * 2_u32.pow(failures - 2),
            _ => TRIAL_EVERY,
        }
    }
}

impl Cause {
    /// Every cause, in their order.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Exit, Self::Crash, Self::Stuck, Self::Protocol, Self::Flood];

    /// The word for it in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Exit => "exit",
            Self::Crash => "crash",
            Self::Stuck => "stuck",
            Self::Protocol => "protocol",
            Self::Flood => "flood",
        }
    }
}

impl Condition {
    /// The word for it in metrics and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::BackingOff => "backing-off",
            Self::Quarantined => "quarantined",
        }
    }
}

impl PluginStatus {
    /// That of a plugin of which nothing is known but that it was loaded.
    pub const fn well() -> Self {
        Self {
            condition: Condition::Well,
            process: None,
            starts: 0,
            failures: Vec::new(),
            refused: 0,
            stuck: 0,
            last_failure: None,
        }
    }

    /// With the id of its process.
    #[must_use]
    pub const fn with_process(mut self, id: Option<u32>) -> Self {
        self.process = id;
        self
    }
}

/// In a few words: whether its calls go on, and what it failed with.
impl fmt::Display for PluginStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.condition.as_str())?;
        match &self.last_failure {
            Some(failure) => write!(f, ", {} s ago it {}", failure.ago.as_secs(), failure.words),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(health: &Health, now: Instant, times: u32) {
        (0..times).for_each(|_| health.failed(now, Cause::Crash, "was killed by SIGSEGV"));
    }

    #[test]
    fn each_failure_in_a_row_is_waited_for_longer_until_quarantine() {
        let (health, now) = (Health::new("acme"), Instant::now());
        assert_eq!(health.admit(now), Admission::Go);
        fail(&health, now, 1);
        assert_eq!(health.admit(now), Admission::Go, "the first goes on at once");
        for wait in [50, 100, 200].map(Duration::from_millis) {
            fail(&health, now, 1);
            assert_eq!(health.admit(now), Admission::Wait(wait));
            assert_eq!(health.admit(now + wait), Admission::Go);
            assert_eq!(health.status(now).condition, Condition::BackingOff);
        }
        fail(&health, now, 1);
        assert_eq!(health.status(now).condition, Condition::Quarantined);
        assert_eq!(health.admit(now), Admission::Refused);
    }

    #[test]
    fn in_quarantine_one_call_in_a_while_is_a_trial() {
        let (health, now) = (Health::new("acme"), Instant::now());
        fail(&health, now, MOST_FAILURES);
        for turn in 1..4 {
            let now = now + TRIAL_EVERY * turn;
            assert_eq!(health.admit(now - Duration::from_millis(1)), Admission::Refused);
            assert_eq!(health.admit(now), Admission::Trial);
            assert_eq!(health.admit(now), Admission::Refused, "the trial is another call's");
        }
        assert_eq!(health.status(now).refused, 6);
    }

    #[test]
    fn one_success_ends_it() {
        let (health, now) = (Health::new("acme"), Instant::now());
        fail(&health, now, MOST_FAILURES + 3);
        health.succeeded();
        assert_eq!(health.admit(now), Admission::Go);
        let status = health.status(now + Duration::from_secs(3));
        assert_eq!((status.condition, status.failures), (Condition::Well, vec![(Cause::Crash, 8)]));
        let last = status.last_failure.unwrap();
        assert_eq!((last.words.as_str(), last.ago), ("was killed by SIGSEGV", Duration::from_secs(3)));
        fail(&health, now, 1);
        assert_eq!(health.admit(now), Admission::Go, "it is counted from the beginning");
    }
}
