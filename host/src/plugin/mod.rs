//! Plugin files: judged, loaded, run.
//!
//! A file is [judged](Judged) before one byte of it executes, then [loaded](Plugin), and what it brings is a
//! [`countersign::Profile`] like any other. Not here: which types there are by name, which is the registry's.

mod digest;
mod elf;
mod flood;
mod folder;
mod host;
mod in_process;
mod judge;
mod layout;
mod load;
mod note;
mod place;
mod refusal;

pub use folder::{Folder, PluginSettings, load_folder};
pub use judge::{Judged, inspect};
pub use load::Plugin;
pub use note::{NotedType, PluginNote};
pub use refusal::Refusal;
