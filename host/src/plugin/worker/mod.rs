//! The process of a plugin, from its first instruction: what `process` starts, on the other side.
//!
//! It is the host's own program once more. [`be_worker_if_asked`] tells the two apart: a worker takes its
//! [charter](super::charter), puts itself into its sandbox, and only then loads the library, whose constructors run at
//! once, or becomes the program that it was handed. Not here: starting and ending it, which is `process`'s.

mod calls;
mod files;
mod filter;
mod limits;
mod log;
mod module;
mod sandbox;
pub(super) mod sys;
mod talk;

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::protocol::frame::PluginHello;
use countersign::respondent::Respondent;

use self::log::Output;
use self::module::Source;
use super::charter::{Charter, Work};
use super::refusal::Reason;

/// The first argument by which a program is told that it is a worker.
pub(super) const ARGUMENT: &str = "__countersign-worker";

/// Whether this program asks that question at its start.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Becomes the process of a plugin, and does not return, if a host started this program for that.
///
/// A program that embeds the host calls it first thing in its `main`, while there is one thread and nothing was opened
/// or read: by that call its own executable is the worker program, and plugins can run in processes of their own. The
/// program `countersign` does so. Without it, name another program by
/// [`set_worker_program`](super::set_worker_program).
///
/// # Example
/// ```no_run
#[doc = include_str!("../../../examples/embed.rs")]
/// ```
pub fn be_worker_if_asked() {
    ASKED.store(true, Ordering::Relaxed);
    if std::env::args_os().nth(1).is_some_and(|first| first == ARGUMENT) {
        std::process::exit(work());
    }
}

/// Whether [`be_worker_if_asked`] was called: then this program can be started as a worker.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// The life of a worker; its exit status.
fn work() -> i32 {
    let stream = rustix::stdio::stdin();
    let Some((charter, judged, lifeline)) = Charter::receive(stream) else {
        let words =
            b"countersign: this is how a host starts the process of a plugin; it is of no other use\n";
        let _ = rustix::io::write(rustix::stdio::stderr(), words);
        return 2;
    };
    // A host that died meanwhile would never end it.
    if !limits::die_with(charter.host).unwrap_or(false) {
        return 3;
    }
    let output = Arc::new(Output::new(charter.spin));
    let outcome = enter(&charter, judged, lifeline).and_then(|judged| match charter.work {
        Work::Library { .. } => module::load(&charter, judged, &output),
        Work::Program => Err(become_program(&charter.name, &judged)),
    });
    // Why there is no plugin is said to whoever asks for its types.
    let source = outcome.unwrap_or_else(Source::None);
    i32::from(talk::answer(Respondent::new(hello(&charter), source), &output).is_err())
}

/// Closes what is not its own, and the sandbox around itself.
fn enter(charter: &Charter, judged: OwnedFd, lifeline: OwnedFd) -> Result<OwnedFd, Reason> {
    if charter.host_version != env!("CARGO_PKG_VERSION") {
        return Err(format!(
            "cannot be run by the worker program, which is version {} and not {}; install the host's own one",
            env!("CARGO_PKG_VERSION"),
            charter.host_version
        )
        .into());
    }
    let failed =
        |error: std::io::Error| -> Reason { format!("cannot be sandboxed: {}", error.kind()).into() };
    let (judged, lifeline) = sys::keep_only(judged, lifeline).map_err(failed)?;
    let _ = rustix::thread::set_name(&c_name(&charter.name));
    // A session of its own: no terminal, and one blow ends it with all that it started.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    match &charter.work {
        Work::Library { system_libraries, .. } => {
            for library in system_libraries {
                // What is missing, the plugin's own loading will say.
                let _ = sys::load_system_library(library);
            }
            drop(lifeline);
        }
        Work::Program => {
            rustix::stdio::dup2_stdout(rustix::stdio::stdin()).map_err(|errno| failed(errno.into()))?;
            sys::die_together_at_the_end_of(&lifeline).map_err(failed)?;
            // The program holds it, and never knows.
            let _ = lifeline.into_raw_fd();
        }
    }
    sandbox::enter(charter)?;
    Ok(judged)
}

fn become_program(name: &str, judged: &OwnedFd) -> Reason {
    let error = Command::new(format!("/proc/self/fd/{}", judged.as_raw_fd()))
        .arg0(name)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LANG", "C.UTF-8")
        .exec();
    match error.kind() {
        std::io::ErrorKind::NotFound => "cannot be executed: its interpreter is not there".into(),
        std::io::ErrorKind::PermissionDenied => {
            "cannot be executed: its interpreter lies where its sandbox does not reach; install it below /usr, or \
             allow its folder by `read:` in `allow`"
                .into()
        }
        kind => format!("cannot be executed: {kind}").into(),
    }
}

fn hello(charter: &Charter) -> PluginHello {
    let (version, description) = match &charter.work {
        Work::Library { version, description, .. } => (version.clone(), description.clone()),
        Work::Program => Default::default(),
    };
    PluginHello {
        protocol: String::new(),
        name: charter.name.clone(),
        version,
        description,
        features: Vec::new(),
    }
}

/// The name that the list of processes shows.
fn c_name(name: &str) -> std::ffi::CString {
    let text: Vec<u8> = name.bytes().filter(|byte| *byte != 0).take(15).collect();
    std::ffi::CString::new(text).unwrap_or_default()
}
