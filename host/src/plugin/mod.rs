//! Plugin files: judged, loaded, run.
//!
//! [`load_folder`] judges each file before one byte of it executes, then loads it as a [`Plugin`], and what that brings
//! is a [`countersign::Profile`] like any other. Not here: which types there are by name, which is the registry's.

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
mod shelf;

pub use folder::{Folder, PluginSettings, load_folder};
pub use judge::{PluginFile, inspect};
pub use load::Plugin;
pub use note::{NotedType, PluginNote};
pub use refusal::Refusal;
pub use shelf::Shelf;
