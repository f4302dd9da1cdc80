use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign::Secret;
use zeroize::Zeroize;

use super::{Fault, Notes, Watched};
use crate::config::reader::io_words;

/// The largest file that a setting may come from, in bytes.
const LIMIT: u64 = 1 << 20;

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Io(io::Error),
    NoFile,
    TooLarge,
    Unsteady,
}

impl ReadError {
    pub(crate) fn message(&self, path: &Path, limit: u64) -> String {
        let colon = if matches!(self, Self::Io(_)) { ":" } else { "" };
        format!("{}{colon} {}", path.display(), self.words(limit))
    }

    /// For who has named the file already.
    pub(crate) fn words(&self, limit: u64) -> String {
        match self {
            Self::Io(error) => io_words(error),
            Self::NoFile => "is not a regular file".to_owned(),
            Self::TooLarge => format!("is larger than {} KiB", limit >> 10),
            Self::Unsteady => "was being written while it was read".to_owned(),
        }
    }
}

/// Reads a whole regular file that nobody writes meanwhile.
pub(crate) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, Watched), ReadError> {
    // Looked at before it is opened: opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path).map_err(ReadError::Io)?.is_file() {
        return Err(ReadError::NoFile);
    }
    let mut file = File::open(path).map_err(ReadError::Io)?;
    let before = file.metadata().map_err(ReadError::Io)?;
    if before.len() > limit {
        return Err(ReadError::TooLarge);
    }
    // With room for all of it, so that growing leaves no copy of a secret behind.
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1);
    file.by_ref().take(before.len() + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    let after = file.metadata().map_err(ReadError::Io)?;
    let watched = Watched::of(path, &after);
    if watched != Watched::of(path, &before) || bytes.len() as u64 != before.len() {
        bytes.zeroize();
        return Err(ReadError::Unsteady);
    }
    Ok((bytes, watched))
}

/// The bytes of a file that a setting comes from.
pub(super) fn bytes(path: &Path, notes: &mut Notes) -> Result<Secret<Vec<u8>>, Fault> {
    let (bytes, watched) = read(path, LIMIT).map_err(|error| Fault::new(error.message(path, LIMIT)))?;
    notes.watched.push(watched);
    let bytes = Secret::new(bytes);
    if bytes.expose().is_empty() {
        return Err(Fault::new(format!("{} is empty", path.display())));
    }
    let everybody = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    if everybody && !is_public(bytes.expose()) {
        notes.warnings.push(Fault::with_help(
            format!("every user of this machine may read {}", path.display()),
            format!("`chmod o-rwx {}`", path.display()),
        ));
    }
    Ok(bytes)
}

/// Whether it is a PEM file with nothing to hide: certificates and public keys.
fn is_public(bytes: &[u8]) -> bool {
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    (holds("-----BEGIN CERTIFICATE-----") || holds("-----BEGIN PUBLIC KEY-----"))
        && !holds("PRIVATE KEY-----")
}

/// The text of a file that a setting comes from, without one newline at its end.
pub(super) fn text(path: &Path, notes: &mut Notes) -> Result<Secret, Fault> {
    let bytes = bytes(path, notes)?;
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| {
        Fault::with_help(
            format!("{} is not UTF-8", path.display()),
            format!("if it is meant to be binary (a keystore): `${{base64:{}}}`", path.display()),
        )
    })?;
    trimmed(text, || format!("{} is empty", path.display()))
}

/// A text without one newline at its end; nothing is not a value.
pub(super) fn trimmed(text: &str, empty: impl FnOnce() -> String) -> Result<Secret, Fault> {
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(Fault::new(empty())) } else { Ok(text.into()) }
}
