use std::path::{Path, PathBuf};

use super::reader::{Reader, beside};
use super::tree::Value;
use super::{Findings, Site, name};
use crate::plugin::{Isolation, Right};

/// `[plugins]`: where plugin files lie, and what is demanded of single ones.
#[derive(Debug, Clone)]
pub struct PluginsConfig {
    /// The folder with the plugin files; `None` when there is none.
    pub dir: Option<PathBuf>,
    /// Where plugins run that do not say it themselves.
    pub isolation: Isolation,
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
pub(crate) const RESERVED: [&str; 3] = ["dir", "trust", "isolation"];
pub(crate) const ENTRY_KEYS: [&str; 7] =
    ["sha256", "allow_libraries", "required", "types", "isolation", "allow", "memory"];

impl PluginsConfig {
    pub(crate) fn of(section: Option<&Site>, root: &Site, findings: &mut Findings) -> Self {
        let beside_config = beside(root.file(), Path::new("plugins"));
        let default = beside_config.is_dir().then_some(beside_config);
        let isolation = Isolation::default();
        let Some(site) = section else { return Self { dir: default, isolation, entries: Vec::new() } };
        let dir = match site.table().get("dir") {
            Some(_) => folder(site, findings),
            None => default,
        };
        let isolation = isolation_of(&mut Reader::of_known(site, findings)).unwrap_or_default();
        Self { dir, isolation, entries: entries(site, findings) }
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

fn entries(site: &Site, findings: &mut Findings) -> Vec<PluginConfig> {
    let mut entries: Vec<PluginConfig> = Vec::new();
    for entry in site.table().iter().filter(|entry| !matches!(&*entry.key, "dir" | "isolation")) {
        let key = &*entry.key;
        let Value::Table(table) = &entry.node.value else {
            findings.push(site.at_place(entry.place, key, "is not known here").with_help(name::suggestion(
                key,
                &["dir", "isolation"],
                "",
            )));
            continue;
        };
        let fault = if RESERVED.contains(&key) { Some("is a reserved name") } else { name::fault(key) };
        if let Some(fault) = fault {
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
        entries.push(PluginConfig::of(key, site, findings));
    }
    entries
}

impl PluginConfig {
    fn of(name: &str, site: Site, findings: &mut Findings) -> Self {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let mut reader = Reader::new(&site, &ENTRY_KEYS, findings);
        let sha256 = reader.string("sha256").and_then(|text| {
            let digest = digest(text);
            if digest.is_none() {
                reader.fault("sha256", "is not a SHA-256 digest: 64 hexadecimal digits", None);
            }
            digest
        });
        let allow_libraries = reader.strings("allow_libraries").map(owned).unwrap_or_default();
        let required = reader.boolean("required").unwrap_or(false);
        let types = reader.strings("types").map(owned);
        let isolation = isolation_of(&mut reader);
        let allow = rights(&mut reader);
        let memory = reader.size("memory", 64 << 20, 1 << 40).and_then(|bytes| bytes.try_into().ok());
        Self {
            name: name.to_owned(),
            sha256,
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

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
