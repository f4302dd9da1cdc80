//! What the host lends a plugin: its log.

use std::panic::{AssertUnwindSafe, catch_unwind};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::RSlice;
use countersign::abi::{AbiHost, AbiHost_TO, HostObject};

use crate::plugin::log::{MAX_RECORD, PluginLog};

/// What a plugin of that name gets from the host.
pub(super) fn lend(plugin: &str) -> HostObject {
    AbiHost_TO::from_value(Lent(PluginLog::new(plugin)), TD_Opaque)
}

struct Lent(PluginLog);

impl AbiHost for Lent {
    fn log_level(&self) -> u8 {
        PluginLog::level()
    }

    fn log(&self, record: RSlice<'_, u8>) {
        let record = record.as_slice();
        let parse = || (record.len() <= MAX_RECORD).then(|| serde_json::from_slice(record).ok()).flatten();
        // A panic (of a log writer, say) that reached the boundary would end the process. A torrent cannot be stopped
        // here: it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.take(parse)));
    }
}
