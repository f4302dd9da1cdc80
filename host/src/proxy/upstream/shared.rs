use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

use super::UpstreamError;
use super::http2::Http2;

/// The HTTP/2 connection that all requests to an upstream share, and whose turn it is to make one.
#[derive(Debug, Default)]
pub(super) struct Shared {
    current: RefCell<Option<Current>>,
    made: Cell<u64>,
    turn: Mutex<()>,
    failure: RefCell<(u64, Option<UpstreamError>)>,
}

#[derive(Debug)]
struct Current {
    number: u64,
    connection: Http2,
    used: Instant,
}

impl Shared {
    /// The connection, if it is open and was used within `timeout`, and its number.
    pub(super) fn get(&self, timeout: Duration) -> Option<(Http2, u64)> {
        let mut current = self.current.borrow_mut();
        match current.as_mut() {
            Some(kept) if kept.connection.is_ready() && kept.used.elapsed() <= timeout => {
                kept.used = Instant::now();
                Some((kept.connection.clone(), kept.number))
            }
            _ => {
                *current = None;
                None
            }
        }
    }

    /// Shares a new connection; its number.
    pub(super) fn put(&self, connection: Http2) -> u64 {
        let number = self.made.get() + 1;
        self.made.set(number);
        *self.current.borrow_mut() = Some(Current { number, connection, used: Instant::now() });
        number
    }

    /// No new request goes on that connection; those under way go on.
    pub(super) fn retire(&self, number: u64) {
        self.current.borrow_mut().take_if(|current| current.number == number);
    }

    /// Waits until nobody else makes a connection. Who waited for one that failed fails with it: otherwise all who wait
    /// for a dead upstream would try it one after the other.
    pub(super) async fn turn(&self) -> Result<MutexGuard<'_, ()>, UpstreamError> {
        if let Ok(turn) = self.turn.try_lock() {
            return Ok(turn);
        }
        let before = self.failure.borrow().0;
        let turn = self.turn.lock().await;
        match &*self.failure.borrow() {
            (count, Some(error)) if *count != before => Err(error.clone()),
            _ => Ok(turn),
        }
    }

    /// Those who wait for their turn learn that none is left to wait for.
    pub(super) fn failed(&self, error: &UpstreamError) {
        let mut failure = self.failure.borrow_mut();
        *failure = (failure.0 + 1, Some(error.clone()));
    }

    pub(super) fn sweep(&self, now: Instant, timeout: Duration) {
        self.current.borrow_mut().take_if(|current| {
            !current.connection.is_ready() || now.saturating_duration_since(current.used) > timeout
        });
    }

    pub(super) fn len(&self) -> usize {
        self.current.borrow().iter().len()
    }
}
