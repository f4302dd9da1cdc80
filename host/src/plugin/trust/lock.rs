use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::plugin::judge::{read_trusted, unhex};
use crate::plugin::refusal::Reason;

/// The lock file, `plugins.lock` beside the configuration: the digests of the plugin files as they were when
/// `countersign plugins lock` wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    path: PathBuf,
    plugins: BTreeMap<String, Locked>,
}

/// What a lock file holds of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The digest that its file must have.
    pub sha256: [u8; 32],
    /// Its version then, for people; executables do not tell theirs.
    pub version: Option<String>,
}

/// How a lock file differs from the plugin files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A plugin of which the lock file does not know.
    Added(String, Locked),
    /// A plugin whose file is another than the locked one, which is named first.
    Changed(String, Locked, Locked),
    /// A plugin of which there is no file any more.
    Removed(String, Locked),
}

/// The largest lock file, in bytes.
const MAX_SIZE: u64 = 1 << 20;
const FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    plugins: BTreeMap<String, FileEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    sha256: String,
    version: Option<String>,
}

impl Lock {
    /// One of these plugins, by name, for a file at `path`.
    pub fn new(path: impl Into<PathBuf>, plugins: BTreeMap<String, Locked>) -> Self {
        Self { path: path.into(), plugins }
    }

    /// The file as it is; without entries if there is none. Whoever could write it could trust any plugin, so it is judged as
    /// plugins are.
    ///
    /// # Errors
    /// It cannot be read, is not trusted, or is no lock file; in words whose subject it is.
    pub fn read(path: &Path) -> Result<Self, String> {
        match read_trusted(path, MAX_SIZE) {
            Ok(None) => Ok(Self::new(path, BTreeMap::new())),
            Ok(Some(bytes)) => Self::parse(path, &bytes).map_err(Reason::into_owned),
            Err(reason) => Err(reason.into_owned()),
        }
    }

    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Reason> {
        const BAD: &str =
            "write it anew with `countersign plugins lock`, and look at what that says has changed";
        let text = str::from_utf8(bytes).map_err(|_| Reason::from(format!("is not UTF-8; {BAD}")))?;
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            Reason::from(format!("is no lock file (line {line}: {}); {BAD}", error.message()))
        })?;
        if file.format != FORMAT {
            let found = file.format;
            return Err(format!("has the format {found}, but this host knows {FORMAT} only; {BAD}").into());
        }
        let mut plugins = BTreeMap::new();
        for (name, entry) in file.plugins {
            let Some(sha256) = unhex(&entry.sha256) else {
                return Err(format!("has no SHA-256 digest for {name:?}; {BAD}").into());
            };
            match plugins.entry(name.replace('_', "-")) {
                Entry::Occupied(_) => return Err(format!("has {name:?} twice; {BAD}").into()),
                Entry::Vacant(free) => free.insert(Locked { sha256, version: entry.version }),
            };
        }
        Ok(Self { path: path.to_owned(), plugins })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds of a plugin, by name.
    pub fn get(&self, plugin: &str) -> Option<&Locked> {
        self.plugins.get(plugin)
    }

    /// The plugins that it holds, sorted by name.
    pub fn plugins(&self) -> impl Iterator<Item = (&str, &Locked)> {
        self.plugins.iter().map(|(name, locked)| (name.as_str(), locked))
    }

    /// What has changed since it was written, if the plugins are now those of `now`; sorted by name.
    pub fn changes(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, locked) in &now.plugins {
            match self.plugins.get(name) {
                None => changes.push(Change::Added(name.clone(), locked.clone())),
                Some(before) if before.sha256 != locked.sha256 => {
                    changes.push(Change::Changed(name.clone(), before.clone(), locked.clone()));
                }
                Some(_) => {}
            }
        }
        let gone = self.plugins.iter().filter(|(name, _)| !now.plugins.contains_key(*name));
        changes.extend(gone.map(|(name, locked)| Change::Removed(name.clone(), locked.clone())));
        changes.sort_by(|one, other| one.plugin().cmp(other.plugin()));
        changes
    }

    /// The text of the file: the same for the same plugins.
    pub fn to_file(&self) -> String {
        let mut text = format!(
            "# The plugin files as they were when `countersign plugins lock` wrote this. Keep it with the configuration.\nformat = {FORMAT}\n"
        );
        for (name, locked) in &self.plugins {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n[plugins.{}]\n", toml::Value::from(name.as_str()));
            if let Some(version) = &locked.version {
                let _ = writeln!(text, "version = {}", toml::Value::from(version.as_str()));
            }
            let _ = writeln!(text, "sha256 = \"{}\"", crate::plugin::judge::hex(&locked.sha256));
        }
        text
    }
}

impl Change {
    /// The plugin.
    pub fn plugin(&self) -> &str {
        match self {
            Self::Added(name, _) | Self::Changed(name, ..) | Self::Removed(name, _) => name,
        }
    }
}
