//! The home of a plugin file in a process of its own: what the host does with that process.
//!
//! A [`Supervisor`] keeps the process, a [`Link`](link::Link) talks with it, and instances, conversations and signers
//! go through both. Not here: what the process does, which is the worker's.

mod home;
mod inbox;
mod instance;
mod link;
mod lost;
mod made;
mod message;
mod outbox;
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
use self::supervisor::{Limits, Supervisor};
use super::health::PluginStatus;
use super::judge::Judged;
use super::loaded::About;
use super::refusal::Reason;
use super::settings::PluginSettings;
use crate::instance::{Instance, wait};

/// A plugin that runs in a process of its own, which is started anew when it ends.
pub(super) struct Process(Arc<Supervisor>);

impl Process {
    /// Starts it, and asks for its types.
    pub(super) fn start(
        judged: &Judged,
        settings: &PluginSettings,
    ) -> Result<(Self, About, Vec<Manifest>), Reason> {
        let _ = (judged, settings);
        Err("cannot run in a process of its own yet".into())
    }

    /// Starts it by that starter.
    fn start_by(
        name: &str,
        starter: Box<dyn Starter>,
        limits: Limits,
    ) -> Result<(Self, About, Vec<Manifest>), Error> {
        let supervisor = Supervisor::new(name, starter, limits);
        let mut manifests = wait(instance::manifests(&supervisor))?;
        manifests.sort_by(|one, other| one.name.cmp(&other.name));
        let about = supervisor.running().map(|running| About {
            name: running.hello.name.clone(),
            version: running.hello.version.clone(),
            description: running.hello.description.clone(),
        });
        Ok((Self(supervisor), about.unwrap_or_default(), manifests))
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
