//! A plugin that ends the process must not make it look as if all were well.
#![allow(unsafe_code)]

use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use super::inside;

/// With which status a process ends that a plugin ended (`EX_SOFTWARE` of sysexits.h).
pub(super) const STATUS: i32 = 70;

/// Whether only [`Meant`] says that the process may end.
static ANNOUNCED_ONLY: AtomicBool = AtomicBool::new(false);
/// Whether the end was announced.
static ANNOUNCED: AtomicBool = AtomicBool::new(false);

/// From now on an end of the process within a plugin's call is an error.
///
/// What ends it without asking (`_exit`, `quick_exit`, `abort`, a signal) is not noticed here.
pub(super) fn stand() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function, which stays; it does what may be done while a process ends.
        if unsafe { libc::atexit(at_exit) } != 0 {
            tracing::warn!(
                "a plugin that calls exit() will not be noticed: there is no place for another handler"
            );
        }
    });
}

/// For a program: it ends when this is dropped, or when [`end_is_meant`] says so. Any other end is a plugin's doing.
#[derive(Debug)]
#[must_use]
pub(crate) struct Meant(());

impl Meant {
    pub(crate) fn only_by_this() -> Self {
        ANNOUNCED_ONLY.store(true, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Meant {
    fn drop(&mut self) {
        end_is_meant();
    }
}

/// The program ends now.
pub(crate) fn end_is_meant() {
    ANNOUNCED.store(true, Ordering::Relaxed);
}

extern "C" fn at_exit() {
    let words = match inside::here() {
        Some(plugin) => {
            let way_out = "in a process of its own, by `isolation = \"process\"`, it could not";
            format!("countersign: the plugin {plugin} has ended this process by exit(); {way_out}\n")
        }
        None if ANNOUNCED_ONLY.load(Ordering::Relaxed) && !ANNOUNCED.load(Ordering::Relaxed) => {
            "countersign: something has ended this process by exit(), perhaps a thread of a plugin\n"
                .to_owned()
        }
        None => return,
    };
    // Whoever closed standard error does not want to know.
    let _ = std::io::stderr().write_all(words.as_bytes());
    // SAFETY: it ends the process and touches nothing.
    unsafe { libc::_exit(STATUS) }
}
