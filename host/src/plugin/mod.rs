//! Plugin files: judged, loaded, run.
//!
//! [`load_folder`] judges each file before one byte of it executes, then loads it as a [`Plugin`], and what that brings
//! is a [`countersign::Profile`] like any other. Not here: which types there are by name, which is the registry's.

mod flood;
mod folder;
mod in_process;
mod judge;
mod loaded;
mod process;
mod refusal;
mod settings;
mod single;

pub(crate) use folder::name_of;
pub use folder::{Folder, load_folder};
pub use in_process::Shelf;
pub use judge::{FileKind, NotedType, PluginFile, PluginNote, inspect};
pub use loaded::{About, Plugin};
pub use refusal::Refusal;
pub use settings::{FolderSettings, Isolation, PluginSettings, Right};
pub use single::load_file;
