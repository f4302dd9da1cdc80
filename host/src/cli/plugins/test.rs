use std::fmt::Write as _;
use std::path::Path;

use crate::cli::Failure;
use crate::cli::args::PluginsTest;
use crate::cli::output::{Paint, print};
use crate::conformance::{Outcome, Recorder, Report, Request, Script, Verdict, Want, test_file};

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
        print(words(&report, arguments.strict, Paint::stdout()))?;
    }
    let passed = report.is_good() && (report.is_whole() || !arguments.strict);
    if passed { Ok(()) } else { Err(Failure::Status(1)) }
}

fn script(file: &Path) -> Result<Script, Failure> {
    let read = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"));
    read.and_then(|json| Script::parse(&json))
        .map_err(|reason| Failure::Words(format!("{} {reason}", file.display())))
}

/// The report, a line for each check.
fn words(report: &Report, strict: bool, paint: Paint) -> String {
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
    text.push_str(&summary(report, strict, paint));
    text
}

/// The counts, and what to do next.
fn summary(report: &Report, strict: bool, paint: Paint) -> String {
    let (passed, failed, skipped) = report.counts();
    let mut text = format!("\n{passed} passed, {failed} failed, {skipped} skipped");
    let mut sign = ": ";
    for want in Want::ALL {
        let count = report.untried(want);
        if count > 0 {
            let of_them = if count == skipped { "for want of" } else { "of them for want of" };
            let what = match want {
                Want::Settings => "good settings",
                Want::Answers => "the issuer's answers",
            };
            text.push_str(sign);
            if count < skipped {
                text.push_str(&paint.bad(format_args!("{count} ")));
            }
            text.push_str(&paint.bad(format_args!("{of_them} {what}")));
            sign = ", ";
        }
    }
    text.push('\n');
    // Writing to a string cannot fail.
    if report.untried(Want::Settings) > 0 {
        text.push_str("give settings with `--config FILE`, in a profile of the type; to begin with:\n");
        text.push_str("    [profiles.try]\n    type = \"TYPE\"\n");
    }
    if report.untried(Want::Answers) > 0 {
        text.push_str("give what the issuer answers when all is well with `--script FILE`; to begin with:\n");
        let _ = writeln!(text, "    {STARTER}");
    }
    if !report.is_whole() {
        let strict = if strict { "`--strict` does not let that pass" } else { "`--strict` fails on that" };
        let _ = writeln!(text, "{strict}; the book's page \"Testing a type\" says more");
    }
    let more = match failed {
        0 => "`--json` tells the same to programs",
        _ => "the book's page \"Testing a type\" says what each check wants; `-vv` shows the log",
    };
    let _ = writeln!(text, "{}", paint.dim(more));
    text
}

/// A script of the issuer's answers, to be changed into what the issuer does answer.
const STARTER: &str =
    r#"[{ "status": 200, "headers": {}, "body": { "token": "t-{{conversation}}", "expires_in": 900 } }]"#;

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
            Verdict::Untried(want) => (paint.bad("skipped"), want.why().to_owned()),
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
        assert_eq!(words(&report, false, Paint::none()), expected);
        assert!(!report.is_good());
    }

    #[test]
    fn what_was_not_tried_is_counted_and_the_way_to_it_is_told() {
        let outcome = |verdict| Outcome { check: ALL[0], about: "acme".into(), verdict, figure: None };
        let report = |verdicts: Vec<Verdict>| {
            let mut home = HomeReport::of("process");
            home.outcomes = verdicts.into_iter().map(outcome).collect();
            Report { file: "a.so".into(), homes: vec![home], across: Vec::new() }
        };
        let answers = Verdict::Untried(Want::Answers);
        let some =
            report(vec![Verdict::Passed, Verdict::Skipped("no".into()), answers.clone(), answers.clone()]);
        assert!(some.is_good() && !some.is_whole());
        let said = summary(&some, false, Paint::none());
        assert!(
            said.starts_with("\n1 passed, 0 failed, 3 skipped: 2 of them for want of the issuer's answers\n"),
            "{said}"
        );
        assert!(said.contains("`--script FILE`") && said.contains("`--strict` fails on that"), "{said}");
        let json = some.to_json();
        assert_eq!((&json["skipped"], &json["untried"]), (&3.into(), &2.into()));
        assert_eq!(json["homes"][0]["checks"][2]["wants"], "answers");
        let all = summary(&report(vec![Verdict::Untried(Want::Settings)]), true, Paint::none());
        assert!(all.starts_with("\n0 passed, 0 failed, 1 skipped: for want of good settings\n"), "{all}");
        assert!(all.contains("`--config FILE`") && all.contains("does not let that pass"), "{all}");
        let inapplicable = report(vec![Verdict::Passed, Verdict::Skipped("no".into())]);
        assert!(inapplicable.is_whole());
        let said = summary(&inapplicable, true, Paint::none());
        assert_eq!(said, "\n1 passed, 0 failed, 1 skipped\n`--json` tells the same to programs\n");
        assert!(Script::parse(STARTER.as_bytes()).is_ok());
    }
}
