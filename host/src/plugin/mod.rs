//! Plugin files: judged, loaded, run.
//!
//! [`load_folder`] judges each file before one byte of it executes, then loads it as a [`Plugin`], and what that brings
//! is a [`countersign::Profile`] like any other. Not here: which types there are by name, which is the registry's.

mod charter;
mod flood;
mod folder;
mod health;
mod in_process;
mod judge;
mod kernel;
mod loaded;
mod log;
mod process;
mod refusal;
mod sealed;
mod settings;
mod single;
mod trust;
mod worker;

pub(crate) use folder::name_of;
pub use folder::{Folder, JudgedFolder, judge_folder, load_folder};
pub use health::{Cause, Condition, LastFailure, PluginStatus};
pub use in_process::Shelf;
pub(crate) use in_process::{Meant, end_is_meant};
pub use judge::{FileKind, NotedType, PluginFile, PluginNote, inspect};
pub(crate) use judge::{hex, read_trusted, unhex};
pub use loaded::{About, Plugin};
pub use process::set_worker_program;
pub use refusal::Refusal;
pub use settings::{FolderSettings, Isolation, PluginSettings, Right};
pub use single::load_file;
pub use trust::{
    BadText, Change, Evidence, KeyId, Lock, Locked, Pin, Protection, PublicKey, SecretKey, Signature,
    SignatureError, Trust,
};
pub use worker::be_worker_if_asked;
