//! What the host lends a plugin: its log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::RSlice;
use countersign::abi::{AbiHost, AbiHost_TO, HostObject, LogRecord};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::plugin::flood::{Admitted, Flood};

/// The longest record that is taken, in bytes.
const MAX_RECORD: usize = 16 << 10;

/// What a plugin of that name gets from the host.
pub(super) fn lend(plugin: &str) -> HostObject {
    AbiHost_TO::from_value(Lent { plugin: plugin.to_owned(), flood: Mutex::default() }, TD_Opaque)
}

struct Lent {
    plugin: String,
    flood: Mutex<Flood>,
}

impl AbiHost for Lent {
    fn log_level(&self) -> u8 {
        match LevelFilter::current() {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            _ => 5,
        }
    }

    fn log(&self, record: RSlice<'_, u8>) {
        // A panic (of a log writer, say) that reached the boundary would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| self.take(record.as_slice())));
    }
}

impl Lent {
    fn take(&self, record: &[u8]) {
        let admitted = self.flood.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        match admitted {
            Admitted::Yes { missed: 0 } => {}
            Admitted::Yes { missed } => tracing::warn!(
                target: "countersign::plugin", plugin = self.plugin, missed,
                "the plugin logs more than the host takes; records were dropped"
            ),
            Admitted::No => return,
        }
        let record = (record.len() <= MAX_RECORD).then(|| serde_json::from_slice(record).ok()).flatten();
        match record {
            Some(record) => self.emit(&record),
            None => tracing::debug!(
                target: "countersign::plugin", plugin = self.plugin,
                "the plugin logged something that is no log record, or one that is too long"
            ),
        }
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
