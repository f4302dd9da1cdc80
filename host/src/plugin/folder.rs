//! The plugins folder: every file in it judged, then those that may be loaded, loaded.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use super::in_process::Shelf;
use super::judge::{FileKind, Judged, Place, is_library, judge};
use super::loaded::Plugin;
use super::refusal::Refusal;
use super::settings::{FolderSettings, PluginSettings};

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
/// `built_in` are the type names that no plugin may bring.
pub fn load_folder(dir: &Path, settings: &FolderSettings, built_in: &[&str]) -> Folder {
    load(dir, settings, built_in, &Shelf::default())
}

pub(super) fn load(dir: &Path, settings: &FolderSettings, built_in: &[&str], shelf: &Shelf) -> Folder {
    let (judged, mut refusals) = judge_folder(dir, settings, built_in);
    let mut plugins = Vec::new();
    // A fatal finding means that the host will not start: then nothing shall have run.
    if !refusals.iter().any(Refusal::is_fatal) {
        for (settings, judged) in judged {
            match Plugin::load(judged, &settings, shelf) {
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
    settings: &FolderSettings,
    built_in: &[&str],
) -> (Vec<(PluginSettings, Judged)>, Vec<Refusal>) {
    let (mut passed, mut refusals) = (Vec::new(), Vec::new());
    let default = &settings.default;
    let mut settings: BTreeMap<String, PluginSettings> =
        settings.plugins.iter().map(|(name, settings)| (name.replace('_', "-"), settings.clone())).collect();
    let names = Place::open(dir).and_then(|place| Ok((place.names()?, place)));
    let (names, place) = match names {
        Ok(opened) => opened,
        Err(reason) => return (passed, vec![Refusal::new(dir, reason).fatal()]),
    };
    let mut seen = Vec::new();
    for file in names {
        let plugin = is_library(Path::new(&file)) || place.is_executable(&file);
        let Some(name) = plugin_name(&file).filter(|_| plugin) else {
            tracing::debug!(
                file = %place.path_of(&file).display(),
                "not a plugin file: it does not end in .so, and is not executable"
            );
            continue;
        };
        let settings = settings.get(&name).unwrap_or(default).clone();
        seen.push(name);
        match judge(&place, &file, &settings) {
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

/// `libacme_login.so` is the plugin `acme-login`, and so are the executables `acme_login` and `acme-login.py`.
pub(super) fn plugin_name(file: &OsStr) -> Option<String> {
    let path = Path::new(file);
    let stem = path.file_stem()?.to_string_lossy();
    let stem = if is_library(path) { stem.strip_prefix("lib").unwrap_or(&stem) } else { &stem };
    Some(stem.replace('_', "-"))
}

fn brought_twice(passed: &[(PluginSettings, Judged)], built_in: &[&str]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut bringers: BTreeMap<&str, &Path> = BTreeMap::new();
    for (_, judged) in passed {
        let FileKind::Library(note) = judged.file.kind() else { continue };
        let allowed = |name: &String| judged.allowed.as_ref().is_none_or(|allowed| allowed.contains(name));
        for name in note.types.iter().map(|noted| &noted.name).filter(|name| allowed(name)) {
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
