use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use countersign::Secret;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroize;

use super::Fault;
use super::file::trimmed;
use crate::config::reader::io_words;

/// The most that a program may print, in bytes.
const LIMIT: usize = 64 << 10;

/// Runs a program without a shell, in `folder`, and takes what it prints. It inherits the environment; its standard
/// input is empty, and what it says on standard error goes nowhere, for it may be a secret. When it takes longer than
/// `deadline`, it and what it started are killed.
pub(super) fn output(line: &str, folder: &Path, deadline: Duration) -> Result<Secret, Fault> {
    let words = words(line)?;
    let (program, arguments) = words.split_first().ok_or_else(|| Fault::new("names no program"))?;
    let shown = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A path is relative to the configuration, a bare name is looked for in PATH.
    let mut command = match program.contains('/') {
        true => Command::new(std::path::absolute(folder.join(program)).unwrap_or_else(|_| program.into())),
        false => Command::new(program),
    };
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    let child = command.spawn().map_err(|error| {
        let words = match error.kind() {
            io::ErrorKind::NotFound => "there is no such program".to_owned(),
            io::ErrorKind::PermissionDenied => "may not be executed".to_owned(),
            _ => io_words(&error),
        };
        Fault::new(format!("the program `{shown}`: {words}"))
    })?;
    let mut running = Running { child, until: Instant::now() + deadline, reaped: false };
    let printed = running.printed();
    let ended = printed.as_ref().map_or(Ok(None), |_| running.ended());
    drop(running);
    match (printed, ended) {
        (Ok(printed), Ok(Some(status))) if status.success() => {
            let text = std::str::from_utf8(printed.expose()).map_err(|_| {
                Fault::new(format!("the program `{shown}` printed something that is not UTF-8"))
            })?;
            trimmed(text, || format!("the program `{shown}` printed nothing"))
        }
        (Ok(_), Ok(Some(status))) => Err(Fault::with_help(
            format!("the program `{shown}` failed: {}", status_words(status)),
            "run it yourself to see what it says; its messages are not shown here, for they may be secret",
        )),
        (Err(Stop::TooMuch), _) => {
            Err(Fault::new(format!("the program `{shown}` printed more than {} KiB", LIMIT >> 10)))
        }
        (Err(Stop::Io(error)), _) | (_, Err(error)) => {
            Err(Fault::new(format!("the program `{shown}`: {}", io_words(&error))))
        }
        (Err(Stop::Deadline), _) | (_, Ok(None)) => Err(Fault::new(format!(
            "the program `{shown}` did not end within {} s and was killed",
            deadline.as_secs_f32()
        ))),
    }
}

/// A program that is killed, with all that it started, when nobody cares any more.
struct Running {
    child: Child,
    until: Instant,
    reaped: bool,
}

enum Stop {
    Deadline,
    TooMuch,
    Io(io::Error),
}

impl Running {
    /// All that it prints until it closes its output.
    fn printed(&mut self) -> Result<Secret<Vec<u8>>, Stop> {
        let mut stdout = self.child.stdout.take().ok_or(Stop::TooMuch)?;
        // With room for all of it, so that growing leaves no copy of a secret behind.
        let mut bytes = vec![0; LIMIT + 1];
        let mut filled = 0;
        let stop = loop {
            match self.read(&mut stdout, &mut bytes[filled..]) {
                Ok(0) => break None,
                Ok(more) if filled + more > LIMIT => break Some(Stop::TooMuch),
                Ok(more) => filled += more,
                Err(stop) => break Some(stop),
            }
        };
        let taken = Secret::new(bytes[..filled].to_vec());
        bytes.zeroize();
        stop.map_or(Ok(taken), Err)
    }

    fn read(&self, stdout: &mut ChildStdout, into: &mut [u8]) -> Result<usize, Stop> {
        let left = self.until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Stop::Deadline)?;
        match poll(&mut [PollFd::new(stdout, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => Err(Stop::Deadline),
            Ok(_) => stdout.read(into).map_err(Stop::Io),
            Err(rustix::io::Errno::INTR) => self.read(stdout, into),
            Err(error) => Err(Stop::Io(error.into())),
        }
    }

    /// Its exit status, unless the deadline comes first. Most have ended when their output does, so it looks often
    /// at first.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut pause = Duration::from_micros(100);
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.reaped = true;
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

fn status_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "it did not exit".to_owned(),
    }
}

/// Splits a line into words. Blanks separate; `'…'` keeps everything as it stands; within `"…"` a `\` keeps the next
/// character; outside of quotes too. Nothing is expanded. What only a shell understands is refused.
fn words(line: &str) -> Result<Vec<String>, Fault> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut bare = true;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(finish(&mut word, &mut bare)?),
            '\'' | '"' => {
                bare = false;
                quoted(c, &mut chars, word.get_or_insert_default())?;
            }
            '\\' => {
                bare = false;
                word.get_or_insert_default().push(chars.next().ok_or_else(unended)?);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(finish(&mut word, &mut bare)?);
    Ok(words)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), Fault> {
    loop {
        match chars.next().ok_or_else(unended)? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => word.push(chars.next().ok_or_else(unended)?),
            c => word.push(c),
        }
    }
}

fn unended() -> Fault {
    Fault::new("holds a command with a quote or `\\` that does not end")
}

fn finish(word: &mut Option<String>, bare: &mut bool) -> Result<Option<String>, Fault> {
    const SHELL: [&str; 10] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"];
    let bare = std::mem::replace(bare, true);
    if bare && word.as_deref().is_some_and(|word| SHELL.contains(&word)) {
        return Err(Fault::with_help(
            "holds a command with what only a shell understands, and there is no shell here",
            "quote it, or write `${command:sh -c '…'}`",
        ));
    }
    Ok(word.take())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_quotes_say() {
        for (line, expected) in [
            ("a b  c", vec!["a", "b", "c"]),
            (r#"a 'b c' "d \" e" f\ g"#, vec!["a", "b c", "d \" e", "f g"]),
            (r#"a'b'"c" ''"#, vec!["abc", ""]),
            (r"a 'b\c' $HOME *", vec!["a", r"b\c", "$HOME", "*"]),
            ("a '|'", vec!["a", "|"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for line in ["a 'b", "a \"b", "a \\", "a | b", "a && b", "a > b"] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    fn run(line: &str) -> Result<String, String> {
        output(line, Path::new("/"), Duration::from_secs(5))
            .map(|secret| secret.expose().clone())
            .map_err(|fault| fault.message)
    }

    #[test]
    fn output_is_taken_without_one_newline() {
        assert_eq!(run("printf 'a\\nb\\n\\n'").unwrap(), "a\nb\n");
        assert_eq!(run("sh -c 'cat; pwd'").unwrap(), "/");
        assert_eq!(run("readlink /proc/self/fd/0").unwrap(), "/dev/null");
        assert_eq!(run("readlink /proc/self/fd/2").unwrap(), "/dev/null");
    }

    #[test]
    fn failures_say_how_and_never_what_was_printed() {
        for (line, words) in [
            ("sh -c 'echo canary; echo canary >&2; exit 3'", "exit status 3"),
            ("sh -c 'echo canary; kill -9 $$'", "signal 9"),
            ("no-such-program-here", "there is no such program"),
            ("/etc/passwd", "may not be executed"),
            ("true", "printed nothing"),
            ("head -c 70000 /dev/zero", "more than 64 KiB"),
            ("printf '\\377'", "not UTF-8"),
        ] {
            let message = run(line).unwrap_err();
            assert!(message.contains(words) && !message.contains("canary"), "{line}: {message}");
        }
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let started = Instant::now();
        for line in ["sleep 60", "sh -c 'sleep 60 & sleep 60'", "sh -c 'exec >&-; sleep 60'", "yes"] {
            let fault = output(line, Path::new("/"), Duration::from_millis(50)).unwrap_err();
            let ended = ["was killed", "more than"].iter().any(|words| fault.message.contains(words));
            assert!(ended, "{line}: {}", fault.message);
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_a_killed_program_started_is_killed_too() {
        let folder = tempfile::tempdir().unwrap();
        let line = "sh -c 'sleep 60 & echo $! > pid; sleep 60'";
        output(line, folder.path(), Duration::from_millis(300)).unwrap_err();
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let lives = || {
            // A process that nobody has reaped yet is no longer alive: `PID (sleep) Z …`.
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let until = Instant::now() + Duration::from_secs(10);
        while lives() && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(!lives());
    }
}
