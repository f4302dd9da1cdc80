use std::path::Path;
use std::process::Command;

use countersign::protocol::{Ran, Run};
use countersign::{Error, Secret};

use crate::bounded_program::{self, Ended, Stop};

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
    let folder = run.folder.as_ref().map_or_else(|| folder.to_owned(), |below| folder.join(below));
    if !folder.as_os_str().is_empty() {
        // Else a folder that is missing looks as if the program were.
        if !folder.is_dir() {
            return Err(Error::config(format!("the folder for the program `{shown}` is not there")));
        }
        command.current_dir(folder);
    }
    let ended = match run.keeps_errors {
        true => bounded_program::run_keeping_errors(&mut command, LIMIT, run.timeout),
        false => bounded_program::run(&mut command, LIMIT, run.timeout).map(|(printed, status)| Ended {
            printed,
            errors: Secret::default(),
            status,
        }),
    };
    match ended {
        Ok(Ended { printed, errors, status }) => Ok(Ran { status: status.code(), output: printed, errors }),
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
            folder: None,
            keeps_errors: false,
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

    #[test]
    fn it_runs_in_the_folder_that_is_said_which_has_to_be_there() {
        let below = Run { folder: Some("usr".to_owned()), ..sh("pwd") };
        assert_eq!(run(&below, Path::new("/")).unwrap().output.expose(), b"/usr\n");
        let missing = Run { folder: Some("no-such-folder".to_owned()), ..sh("pwd") };
        let error = run(&missing, Path::new("/")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("folder"), "{error}");
    }

    #[test]
    fn the_end_of_its_errors_is_kept_where_that_is_wanted_and_never_stops_it() {
        let said = |script: &str, keeps_errors| {
            let ran = run(&Run { keeps_errors, ..sh(script) }, Path::new("/")).unwrap();
            (ran.status, String::from_utf8(ran.errors.expose().clone()).unwrap())
        };
        assert_eq!(said("echo canary; echo said >&2; exit 3", true), (Some(3), "said\n".to_owned()));
        assert_eq!(said("echo canary >&2", false), (Some(0), String::new()));
        // More than a pipe holds, before and after its output has ended.
        let much = "head -c 300000 /dev/zero | tr '\\0' x >&2; exec >&-; head -c 300000 /dev/zero | tr '\\0' y >&2; echo end >&2";
        let (status, errors) = said(much, true);
        assert_eq!((status, errors.len()), (Some(0), 4096));
        assert!(errors.ends_with("yend\n"), "{errors}");
    }
}
