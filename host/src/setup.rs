//! From a configuration file to everything that can be known without a network: types, profiles, connectors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};
use countersign::Inputs;

use crate::composition::conflicts;
use crate::config::{
    Config, ConnectorConfig, Document, Finding, Findings, HttpConfig, PluginConfig, PluginsConfig,
    ProfileConfig, Resolved, ServeConfig, Sources, StoreConfig, Types, Watched,
};
use crate::explain::{Record, secrets_of};
use crate::instance::{Instance, wait};
use crate::needs::Grants;
use crate::plugin::{
    About, FileKind, Folder, FolderSettings, JudgedFolder, Lock, Locked, PluginSettings, PublicKey, Refusal,
    Shelf, Trust, judge_folder,
};
use crate::registry::{CodeId, Registry};

/// A configuration that was read whole and found good, with an instance of each profile. Nothing runs yet.
///
/// It is what `countersign check` makes and drops again, and what [`Host::start`](crate::Host::start) begins with.
#[derive(Debug)]
pub struct Setup {
    pub(crate) registry: Arc<Registry>,
    pub(crate) profiles: Vec<ReadyProfile>,
    pub(crate) connectors: Vec<ConnectorConfig>,
    pub(crate) http: HttpConfig,
    pub(crate) store: StoreConfig,
    pub(crate) serve: Option<ServeConfig>,
    pub(crate) shelf: Arc<Shelf>,
    /// The file, and those that say which plugins to trust, as they were when they were read.
    pub(crate) watched: Vec<Watched>,
    plugins: Vec<About>,
    refused_plugins: usize,
    pub(crate) warnings: Findings,
}

/// A profile with its instance.
pub struct ReadyProfile {
    pub(crate) config: ProfileConfig,
    pub(crate) made: Made,
}

impl Setup {
    /// Reads a configuration file, judges and loads its plugins, resolves its sources and makes its profiles.
    ///
    /// # Errors
    /// Everything that is wrong, in one go.
    pub fn read(path: &Path) -> Result<Self, Findings> {
        Self::read_with(path, Arc::default(), None)
    }

    /// As [`read`](Setup::read), but what is on the shelf is not loaded again.
    /// The secrets of the settings are kept in the record, so that they are told nowhere.
    pub(crate) fn read_with(
        path: &Path,
        shelf: Arc<Shelf>,
        record: Option<&Record>,
    ) -> Result<Self, Findings> {
        let document = Document::read(path)?;
        let Loaded { registry, plugins, refusals, mut findings, trusted } = types(&document, &shelf)?;
        let refused_plugins = refusals.len();
        let (config, problems) = document.examine(&Known { types: &registry, refusals: &refusals });
        findings.extend(problems);
        let Config { profiles, connectors, http, store, serve, .. } = config;
        let sources = Sources::system();
        let mut ready = Vec::with_capacity(profiles.len());
        for profile in profiles {
            match make(&registry, &profile, &sources, record) {
                Ok(mut made) => {
                    findings.extend(std::mem::take(&mut made.warnings));
                    ready.push(ReadyProfile { config: profile, made });
                }
                Err(problems) => findings.extend(problems),
            }
        }
        let made: HashMap<&str, &Made> = ready.iter().map(|ready| (ready.name(), &ready.made)).collect();
        findings.extend(conflicts(&connectors, |name| made.get(name)?.instance.places()));
        if serve.is_some() {
            findings.extend(unsupplied_callers(&connectors, &ready));
        }
        findings.sort();
        if findings.has_errors() {
            return Err(findings);
        }
        let registry = Arc::new(registry);
        Ok(Self {
            registry,
            profiles: ready,
            connectors,
            http,
            store,
            serve,
            shelf,
            watched: document.watched().cloned().into_iter().chain(trusted).collect(),
            plugins,
            refused_plugins,
            warnings: findings,
        })
    }

    /// The types that a configuration can use, the built-in ones if there is no such file; and which plugin files were
    /// refused.
    ///
    /// # Errors
    /// What is wrong with the file's `[plugins]`, or with a plugin without which nothing may start.
    pub fn types_of(path: &Path) -> Result<(Registry, Findings), Findings> {
        if !path.exists() {
            return Ok((Registry::built_in(), Findings::new()));
        }
        let Loaded { registry, findings, .. } = types(&Document::read(path)?, &Shelf::default())?;
        if findings.has_errors() { Err(findings) } else { Ok((registry, findings)) }
    }

    /// The plugin files of a configuration, loaded and refused.
    ///
    /// # Errors
    /// What is wrong with the file's `[plugins]`.
    pub fn plugins_of(path: &Path) -> Result<Folder, Findings> {
        let plugins = Document::read(path)?.plugins()?;
        Ok(load(&plugins, &Shelf::default()))
    }

    /// The lock file of a configuration as it is, and as it is to be for the plugin files that there are now. Nothing is
    /// executed.
    ///
    /// # Errors
    /// What is wrong with the file's `[plugins]`, with its lock file, or with a plugin file: what is refused is not locked.
    pub fn locks_of(path: &Path) -> Result<(Lock, Lock), Findings> {
        let config = Document::read(path)?.plugins()?;
        let before = Lock::read(&config.lock).map_err(|reason| Finding::about(&config.lock, reason))?;
        let mut settings = folder_settings(&config);
        // What is to be pinned need not be pinned yet.
        for settings in settings.plugins.values_mut().chain([&mut settings.default]) {
            settings.trust = if settings.trust == Trust::Pinned { Trust::Any } else { settings.trust };
        }
        let JudgedFolder { files, refusals } = match &config.dir {
            Some(dir) => {
                judge_folder(dir, &settings, &built_in().iter().map(String::as_str).collect::<Vec<_>>())
            }
            None => JudgedFolder::default(),
        };
        let mut findings = Findings::new();
        for refusal in &refusals {
            findings.push(Finding::about(refusal.file(), refusal.reason()));
        }
        let mut plugins = BTreeMap::new();
        for (name, file) in files {
            let version = match file.kind() {
                FileKind::Library(note) => Some(note.version.clone()),
                FileKind::Executable => None,
            };
            let locked = Locked { sha256: *file.sha256(), version };
            if plugins.insert(name.clone(), locked).is_some() {
                let message = format!(
                    "is the plugin `{name}`, and so is another file; a name is pinned once, so rename one"
                );
                findings.push(Finding::about(file.path(), message));
            }
        }
        findings.or((before, Lock::new(config.lock, plugins)))
    }

    /// The keys that may sign the plugin of a name (a file's stem).
    ///
    /// # Errors
    /// What is wrong with the file's `[plugins]`.
    pub fn keys_of(path: &Path, plugin: &str) -> Result<Vec<PublicKey>, Findings> {
        let config = Document::read(path)?.plugins()?;
        let own = config.entry(plugin).and_then(|entry| entry.keys.clone());
        Ok(own.unwrap_or(config.keys))
    }

    /// The connectors.
    pub fn connectors(&self) -> &[ConnectorConfig] {
        &self.connectors
    }

    /// The profiles.
    pub fn profiles(&self) -> &[ReadyProfile] {
        &self.profiles
    }

    /// What the proxy is to do; `None` when the configuration has no `[serve]`.
    pub const fn serve(&self) -> Option<&ServeConfig> {
        self.serve.as_ref()
    }

    /// What the loaded plugins say of themselves.
    pub fn plugins(&self) -> &[About] {
        &self.plugins
    }

    /// How many plugin files were refused; they are among the warnings.
    pub const fn refused_plugins(&self) -> usize {
        self.refused_plugins
    }

    /// The profiles whose certificate has expired at that time, as errors, and those whose certificate soon has, as warnings; as
    /// far as that is known without a network.
    pub fn ending(&self, now: SystemTime) -> Findings {
        crate::certificates::ending(&self.profiles, now)
    }

    /// What would keep `serve` from the files that it needs (its token's, its unix sockets'), were this user to start it now.
    /// Nothing is made.
    pub fn serve_faults(&self) -> Findings {
        self.serve
            .as_ref()
            .map(|serve| crate::serve_files::faults(serve, &self.connectors))
            .unwrap_or_default()
    }

    /// What works and should be looked at.
    pub const fn warnings(&self) -> &Findings {
        &self.warnings
    }
}

impl ReadyProfile {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its type.
    pub fn type_name(&self) -> &str {
        &self.config.type_name
    }

    /// The public halves of its keys, as JSON Web Keys.
    ///
    /// # Errors
    /// When the profile's code panicked.
    pub fn public_keys(&self) -> Result<Vec<serde_json::Value>, countersign::Error> {
        wait(self.made.instance.public_keys())
    }
}

impl std::fmt::Debug for ReadyProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyProfile").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Profiles that read what no call through the proxy has, so that each such call would fail: a warning, for the same
/// connector may serve other calls.
fn unsupplied_callers(connectors: &[ConnectorConfig], profiles: &[ReadyProfile]) -> Findings {
    let inputs: HashMap<&str, &Inputs> =
        profiles.iter().map(|profile| (profile.name(), profile.made.instance.inputs())).collect();
    let mut findings = Findings::new();
    for connector in connectors {
        let supplied = |attribute: &&str| connector.serve.caller.iter().any(|(name, _)| name == attribute);
        for name in &connector.profiles {
            let Some(inputs) = inputs.get(name.as_str()) else { continue };
            for attribute in inputs.caller_attributes().filter(|attribute| !supplied(attribute)) {
                let message =
                    format!("proxied calls have no `{attribute}`, which the profile `{name}` reads");
                let header = header_for(attribute);
                let help = format!("add `caller = {{ {attribute} = {{ header = \"{header}\" }} }}`");
                findings.push(connector.site.finding_at("caller", message).with_help(help).as_warning());
            }
        }
    }
    findings
}

/// `X-User-Id` for `user_id`.
fn header_for(attribute: &str) -> String {
    attribute.split('_').filter(|word| !word.is_empty()).fold("X".to_owned(), |header, word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{header}-{}{rest}", first.to_uppercase())
    })
}

/// An instance of a profile, and what came with making it.
pub(crate) struct Made {
    pub(crate) instance: Box<dyn Instance>,
    /// What it may need of the host.
    pub(crate) grants: Grants,
    pub(crate) from: MadeFrom,
    /// The files that its settings came from.
    pub(crate) files: Vec<Watched>,
    /// What should be looked at.
    pub(crate) warnings: Findings,
}

/// What an instance was made from, as a digest: one that was made from the same is the same. As the digest of its settings, it
/// is shown to nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MadeFrom([u8; 32]);

impl MadeFrom {
    fn of(profile: &ProfileConfig, code: Option<CodeId>, resolved: &Resolved) -> Self {
        let ProfileConfig { type_name, default_lifetime, settings, .. } = profile;
        // An unambiguous rendering.
        let written = format!("{type_name:?} {code:?} {default_lifetime:?} {} ", settings.fingerprint());
        let mut digest = Context::new(&SHA256);
        digest.update(written.as_bytes());
        digest.update(&resolved.digest());
        let mut octets = [0; 32];
        octets.copy_from_slice(digest.finish().as_ref());
        Self(octets)
    }
}

/// Makes an instance of a profile from what its sources hold now.
pub(crate) fn make(
    registry: &Registry,
    profile: &ProfileConfig,
    sources: &Sources,
    record: Option<&Record>,
) -> Result<Made, Findings> {
    let mut resolved = profile.settings.resolve(sources)?;
    if let (Some(record), Some(manifest)) = (record, registry.manifest(&profile.type_name)) {
        record.keep_secrets(secrets_of(&resolved.value, &manifest.schema));
    }
    let instance = registry
        .instance(&profile.type_name, &resolved.value)
        .map_err(|error| Findings::from(profile.settings.locate(&error)))?;
    let from = MadeFrom::of(profile, registry.code(&profile.type_name), &resolved);
    let (files, warnings) = (std::mem::take(&mut resolved.watched), std::mem::take(&mut resolved.warnings));
    let grants = registry.grants(&profile.type_name);
    Ok(Made { instance, grants, from, files, warnings })
}

/// What came of a configuration's plugin files.
struct Loaded {
    registry: Registry,
    plugins: Vec<About>,
    refusals: Vec<Refusal>,
    /// The same as findings: what is wrong with single files although the rest can go on.
    findings: Findings,
    /// The files that say which plugins to trust, as they were before they were read.
    trusted: Vec<Watched>,
}

fn types(document: &Document, shelf: &Shelf) -> Result<Loaded, Findings> {
    let config = document.plugins()?;
    let Folder { plugins, refusals } = load(&config, shelf);
    let mut findings = Findings::new();
    for refusal in &refusals {
        // Who misses a file refuses none.
        let is_plugin = refusal.file() != config.lock && config.dir.as_deref() != Some(refusal.file());
        let finding = |reason: &str| Finding::about(refusal.file(), reason);
        // The others can go on without the file; a profile that wants its types is an error by itself.
        findings.push(match (refusal.is_fatal(), is_plugin) {
            (true, true) => finding(&format!("refused: {}", refusal.reason())),
            (true, false) => finding(refusal.reason()),
            (false, true) => finding(refusal.reason()).as_refused(),
            (false, false) => finding(refusal.reason()).as_warning(),
        });
    }
    let notes = plugins.iter().map(|plugin| plugin.about().clone()).collect();
    let registry = plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin);
    Ok(Loaded { registry, plugins: notes, refusals, findings, trusted: config.watched })
}

/// The types that there are, and the files that would have brought others.
struct Known<'a> {
    types: &'a Registry,
    refusals: &'a [Refusal],
}

impl Types for Known<'_> {
    fn names(&self) -> Vec<&str> {
        Types::names(self.types)
    }

    fn schema(&self, name: &str) -> Option<&serde_json::Value> {
        self.types.schema(name)
    }

    fn refused(&self, name: &str) -> Option<&Path> {
        self.refusals.iter().find(|refusal| refusal.concerns(name)).map(Refusal::file)
    }
}

fn load(config: &PluginsConfig, shelf: &Shelf) -> Folder {
    let Some(dir) = &config.dir else { return Folder::default() };
    let mut settings = folder_settings(config);
    match Lock::read(&config.lock) {
        Ok(lock) => settings.lock = lock,
        Err(reason) => {
            let refusals = vec![Refusal::new(&config.lock, reason).fatal()];
            return Folder { refusals, ..Folder::default() };
        }
    }
    shelf.load_folder(dir, &settings, &built_in().iter().map(String::as_str).collect::<Vec<_>>())
}

/// What the configuration says of the folder; without the lock file.
fn folder_settings(config: &PluginsConfig) -> FolderSettings {
    let default = PluginSettings {
        isolation: config.isolation,
        trust: config.trust,
        keys: config.keys.clone(),
        ..PluginSettings::default()
    };
    let of = |entry: &PluginConfig| PluginSettings {
        sha256: entry.sha256,
        trust: config.trust,
        keys: entry.keys.as_ref().unwrap_or(&config.keys).clone(),
        allow_libraries: entry.allow_libraries.clone(),
        required: entry.required,
        types: entry.types.clone(),
        isolation: entry.isolation.unwrap_or(config.isolation),
        allow: entry.allow.clone(),
        memory: entry.memory.unwrap_or(PluginSettings::MEMORY),
    };
    let plugins = config.entries.iter().map(|entry| (entry.name.clone(), of(entry))).collect();
    FolderSettings { default, plugins, lock: Lock::default() }
}

/// The names of the types that no plugin may bring.
fn built_in() -> Vec<String> {
    Registry::built_in().names().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = "[profiles.u]\ntype = 'api-key'\nheaders = { X-U = '{{ caller.user_id }}' }\n\
                            [profiles.n]\ntype = 'api-key'\nheaders = { X-N = 'none' }\n\
                            [connectors.a]\nbase_url = 'https://a.example'\nprofiles = ['n', 'u']\n";

    fn warnings(more: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.toml");
        std::fs::write(&path, format!("{PROFILES}{more}")).unwrap();
        let said = Setup::read(&path).unwrap().warnings().to_string();
        said.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn a_script_among_the_plugins_that_may_not_be_executed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (path, plugins) = (folder.path().join("countersign.toml"), folder.path().join("plugins"));
        std::fs::create_dir(&plugins).unwrap();
        std::fs::write(plugins.join("acme.py"), "#!/usr/bin/env python3\n").unwrap();
        std::fs::write(plugins.join("README"), "What lies here.\n").unwrap();
        std::fs::write(&path, "").unwrap();
        let setup = Setup::read(&path).unwrap();
        let said = setup.warnings().to_string();
        assert_eq!(setup.refused_plugins(), 1, "{said}");
        assert!(said.contains("acme.py: refused: is a script that may not be executed"), "{said}");
    }

    #[test]
    fn an_attribute_that_no_proxied_call_has_is_a_warning() {
        let serve = "[serve]\nlisten = 'unix:x'\n";
        assert_eq!(
            warnings(serve),
            "countersign.toml:7:1: warning: connectors.a.caller: proxied calls have no `user_id`, which the profile \
             `u` reads\n  help: add `caller = { user_id = { header = \"X-User-Id\" } }`"
        );
        let other = warnings(&format!("caller = {{ user = {{ value = 'x' }} }}\n{serve}"));
        assert!(other.starts_with("countersign.toml:10:10: warning: connectors.a.caller: "), "{other}");
        let supplied = "caller = { user_id = { header = 'X-User', required = false } }\n";
        assert_eq!(warnings(&format!("{supplied}{serve}")), "");
        assert_eq!(warnings(""), "", "nothing is proxied");
    }
}
