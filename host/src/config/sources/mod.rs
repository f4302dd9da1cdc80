//! Where values come from that do not stand in the configuration: environment, files, programs.
//!
//! Here: the grammar of `${…}`, and how each source is read. Not here: which strings may hold one (`settings.rs`).

mod command;
mod file;
mod text;
mod watched;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::Secret;

pub(crate) use file::{ReadError, read as read_file};
pub use text::escape;
pub(crate) use text::{Piece, Source, parse};
pub use watched::Watched;

use super::reader::beside;

/// Where the values of `${…}` come from during one pass over a configuration.
///
/// | in a string | stands for |
/// |---|---|
/// | `${env:NAME}` | an environment variable; one that is not set, or empty, is an error |
/// | `${env:NAME:-default}` | the same, and the default instead of an error; the default may be empty |
/// | `${file:PATH}` | a file's text without one newline at its end; UTF-8, at most 1 MiB, not empty |
/// | `${base64:PATH}` | a file's bytes in base64, for keystores |
/// | `${command:PROGRAM ARGUMENT…}` | what a program prints, without one newline at its end; no shell, at most 10 s and 64 KiB |
/// | `$$` | a dollar sign; a `$` before anything but `{` and `$` stands for itself too |
///
/// Paths are relative to the folder of the configuration, which is also where programs run. Words of a command are
/// separated by blanks; `'…'` and `"…"` keep blanks and `}` together, `\` keeps the next character. What a source
/// holds is never looked through for `${…}` again.
///
/// What a program printed is remembered, so that one that many profiles name runs once; make new `Sources` to look
/// again. Reading blocks: files are read and programs run by the calling thread.
pub struct Sources {
    environment: Environment,
    deadline: Duration,
    printed: Mutex<HashMap<String, Result<Secret, Fault>>>,
}

/// Looks up an environment variable.
type Environment = Box<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Why a reference has no value. It holds names, paths and exit codes, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// What else came with a value.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) watched: Vec<Watched>,
    pub(crate) warnings: Vec<Fault>,
}

impl Sources {
    /// The environment of this process, and programs that may take 10 s.
    pub fn system() -> Self {
        Self::with_environment(|name| std::env::var_os(name))
    }

    /// As [`system`](Sources::system), with another environment for `${env:…}`.
    pub fn with_environment(environment: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self {
            environment: Box::new(environment),
            deadline: Duration::from_secs(10),
            printed: Mutex::default(),
        }
    }

    /// Gives programs another deadline.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The value of one reference in the configuration `config`.
    pub(crate) fn value(
        &self,
        source: Source,
        argument: &str,
        config: &Path,
        notes: &mut Notes,
    ) -> Result<Secret, Fault> {
        match source {
            Source::Env => self.variable(argument),
            Source::File => file::text(&beside(config, Path::new(argument)), notes),
            Source::Base64 => {
                let bytes = file::bytes(&beside(config, Path::new(argument)), notes)?;
                Ok(Secret::new(STANDARD.encode(bytes.expose())))
            }
            Source::Command => self.command(argument, config),
        }
    }

    /// `NAME` or `NAME:-default`.
    fn variable(&self, argument: &str) -> Result<Secret, Fault> {
        let (name, default) = match argument.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (argument, None),
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Fault::with_help(
                "names no environment variable",
                "write `${env:NAME}` or `${env:NAME:-default}`",
            ));
        }
        let value = (self.environment)(name).filter(|value| !value.is_empty());
        match (value, default) {
            (Some(value), _) => value
                .into_string()
                .map(Secret::new)
                .map_err(|_| Fault::new(format!("the environment variable {name} is not UTF-8"))),
            (None, Some(default)) => Ok(default.into()),
            (None, None) => Err(Fault::with_help(
                format!("the environment variable {name} is not set, or empty"),
                format!("set it, or give a default: `${{env:{name}:-…}}`"),
            )),
        }
    }

    fn command(&self, line: &str, config: &Path) -> Result<Secret, Fault> {
        let folder = beside(config, Path::new(""));
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{}\0{line}", folder.display());
        printed.entry(key).or_insert_with(|| command::output(line, &folder, self.deadline)).clone()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
