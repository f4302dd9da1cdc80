//! How a plugin's process is started, any number of times, and ended.
//!
//! Whoever holds a [`Child`] speaks the [protocol](countersign::protocol::frame) on its stream at once; the process
//! reads it when it is ready. When it could not be sandboxed or its library could not be loaded, it still greets, and
//! answers `manifest` with an error whose message is a [`Reason`]: a predicate whose subject is the file.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{self, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::home::{End, Running, Started, Starter};
use super::keeper::{self, Tail};
use super::program::worker_program;
use crate::plugin::charter::{Charter, Rights, Work};
use crate::plugin::health::Cause;
use crate::plugin::judge::{FileKind, Judged};
use crate::plugin::kernel::Kernel;
use crate::plugin::refusal::Reason;
use crate::plugin::sealed::{Use, sealed};
use crate::plugin::settings::PluginSettings;
use crate::plugin::worker;

/// For how long a worker looks for the next line before it sleeps, in microseconds.
const SPIN: u64 = 50;

/// How to start a plugin's process, any number of times.
pub(in crate::plugin) struct Launch {
    program: PathBuf,
    charter: Charter,
    judged: OwnedFd,
}

impl Launch {
    /// From a judged file, on the kernel that runs here.
    ///
    /// # Errors
    /// There is no worker program, or the kernel cannot enforce the sandbox that the settings demand.
    pub(in crate::plugin) fn new(judged: &Judged, settings: &PluginSettings) -> Result<Self, Reason> {
        let program = worker_program()?;
        let kernel = Kernel::here();
        kernel.suffices(settings.isolation)?;
        let rights = Rights::of(&settings.allow);
        if let Some(missing) = rights.read.iter().find(|path| !path.exists()) {
            let missing = missing.display();
            return Err(format!(
                "may read {missing} by `allow` in its `[plugins.NAME]`, but it is not there; make it, or take the right out"
            )
            .into());
        }
        let (work, what_for, name) = match judged.file.kind() {
            FileKind::Library(note) => {
                let work = Work::Library {
                    version: note.version.clone(),
                    description: note.description.clone(),
                    system_libraries: judged.system_libraries()?.into_iter().map(str::to_owned).collect(),
                    more_libraries: !settings.allow_libraries.is_empty(),
                };
                (work, Use::Library, note.name.clone())
            }
            FileKind::Executable => {
                let name = judged.file.path().file_stem().unwrap_or_default();
                (Work::Program, Use::Program, name.to_string_lossy().into_owned())
            }
        };
        let charter = Charter {
            host_version: env!("CARGO_PKG_VERSION").to_owned(),
            host: rustix::process::getpid().as_raw_pid(),
            work,
            name,
            rights,
            memory: settings.memory,
            landlock: kernel.landlock > 0,
            filter: kernel.filter,
            spin: if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1) {
                SPIN
            } else {
                0
            },
        };
        Ok(Self { program, charter, judged: sealed(&judged.bytes, what_for)? })
    }

    /// What the plugin is called.
    pub(super) fn name(&self) -> &str {
        &self.charter.name
    }

    /// Starts one. It does not wait until the process is ready.
    fn try_start(&self) -> io::Result<Child> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        let (its_lifeline, lifeline) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        self.charter.send(&ours, &self.judged, its_lifeline)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let mut command = Command::new(&self.program);
        command
            .arg0("countersign-worker")
            .arg(worker::ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let (process, tail) = keeper::spawn(command)?;
        Ok(Child { stream: ours, process, tail, ended: None, _lifeline: lifeline })
    }
}

/// A process that was started: killed and reaped when dropped.
pub(in crate::plugin) struct Child {
    /// Our end of the stream; reading and writing do not block.
    pub(in crate::plugin) stream: OwnedFd,
    process: process::Child,
    tail: Tail,
    ended: Option<ExitStatus>,
    /// When it is closed, the kernel kills what a program started.
    _lifeline: OwnedFd,
}

impl Child {
    /// Its number.
    pub(in crate::plugin) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it with all that it started, if it has not been reaped yet.
    pub(in crate::plugin) fn kill(&mut self) {
        if self.ended.is_some() {
            return;
        }
        // It leads a group once it has begun; before that, there is none of that number.
        if let Some(pid) = self.group() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        let _ = self.process.kill();
    }

    /// Whether it has ended; it need not be reaped.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.ended.is_some()
            || self.group().is_none_or(|pid| {
                !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None) | Err(Errno::INTR))
            })
    }

    /// Waits for its end and reaps it: how it ended, in words whose subject is the process. Kill it before, unless it
    /// has hung up.
    pub(in crate::plugin) fn end(&mut self) -> String {
        let status = match self.ended {
            Some(status) => status,
            None => {
                // What it started goes first: as long as it is not reaped, the group's number is nobody else's.
                if let Some(pid) = self.group() {
                    let _ = rustix::io::retry_on_intr(|| {
                        rustix::process::waitid(
                            WaitId::Pid(pid),
                            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
                        )
                    });
                    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
                }
                match self.process.wait() {
                    Ok(status) => *self.ended.insert(status),
                    Err(_) => return "ended in an unknown way".to_owned(),
                }
            }
        };
        let how = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
            (None, Some(code)) => format!("exited with status {code}"),
            (None, None) => "ended".to_owned(),
        };
        match self.tail.lines().iter().rev().find_map(|line| known_words(line)) {
            Some(words) => format!("{how} ({words})"),
            None => how,
        }
    }

    /// The last line that it wrote on standard error, if it is short and plain. It is the plugin's own: tell it only as
    /// long as the process has been given no secret.
    pub(in crate::plugin) fn last_words(&self) -> Option<String> {
        let lines = self.tail.lines();
        let last = lines.iter().rev().find(|line| !line.trim().is_empty())?.trim();
        let plain = last.len() <= 200 && last.chars().all(|char| !char.is_control());
        plain.then(|| last.to_owned())
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
    }
}

impl Starter for Launch {
    fn start(&self) -> Result<Started, String> {
        let failed = |error: io::Error| format!("cannot be started: {}", error.kind());
        let child = self.try_start().map_err(failed)?;
        let stream = child.stream.try_clone().map_err(failed)?;
        Ok(Started { stream, process: Box::new(child) })
    }
}

impl Running for Child {
    fn id(&self) -> u32 {
        self.pid()
    }

    fn end(&mut self, grace: Duration) -> End {
        let begun = Instant::now();
        while !self.has_ended() && begun.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(1));
        }
        let by_itself = self.has_ended();
        self.kill();
        let words = Child::end(self);
        let cause = match self.ended {
            _ if !by_itself => None,
            Some(status) if status.signal().is_none() => Some(Cause::Exit),
            _ => Some(Cause::Crash),
        };
        End { cause, words }
    }

    fn last_words(&self) -> Option<String> {
        Child::last_words(self)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        self.end();
    }
}

/// What Rust and the C library say at an abort. It holds nothing of what the plugin was told.
fn known_words(line: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 6] = [
        ("has overflowed its stack", "stack overflow"),
        ("memory allocation of ", "out of memory"),
        ("stack smashing detected", "stack smashing detected"),
        ("double free", "double free"),
        ("free(): invalid", "invalid free"),
        ("panic in a function that cannot unwind", "panic in a function that cannot unwind"),
    ];
    KNOWN.iter().find_map(|(part, words)| line.contains(part).then_some(*words))
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS (a system call of another architecture)",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXFSZ => "SIGXFSZ (it wrote a file)",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};

    use serde_json::{Value, json};

    use super::*;
    use crate::plugin::set_worker_program;
    use crate::plugin::settings::Isolation;

    /// `countersign`: the one that is named, else that which cargo builds beside this package's tests.
    fn program() -> PathBuf {
        if let Some(program) = std::env::var_os("COUNTERSIGN_TEST_PROGRAM") {
            return program.into();
        }
        let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("countersign");
        assert!(program.is_file(), "{} is missing: cargo build -p countersign-host", program.display());
        program
    }

    fn ask(child: &Child, message: &Value) -> Value {
        let mut stream = std::fs::File::from(child.stream.try_clone().unwrap());
        rustix::io::ioctl_fionbio(&stream, false).unwrap();
        writeln!(stream, "{message}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
    }

    fn launch(file: &str, bytes: &[u8]) -> Launch {
        set_worker_program(program());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let place = crate::plugin::judge::Place::open(folder.path()).unwrap();
        let settings = PluginSettings { isolation: Isolation::Process, ..PluginSettings::default() };
        let judged = crate::plugin::judge::judge(
            &place,
            file.as_ref(),
            file,
            &settings,
            &crate::plugin::Lock::default(),
        )
        .unwrap();
        Launch::new(&judged, &settings).unwrap()
    }

    const HELLO: &str = r#"{"hello":{"protocol":"1.0","log_level":3}}"#;

    #[test]
    fn a_script_is_executed_from_memory_and_speaks_on_its_stream() {
        let script = b"#!/bin/sh\nread line\necho '{\"hello\":{}}'\nread line\nexit 3\n";
        let mut child = launch("acme", script).try_start().unwrap();
        assert_eq!(ask(&child, &serde_json::from_str(HELLO).unwrap()), json!({"hello": {}}));
        let mut stream = std::fs::File::from(child.stream.try_clone().unwrap());
        writeln!(stream).unwrap();
        assert_eq!(child.end(), "exited with status 3");
    }

    #[test]
    fn what_cannot_be_executed_says_why_to_whoever_asks_for_its_types() {
        let child = launch("acme", b"#!/nowhere/interpreter\n").try_start().unwrap();
        let hello = ask(&child, &serde_json::from_str(HELLO).unwrap());
        assert_eq!(hello["hello"]["name"], "acme");
        let answer = ask(&child, &json!({"manifest": {"id": 1}}));
        assert_eq!(answer["error"]["error"]["message"], "cannot be executed: its interpreter is not there");
    }

    #[test]
    fn a_process_that_is_let_go_is_killed_with_all_that_it_started() {
        let script = b"#!/bin/sh\nread line\nsleep 1000 &\necho $!\nread line\n";
        let mut child = launch("acme", script).try_start().unwrap();
        let started = ask(&child, &serde_json::from_str(HELLO).unwrap()).as_i64().unwrap();
        let started = Pid::from_raw(i32::try_from(started).unwrap()).unwrap();
        rustix::process::test_kill_process(started).unwrap();
        child.kill();
        assert_eq!(child.end(), "was killed by SIGKILL");
        // Whoever reaps orphans may take a moment.
        while rustix::process::test_kill_process(started).is_ok() && !is_zombie(started) {
            std::thread::yield_now();
        }
    }

    fn is_zombie(process: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_pid()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }
}
