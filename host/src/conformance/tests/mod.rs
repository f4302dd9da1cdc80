//! A type that keeps to everything passes every check; one that breaks a rule fails the check of that rule.

mod crooked;

use std::collections::BTreeSet;

use countersign::{Error, Manifest, Profile, ProfileType};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

use self::crooked::{Crooked, Peeking};
use super::{ALL, Case, HomeReport, Recorder, Script, Subject, Verdict, Want, homes, run};

const SECRET: &str = "s3cret-of-the-settings";

fn manifest() -> Manifest {
    ProfileType::of::<Crooked>().manifest()
}

fn settings(act: &str) -> Value {
    json!({ "url": "https://acme.example/login", "password": SECRET, "act": act })
}

fn make(_: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
    let profile = ProfileType::of::<Crooked>().create(settings)?;
    Ok(if settings["act"] == "undeclared-unseen" { Box::new(Peeking(profile)) } else { profile })
}

/// The report on a plugin.
fn report_on(subject: &Subject<'_>, act: &str) -> HomeReport {
    countersign::silence_profile_panics();
    let case = Case { name: "case".into(), type_name: "crooked".into(), settings: settings(act) };
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    tracing::subscriber::with_default(subscriber, || {
        run("here", subject, &[case], &Script::generic(), Some(&recorder))
    })
}

fn report(act: &str) -> HomeReport {
    report_on(&Subject::new(vec![manifest()], make), act)
}

fn failed(report: &HomeReport) -> BTreeSet<&'static str> {
    let failed = report.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_)));
    failed.map(|outcome| outcome.check.name).collect()
}

#[track_caller]
fn fails(report: &HomeReport, check: &str) {
    assert!(failed(report).contains(check), "{check} is passed: {report:#?}");
    assert!(!format!("{report:?}").contains(SECRET), "the report tells a secret");
}

#[test]
fn who_keeps_to_everything_passes_every_check() {
    for act in ["", "signs", "caller", "random", "signs-randomly"] {
        let report = report(act);
        assert_eq!(failed(&report), BTreeSet::new(), "{act}: {report:#?}");
        let skipped =
            report.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Skipped(_))).count();
        assert!(skipped <= 8, "{act}: {report:#?}");
    }
}

/// Acts of [`Crooked`], which are the names of the checks that they fail.
const ACTS: [&str; 31] = [
    "settings-taken",
    "inputs-stable",
    "acquired",
    "placements-valid",
    "places-kept",
    "lifetime-ahead",
    "lifetime-followed",
    "lifetime-not-guessed",
    "time-from-host",
    "undeclared-unseen",
    "caller-missed",
    "renewal-taken",
    "challenge-taken",
    "no-answer",
    "unwell",
    "rate-limited",
    "denied",
    "redirected",
    "broken-answers",
    "bounded",
    "signed",
    "edits-valid",
    "sign-pure",
    "sign-time",
    "body-unseen",
    "sign-threads",
    "sign-fast",
    "interleaved",
    "cancelled",
    "dropped",
    "still-there",
];

#[test]
fn who_breaks_a_rule_fails_its_check() {
    for act in ACTS {
        fails(&report(act), act);
    }
}

#[test]
fn an_error_of_the_plugins_own_is_found_wherever_it_happens() {
    for act in ["acquired", "caller-missed", "renewal-taken", "panics"] {
        fails(&report(act), "never-internal");
    }
}

#[test]
fn a_secret_in_an_error_or_in_the_log_is_found() {
    for act in ["tells-body", "tells-password"] {
        fails(&report(act), "errors-silent");
    }
    for act in ["logs-password", "logs-token"] {
        fails(&report(act), "logs-silent");
    }
}

#[test]
fn what_a_manifest_lacks_is_found() {
    let with = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        report_on(&Subject::new(vec![manifest], make), "")
    };
    for name in ["Crooked", "crooked_type", "", "1crooked", "crooked "] {
        fails(&with(&|manifest| manifest.name = name.to_owned()), "types-named");
    }
    let twice = Subject::new(vec![manifest(), manifest()], make);
    fails(&report_on(&twice, ""), "types-named");
    fails(&report_on(&Subject::new(Vec::new(), make), ""), "types-named");
    for summary in ["", " ", "one\ntwo", &"long ".repeat(40)] {
        fails(&with(&|manifest| manifest.summary = summary.to_owned()), "summaries");
    }
    for schema in
        [json!({}), json!({ "type": "strin" }), json!({ "type": "object", "required": 1 }), json!(true)]
    {
        fails(&with(&|manifest| manifest.schema = schema.clone()), "schema-valid");
    }
    fails(&with(&|manifest| manifest.schema["additionalProperties"] = true.into()), "schema-closed");
    fails(
        &with(&|manifest| {
            manifest.schema["properties"]["url"].as_object_mut().unwrap().remove("description");
        }),
        "settings-described",
    );
    fails(
        &with(&|manifest| {
            manifest.schema["properties"]["password"].as_object_mut().unwrap().remove("writeOnly");
        }),
        "secrets-marked",
    );
}

#[test]
fn mistakes_in_settings_that_nobody_finds_are_found() {
    let open = || {
        let mut manifest = manifest();
        let schema = manifest.schema.as_object_mut().unwrap();
        schema.remove("required");
        schema.remove("additionalProperties");
        for property in schema["properties"].as_object_mut().unwrap().values_mut() {
            property.as_object_mut().unwrap().remove("type");
        }
        vec![manifest]
    };
    // What Rust does by itself is as good as a schema.
    let report = report_on(&Subject::new(open(), make), "");
    assert_eq!(failed(&report), BTreeSet::from(["schema-closed"]), "{report:#?}");

    let careless = |settings: &Value| {
        let url = settings["url"].as_str().ok_or_else(|| Error::internal("KeyError"))?;
        make("crooked", &json!({ "url": url, "password": SECRET }))
    };
    let report = report_on(&Subject::new(open(), |_, settings| careless(settings)), "");
    for check in ["missing-found", "wrong-found", "unknown-found"] {
        fails(&report, check);
    }
    let talkative = |settings: &Value| {
        make("crooked", settings).map_err(|error| Error::config(format!("{error} in {settings}")))
    };
    fails(&report_on(&Subject::new(open(), |_, settings| talkative(settings)), ""), "values-untold");
}

#[test]
fn what_differs_between_homes_is_found() {
    let other = |type_name: &str, settings: &Value| match make(type_name, settings) {
        Err(error) => Err(Error::config(format!("elsewhere: {error}"))),
        made => made,
    };
    let compared = |other| {
        let homes = [report(""), other];
        homes::compare(&homes).unwrap().verdict
    };
    assert_eq!(compared(report("")), Verdict::Passed);
    let Verdict::Failed(why) = compared(report_on(&Subject::new(vec![manifest()], other), "")) else {
        panic!("passed")
    };
    assert!(why.contains("differs between") && !why.contains(SECRET), "{why}");
    let Verdict::Failed(why) = compared(report("unwell")) else { panic!("passed") };
    assert!(why.contains("500"), "{why}");
}

#[test]
fn every_check_is_failed_by_somebody_here() {
    let elsewhere = [
        "types-named",
        "summaries",
        "schema-valid",
        "schema-closed",
        "settings-described",
        "secrets-marked",
        "missing-found",
        "wrong-found",
        "unknown-found",
        "values-untold",
        "never-internal",
        "errors-silent",
        "logs-silent",
        "same-everywhere",
    ];
    let tested: BTreeSet<_> = ACTS.into_iter().chain(elsewhere).collect();
    let all: BTreeSet<_> = ALL.iter().map(|check| check.name).collect();
    assert_eq!(all.len(), ALL.len(), "no name is there twice");
    assert_eq!(tested, all);
}

#[test]
fn every_check_stands_in_the_book() {
    let page = include_str!("../../../../docs/src/testing.md");
    for check in ALL {
        let row = format!("| {} | `{}` | {} |\n", check.group, check.name, check.proves);
        assert!(page.contains(&row), "docs/src/testing.md lacks: {row}");
    }
}

#[test]
fn without_settings_what_to_give_is_said() {
    let subject = Subject::new(vec![manifest()], make);
    let report = run("here", &subject, &[], &Script::generic(), None);
    assert_eq!(failed(&report), BTreeSet::new());
    let untried =
        report.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Untried(Want::Settings));
    let untried: BTreeSet<_> = untried.map(|outcome| outcome.check.name).collect();
    // What settings are needed for is told check by check, and all of it.
    for check in
        ["settings-taken", "acquired", "denied", "bounded", "signed", "interleaved", "never-internal"]
    {
        assert!(untried.contains(check), "{check}: {untried:?}");
    }
    assert!(report.outcomes.iter().all(
        |outcome| !matches!(outcome.verdict, Verdict::Skipped(_)) || outcome.check.name == "logs-silent"
    ));
    assert!(Want::Settings.why().contains("--config"));
}

#[test]
fn answers_that_do_not_suit_a_type_are_wanted_and_what_hangs_on_them_is_untried() {
    let case = Case { name: "case".into(), type_name: "crooked".into(), settings: settings("wants-more") };
    let report = run("here", &Subject::new(vec![manifest()], make), &[case], &Script::generic(), None);
    assert_eq!(failed(&report), BTreeSet::new(), "{report:#?}");
    let untried = report.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Untried(Want::Answers));
    let untried: BTreeSet<_> = untried.map(|outcome| outcome.check.name).collect();
    for check in ["acquired", "lifetime-followed", "denied", "signed", "interleaved"] {
        assert!(untried.contains(check), "{check}: {untried:?}");
    }
}

#[test]
fn a_script_is_read_strictly() {
    assert!(Script::parse(br#"[{"body":{"a":1}},{"status":201,"headers":{"X":"y"},"body":"text"}]"#).is_ok());
    for wrong in ["", "{}", "[]", r#"[{"bodi":1}]"#, r#"[{"status":"200"}]"#] {
        assert!(Script::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
