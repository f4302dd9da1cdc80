//! The judgement of a plugin file: place, owner, mode, digest, ELF, note. Nothing of the file executes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use abi_stable::library::LibHeader;
use countersign::abi;

use super::digest::{hex, sha256};
use super::elf::Library;
use super::folder::PluginSettings;
use super::note::PluginNote;
use super::place::{self, Place};
use super::refusal::{Reason, Refusal};

/// A plugin file: which it is, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    pub(super) path: PathBuf,
    pub(super) size: usize,
    pub(super) sha256: [u8; 32],
    pub(super) note: PluginNote,
}

impl PluginFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size, in bytes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The SHA-256 of its bytes.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What it says of itself.
    pub const fn note(&self) -> &PluginNote {
        &self.note
    }
}

/// What a file says of itself, wherever it lies and whosever it is; it is not executed.
///
/// # Errors
/// The file is no plugin for this host.
pub fn inspect(file: &Path) -> Result<PluginFile, Refusal> {
    place::read_anywhere(file)
        .and_then(|bytes| judge_bytes(file, bytes, &PluginSettings::default()))
        .map(|judged| judged.file)
        .map_err(|reason| Refusal::new(file, reason))
}

/// A plugin file that may be loaded: exactly these bytes, whatever becomes of the file.
pub(super) struct Judged {
    pub(super) file: PluginFile,
    pub(super) bytes: Vec<u8>,
    /// The names of the types that the operator allows it, sorted.
    pub(super) allowed: Vec<String>,
}

/// Judges a file of the plugins folder.
pub(super) fn judge(place: &Place, name: &OsStr, settings: &PluginSettings) -> Result<Judged, Refusal> {
    let path = place.path_of(name);
    place
        .read(name)
        .and_then(|bytes| judge_bytes(&path, bytes, settings))
        .map_err(|reason| Refusal::new(path, reason))
}

fn judge_bytes(path: &Path, bytes: Vec<u8>, settings: &PluginSettings) -> Result<Judged, Reason> {
    let sha256 = sha256(&bytes);
    if settings.sha256.is_some_and(|expected| expected != sha256) {
        let found = hex(&sha256);
        return Err(format!(
            "is not the file that `sha256` in its `[plugins.NAME]` pins; its digest is {found}"
        )
        .into());
    }
    let library = Library::parse(&bytes)?;
    let note = PluginNote::read(&library)?;
    library.check_dependencies(&settings.allow_libraries)?;
    if !library.exports(abi::SYMBOL, size_of::<LibHeader>() as u64)? {
        return Err("does not export its module; its crate must call `export_plugin!`".into());
    }
    let allowed = note.types.iter().map(|noted| noted.name.clone()).collect();
    Ok(Judged { file: PluginFile { path: path.to_owned(), size: bytes.len(), sha256, note }, bytes, allowed })
}
