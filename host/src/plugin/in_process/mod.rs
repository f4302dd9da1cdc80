//! The home of a plugin file in this process: a library that is loaded and called.
//!
//! Whatever it does, the host does. What can be contained is: no panic leaves it, and no call holds up its caller, for calls
//! run on threads of the plugin's own under a deadline ([`crew`]). Signatures do not: they are the hot path, and watched.

mod call;
mod crew;
mod exit_guard;
mod inside;
mod instance;
mod layout;
mod lent;
mod load;
mod overseer;
mod profile;
mod shelf;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use countersign::{Error, Manifest};
use serde_json::Value;

pub(crate) use self::exit_guard::{Meant, end_is_meant};
use self::instance::Hosted;
pub(super) use self::load::{agree, load_sealed};
pub(super) use self::profile::{create, manifests};
use self::shelf::Loaded;
pub use self::shelf::Shelf;
use super::health::PluginStatus;
use super::judge::{Judged, PluginNote};
use super::refusal::Reason;
use crate::instance::Instance;

/// A library that runs in this process. It is never unloaded.
pub(super) struct InProcess(Arc<Loaded>);

impl InProcess {
    /// Executes a judged library, and asks for its types.
    pub(super) fn load(
        judged: &Judged,
        note: &PluginNote,
        shelf: &Shelf,
    ) -> Result<(Self, Vec<Manifest>), Reason> {
        exit_guard::stand();
        let (library, manifests) = load::load(judged, note, shelf)?;
        Ok((Self(library), manifests))
    }

    /// How it is.
    pub(super) fn status(&self) -> PluginStatus {
        self.0.crew.status(Instant::now())
    }

    /// Makes an instance of a type from its settings.
    pub(super) fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        let (module, name, settings) = (self.0.module, type_name.to_owned(), profile::encode(settings)?);
        let create = move || profile::create_from(module, &name, &settings);
        Ok(Box::new(Hosted::make(&self.0.crew, create)?))
    }
}
