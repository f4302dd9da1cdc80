//! What a worker writes: answers, and the plugin's log records in between.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use abi_stable::std_types::RSlice;
use countersign::abi::AbiHost;
use countersign::protocol::frame::{FromPlugin, LogRecord};
use countersign::respondent::append;
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::plugin::flood::{Admitted, Flood};

/// The longest record that is passed on, in bytes.
const MAX_RECORD: usize = 16 << 10;
/// The most that is kept of what was logged before the greeting, in bytes.
const MAX_EARLY: usize = 64 << 10;

/// The way out of a worker.
pub(super) struct Output {
    lines: Mutex<Lines>,
    level: AtomicU8,
    spin: u64,
}

#[derive(Default)]
struct Lines {
    flood: Flood,
    /// What was logged before the greeting, which comes first.
    early: Vec<u8>,
    greeted: bool,
}

impl Output {
    pub(super) fn new(spin: u64) -> Self {
        Self { lines: Mutex::default(), level: AtomicU8::new(3), spin }
    }

    /// For how long to look for the next line before sleeping, in microseconds.
    pub(super) const fn spin(&self) -> u64 {
        self.spin
    }

    /// The host wants to be told this much.
    pub(super) fn set_level(&self, level: u8) {
        self.level.store(level, Ordering::Relaxed);
    }

    /// Writes an answer.
    pub(super) fn answer(&self, line: &[u8]) -> Result<(), Errno> {
        let mut lines = self.lines();
        if !line.is_empty() {
            write(line)?;
            lines.greeted = true;
        }
        if lines.greeted && !lines.early.is_empty() {
            write(&std::mem::take(&mut lines.early))?;
        }
        Ok(())
    }

    fn log(&self, record: LogRecord) {
        let mut line = Vec::new();
        if append(&FromPlugin::Log(record), &mut line).is_err() {
            return;
        }
        let mut lines = self.lines();
        if lines.greeted {
            // A host that is gone is noticed by whoever reads.
            let _ = write(&line);
        } else if lines.early.len() + line.len() <= MAX_EARLY {
            lines.early.extend_from_slice(&line);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a library gets from its worker.
pub(super) struct Lent(pub(super) std::sync::Arc<Output>);

impl AbiHost for Lent {
    fn log_level(&self) -> u8 {
        self.0.level.load(Ordering::Relaxed)
    }

    fn log(&self, record: RSlice<'_, u8>) {
        let admitted = self.0.lines().flood.admit(Instant::now());
        match admitted {
            Admitted::Yes { missed: 0 } => {}
            Admitted::Yes { missed } => self.0.log(LogRecord {
                level: 2,
                message: format!("the plugin logs more than is passed on; {missed} records were dropped"),
                ..LogRecord::default()
            }),
            Admitted::No | Admitted::Torrent => return,
        }
        let record = record.as_slice();
        if let Some(record) =
            (record.len() <= MAX_RECORD).then(|| serde_json::from_slice(record).ok()).flatten()
        {
            self.0.log(record);
        }
    }
}

fn write(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::net::send(rustix::stdio::stdin(), bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
