use std::fmt;
use std::path::Path;

use countersign::{Error, Manifest, Profile};
use serde_json::Value;

use super::folder::plugin_name;
use super::health::PluginStatus;
use super::in_process::{InProcess, Shelf};
use super::judge::{FileKind, Judged, PluginFile};
use super::process::Process;
use super::refusal::{Reason, Refusal};
use super::settings::{Isolation, PluginSettings, Right};
use super::trust::Evidence;
use crate::instance::{Blocking, Instance};

/// A plugin file that runs, in whichever home.
pub struct Plugin {
    file: PluginFile,
    about: About,
    manifests: Vec<Manifest>,
    isolation: Isolation,
    rights: Vec<Right>,
    home: Home,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line; may be empty.
    pub description: String,
}

enum Home {
    InProcess(InProcess),
    Process(Process),
}

impl Plugin {
    /// Executes a judged file in the home that its settings say.
    pub(super) fn load(judged: Judged, settings: &PluginSettings, shelf: &Shelf) -> Result<Self, Refusal> {
        match Self::run(&judged, settings, shelf) {
            Ok((home, about, mut manifests)) => {
                if let Some(allowed) = &judged.allowed {
                    // Of a library the note was judged.
                    if let Some(missing) = missing(allowed, &manifests) {
                        return Err(Refusal::new(judged.file.path(), missing));
                    }
                    manifests.retain(|manifest| allowed.contains(&manifest.name));
                }
                let (isolation, rights) = (settings.isolation, settings.allow.clone());
                Ok(Self { file: judged.file, about, manifests, isolation, rights, home })
            }
            Err(reason) => Err(Refusal::new(judged.file.path(), reason)),
        }
    }

    fn run(
        judged: &Judged,
        settings: &PluginSettings,
        shelf: &Shelf,
    ) -> Result<(Home, About, Vec<Manifest>), Reason> {
        match (settings.isolation, judged.file.kind()) {
            (Isolation::InProcess, FileKind::Library(note)) => {
                let (library, manifests) = InProcess::load(judged, note, shelf)?;
                Ok((Home::InProcess(library), About::of(judged.file.kind()), manifests))
            }
            (Isolation::InProcess, FileKind::Executable) => {
                Err("is an executable, which cannot run in the host's process; set `isolation = \"process\"`"
                    .into())
            }
            (Isolation::Process | Isolation::BestEffort, _) => {
                let (process, about, manifests) = Process::start(judged, settings, shelf)?;
                Ok((Home::Process(process), about, manifests))
            }
        }
    }

    /// Whether it is a program of its own, and no library.
    pub(super) fn is_executable(&self) -> bool {
        matches!(self.file.kind(), FileKind::Executable)
    }

    /// The file.
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// The name by which the configuration knows it: the file's, without `lib` and `.so`, with `-` for `_`.
    pub fn name(&self) -> String {
        self.file().file_name().and_then(plugin_name).unwrap_or_default()
    }

    /// The SHA-256 of the bytes that run.
    pub const fn sha256(&self) -> &[u8; 32] {
        self.file.sha256()
    }

    /// What speaks for the file: where its digest stands, and who signed it.
    pub const fn evidence(&self) -> Evidence {
        self.file.evidence()
    }

    /// What it says of itself.
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// Where its code runs.
    pub const fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// What the operator allows it beyond computing.
    pub fn rights(&self) -> &[Right] {
        &self.rights
    }

    /// The types that it brings and may bring, sorted by name.
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// How it is: whether its calls go on, and what it failed with.
    pub fn status(&self) -> PluginStatus {
        match &self.home {
            Home::InProcess(library) => library.status(),
            Home::Process(process) => process.status(),
        }
    }

    /// Makes an instance of a type from its settings. It may block, within a deadline.
    ///
    /// # Errors
    /// The type's own; [`Internal`](countersign::ErrorKind::Internal) when it panicked.
    pub fn instance(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        match &self.home {
            Home::InProcess(library) => library.create(type_name, settings),
            Home::Process(process) => process.create(type_name, settings),
        }
    }

    /// As [`instance`](Plugin::instance), for those who can wait.
    ///
    /// # Errors
    /// As [`instance`](Plugin::instance).
    pub fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        Ok(Box::new(Blocking::new(self.instance(type_name, settings)?)))
    }
}

/// What is wrong if a type that is named is not there.
fn missing(allowed: &[String], manifests: &[Manifest]) -> Option<Reason> {
    let there = |name: &&String| manifests.iter().any(|manifest| manifest.name == **name);
    let missing = allowed.iter().find(|name| !there(name))?;
    Some(format!("does not bring the type `{missing}` that `types` in its `[plugins.NAME]` names").into())
}

impl About {
    /// What the file's note says.
    fn of(kind: &FileKind) -> Self {
        match kind {
            FileKind::Library(note) => Self {
                name: note.name.clone(),
                version: note.version.clone(),
                description: note.description.clone(),
            },
            FileKind::Executable => Self::default(),
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("file", &self.file)
            .field("isolation", &self.isolation)
            .finish_non_exhaustive()
    }
}
