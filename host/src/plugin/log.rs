use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use countersign::protocol::frame::LogRecord;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::flood::{Admitted, Flood};

/// The longest record that is taken, in bytes.
pub(super) const MAX_RECORD: usize = 16 << 10;

/// Where what a plugin logs goes: into the host's log, under the plugin's name, so much a second.
#[derive(Debug)]
pub(super) struct PluginLog {
    plugin: String,
    flood: Mutex<Flood>,
}

/// More was logged than anybody can mean to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torrent;

impl PluginLog {
    /// That of a plugin of that name.
    pub(super) fn new(plugin: impl Into<String>) -> Self {
        Self { plugin: plugin.into(), flood: Mutex::default() }
    }

    /// The most verbose level that anybody listens to: 0 nothing, 1 error … 5 trace.
    pub(super) fn level() -> u8 {
        match LevelFilter::current() {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            _ => 5,
        }
    }

    /// Takes one record, if there is room for it; `None` for what is no record, or too long a one.
    ///
    /// # Errors
    /// There have been far too many.
    pub(super) fn take(&self, record: impl FnOnce() -> Option<LogRecord>) -> Result<(), Torrent> {
        let admitted = self.flood.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        match admitted {
            Admitted::Yes { missed: 0 } => {}
            Admitted::Yes { missed } => tracing::warn!(
                target: "countersign::plugin", plugin = self.plugin, missed,
                "the plugin logs more than the host takes; records were dropped"
            ),
            Admitted::No => return Ok(()),
            Admitted::Torrent => return Err(Torrent),
        }
        match record() {
            Some(record) => self.emit(&record),
            None => tracing::debug!(
                target: "countersign::plugin", plugin = self.plugin,
                "the plugin logged something that is no log record, or one that is too long"
            ),
        }
        Ok(())
    }

    fn emit(&self, record: &LogRecord) {
        macro_rules! emit {
            ($level:ident) => {
                tracing::event!(
                    target: "countersign::plugin", Level::$level, plugin = self.plugin, from = record.target,
                    spans = record.spans.join(":"), fields = ?record.fields, "{}", record.message
                )
            };
        }
        match record.level {
            1 => emit!(ERROR),
            2 => emit!(WARN),
            3 => emit!(INFO),
            4 => emit!(DEBUG),
            _ => emit!(TRACE),
        }
    }
}
