use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use crate::plugin::refusal::Reason;
use crate::plugin::worker;

static PROGRAM: RwLock<Option<PathBuf>> = RwLock::new(None);

/// Names the program that plugins' processes run: `countersign`, or any other that calls
/// [`be_worker_if_asked`](crate::plugin::be_worker_if_asked) first thing in its `main`, of the same version as this
/// library. It holds for the whole process, from now on.
///
/// Only for a host that cannot make that call itself: one that lives in another language's runtime, say.
pub fn set_worker_program(path: impl Into<PathBuf>) {
    *PROGRAM.write().unwrap_or_else(PoisonError::into_inner) = Some(path.into());
}

/// The program that was named, or else this one.
pub(super) fn worker_program() -> Result<PathBuf, Reason> {
    if let Some(named) = &*PROGRAM.read().unwrap_or_else(PoisonError::into_inner) {
        return match named.is_file() {
            true => Ok(named.clone()),
            false => Err(format!(
                "cannot run in a process of its own: the worker program {} is not there",
                named.display()
            )
            .into()),
        };
    }
    if worker::is_asked() {
        // The very file that runs, even if another one has taken its name meanwhile.
        return Ok("/proc/self/exe".into());
    }
    Err("cannot run in a process of its own, for this program has not said which program that is: it has to call \
         `countersign_host::plugin::be_worker_if_asked` first thing in its `main`; or set `isolation = \"in-process\"`"
        .into())
}
