//! The plugins that run already.

use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use countersign::abi::PluginModule_Ref;

use super::crew::Crew;
use crate::plugin::folder::{Folder, load};
use crate::plugin::process::Kept;
use crate::plugin::refusal::Reason;
use crate::plugin::settings::FolderSettings;

/// Remembers what was loaded, by the digest of its bytes. No library is ever unloaded, so whoever loads a folder again
/// and again keeps a shelf: then a file that has not changed, or is back, takes no memory a second time. A plugin with a
/// process of its own keeps that as long as somebody uses it.
///
/// Files are judged anew each time; only what passes is looked for here.
#[derive(Default)]
pub struct Shelf {
    libraries: Mutex<HashMap<[u8; 32], Opened>>,
    pub(in crate::plugin) processes: Kept,
}

/// A library that runs, or why it refused to work. It would take memory again to ask it again.
pub(super) type Opened = Result<Arc<Loaded>, Reason>;

/// A library that runs: its module, and the threads on which its calls run.
pub(super) struct Loaded {
    pub(super) module: PluginModule_Ref,
    pub(super) crew: Arc<Crew>,
}

impl Shelf {
    /// As [`load_folder`](crate::plugin::load_folder), and what is on the shelf is not loaded again.
    pub fn load_folder(&self, dir: &Path, settings: &FolderSettings, built_in: &[&str]) -> Folder {
        load(dir, settings, built_in, self)
    }

    /// The library with that digest: opened now, if it is not here.
    ///
    /// An error of `open` is one that takes no memory: it is not remembered, for what the library needs may come.
    pub(super) fn library(&self, sha256: &[u8; 32], open: impl FnOnce() -> Result<Opened, Reason>) -> Opened {
        match self.libraries.lock().unwrap_or_else(PoisonError::into_inner).entry(*sha256) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(free) => free.insert(open()?).clone(),
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let libraries = self.libraries.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Shelf").field("libraries", &libraries).finish_non_exhaustive()
    }
}
