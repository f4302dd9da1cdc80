use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::folder::name_of;
use super::judge::says_it_brings;

/// What is wrong, without the file: `is empty`.
pub(crate) type Reason = Cow<'static, str>;

/// Why a plugin file is not used: one sentence that says what is wrong and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    file: PathBuf,
    reason: Reason,
    fatal: bool,
}

impl Refusal {
    pub(crate) fn new(file: impl Into<PathBuf>, reason: impl Into<Reason>) -> Self {
        Self { file: file.into(), reason: reason.into(), fatal: false }
    }

    /// The host must not start with it, not even without the file.
    pub(crate) fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// The file (or the folder) in question.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is wrong with it and the way out; starts with a verb whose subject is the file.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the file is the one that would bring a type: it says so, or its name does. It is not executed.
    pub fn concerns(&self, type_name: &str) -> bool {
        let named = name_of(&self.file).is_some_and(|name| name == type_name);
        (named || says_it_brings(&self.file, type_name)) && self.file.is_file()
    }

    /// Whether the host must refuse to start: a type is brought twice, or a required plugin is missing.
    pub const fn is_fatal(&self) -> bool {
        self.fatal
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file.display(), self.reason)
    }
}

impl std::error::Error for Refusal {}
