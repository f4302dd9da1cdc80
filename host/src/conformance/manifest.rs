//! What the types say of themselves.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check;
use super::schema;
use super::trial::Trial;

/// The longest summary, in characters: a line of a list.
const LONGEST: usize = 120;
/// Settings whose names end so are secret.
const SECRET: [&str; 6] = ["password", "secret", "passphrase", "token", "private_key", "api_key"];

pub(super) fn check(trial: &mut Trial<'_>) {
    let manifests = trial.subject.manifests.clone();
    let mut names = BTreeSet::new();
    let mut faults: Vec<String> = manifests
        .iter()
        .filter_map(|manifest| {
            let name = &manifest.name;
            if !is_name(name) {
                Some(format!("`{name}` is no name: lower case, digits and `-`"))
            } else if !names.insert(name) {
                Some(format!("`{name}` is there twice"))
            } else {
                None
            }
        })
        .collect();
    if manifests.is_empty() {
        faults.push("it brings no types".to_owned());
    }
    trial.settle(check::TYPES_NAMED, "the file", faults);

    for manifest in &manifests {
        let about = manifest.name.as_str();
        let summary = manifest.summary.trim();
        let one_line = !summary.is_empty() && !summary.contains('\n') && summary.chars().count() <= LONGEST;
        let fault = format!("the summary is empty, or more than a line of {LONGEST} characters");
        trial.settle(check::SUMMARIES, about, if one_line { Vec::new() } else { vec![fault] });

        let root = &manifest.schema;
        trial.note(about, "manifest", format!("{} {root}", manifest.summary));
        let mut faults = Vec::new();
        if let Err(error) = jsonschema::draft202012::meta::validate(root) {
            faults.push(format!("at `{}`: {error}", error.instance_path()));
        } else if let Err(error) = jsonschema::draft202012::new(root) {
            faults.push(error.to_string());
        }
        if root.get("type").and_then(Value::as_str) != Some("object") {
            faults.push("it is not of an object: add `\"type\": \"object\"`".to_owned());
        }
        trial.settle(check::SCHEMA_VALID, about, faults);

        let closed = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|keyword| schema::has(root, root, keyword, |value| value == false));
        let fault = "add `\"additionalProperties\": false` (in Rust: `#[serde(deny_unknown_fields)]`)";
        trial.settle(check::SCHEMA_CLOSED, about, if closed { Vec::new() } else { vec![fault.to_owned()] });

        let of = schema::settings(root);
        let described = |part: &Value| {
            schema::has(root, part, "description", |text| {
                text.as_str().is_some_and(|text| !text.trim().is_empty())
            })
        };
        let faults = of
            .iter()
            .filter(|(_, part)| !described(part))
            .map(|(name, _)| format!("`{name}` has no description"))
            .collect();
        trial.settle(check::SETTINGS_DESCRIBED, about, faults);

        let marked = |part: &Value| schema::has(root, part, "writeOnly", |value| value == true);
        let faults = of
            .iter()
            .filter(|(name, part)| SECRET.iter().any(|word| name.ends_with(word)) && !marked(part))
            .map(|(name, _)| format!("`{name}` is not `writeOnly` (in Rust: `Secret`)"))
            .collect();
        trial.settle(check::SECRETS_MARKED, about, faults);
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
