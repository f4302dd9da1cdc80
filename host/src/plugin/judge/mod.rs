//! The judgement of a plugin file: place, owner, mode, digest, ELF, note. Nothing of the file executes.

mod digest;
mod elf;
mod linking;
mod note;
mod place;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use abi_stable::library::LibHeader;
use countersign::abi;

use self::digest::{hex, sha256};
use self::elf::Library;
pub use self::note::{NotedType, PluginNote};
pub(super) use self::place::Place;
use super::refusal::{Reason, Refusal};
use super::settings::PluginSettings;

/// A plugin file: which it is, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    pub(super) path: PathBuf,
    pub(super) size: usize,
    pub(super) sha256: [u8; 32],
    pub(super) kind: FileKind,
}

/// What kind of plugin a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A shared library, and what it says of itself.
    Library(PluginNote),
    /// A program that speaks the protocol on its standard input and output. It says nothing before it runs.
    Executable,
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

    /// What kind it is, with what it says of itself.
    pub const fn kind(&self) -> &FileKind {
        &self.kind
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
    /// The names of the types that it may bring; all, if the operator did not say.
    pub(super) allowed: Option<Vec<String>>,
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
    let kind = if is_library(path) {
        FileKind::Library(judge_library(&bytes, settings)?)
    } else {
        judge_executable(&bytes)?;
        FileKind::Executable
    };
    let file = PluginFile { path: path.to_owned(), size: bytes.len(), sha256, kind };
    Ok(Judged { file, bytes, allowed: settings.types.clone() })
}

/// A plugin's name says how it runs: `.so` is a library, anything else a program.
pub(super) fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so")
}

fn judge_library(bytes: &[u8], settings: &PluginSettings) -> Result<PluginNote, Reason> {
    let library = Library::parse(bytes)?;
    let note = PluginNote::read(&library)?;
    library.check_dependencies(&settings.allow_libraries)?;
    library.check_linking()?;
    if !library.exports(abi::SYMBOL, size_of::<LibHeader>() as u64)? {
        return Err("does not export its module; its crate must call `export_plugin!`".into());
    }
    if let Some(allowed) = &settings.types
        && let Some(missing) = allowed.iter().find(|name| note.types.iter().all(|noted| noted.name != **name))
    {
        return Err(format!(
            "does not bring the type `{missing}` that `types` in its `[plugins.NAME]` names"
        )
        .into());
    }
    Ok(note)
}

/// A program for this machine, or a script that names its interpreter.
fn judge_executable(bytes: &[u8]) -> Result<(), Reason> {
    match bytes {
        [] => Err("is empty".into()),
        [0x7f, b'E', b'L', b'F', ..] => elf::judge_program(bytes),
        [b'#', b'!', line @ ..] => judge_first_line(line),
        _ => Err("is neither a program nor a script that begins with `#!`".into()),
    }
}

/// The kernel takes so many bytes of a script's first line (`BINPRM_BUF_SIZE`), and cuts off the rest.
const FIRST_LINE: usize = 255;

fn judge_first_line(rest: &[u8]) -> Result<(), Reason> {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    if end + 2 > FIRST_LINE {
        return Err(format!("names its interpreter in more than {FIRST_LINE} bytes").into());
    }
    let line = rest.get(..end).unwrap_or_default().trim_ascii();
    match line.split(|byte| byte.is_ascii_whitespace()).next() {
        None | Some([]) => Err("names no interpreter after its `#!`".into()),
        Some([b'/', ..]) => Ok(()),
        Some(_) => {
            Err("names its interpreter by a path that is not absolute, which may lead anywhere".into())
        }
    }
}
