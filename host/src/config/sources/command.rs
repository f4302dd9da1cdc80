use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign::Secret;

use super::Fault;
use super::file::trimmed;
use crate::bounded_program::{run, status_words};

/// The most that a program may print, in bytes.
const LIMIT: usize = 64 << 10;

/// Runs a program without a shell, in `folder`, and takes what it prints. It inherits the environment.
pub(super) fn output(line: &str, folder: &Path, deadline: Duration) -> Result<Secret, Fault> {
    let words = words(line)?;
    let (program, arguments) = words.split_first().ok_or_else(|| Fault::new("names no program"))?;
    let shown = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A path is relative to the configuration, a bare name is looked for in PATH.
    let mut command = match program.contains('/') {
        true => Command::new(std::path::absolute(folder.join(program)).unwrap_or_else(|_| program.into())),
        false => Command::new(program),
    };
    command.args(arguments);
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    match run(&mut command, LIMIT, deadline) {
        Ok((printed, status)) if status.success() => {
            let text = std::str::from_utf8(printed.expose()).map_err(|_| {
                Fault::new(format!("the program `{shown}` printed something that is not UTF-8"))
            })?;
            trimmed(text, || format!("the program `{shown}` printed nothing"))
        }
        Ok((_, status)) => Err(Fault::with_help(
            format!("the program `{shown}` failed: {}", status_words(status)),
            "run it yourself to see what it says; its messages are not shown here, for they may be secret",
        )),
        Err(stop) => Err(Fault::new(format!("the program `{shown}`{}", stop.words(LIMIT, deadline)))),
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
    use std::time::Instant;

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

    fn take(line: &str) -> Result<String, String> {
        output(line, Path::new("/"), Duration::from_secs(5))
            .map(|secret| secret.expose().clone())
            .map_err(|fault| fault.message)
    }

    #[test]
    fn output_is_taken_without_one_newline() {
        assert_eq!(take("printf 'a\\nb\\n\\n'").unwrap(), "a\nb\n");
        assert_eq!(take("sh -c 'cat; pwd'").unwrap(), "/");
        assert_eq!(take("readlink /proc/self/fd/0").unwrap(), "/dev/null");
        assert_eq!(take("readlink /proc/self/fd/2").unwrap(), "/dev/null");
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
            let message = take(line).unwrap_err();
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
