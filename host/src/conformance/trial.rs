//! One run of the suite in one home.

use std::collections::{BTreeMap, BTreeSet};

use countersign::protocol::Start;
use countersign::{Error, ErrorKind, Profile};
use serde_json::Value;

use super::check::{self, Check};
use super::issuer::Issuer;
use super::recorder::Recorder;
use super::report::{HomeReport, Outcome, Verdict, Want};
use super::script::Script;
use super::subject::{Case, Subject};
use super::talk::{Talked, talk};
use super::{acquire, life, look, manifest, schema, settings, sign, silence};

/// Runs all checks of a plugin in one home.
///
/// `cases` are settings that are good; without any for a type, most of its checks are skipped. `recorder` must be a layer of this
/// process's subscriber, else the logs are not looked at.
pub fn run(
    home: &str,
    subject: &Subject<'_>,
    cases: &[Case],
    script: &Script,
    recorder: Option<&Recorder>,
) -> HomeReport {
    let mut trial = Trial {
        subject,
        script,
        recorder,
        outcomes: Vec::new(),
        seen: BTreeMap::new(),
        heard: Vec::new(),
        unbounded: Vec::new(),
        want: None,
        secrets: BTreeSet::from([super::CANARY.to_owned()]),
    };
    manifest::check(&mut trial);
    for manifest in &subject.manifests {
        let cases: Vec<&Case> = cases.iter().filter(|case| case.type_name == manifest.name).collect();
        for case in &cases {
            let mut secrets = Vec::new();
            schema::secrets(&manifest.schema, &manifest.schema, &case.settings, &mut secrets);
            secrets.into_iter().for_each(|secret| trial.keep_secret(secret));
        }
        trial.want = cases.is_empty().then_some(Want::Settings);
        settings::check(&mut trial, manifest, &cases);
        if cases.is_empty() {
            let others = [check::ACQUIRED, check::BOUNDED, check::NEVER_INTERNAL];
            [&acquire::NEEDED[..], &acquire::FAULTS, &sign::ALL, &life::ALL, &others]
                .into_iter()
                .for_each(|checks| trial.skip(checks, &manifest.name, ""));
        }
        for case in cases {
            trial.want = None;
            let began = trial.heard.len();
            let first = acquire::check(&mut trial, case);
            sign::check(&mut trial, case, first.as_ref());
            life::check(&mut trial, case, first.as_ref());
            silence::never_internal(&mut trial, case, began);
        }
    }
    trial.want = None;
    silence::check(&mut trial);
    let Trial { mut outcomes, seen, .. } = trial;
    outcomes.sort_by_key(|outcome| outcome.check.group);
    HomeReport { home: home.to_owned(), refused: None, outcomes, seen }
}

/// What the checks share.
pub(super) struct Trial<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) script: &'a Script,
    pub(super) recorder: Option<&'a Recorder>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) seen: BTreeMap<String, String>,
    /// Every error that the plugin answered with, and what was done.
    pub(super) heard: Vec<(String, Error)>,
    /// The conversations that had to be broken off.
    pub(super) unbounded: Vec<String>,
    /// What the author did not give, so that what is skipped now is skipped for want of it.
    pub(super) want: Option<Want>,
    /// What may be seen nowhere.
    pub(super) secrets: BTreeSet<String>,
}

impl Trial<'_> {
    /// Passed if there are no faults.
    pub(super) fn settle(&mut self, check: &'static Check, about: &str, faults: Vec<String>) {
        self.settle_with(check, about, faults, None);
    }

    pub(super) fn settle_with(
        &mut self,
        check: &'static Check,
        about: &str,
        mut faults: Vec<String>,
        figure: Option<String>,
    ) {
        faults.dedup();
        let verdict = match faults.len() {
            0 => Verdict::Passed,
            1 => Verdict::Failed(faults.remove(0)),
            more => Verdict::Failed(format!("{} (and {} more)", faults[0], more - 1)),
        };
        self.outcomes.push(Outcome { check, about: about.to_owned(), verdict, figure });
    }

    /// They do not apply for that reason, unless something is wanting.
    pub(super) fn skip(&mut self, checks: &[&'static Check], about: &str, why: &str) {
        let verdict = self.want.map_or_else(|| Verdict::Skipped(why.to_owned()), Verdict::Untried);
        self.outcomes.extend(checks.iter().map(|check| Outcome {
            check,
            about: about.to_owned(),
            verdict: verdict.clone(),
            figure: None,
        }));
    }

    /// Short ones would be found everywhere.
    pub(super) fn keep_secret(&mut self, secret: String) {
        const SHORTEST: usize = 6;
        // Of a key in PEM, each line would give a part of it away.
        let lines =
            secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST && !line.starts_with("-----"));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        self.secrets.extend(lines);
    }

    /// What was seen, to be compared with other homes.
    pub(super) fn note(&mut self, about: &str, what: &str, seen: String) {
        self.seen.insert(format!("{about}: {what}"), seen);
    }

    /// Makes an instance; an error is remembered.
    pub(super) fn make(&mut self, case: &Case) -> Result<Box<dyn Profile>, Error> {
        let made = self.subject.make(&case.type_name, &case.settings);
        made.inspect_err(|error| self.heard.push((format!("making {}", case.name), error.clone())))
    }

    /// Holds a conversation; its error is remembered, and that it had to be broken off.
    pub(super) fn talk(
        &mut self,
        what: &str,
        profile: &dyn Profile,
        start: Start,
        issuer: &Issuer<'_>,
    ) -> Talked {
        let talked = talk(profile, start, issuer);
        self.remember(what, &talked);
        talked
    }

    pub(super) fn remember(&mut self, what: &str, talked: &Talked) {
        match &talked.outcome {
            Ok(credential) => {
                look::secrets(&look::of(credential)).into_iter().for_each(|secret| self.keep_secret(secret));
            }
            Err(error) => self.heard.push((what.to_owned(), error.clone())),
        }
        self.unbounded.extend(talked.unbounded.iter().map(|why| format!("{what}: {why}")));
    }
}

/// An error in full, for the report. Its message is the plugin's: whether it holds a secret is a check of its own, and then it is not
/// shown.
pub(super) fn told(error: &Error) -> String {
    format!("{} error: {error}", error.kind())
}

/// An error in all its parts, to be compared.
pub(super) fn in_full(error: &Error) -> String {
    format!("{error:?}")
}

pub(super) fn is(error: &Error, kinds: &[ErrorKind]) -> bool {
    kinds.contains(&error.kind())
}

/// Whether settings are valid by a schema; a schema that is none refuses nothing.
pub(super) fn accepts(schema: Option<&jsonschema::Validator>, settings: &Value) -> bool {
    schema.is_none_or(|schema| schema.is_valid(settings))
}
