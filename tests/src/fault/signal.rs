use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No wait in this server is longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps replies back until the test has seen what it waits for.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<Signal<bool>>);

impl Hold {
    /// Replies held by a new hold wait.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all its replies go, those to come as well.
    pub fn release(&self) {
        self.0.change(|released| *released = true);
    }

    pub(super) fn wait(&self) {
        self.0.wait(PATIENCE, |&released| released);
    }
}

/// A value that threads wait for.
#[derive(Debug, Default)]
pub(super) struct Signal<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Signal<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self, how: impl FnOnce(&mut T)) {
        how(&mut self.lock());
        self.changed.notify_all();
    }

    /// True if the condition came to hold in time.
    pub(super) fn wait(&self, at_most: Duration, holds: impl Fn(&T) -> bool) -> bool {
        let until = Instant::now() + at_most;
        let mut value = self.lock();
        while !holds(&value) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
