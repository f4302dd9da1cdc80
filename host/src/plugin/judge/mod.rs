//! The judgement of a plugin file: place, owner, mode, digest, signature, ELF, note. Nothing of the file executes.

mod digest;
mod elf;
mod linking;
mod note;
mod place;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use abi_stable::library::LibHeader;
use countersign::abi;

use self::digest::sha256;
pub(crate) use self::digest::{hex, unhex};
use self::elf::Library;
pub use self::note::{NotedType, PluginNote};
pub(super) use self::place::Place;
pub(crate) use self::place::read_trusted;
use super::refusal::{Reason, Refusal};
use super::settings::PluginSettings;
use super::trust::{self, Evidence, Lock};

/// A plugin file: which it is, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginFile {
    pub(super) path: PathBuf,
    pub(super) size: usize,
    pub(super) sha256: [u8; 32],
    pub(super) kind: FileKind,
    pub(super) evidence: Evidence,
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

    /// What was examined that speaks for it; nothing, if it was only [inspected](inspect).
    pub const fn evidence(&self) -> Evidence {
        self.evidence
    }
}

/// What a file says of itself, wherever it lies and whosever it is; it is not executed.
///
/// # Errors
/// The file is no plugin for this host.
pub fn inspect(file: &Path) -> Result<PluginFile, Refusal> {
    judge_anywhere(file, &PluginSettings::default()).map(|judged| judged.file)
}

/// Whether a file says that it brings a type, whatever is the matter with it; it is not executed. An executable says nothing.
pub(super) fn says_it_brings(file: &Path, type_name: &str) -> bool {
    let Some(bytes) = place::read_anywhere(file).ok().filter(|_| is_library(file)) else { return false };
    Library::parse(&bytes).is_ok_and(|library| note::names_type(&library, type_name))
}

/// As [`inspect`], to be loaded. What speaks for the file is not examined: whoever named it means it.
pub(super) fn judge_anywhere(file: &Path, settings: &PluginSettings) -> Result<Judged, Refusal> {
    place::read_anywhere(file)
        .and_then(|bytes| {
            let sha256 = sha256(&bytes);
            judge_bytes(file, (bytes, sha256), Evidence::default(), settings)
        })
        .map_err(|reason| Refusal::new(file, reason))
}

/// A plugin file that may be loaded: exactly these bytes, whatever becomes of the file.
pub(super) struct Judged {
    pub(super) file: PluginFile,
    pub(super) bytes: Vec<u8>,
    /// The names of the types that it may bring; all, if the operator did not say.
    pub(super) allowed: Option<Vec<String>>,
}

impl Judged {
    /// The system's own libraries that a library needs.
    pub(super) fn system_libraries(&self) -> Result<Vec<&'static str>, Reason> {
        Library::parse(&self.bytes)?.system_libraries()
    }
}

/// Judges a file of the plugins folder, which is the plugin of that name.
pub(super) fn judge(
    place: &Place,
    file: &OsStr,
    plugin: &str,
    settings: &PluginSettings,
    lock: &Lock,
) -> Result<Judged, Refusal> {
    let path = place.path_of(file);
    place
        .read(file)
        .and_then(|bytes| {
            let sha256 = sha256(&bytes);
            let evidence = trust::examine(place, file, plugin, (&bytes, &sha256), settings, lock)?;
            judge_bytes(&path, (bytes, sha256), evidence, settings)
        })
        .map_err(|reason| Refusal::new(path, reason))
}

fn judge_bytes(
    path: &Path,
    (bytes, sha256): (Vec<u8>, [u8; 32]),
    evidence: Evidence,
    settings: &PluginSettings,
) -> Result<Judged, Reason> {
    let kind = if is_library(path) {
        FileKind::Library(judge_library(&bytes, settings)?)
    } else {
        judge_executable(&bytes)?;
        FileKind::Executable
    };
    let file = PluginFile { path: path.to_owned(), size: bytes.len(), sha256, kind, evidence };
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
