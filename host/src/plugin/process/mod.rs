//! The home of a plugin file in a process of its own.

use countersign::{Error, Manifest};
use serde_json::Value;

use super::health::PluginStatus;
use super::judge::Judged;
use super::loaded::About;
use super::refusal::Reason;
use super::settings::PluginSettings;
use crate::instance::Instance;

/// A plugin that runs in a process of its own, which is started anew when it ends.
pub(super) struct Process {}

impl Process {
    /// Starts it, and asks for its types.
    pub(super) fn start(
        judged: &Judged,
        settings: &PluginSettings,
    ) -> Result<(Self, About, Vec<Manifest>), Reason> {
        let _ = (judged, settings);
        Err("cannot run in a process of its own yet".into())
    }

    /// How it is.
    pub(super) fn status(&self) -> PluginStatus {
        PluginStatus::well()
    }

    /// Makes an instance of a type from its settings.
    pub(super) fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        let _ = (type_name, settings);
        Err(Error::unsupported("not yet"))
    }
}
