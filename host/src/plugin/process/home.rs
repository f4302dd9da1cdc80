//! What the supervision of a process needs of whoever starts it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::plugin::health::Cause;

/// Starts a plugin's process, any number of times.
pub(super) trait Starter: Send + Sync {
    /// Starts one; does not wait for its greeting.
    ///
    /// # Errors
    /// Why not, as words whose subject is the plugin.
    fn start(&self) -> Result<Started, String>;
}

/// A process that was started.
pub(super) struct Started {
    /// Our end of the talk with it.
    pub(super) stream: OwnedFd,
    /// The process.
    pub(super) process: Box<dyn Running>,
}

/// A process that runs, or has ended and is not reaped. It is killed when dropped.
pub(super) trait Running: Send {
    /// Its id.
    fn id(&self) -> u32;

    /// Waits so long for it to end by itself; kills it then, and reaps it.
    fn end(&mut self, grace: Duration) -> End;

    /// What it said of itself before it ended. These are the plugin's words: only for one that was told no secret yet.
    fn last_words(&self) -> Option<String>;
}

/// How a process ended.
pub(super) struct End {
    /// [`Exit`](Cause::Exit) or [`Crash`](Cause::Crash); `None` if it had to be killed.
    pub(super) cause: Option<Cause>,
    /// As words whose subject is the plugin; they hold no secret.
    pub(super) words: String,
}
