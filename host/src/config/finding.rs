use std::fmt;
use std::path::{Path, PathBuf};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing starts with it.
    Error,
    /// A plugin file is not used. What does not need it works.
    Refused,
    /// It works, and somebody should look at it.
    Warning,
}

/// One thing that is wrong in a configuration: where, what, and the way out. It never holds a setting's value.
///
/// `Display` is what a person reads: `countersign.toml:12:9: profiles.crm.client_secret: message`, and the help, if
/// there is one, on a second line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as the operator named it.
    pub file: PathBuf,
    /// The line, from 1; 0 when the finding is about the file as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 when the finding is about the file as a whole.
    pub column: u32,
    /// The setting's path from the file's root: `profiles.crm.client_secret`; may be empty.
    pub path: String,
    /// What is wrong, in lower case.
    pub message: String,
    /// The way out, if the message does not say it already.
    pub help: Option<String>,
    /// Whether it forbids to start.
    pub severity: Severity,
}

impl Finding {
    /// A finding about a file as a whole.
    pub fn about(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            path: String::new(),
            message: message.into(),
            help: None,
            severity: Severity::Error,
        }
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub const fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Makes it that of a plugin file that is not used.
    #[must_use]
    pub const fn as_refused(mut self) -> Self {
        self.severity = Severity::Refused;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        f.write_str(match self.severity {
            Severity::Error => "",
            Severity::Refused => " refused:",
            Severity::Warning => " warning:",
        })?;
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong, found in one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Nothing wrong so far.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether there is none, not even a warning.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether one of them forbids to start.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Each, in the order of [`sort`](Findings::sort) once that was called.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Puts them in the order of the file, and drops what was found twice.
    pub fn sort(&mut self) {
        self.0.sort();
        self.0.dedup();
    }

    /// `value` if nothing forbids it.
    ///
    /// # Errors
    /// The findings, sorted, when one of them is an error.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if !self.has_errors() {
            return Ok(value);
        }
        self.sort();
        Err(self)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.0.extend(findings);
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
