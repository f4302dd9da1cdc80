use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Who has to act before the same thing can succeed; it decides whether and when the host tries again.
///
/// In a message, a kind that is not known here (the other side may be younger) is read as [`Internal`](Self::Internal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operator: a setting is wrong. Not tried again until the configuration changes.
    Config,
    /// The operator or the issuer's owner: the issuer looked at the credentials and said no. Tried again slowly.
    Denied,
    /// Nobody: the issuer cannot be reached or is not well. Tried again with exponential backoff.
    Unavailable,
    /// Nobody: the issuer asked to be left alone for a while. Tried again when it said.
    RateLimited,
    /// A person: a login or a consent is needed. Not tried again until the configuration changes.
    LoginRequired,
    /// Nobody here can: what was asked for does not exist on this side. Not tried again.
    Unsupported,
    /// The author of the profile: it panicked or broke the contract. Tried again slowly.
    Internal,
}

impl ErrorKind {
    const ALL: [Self; 7] = [
        Self::Config,
        Self::Denied,
        Self::Unavailable,
        Self::RateLimited,
        Self::LoginRequired,
        Self::Unsupported,
        Self::Internal,
    ];

    /// The kind's name as it stands in logs, metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate-limited",
            Self::LoginRequired => "login-required",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

impl<'de> Deserialize<'de> for ErrorKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Internal))
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong: a kind that says who must act, and a sentence that says what and how to mend it.
///
/// The message is lower case, names the field or the endpoint, and **never holds a value that may be secret**:
/// no setting's value, no body of a token endpoint. What a server said goes into the message only as a status
/// code or as a registered error code.
///
/// # Example
/// ```
/// use countersign::{Error, ErrorKind};
///
/// let error = Error::config("is shorter than the hash; use at least 32 bytes").at("secret");
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert_eq!(error.to_string(), "secret: is shorter than the hash; use at least 32 bytes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// Who has to act.
    kind: ErrorKind,
    /// What is wrong and how to mend it; no value.
    message: String,
    /// Path of the setting at fault within the profile's table: `claims.tenant`, `keys[1].kid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// How long the issuer wants to be left alone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, message)
        }
    )*};
}

impl Error {
    /// An error of a kind that is known only at run time.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), field: None, retry_after_ms: None }
    }

    constructors! {
        /// A setting is wrong; name it with [`at`](Error::at).
        config => Config;
        /// The issuer refused.
        denied => Denied;
        /// The issuer cannot be reached, or answered something that is no answer.
        unavailable => Unavailable;
        /// The issuer wants fewer requests; say until when with [`with_retry_after`](Error::with_retry_after).
        rate_limited => RateLimited;
        /// A person has to log in or consent.
        login_required => LoginRequired;
        /// This side cannot do what was asked.
        unsupported => Unsupported;
        /// The profile's own contract was broken.
        internal => Internal;
    }

    /// Names the setting at fault, as a path within the profile's table (`claims.tenant`, `keys[1].kid`).
    ///
    /// The host turns the path into file, line and column. Called again, it puts a parent in front.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        let field = field.into();
        self.field = Some(match self.field.take() {
            Some(inner) if inner.starts_with('[') => format!("{field}{inner}"),
            Some(inner) => format!("{field}.{inner}"),
            None => field,
        });
        self
    }

    /// The same error, with what failed in front of its message.
    #[must_use]
    pub fn within(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Says how long the issuer wants to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Who must act.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the field.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The setting at fault, if the error is about one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// How long the issuer wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_a_younger_side_is_internal_and_the_known_ones_come_back() {
        let read = |kind: &str| serde_json::from_value::<ErrorKind>(kind.into()).unwrap();
        assert_eq!(read("quota-exhausted"), ErrorKind::Internal);
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(read(kind.as_str()), kind);
        }
    }

    #[test]
    fn fields_nest_from_the_inside_out() {
        let error = Error::config("wrong").at("kid").at("[1]").at("keys");
        assert_eq!(error.field(), Some("keys[1].kid"));
    }
}
