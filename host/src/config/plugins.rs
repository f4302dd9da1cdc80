use std::path::{Path, PathBuf};

use super::reader::{Reader, beside};
use super::tree::Value;
use super::{Findings, Site, Watched, name};
use crate::plugin::{BadText, Isolation, PublicKey, Right, Trust, read_trusted, unhex};

/// `[plugins]`: where plugin files lie, and what is demanded of single ones.
#[derive(Debug, Clone)]
pub struct PluginsConfig {
    /// The folder with the plugin files; `None` when there is none.
    pub dir: Option<PathBuf>,
    /// Where plugins run that do not say it themselves.
    pub isolation: Isolation,
    /// What plugin files need to be executed.
    pub trust: Trust,
    /// Who may sign plugin files that do not say it themselves.
    pub keys: Vec<PublicKey>,
    /// Where the lock file lies, if there is one: `plugins.lock` beside the configuration.
    pub lock: PathBuf,
    /// The files that the keys came from, and the lock file, as they were before they were read.
    pub watched: Vec<Watched>,
    /// `[plugins.NAME]`, in the order of the file.
    pub entries: Vec<PluginConfig>,
}

/// `[plugins.NAME]`: what is demanded of one plugin file.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The file's stem without `lib`; `-` and `_` are the same.
    pub name: String,
    /// The SHA-256 digest that the file must have.
    pub sha256: Option<[u8; 32]>,
    /// Who alone may sign it; `None`: as `[plugins]` says.
    pub keys: Option<Vec<PublicKey>>,
    /// Shared libraries that the file may need besides the C library's.
    pub allow_libraries: Vec<String>,
    /// Whether to refuse to start without the file.
    pub required: bool,
    /// The only types that the file may bring; `None`: all that it has.
    pub types: Option<Vec<String>>,
    /// Where it runs; `None`: as `[plugins]` says.
    pub isolation: Option<Isolation>,
    /// What its process may do beyond computing.
    pub allow: Vec<Right>,
    /// The most memory that its process may take, in bytes.
    pub memory: Option<u64>,
    /// Where it stands, for whoever finds something wrong with the file.
    pub site: Site,
}

/// The keys of `[plugins]` itself: no plugin takes their names.
pub(crate) const KEYS: [&str; 4] = ["dir", "trust", "keys", "isolation"];
pub(crate) const ENTRY_KEYS: [&str; 8] =
    ["sha256", "keys", "allow_libraries", "required", "types", "isolation", "allow", "memory"];

impl PluginsConfig {
    pub(crate) fn of(section: Option<&Site>, root: &Site, findings: &mut Findings) -> Self {
        let beside_config = beside(root.file(), Path::new("plugins"));
        let lock = beside(root.file(), Path::new("plugins.lock"));
        let mut plugins = Self {
            dir: beside_config.is_dir().then_some(beside_config),
            isolation: Isolation::default(),
            trust: Trust::default(),
            keys: Vec::new(),
            watched: vec![Watched::now(&lock)],
            lock,
            entries: Vec::new(),
        };
        let Some(site) = section else { return plugins };
        if site.table().get("dir").is_some() {
            plugins.dir = folder(site, findings);
        }
        let mut reader = Reader::of_known(site, findings);
        plugins.isolation = isolation_of(&mut reader).unwrap_or_default();
        plugins.trust = trust_of(&mut reader).unwrap_or_default();
        plugins.keys = keys_of(&mut reader, &mut plugins.watched).unwrap_or_default();
        plugins.entries = entries(site, &mut plugins.watched, findings);
        let no_keys = plugins.keys.is_empty() && plugins.entries.iter().all(|entry| entry.keys.is_none());
        if plugins.trust == Trust::Signed && no_keys && site.table().get("keys").is_none() {
            let help = "give `keys`: public keys of minisign, `RW…`, or paths of files with them";
            let finding = site.finding_at("trust", "is \"signed\", but there are no `keys` that could sign");
            findings.push(finding.with_help(help));
        }
        plugins
    }

    /// What is demanded of the plugin file with this stem (`libacme_login` for `libacme_login.so`).
    pub fn entry(&self, stem: &str) -> Option<&PluginConfig> {
        let wanted = plugin_name(stem);
        self.entries.iter().find(|entry| plugin_name(&entry.name) == wanted)
    }
}

/// The name by which a plugin file goes: its stem without `lib`, with `-` for `_`.
pub fn plugin_name(stem: &str) -> String {
    stem.strip_prefix("lib").unwrap_or(stem).replace('_', "-")
}

fn folder(site: &Site, findings: &mut Findings) -> Option<PathBuf> {
    let mut reader = Reader::of_known(site, findings);
    let dir = reader.path("dir")?;
    if !dir.is_dir() {
        reader.fault(
            "dir",
            format!("there is no folder {}", dir.display()),
            Some("make it, or leave `dir` out"),
        );
    }
    Some(dir)
}

fn entries(site: &Site, watched: &mut Vec<Watched>, findings: &mut Findings) -> Vec<PluginConfig> {
    let mut entries: Vec<PluginConfig> = Vec::new();
    for entry in site.table().iter().filter(|entry| !KEYS.contains(&&*entry.key)) {
        let key = &*entry.key;
        let Value::Table(table) = &entry.node.value else {
            findings.push(
                site.at_place(entry.place, key, "is not known here")
                    .with_help(name::suggestion(key, &KEYS, "")),
            );
            continue;
        };
        if let Some(fault) = name::fault(key) {
            findings.push(site.at_place(entry.place, key, fault));
            continue;
        }
        if let Some(twin) = entries.iter().find(|other| plugin_name(&other.name) == plugin_name(key)) {
            let message = format!("is the same plugin as `{}`", twin.name);
            findings.push(site.at_place(entry.place, key, message));
            continue;
        }
        let site = Site::new(
            site.file().clone(),
            super::site::join(site.path(), key),
            entry.node.place,
            table.clone(),
        );
        entries.push(PluginConfig::of(key, site, watched, findings));
    }
    entries
}

impl PluginConfig {
    fn of(name: &str, site: Site, watched: &mut Vec<Watched>, findings: &mut Findings) -> Self {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let mut reader = Reader::new(&site, &ENTRY_KEYS, findings);
        let sha256 = reader.string("sha256").and_then(|text| {
            let digest = unhex(text);
            if digest.is_none() {
                reader.fault("sha256", "is not a SHA-256 digest: 64 hexadecimal digits", None);
            }
            digest
        });
        let keys = keys_of(&mut reader, watched);
        let allow_libraries = reader.strings("allow_libraries").map(owned).unwrap_or_default();
        let required = reader.boolean("required").unwrap_or(false);
        let types = reader.strings("types").map(owned);
        let isolation = isolation_of(&mut reader);
        let allow = rights(&mut reader);
        let memory = reader.size("memory", 64 << 20, 1 << 40).and_then(|bytes| bytes.try_into().ok());
        Self {
            name: name.to_owned(),
            sha256,
            keys,
            allow_libraries,
            required,
            types,
            isolation,
            allow,
            memory,
            site,
        }
    }
}

fn isolation_of(reader: &mut Reader<'_>) -> Option<Isolation> {
    let isolation = match reader.string("isolation")? {
        "process" => Some(Isolation::Process),
        "best-effort" => Some(Isolation::BestEffort),
        "in-process" => Some(Isolation::InProcess),
        _ => None,
    };
    if isolation.is_none() {
        let help = "`process`: in a sandbox; `best-effort`: in as much of one as the kernel can enforce; `in-process`";
        reader.fault("isolation", "is none of the known ones", Some(help));
    }
    isolation
}

fn trust_of(reader: &mut Reader<'_>) -> Option<Trust> {
    let trust = match reader.string("trust")? {
        "any" => Some(Trust::Any),
        "pinned" => Some(Trust::Pinned),
        "signed" => Some(Trust::Signed),
        _ => None,
    };
    if trust.is_none() {
        let help = "`any`; `pinned`: what has a digest here or in the lock file; `signed`: what one of `keys` signed";
        reader.fault("trust", "is none of the known ones", Some(help));
    }
    trust
}

/// Keys as they stand there, and those of files, which are judged as plugin files are.
fn keys_of(reader: &mut Reader<'_>, watched: &mut Vec<Watched>) -> Option<Vec<PublicKey>> {
    let texts = reader.strings("keys")?;
    let mut keys = Vec::with_capacity(texts.len());
    for (index, text) in texts.into_iter().enumerate() {
        let key = if PublicKey::is_meant_by(text) {
            text.parse().map_err(|error: BadText| error.to_string())
        } else {
            let path = beside(reader.config(), Path::new(text));
            watched.push(Watched::now(&path));
            key_of(&path)
        };
        match key {
            Ok(key) => keys.push(key),
            Err(message) => reader.fault(&format!("keys[{index}]"), message, None),
        }
    }
    Some(keys)
}

fn key_of(path: &Path) -> Result<PublicKey, String> {
    const MOST: u64 = 16 << 10;
    let file = path.display();
    match read_trusted(path, MOST) {
        Ok(Some(bytes)) => {
            String::from_utf8_lossy(&bytes).parse().map_err(|error: BadText| format!("{file} {error}"))
        }
        Ok(None) => {
            Err(format!("is neither a public key of minisign, `RW…`, nor a file: there is no {file}"))
        }
        Err(reason) => Err(format!("{file} {reason}")),
    }
}

fn rights(reader: &mut Reader<'_>) -> Vec<Right> {
    let mut rights = Vec::new();
    for text in reader.strings("allow").unwrap_or_default() {
        match text.split_once(':') {
            None if text == "connect" => rights.push(Right::Connect),
            None if text == "threads" => rights.push(Right::Threads),
            Some(("env", name)) if !name.is_empty() => rights.push(Right::Variable(name.to_owned())),
            Some(("read", path)) if Path::new(path).is_absolute() => rights.push(Right::Read(path.into())),
            _ => {
                let message = format!("knows no right {text:?}");
                reader.fault(
                    "allow",
                    message,
                    Some("`read:/absolute/path`, `env:NAME`, `connect`, `threads`"),
                );
            }
        }
    }
    rights
}
