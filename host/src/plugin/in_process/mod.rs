//! The home of a plugin file in this process: a library that is loaded and called.
//!
//! Whatever it does, the host does: no panic leaves it, and that is all that can be contained here.

mod layout;
mod lent;
mod load;
mod profile;
mod shelf;

use countersign::abi::PluginModule_Ref;
use countersign::{Error, Manifest};
use serde_json::Value;

pub(super) use self::load::{agree, load_sealed};
pub(super) use self::profile::{create, manifests};
pub use self::shelf::Shelf;
use super::judge::{Judged, PluginNote};
use super::refusal::Reason;
use crate::instance::{Instance, Linked};

/// A library that runs in this process. It is never unloaded.
pub(super) struct InProcess(PluginModule_Ref);

impl InProcess {
    /// Executes a judged library, and asks for its types.
    pub(super) fn load(
        judged: &Judged,
        note: &PluginNote,
        shelf: &Shelf,
    ) -> Result<(Self, Vec<Manifest>), Reason> {
        let (module, manifests) = load::load(judged, note, shelf)?;
        Ok((Self(module), manifests))
    }

    /// Makes an instance of a type from its settings.
    pub(super) fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        Ok(Box::new(Linked::new(profile::create(self.0, type_name, settings)?)))
    }
}
