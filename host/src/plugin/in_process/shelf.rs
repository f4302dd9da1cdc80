//! The libraries that run in this process already.

use std::collections::hash_map::{Entry, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use countersign::abi::PluginModule_Ref;
use libloading::os::unix::Library;

use crate::plugin::folder::{Folder, load};
use crate::plugin::refusal::Reason;
use crate::plugin::settings::FolderSettings;

/// Remembers what was loaded, by the digest of its bytes. No library is ever unloaded, so whoever loads a folder again
/// and again keeps a shelf: then a file that has not changed, or is back, takes no memory a second time.
///
/// Files are judged anew each time; only what passes is looked for here.
#[derive(Default)]
pub struct Shelf(Mutex<HashMap<[u8; 32], Opened>>);

/// The module of a library, or why it refused to work. It would take memory again to ask it again.
type Opened = Result<PluginModule_Ref, Reason>;

impl Shelf {
    /// As [`load_folder`](crate::plugin::load_folder), and what is on the shelf is not loaded again.
    pub fn load_folder(&self, dir: &Path, settings: &FolderSettings, built_in: &[&str]) -> Folder {
        load(dir, settings, built_in, self)
    }

    /// The module of the library with that digest: opened now, if it is not here.
    pub(super) fn module(
        &self,
        sha256: &[u8; 32],
        map: impl FnOnce() -> Result<&'static Library, Reason>,
        open: impl FnOnce(&'static Library) -> Opened,
    ) -> Opened {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(*sha256) {
            Entry::Occupied(known) => known.get().clone(),
            // What could not be mapped takes no memory, and a library that it needs may come.
            Entry::Vacant(free) => free.insert(open(map()?)).clone(),
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let libraries = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Shelf").field("libraries", &libraries).finish_non_exhaustive()
    }
}
