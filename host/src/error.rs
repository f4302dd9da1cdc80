use std::fmt;
use std::time::Duration;

use countersign::ErrorKind;

/// Why a request could not be given its credential, or could not be sent with it. No request was sent without one.
///
/// The kind says who must act; see [`ErrorKind`]. The message names connector and profile and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    connector: String,
    profile: Option<String>,
    cause: countersign::Error,
}

impl Error {
    pub(crate) fn of_connector(connector: &str, cause: countersign::Error) -> Self {
        Self { connector: connector.to_owned(), profile: None, cause }
    }

    pub(crate) fn of_profile(connector: &str, profile: &str, cause: countersign::Error) -> Self {
        Self { connector: connector.to_owned(), profile: Some(profile.to_owned()), cause }
    }

    /// Who must act.
    pub const fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }

    /// The connector whose call it was.
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// The profile that failed, if it was one.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// When trying again makes sense, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.cause.retry_after()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connector {}", self.connector)?;
        if let Some(profile) = &self.profile {
            write!(f, ", profile {profile}")?;
        }
        write!(f, ": {} ({})", self.cause, self.cause.kind())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
