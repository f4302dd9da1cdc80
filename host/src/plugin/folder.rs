//! The plugins folder: every file in it judged, then those that may be loaded, loaded.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::judge::{Judged, judge};
use super::load::Plugin;
use super::place::Place;
use super::refusal::Refusal;
use super::shelf::Shelf;

/// What the operator says of one plugin (`[plugins.NAME]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginSettings {
    /// The SHA-256 that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// Names of shared libraries that it may need besides the system's own: `libssl.so.3`.
    pub allow_libraries: Vec<String>,
    /// Whether the host must not start without it.
    pub required: bool,
    /// The types that it may bring; all, if not given.
    pub types: Option<Vec<String>>,
}

/// What came of a plugins folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// What was loaded, sorted by file name.
    pub plugins: Vec<Plugin>,
    /// Why the other files were not.
    pub refusals: Vec<Refusal>,
}

impl Folder {
    /// Whether the host must refuse to start.
    pub fn is_fatal(&self) -> bool {
        self.refusals.iter().any(Refusal::is_fatal)
    }
}

/// Judges every `.so` in a folder and loads those that pass; none of them executes before all have been judged.
///
/// `settings` are keyed by plugin name: the file's stem without `lib`, with `-` for `_`. `built_in` are the type names
/// that no plugin may bring.
pub fn load_folder(dir: &Path, settings: &BTreeMap<String, PluginSettings>, built_in: &[&str]) -> Folder {
    load(dir, settings, built_in, &Shelf::default())
}

pub(super) fn load(
    dir: &Path,
    settings: &BTreeMap<String, PluginSettings>,
    built_in: &[&str],
    shelf: &Shelf,
) -> Folder {
    let (judged, mut refusals) = judge_folder(dir, settings, built_in);
    let mut plugins = Vec::new();
    // A fatal finding means that the host will not start: then nothing shall have run.
    if !refusals.iter().any(Refusal::is_fatal) {
        for (settings, judged) in judged {
            match Plugin::load(judged, shelf) {
                Ok(plugin) => plugins.push(plugin),
                Err(refusal) => refusals.push(if settings.required { refusal.fatal() } else { refusal }),
            }
        }
    }
    Folder { plugins, refusals }
}

/// Judges a whole folder without executing anything: what may be loaded, and what may not.
fn judge_folder(
    dir: &Path,
    settings: &BTreeMap<String, PluginSettings>,
    built_in: &[&str],
) -> (Vec<(PluginSettings, Judged)>, Vec<Refusal>) {
    let (mut passed, mut refusals) = (Vec::new(), Vec::new());
    let mut settings: BTreeMap<String, PluginSettings> =
        settings.iter().map(|(name, settings)| (name.replace('_', "-"), settings.clone())).collect();
    let names = Place::open(dir).and_then(|place| Ok((place.names()?, place)));
    let (names, place) = match names {
        Ok(opened) => opened,
        Err(reason) => return (passed, vec![Refusal::new(dir, reason).fatal()]),
    };
    let mut seen = Vec::new();
    for file in names {
        let Some(name) = plugin_name(&file) else {
            tracing::debug!(file = %place.path_of(&file).display(), "not a plugin file: it does not end in .so");
            continue;
        };
        let settings = settings.get(&name).cloned().unwrap_or_default();
        seen.push(name);
        match judge(&place, &file, &settings).and_then(|judged| limit(judged, &settings)) {
            Ok(judged) => passed.push((settings, judged)),
            Err(refusal) => refusals.push(if settings.required { refusal.fatal() } else { refusal }),
        }
    }
    // Settings that fit no file may be a misspelt pin: the file that it was meant for would run unpinned.
    settings.retain(|name, _| !seen.contains(name));
    refusals.extend(settings.into_keys().map(|name| {
        let reason =
            format!("has no file for `[plugins.{name}]`; the name is the file's, without `lib` and `.so`");
        Refusal::new(dir, reason).fatal()
    }));
    refusals.extend(brought_twice(&passed, built_in));
    (passed, refusals)
}

/// `libacme_login.so` is the plugin `acme-login`.
fn plugin_name(file: &OsStr) -> Option<String> {
    let stem = file.to_string_lossy().strip_suffix(".so")?.to_owned();
    Some(stem.strip_prefix("lib").unwrap_or(&stem).replace('_', "-"))
}

/// Leaves a file only the types that the operator allows it.
fn limit(mut judged: Judged, settings: &PluginSettings) -> Result<Judged, Refusal> {
    let Some(allowed) = &settings.types else { return Ok(judged) };
    if let Some(missing) =
        allowed.iter().find(|name| judged.file.note.types.iter().all(|noted| noted.name != **name))
    {
        let reason =
            format!("does not bring the type `{missing}` that `types` in its `[plugins.NAME]` names");
        return Err(Refusal::new(judged.file.path, reason));
    }
    judged.allowed.retain(|name| allowed.contains(name));
    Ok(judged)
}

fn brought_twice(passed: &[(PluginSettings, Judged)], built_in: &[&str]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut bringers: BTreeMap<&str, &Path> = BTreeMap::new();
    for (_, judged) in passed {
        for name in &judged.allowed {
            let other = if built_in.contains(&name.as_str()) {
                "which is built in".to_owned()
            } else if let Some(first) = bringers.insert(name, &judged.file.path) {
                format!("and so does {}", first.display())
            } else {
                continue;
            };
            let reason = format!(
                "brings the type `{name}`, {other}; take one away, or leave the file its other types by `types` in its `[plugins.NAME]`"
            );
            refusals.push(Refusal::new(&judged.file.path, reason).fatal());
        }
    }
    refusals
}
