//! Programs that are run for what they print: bounded in time and output, killed with all that they started.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use countersign::Secret;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroize;

use crate::config::io_words;

/// Runs a program to its end and takes what it prints, at most `limit` bytes. Its standard input is empty, and what it
/// says on standard error goes nowhere, for it may be a secret. When it takes longer than `deadline`, it and what it
/// started are killed. It blocks.
pub(crate) fn run(
    command: &mut Command,
    limit: usize,
    deadline: Duration,
) -> Result<(Secret<Vec<u8>>, ExitStatus), Stop> {
    command.stderr(Stdio::null());
    let Ended { printed, status, .. } = ended(command, limit, deadline)?;
    Ok((printed, status))
}

/// The same, and the end of what it says on standard error is kept: at most [`ERRORS`] bytes.
pub(crate) fn run_keeping_errors(
    command: &mut Command,
    limit: usize,
    deadline: Duration,
) -> Result<Ended, Stop> {
    command.stderr(Stdio::piped());
    ended(command, limit, deadline)
}

/// How much of what a program says on standard error is kept, in bytes.
const ERRORS: usize = 4 << 10;

/// What a program did that came to its end.
pub(crate) struct Ended {
    pub(crate) printed: Secret<Vec<u8>>,
    pub(crate) errors: Secret<Vec<u8>>,
    pub(crate) status: ExitStatus,
}

fn ended(command: &mut Command, limit: usize, deadline: Duration) -> Result<Ended, Stop> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Stop::NotStarted)?;
    let errors = Errors { stream: child.stderr.take(), end: Secret::default() };
    let mut running = Running { child, until: Instant::now() + deadline, reaped: false, errors };
    let printed = running.printed(limit)?;
    let status = running.ended().map_err(Stop::Io)?.ok_or(Stop::Deadline)?;
    Ok(Ended { printed, errors: std::mem::take(&mut running.errors.end), status })
}

/// Why a program did not come to its end.
pub(crate) enum Stop {
    NotStarted(io::Error),
    Deadline,
    TooMuch,
    Io(io::Error),
}

impl Stop {
    /// In words that follow the program's name, and whether a colon belongs between.
    pub(crate) fn words(&self, limit: usize, deadline: Duration) -> String {
        match self {
            Self::NotStarted(error) => match error.kind() {
                io::ErrorKind::NotFound => ": there is no such program".to_owned(),
                io::ErrorKind::PermissionDenied => ": may not be executed".to_owned(),
                _ => format!(": {}", io_words(error)),
            },
            Self::Io(error) => format!(": {}", io_words(error)),
            Self::TooMuch => format!(" printed more than {} KiB", limit >> 10),
            Self::Deadline => {
                format!(" did not end within {} s and was killed", deadline.as_secs_f32())
            }
        }
    }
}

/// A program that is killed, with all that it started, when nobody cares any more.
struct Running {
    child: Child,
    until: Instant,
    reaped: bool,
    errors: Errors,
}

/// What it says on standard error, which is read so that it never waits for a reader.
struct Errors {
    stream: Option<ChildStderr>,
    end: Secret<Vec<u8>>,
}

impl Errors {
    /// Takes what is there, without waiting for more.
    fn take(&mut self) {
        // A program that says something without a pause is not to keep us here.
        for _ in 0..16 {
            let Some(stream) = &mut self.stream else { return };
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            if !matches!(poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&now)), Ok(1..)) {
                return;
            }
            let mut chunk = [0; ERRORS];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => self.stream = None,
                Ok(more) => {
                    let before = self.end.expose();
                    let kept = before.len().min(ERRORS - more);
                    let end = [&before[before.len() - kept..], &chunk[..more]].concat();
                    self.end = Secret::new(end);
                }
            }
            chunk.zeroize();
        }
    }
}

impl Running {
    /// All that it prints until it closes its output.
    fn printed(&mut self, limit: usize) -> Result<Secret<Vec<u8>>, Stop> {
        let mut stdout = self.child.stdout.take().ok_or(Stop::TooMuch)?;
        // With room for all of it, so that growing leaves no copy of a secret behind.
        let mut bytes = vec![0; limit + 1];
        let mut filled = 0;
        let stop = loop {
            match self.read(&mut stdout, &mut bytes[filled..]) {
                Ok(0) => break None,
                Ok(more) if filled + more > limit => break Some(Stop::TooMuch),
                Ok(more) => filled += more,
                Err(stop) => break Some(stop),
            }
        };
        let taken = Secret::new(bytes[..filled].to_vec());
        bytes.zeroize();
        stop.map_or(Ok(taken), Err)
    }

    fn read(&mut self, stdout: &mut ChildStdout, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(|_| Stop::Deadline)?;
            let says = self.errors.stream.as_ref().map(|stream| PollFd::new(stream, PollFlags::IN));
            let mut both: Vec<_> =
                [Some(PollFd::new(stdout, PollFlags::IN)), says].into_iter().flatten().collect();
            let ready = poll(&mut both, Some(&timeout));
            let prints = both.first().is_some_and(|stdout| !stdout.revents().is_empty());
            match ready {
                Ok(0) => return Err(Stop::Deadline),
                Ok(_) if prints => return stdout.read(into).map_err(Stop::Io),
                Ok(_) => self.errors.take(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Stop::Io(error.into())),
            }
        }
    }

    /// Its exit status, unless the deadline comes first. Most have ended when their output does, so it looks often
    /// at first.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut pause = Duration::from_micros(100);
        loop {
            self.errors.take();
            if let Some(status) = self.child.try_wait()? {
                self.reaped = true;
                self.errors.take();
                return Ok(Some(status));
            }
            if Instant::now() >= self.until {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Until it is reaped, nobody else can have its number.
        if !self.reaped {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub(crate) fn status_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "it did not exit".to_owned(),
    }
}
