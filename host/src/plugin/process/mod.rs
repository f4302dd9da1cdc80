//! The home of a plugin file in a process of its own: what the host does with that process.
//!
//! A [`Supervisor`] keeps the process, a [`Link`](link::Link) talks with it, and instances, conversations and signers
//! go through both. Not here: what the process does, which is the worker's.

mod home;
mod inbox;
mod instance;
mod keeper;
mod kept;
mod launch;
mod link;
mod lost;
mod made;
mod message;
mod outbox;
mod program;
mod reader;
mod supervisor;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;

use countersign::{Error, Manifest};
use serde_json::Value;

use self::home::Starter;
use self::instance::Remote;
pub(super) use self::kept::Kept;
use self::launch::Launch;
pub use self::program::set_worker_program;
use self::supervisor::{Limits, Said, Supervisor};
use super::health::PluginStatus;
use super::in_process::{Shelf, agree};
use super::judge::{FileKind, Judged};
use super::loaded::About;
use super::refusal::Reason;
use super::settings::PluginSettings;
use crate::instance::{Instance, wait};

/// A plugin that runs in a process of its own, which is started anew when it ends.
pub(super) struct Process(Arc<Supervisor>);

impl Process {
    /// Starts it, unless it runs already, and asks for its types.
    pub(super) fn start(
        judged: &Judged,
        settings: &PluginSettings,
        shelf: &Shelf,
    ) -> Result<(Self, About, Vec<Manifest>), Reason> {
        let launch = Launch::new(judged, settings)?;
        if let Some(supervisor) = shelf.processes.find(judged, settings)
            && let Some(said) = supervisor.said()
        {
            let Said { about, manifests } = said.clone();
            return Ok((Self(supervisor), about, manifests));
        }
        let started = Self::start_by(launch.name().to_owned(), Box::new(launch), Limits::USUAL)?;
        if let FileKind::Library(note) = judged.file.kind() {
            agree(note, &started.2)?;
        }
        shelf.processes.keep(judged, settings, &started.0.0);
        Ok(started)
    }

    /// Starts it by that starter.
    fn start_by(
        name: impl Into<String>,
        starter: Box<dyn Starter>,
        limits: Limits,
    ) -> Result<(Self, About, Vec<Manifest>), Reason> {
        let supervisor = Supervisor::new(name, starter, limits);
        let Said { about, manifests } = wait(instance::types(&supervisor))?;
        Ok((Self(supervisor), about, manifests))
    }

    /// Makes an instance of a type from its settings.
    pub(super) fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        let created = wait(Remote::create(&self.0, type_name, settings))?;
        Ok(Box::new(created))
    }

    /// How it is.
    pub(super) fn status(&self) -> PluginStatus {
        self.0.status()
    }
}
