//! Settings, right and wrong.
//!
//! The host checks settings against the type's schema before the type sees them. So a mistake is *found* if the schema refuses it, or
//! the type does, by an error of the kind `config`. What the schema lets pass, the type has to judge. What it refuses is given to the
//! type all the same, to see that nothing of it is told on.

use countersign::{ErrorKind, Manifest};
use serde_json::{Map, Value, json};

use super::CANARY;
use super::check;
use super::schema;
use super::subject::Case;
use super::trial::{Trial, accepts, in_full, told};

pub(super) fn check(trial: &mut Trial<'_>, manifest: &Manifest, cases: &[&Case]) {
    let about = manifest.name.as_str();
    let schema = jsonschema::draft202012::new(&manifest.schema).ok();
    if cases.is_empty() {
        trial.skip(&[check::SETTINGS_TAKEN, check::INPUTS_STABLE], about, "there are none");
    }
    for case in cases {
        let mut faults = Vec::new();
        if !accepts(schema.as_ref(), &case.settings) {
            faults.push("the schema refuses them".to_owned());
        }
        let made = trial.make(case);
        faults.extend(made.as_ref().err().map(told));
        trial.settle(check::SETTINGS_TAKEN, &case.name, faults);
        match made {
            Ok(profile) => {
                let inputs = profile.inputs();
                trial.note(&case.name, "inputs", format!("{inputs:?}"));
                trial.note(&case.name, "places", format!("{:?}", profile.places()));
                let other = trial.make(case).map(|other| other.inputs());
                let same = other.as_ref() == Ok(&inputs) && profile.inputs() == inputs;
                let fault = "another instance, or the same one asked again, declares other inputs".to_owned();
                trial.settle(check::INPUTS_STABLE, &case.name, if same { Vec::new() } else { vec![fault] });
            }
            Err(_) => trial.skip(&[check::INPUTS_STABLE], &case.name, "there is no instance"),
        }
    }

    let none = Map::new();
    let good = cases.first().and_then(|case| case.settings.as_object()).unwrap_or(&none);
    let mut wrong = Wrong { about, schema: schema.as_ref(), untold: Vec::new() };

    let mut missing: Vec<Value> = schema::required(&manifest.schema)
        .into_iter()
        .map(|name| {
            let mut settings = good.clone();
            settings.remove(name);
            Value::Object(settings)
        })
        .collect();
    missing.push(json!({}));
    let faults = missing.iter().filter_map(|settings| wrong.fault(trial, settings, None)).collect();
    trial.settle(check::MISSING_FOUND, about, faults);

    let mut faults = Vec::new();
    for (name, _) in schema::settings(&manifest.schema) {
        for value in [
            json!(CANARY),
            json!(""),
            json!(format!("{CANARY}\r\n\u{0}")),
            json!(-7.5),
            json!(true),
            Value::Null,
            json!([CANARY]),
            json!([{ "k": CANARY }]),
            json!({ "k": CANARY }),
        ] {
            let mut settings = good.clone();
            settings.insert(name.to_owned(), value);
            faults.extend(wrong.fault(trial, &Value::Object(settings), None));
        }
    }
    trial.settle(check::WRONG_FOUND, about, faults);

    const UNKNOWN: &str = "a_setting_that_no_type_has";
    let mut settings = good.clone();
    settings.insert(UNKNOWN.to_owned(), CANARY.into());
    let faults = wrong.fault(trial, &Value::Object(settings), Some(UNKNOWN)).into_iter().collect();
    trial.settle(check::UNKNOWN_FOUND, about, faults);

    let untold = wrong.untold;
    trial.settle(check::VALUES_UNTOLD, about, untold);
}

/// Hands wrong settings over.
struct Wrong<'a> {
    about: &'a str,
    schema: Option<&'a jsonschema::Validator>,
    untold: Vec<String>,
}

impl Wrong<'_> {
    /// What is wrong with the outcome; `named` is a setting that must not be taken, and has to be named.
    fn fault(&mut self, trial: &mut Trial<'_>, settings: &Value, named: Option<&str>) -> Option<String> {
        let refused = !accepts(self.schema, settings);
        let outcome = trial.subject.make(self.about, settings).err();
        let seen = outcome.as_ref().map_or_else(|| "taken".to_owned(), in_full);
        let what = format!("settings {settings}");
        trial.note(self.about, &what, seen);
        if let Some(error) = &outcome {
            let text = in_full(error);
            if trial.secrets.iter().any(|secret| text.contains(secret)) {
                self.untold.push(format!("a {} error about settings tells the value of one", error.kind()));
            }
        }
        if refused {
            return None;
        }
        match (outcome, named) {
            (None, None) => None,
            (None, Some(name)) => Some(format!("`{name}` is taken without a word")),
            (Some(error), _) if error.kind() != ErrorKind::Config => {
                Some(format!("an error of the kind `config` should be it, not {}", error.kind()))
            }
            (Some(error), Some(name)) if !error.to_string().contains(name) => {
                Some(format!("the error does not name `{name}`"))
            }
            _ => None,
        }
    }
}
