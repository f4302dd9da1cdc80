//! The plugins folder: every file in it judged, then those that may be loaded, loaded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::in_process::Shelf;
use super::judge::{FileKind, Judged, Place, PluginFile, is_library, judge};
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

/// Judges every plugin file in a folder and loads those that pass; none of them executes before all have been judged.
///
/// `built_in` are the type names that no plugin may bring.
pub fn load_folder(dir: &Path, settings: &FolderSettings, built_in: &[&str]) -> Folder {
    load(dir, settings, built_in, &Shelf::default())
}

pub(super) fn load(dir: &Path, settings: &FolderSettings, built_in: &[&str], shelf: &Shelf) -> Folder {
    let (judged, mut refusals) = judge_all(dir, settings, built_in);
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
    refusals.extend(found_twice(&plugins, built_in));
    Folder { plugins, refusals }
}

/// What came of judging a plugins folder.
#[derive(Debug, Default)]
pub struct JudgedFolder {
    /// What may be loaded, by plugin name, sorted by file name.
    pub files: Vec<(String, PluginFile)>,
    /// Why the other files may not.
    pub refusals: Vec<Refusal>,
}

/// As [`load_folder`], but nothing is executed.
pub fn judge_folder(dir: &Path, settings: &FolderSettings, built_in: &[&str]) -> JudgedFolder {
    let (judged, refusals) = judge_all(dir, settings, built_in);
    let named = |judged: Judged| {
        let name = name_of(&judged.file.path).unwrap_or_default();
        (name, judged.file)
    };
    JudgedFolder { files: judged.into_iter().map(|(_, judged)| named(judged)).collect(), refusals }
}

/// Judges a whole folder without executing anything: what may be loaded, and what may not.
fn judge_all(
    dir: &Path,
    settings: &FolderSettings,
    built_in: &[&str],
) -> (Vec<(PluginSettings, Judged)>, Vec<Refusal>) {
    let (mut passed, mut refusals) = (Vec::new(), Vec::new());
    let (default, lock) = (&settings.default, &settings.lock);
    let mut settings: BTreeMap<String, PluginSettings> =
        settings.plugins.iter().map(|(name, settings)| (name.replace('_', "-"), settings.clone())).collect();
    let names = Place::open(dir).and_then(|place| Ok((place.names()?, place)));
    let (names, place) = match names {
        Ok(opened) => opened,
        Err(reason) => return (passed, vec![Refusal::new(dir, reason).fatal()]),
    };
    let mut seen = Vec::new();
    for file in names {
        let signature = Path::new(&file).extension().is_some_and(|extension| extension == "minisig");
        let plugin = !signature && (is_library(Path::new(&file)) || place.is_executable(&file));
        if !signature && !plugin && place.is_script(&file) {
            refusals.push(Refusal::new(
                place.path_of(&file),
                "is a script that may not be executed, and so no plugin; run `chmod 755` on it, or take it out of the folder",
            ));
            continue;
        }
        let Some(name) = plugin_name(&file).filter(|_| plugin) else {
            tracing::debug!(
                file = %place.path_of(&file).display(),
                "not a plugin file: it does not end in .so, and is not executable"
            );
            continue;
        };
        let settings = settings.get(&name).unwrap_or(default).clone();
        let judged = judge(&place, &file, &name, &settings, lock);
        seen.push(name);
        match judged {
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
    // Whoever took a file away may not have meant it; what is left is as good as it was.
    refusals
        .extend(lock.plugins().filter(|(name, _)| !seen.iter().any(|seen| seen == name)).map(|(name, _)| {
        let reason = format!(
            "pins `{name}`, of which there is no file in {}; put it back, or run `countersign plugins lock`",
            dir.display()
        );
        Refusal::new(lock.path(), reason)
    }));
    refusals.extend(brought_twice(&passed, built_in));
    (passed, refusals)
}

/// The plugin's name that a file's has.
pub(crate) fn name_of(file: &Path) -> Option<String> {
    file.file_name().and_then(plugin_name)
}

/// `libacme_login.so` is the plugin `acme-login`, and so are the executables `acme_login` and `acme-login.py`.
pub(super) fn plugin_name(file: &OsStr) -> Option<String> {
    let path = Path::new(file);
    let stem = path.file_stem()?.to_string_lossy();
    let stem = if is_library(path) { stem.strip_prefix("lib").unwrap_or(&stem) } else { &stem };
    Some(stem.replace('_', "-"))
}

/// Of libraries, whose notes say what they bring, before anything runs.
fn brought_twice(passed: &[(PluginSettings, Judged)], built_in: &[&str]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut bringers = Bringers::new(built_in);
    for (_, judged) in passed {
        let FileKind::Library(note) = judged.file.kind() else { continue };
        let allowed = |name: &String| judged.allowed.as_ref().is_none_or(|allowed| allowed.contains(name));
        for name in note.types.iter().map(|noted| &noted.name).filter(|name| allowed(name)) {
            refusals.extend(bringers.add(name, &judged.file.path));
        }
    }
    refusals
}

/// Of executables, which say what they bring when they run: the second of two that bring the same is at fault, and an
/// executable rather than a library.
fn found_twice(plugins: &[Plugin], built_in: &[&str]) -> Vec<Refusal> {
    let mut bringers = Bringers::new(built_in);
    let (programs, libraries): (Vec<_>, Vec<_>) = plugins.iter().partition(|plugin| plugin.is_executable());
    let types = |plugin: &'_ Plugin| {
        plugin.manifests().iter().map(|manifest| manifest.name.clone()).collect::<Vec<_>>()
    };
    for library in libraries {
        types(library).iter().for_each(|name| drop(bringers.add(name, library.file())));
    }
    let mut refusals = Vec::new();
    for program in programs {
        refusals.extend(types(program).iter().filter_map(|name| bringers.add(name, program.file())));
    }
    refusals
}

/// Which file brings a type.
struct Bringers<'a> {
    built_in: &'a [&'a str],
    first: BTreeMap<String, PathBuf>,
}

impl<'a> Bringers<'a> {
    const fn new(built_in: &'a [&'a str]) -> Self {
        Self { built_in, first: BTreeMap::new() }
    }

    /// That a file brings a type; a refusal if there is that type already.
    fn add(&mut self, name: &str, file: &Path) -> Option<Refusal> {
        let other = if self.built_in.contains(&name) {
            "which is built in".to_owned()
        } else {
            match self.first.entry(name.to_owned()) {
                Entry::Occupied(first) => format!("and so does {}", first.get().display()),
                Entry::Vacant(free) => {
                    free.insert(file.to_owned());
                    return None;
                }
            }
        };
        let reason = format!(
            "brings the type `{name}`, {other}; take one away, or leave the file its other types by `types` in its `[plugins.NAME]`"
        );
        Some(Refusal::new(file, reason).fatal())
    }
}
