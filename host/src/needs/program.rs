use std::path::Path;
use std::process::Command;

use countersign::Error;
use countersign::protocol::{Ran, Run};

use crate::bounded_program::{self, Stop};

/// The most that a program may print, in bytes.
const LIMIT: usize = 1 << 20;

/// Runs a program with nothing of the host's environment but what it names.
pub(super) fn run(run: &Run, folder: &Path) -> Result<Ran, Error> {
    let shown = Path::new(&run.program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A path is relative to the configuration, a bare name is looked for in PATH.
    let mut command = match run.program.contains('/') {
        true => Command::new(
            std::path::absolute(folder.join(&run.program)).unwrap_or_else(|_| (&run.program).into()),
        ),
        false => Command::new(&run.program),
    };
    command.args(&run.arguments).env_clear();
    for name in &run.inherit {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    for variable in &run.environment {
        command.env(&variable.name, variable.value.expose());
    }
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    match bounded_program::run(&mut command, LIMIT, run.timeout) {
        Ok((output, status)) => Ok(Ran { status: status.code(), output }),
        Err(stop) => {
            let words = format!("the program `{shown}`{}", stop.words(LIMIT, run.timeout));
            Err(match stop {
                Stop::NotStarted(_) => Error::config(words),
                Stop::Deadline | Stop::TooMuch | Stop::Io(_) => Error::unavailable(words),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign::{ErrorKind, HttpHeader};

    use super::*;

    fn sh(script: &str) -> Run {
        Run {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            inherit: vec!["HOME".to_owned()],
            environment: vec![HttpHeader { name: "GIVEN".to_owned(), value: "given".into() }],
            timeout: Duration::from_secs(5),
        }
    }

    fn ran(script: &str) -> (Option<i32>, String) {
        let ran = run(&sh(script), Path::new("/")).unwrap();
        (ran.status, String::from_utf8(ran.output.expose().clone()).unwrap())
    }

    #[test]
    fn a_program_sees_only_what_it_is_given_of_the_environment() {
        assert!(std::env::var_os("PATH").is_some());
        let (status, output) =
            ran("env | cut -d= -f1 | grep -v -x -e PWD -e _ -e SHLVL -e OLDPWD | sort; pwd");
        assert_eq!((status, output.as_str()), (Some(0), "GIVEN\nHOME\n/\n"));
    }

    #[test]
    fn its_status_is_told_and_what_keeps_it_from_ending_is_an_error() {
        assert_eq!(ran("printf canary; exit 3"), (Some(3), "canary".to_owned()));
        assert_eq!(ran("kill -9 $$").0, None);
        let missing = Run { program: "no-such-program-here".to_owned(), ..sh("") };
        assert_eq!(run(&missing, Path::new("/")).unwrap_err().kind(), ErrorKind::Config);
        let late = Run { timeout: Duration::from_millis(50), ..sh("sleep 60") };
        let error = run(&late, Path::new("/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("was killed"), "{error}");
        let much = run(&sh("head -c 1100000 /dev/zero"), Path::new("/")).unwrap_err();
        assert!(much.message().contains("more than 1024 KiB"), "{much}");
    }
}
