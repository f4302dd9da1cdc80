use std::fmt::Write as _;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::args::PluginsTest;
use crate::cli::output::{Paint, print};
use crate::conformance::{Outcome, Recorder, Report, Request, Script, Verdict, test_file};

/// Runs the conformance suite on a plugin file.
pub(in crate::cli) fn test(
    config: &Path,
    arguments: &PluginsTest,
    recorder: Option<&Recorder>,
) -> Result<(), Failure> {
    // The default's absence is no mistake; that of a file that somebody named is.
    let config = (config.exists() || config != Path::new("countersign.toml")).then_some(config);
    let script = arguments.script.as_deref().map(script).transpose()?;
    let isolation = arguments.isolation.map(Into::into);
    let request = Request { config, script, isolation, recorder };
    let report = test_file(&arguments.file, &request)?;
    if arguments.json {
        print(format_args!("{:#}\n", report.to_json()))?;
    } else {
        print(words(&report, Paint::stdout()))?;
    }
    if report.is_good() { Ok(()) } else { Err(Failure::Status(1)) }
}

fn script(file: &Path) -> Result<Script, Failure> {
    let read = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"));
    read.and_then(|json| Script::parse(&json))
        .map_err(|reason| Failure::Words(format!("{} {reason}", file.display())))
}

/// The report, a line for each check.
fn words(report: &Report, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(report.file.display()));
    // Writing to a string cannot fail.
    for home in &report.homes {
        let _ = writeln!(text, "\n{}", paint.bold(&home.home));
        if let Some(reason) = &home.refused {
            let _ = writeln!(text, "  {}  the file {reason}", paint.bad("not run"));
        }
        list(&mut text, &home.outcomes, paint);
    }
    if !report.across.is_empty() {
        let _ = writeln!(text, "\n{}", paint.bold("all homes"));
        list(&mut text, &report.across, paint);
    }
    let (passed, failed, skipped) = report.counts();
    let _ = writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped");
    let more = match (failed, skipped) {
        (0, 0) => "`--json` tells the same to programs",
        (0, _) => "what was skipped says what it wants; `--json` tells the same to programs",
        _ => "the book's page \"Testing a type\" says what each check wants; `-vv` shows the log",
    };
    let _ = writeln!(text, "{}", paint.dim(more));
    text
}

fn list(text: &mut String, outcomes: &[Outcome], paint: Paint) {
    let width = outcomes.iter().map(|outcome| outcome.check.name.len()).max().unwrap_or_default();
    let mut group = None;
    for outcome in outcomes {
        if group.replace(outcome.check.group) != Some(outcome.check.group) {
            let _ = writeln!(text, "  {}", paint.dim(outcome.check.group));
        }
        let (word, why) = match &outcome.verdict {
            Verdict::Passed => (paint.good("ok     "), paint.dim(outcome.check.proves)),
            Verdict::Failed(why) => (paint.bad("FAILED "), why.clone()),
            Verdict::Skipped(why) => (paint.dim("skipped"), paint.dim(why)),
        };
        let figure = outcome.figure.as_ref().map(|figure| format!("  {figure}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "    {word}  {:width$}  {}: {why}{figure}",
            outcome.check.name,
            outcome.about.escape_debug()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{ALL, HomeReport};

    #[test]
    fn a_report_has_a_line_for_each_check_and_the_counts() {
        let outcome = |at: usize, verdict| Outcome {
            check: ALL[at],
            about: "acme".into(),
            verdict,
            figure: (at == 1).then(|| "p50 2.0 µs".to_owned()),
        };
        let mut home = HomeReport::of("in-process");
        home.outcomes = vec![
            outcome(0, Verdict::Passed),
            outcome(1, Verdict::Failed("it is empty".into())),
            outcome(6, Verdict::Skipped("give some".into())),
        ];
        let mut refused = HomeReport::of("process");
        refused.refused = Some("cannot run here".into());
        let report = Report { file: "a.so".into(), homes: vec![home, refused], across: Vec::new() };
        let expected = "a.so\n\nin-process\n  manifest\n    \
            ok       types-named     acme: each type has a name of lower case, digits and `-`, and no name is there twice\n    \
            FAILED   summaries       acme: it is empty  p50 2.0 µs\n  \
            settings\n    \
            skipped  settings-taken  acme: give some\n\n\
            process\n  not run  the file cannot run here\n\n\
            1 passed, 1 failed, 1 skipped\n\
            the book's page \"Testing a type\" says what each check wants; `-vv` shows the log\n";
        assert_eq!(words(&report, Paint::none()), expected);
        assert!(!report.is_good());
    }
}
