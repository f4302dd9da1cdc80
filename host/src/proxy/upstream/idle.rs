use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::http1::Http1;

/// How many unused connections are kept to one upstream, per thread.
pub(super) const MOST_IDLE: usize = 128;

/// Unused HTTP/1.1 connections; the one used last is used first, so that those not needed grow old.
#[derive(Debug, Default)]
pub(super) struct Idle(RefCell<Vec<(Box<Http1>, Instant)>>);

impl Idle {
    /// A connection that is open and was used within `timeout` before `now`, as far as can be seen from here.
    pub(super) fn take(&self, now: Instant, timeout: Duration) -> Option<Box<Http1>> {
        let mut kept = self.0.borrow_mut();
        while let Some((mut connection, since)) = kept.pop() {
            if now.saturating_duration_since(since) > timeout {
                // Those below are older still.
                kept.clear();
            } else if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection that was used until `now`, unless it cannot be used again or there are enough.
    pub(super) fn put(&self, connection: Box<Http1>, now: Instant) {
        let mut kept = self.0.borrow_mut();
        if connection.is_reusable() && kept.len() < MOST_IDLE {
            kept.push((connection, now));
        }
    }

    /// Drops those that were closed, and those unused for longer than `timeout` at `now`.
    pub(super) fn sweep(&self, now: Instant, timeout: Duration) {
        self.0.borrow_mut().retain_mut(|(connection, since)| {
            connection.is_ready() && now.saturating_duration_since(*since) <= timeout
        });
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}
