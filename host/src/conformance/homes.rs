//! A plugin file in each home that it can run in.

use std::path::Path;

use countersign::Manifest;
use serde_json::Value;

use super::check;
use super::recorder::Recorder;
use super::report::{HomeReport, Outcome, Report, Verdict};
use super::script::Script;
use super::subject::{Case, Subject};
use super::trial::run;
use crate::config::{Config, Document, Finding, Findings, Sources, Types};
use crate::plugin::{FileKind, Isolation, Plugin, PluginSettings, inspect, load_file};

/// What is to be tested, and with what.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The configuration whose profiles of the file's types are the good settings.
    pub config: Option<&'a Path>,
    /// The issuer's answers; generic ones, if there are none.
    pub script: Option<Script>,
    /// The one home; all that there are, if not said.
    pub isolation: Option<Isolation>,
    /// What keeps the logs.
    pub recorder: Option<&'a Recorder>,
}

/// Tests a plugin file, wherever it lies and whosever it is: place and owner are not judged.
///
/// # Errors
/// The file is no plugin; the configuration cannot be used.
pub fn test_file(file: &Path, request: &Request<'_>) -> Result<Report, Findings> {
    let judged = inspect(file).map_err(|refusal| Finding::about(refusal.file(), refusal.reason()))?;
    let homes = match (request.isolation, judged.kind()) {
        (Some(one), _) => vec![one],
        (None, FileKind::Library(_)) => vec![Isolation::InProcess, Isolation::Process],
        (None, FileKind::Executable) => vec![Isolation::Process],
    };
    let document = request.config.map(Document::read).transpose()?;
    let generic = Script::generic();
    let script = request.script.as_ref().unwrap_or(&generic);
    let mut reports = Vec::new();
    for isolation in homes {
        let settings = settings(file, document.as_ref(), isolation)?;
        let plugin = match load_file(file, &settings) {
            Ok(plugin) => plugin,
            Err(refusal) => {
                let refused = Some(refusal.reason().to_owned());
                reports.push(HomeReport {
                    home: name(isolation).to_owned(),
                    refused,
                    ..HomeReport::default()
                });
                continue;
            }
        };
        let cases = cases(&plugin, document.as_ref())?;
        let subject =
            Subject::new(plugin.manifests().to_vec(), |name, settings| plugin.create(name, settings));
        reports.push(run(name(isolation), &subject, &cases, script, request.recorder));
    }
    let across = same_everywhere(&reports).into_iter().collect();
    Ok(Report { file: file.to_owned(), homes: reports, across })
}

/// The name of a home, as the configuration has it.
const fn name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Process => "process",
        Isolation::BestEffort => "best-effort",
        Isolation::InProcess => "in-process",
    }
}

/// What the configuration allows the plugin.
fn settings(
    file: &Path,
    document: Option<&Document>,
    isolation: Isolation,
) -> Result<PluginSettings, Findings> {
    let mut settings = PluginSettings { isolation, ..PluginSettings::default() };
    let config = document.map(Document::plugins).transpose()?;
    let named = |name: &str| crate::plugin::name_of(file).is_some_and(|file| file == name.replace('_', "-"));
    if let Some(entry) = config.iter().flat_map(|config| &config.entries).find(|entry| named(&entry.name)) {
        settings.allow.clone_from(&entry.allow);
        settings.allow_libraries.clone_from(&entry.allow_libraries);
    }
    Ok(settings)
}

/// The configuration's profiles of the plugin's types, sources in place; without a configuration, the examples of the schemas.
fn cases(plugin: &Plugin, document: Option<&Document>) -> Result<Vec<Case>, Findings> {
    let Some(document) = document else { return Ok(examples(plugin)) };
    // Profiles of other types are unknown here, and connectors none of our business.
    let (Config { profiles, .. }, _) = document.examine(&Known(plugin.manifests()));
    let sources = Sources::system();
    let mut cases = Vec::new();
    for profile in profiles {
        if plugin.manifests().iter().all(|manifest| manifest.name != *profile.type_name) {
            continue;
        }
        let resolved = profile.settings.resolve(&sources)?;
        cases.push(Case {
            name: profile.name.to_string(),
            type_name: profile.type_name.to_string(),
            settings: resolved.value.clone(),
        });
    }
    Ok(cases)
}

/// The plugin's types and no others.
struct Known<'a>(&'a [Manifest]);

impl Types for Known<'_> {
    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|manifest| manifest.name.as_str()).collect()
    }

    fn schema(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|manifest| manifest.name == name).map(|manifest| &manifest.schema)
    }
}

/// `examples` at the top of a type's schema are settings that are good.
fn examples(plugin: &Plugin) -> Vec<Case> {
    let mut cases = Vec::new();
    for manifest in plugin.manifests() {
        let examples = manifest.schema.get("examples").and_then(Value::as_array).into_iter().flatten();
        cases.extend(examples.enumerate().map(|(number, settings)| Case {
            name: format!("{} example {}", manifest.name, number + 1),
            type_name: manifest.name.clone(),
            settings: settings.clone(),
        }));
    }
    cases
}

fn same_everywhere(reports: &[HomeReport]) -> Option<Outcome> {
    let ran: Vec<_> = reports.iter().filter(|report| report.refused.is_none()).collect();
    let (first, others) = ran.split_first()?;
    if others.is_empty() {
        return None;
    }
    let differing = others.iter().find_map(|other| {
        let keys = first.seen.keys().chain(other.seen.keys());
        keys.into_iter()
            .find(|key| first.seen.get(*key) != other.seen.get(*key))
            .map(|key| format!("{} differs between {} and {}", without_values(key), first.home, other.home))
    });
    let verdict = differing.map_or(Verdict::Passed, Verdict::Failed);
    Some(Outcome { check: check::SAME_EVERYWHERE, about: "the file".to_owned(), verdict, figure: None })
}

/// What was done is told without the settings that it was done with.
fn without_values(what: &str) -> &str {
    what.split_once('{').map_or(what, |(before, _)| before.trim_end())
}

#[cfg(test)]
pub(super) fn compare(reports: &[HomeReport]) -> Option<Outcome> {
    same_everywhere(reports)
}
