//! The judgement of a plugin file: place, owner, mode, digest, ELF, note. Nothing of the file executes.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use abi_stable::library::LibHeader;
use countersign::abi;

use super::digest::{hex, sha256};
use super::elf::Library;
use super::folder::PluginSettings;
use super::note::PluginNote;
use super::place::{self, Place};
use super::refusal::{Reason, Refusal};

/// A plugin file that may be loaded: exactly these bytes, whatever becomes of the file.
pub struct Judged {
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: [u8; 32],
    pub(super) note: PluginNote,
    /// The names of the types that the operator allows it, sorted.
    pub(super) allowed: Vec<String>,
}

impl Judged {
    /// The file that the bytes were read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The size, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The SHA-256 of the bytes.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What the file says of itself.
    pub const fn note(&self) -> &PluginNote {
        &self.note
    }
}

impl fmt::Debug for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged").field("file", &self.file).field("note", &self.note).finish_non_exhaustive()
    }
}

/// What a file says of itself, wherever it lies and whosever it is; it is not executed.
///
/// # Errors
/// The file is no plugin for this host.
pub fn inspect(file: &Path) -> Result<Judged, Refusal> {
    place::read_anywhere(file)
        .and_then(|bytes| judge_bytes(file.to_owned(), bytes, &PluginSettings::default()))
        .map_err(|reason| Refusal::new(file, reason))
}

/// Judges a file of the plugins folder.
pub(super) fn judge(place: &Place, name: &OsStr, settings: &PluginSettings) -> Result<Judged, Refusal> {
    let file = place.path_of(name);
    place
        .read(name)
        .and_then(|bytes| judge_bytes(file.clone(), bytes, settings))
        .map_err(|reason| Refusal::new(file, reason))
}

fn judge_bytes(file: PathBuf, bytes: Vec<u8>, settings: &PluginSettings) -> Result<Judged, Reason> {
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
    Ok(Judged { file, bytes, sha256, note, allowed })
}
