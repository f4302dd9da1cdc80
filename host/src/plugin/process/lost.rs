use std::borrow::Cow;
use std::time::Duration;

use countersign::Error;

/// Why there is no answer. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    words: Cow<'static, str>,
    unsent: bool,
}

impl Lost {
    /// The words' subject is the plugin: `was killed by SIGSEGV`. `unsent` when the process surely did not read the
    /// question, so that it can be asked again.
    pub(super) fn new(words: impl Into<Cow<'static, str>>, unsent: bool) -> Self {
        Self { words: words.into(), unsent }
    }

    /// It may work, but not fast enough.
    pub(super) fn overdue(limit: Duration) -> Self {
        Self::new(format!("did not answer within {}", Seconds(limit)), false)
    }

    /// Nobody asked, or was told already.
    pub(super) fn of_nobody() -> Self {
        Self::new("was not asked", false)
    }

    /// Whether it can be asked again.
    pub(super) const fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// As the error of a call.
    pub(super) fn into_error(self, plugin: &str) -> Error {
        Error::unavailable(format!("the plugin {plugin} {}", self.words))
    }
}

/// A time as words: `2 s`, `50 ms`.
pub(super) struct Seconds(pub(super) Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0.as_secs(), self.0.subsec_millis()) {
            (0, millis) => write!(f, "{millis} ms"),
            (seconds, 0) => write!(f, "{seconds} s"),
            _ => write!(f, "{:.1} s", self.0.as_secs_f64()),
        }
    }
}
