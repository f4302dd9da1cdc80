use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use countersign::Secret;
use toml::de::{DeTable, DeValue};

use super::connector::{self, ConnectorConfig};
use super::http::HttpConfig;
use super::plugins::PluginsConfig;
use super::profile::{self, ProfileConfig};
use super::reader::Reader;
use super::serve::{self, ServeConfig};
use super::sources::Watched;
use super::store::StoreConfig;
use super::tree::{self, Lines, Place, Table};
use super::{Finding, Findings, Site, name};

/// The profile types that a configuration may name: the registry, as the configuration sees it.
pub trait Types {
    /// All names, for suggestions.
    fn names(&self) -> Vec<&str>;

    /// The JSON Schema (draft 2020-12) of a type's settings; `None` when there is no such type.
    fn schema(&self, name: &str) -> Option<&serde_json::Value>;

    /// The plugin file that brings a type of that name and was refused, for the error that there is no such type.
    fn refused(&self, _name: &str) -> Option<&Path> {
        None
    }
}

/// A configuration that is well-formed TOML; what its tables mean is not looked at yet.
///
/// Plugins have to be loaded before the rest can be understood, so [`plugins`](Document::plugins) comes first, and
/// then [`resolve`](Document::resolve) with the types that there are.
#[derive(Debug)]
pub struct Document {
    root: Site,
    watched: Option<Watched>,
}

/// The tables at the root of a configuration.
pub(crate) const TABLES: [&str; 6] = ["plugins", "profiles", "connectors", "store", "http", "serve"];

/// Everything that a configuration says, in types that cannot be wrong.
#[derive(Debug)]
pub struct Config {
    /// `[plugins]`.
    pub plugins: PluginsConfig,
    /// `[profiles.…]`, in the order of the file.
    pub profiles: Vec<ProfileConfig>,
    /// `[connectors.…]`, in the order of the file.
    pub connectors: Vec<ConnectorConfig>,
    /// `[store]`.
    pub store: StoreConfig,
    /// `[http]`.
    pub http: HttpConfig,
    /// `[serve]`; `None` when there is no such table.
    pub serve: Option<ServeConfig>,
}

impl Document {
    /// Reads a file, at most 64 MiB of it.
    ///
    /// # Errors
    /// The file cannot be read, or is no TOML; see [`parse`](Document::parse).
    pub fn read(path: &Path) -> Result<Self, Findings> {
        const LIMIT: u64 = 64 << 20;
        let (bytes, watched) =
            super::sources::read_file(path, LIMIT).map_err(|error| about_file(path, error.words(LIMIT)))?;
        let bytes = Secret::new(bytes);
        let mut document = match std::str::from_utf8(bytes.expose()) {
            Ok(text) => Self::parse(path, text),
            Err(error) => {
                let valid = &bytes.expose()[..error.valid_up_to()];
                let valid = std::str::from_utf8(valid).unwrap_or_default();
                let mut finding = Finding::about(path, "is not UTF-8");
                let place = Lines::of(valid).place(valid.len());
                (finding.line, finding.column) = (place.line, place.column);
                Err(finding.into())
            }
        }?;
        document.watched = Some(watched);
        Ok(document)
    }

    /// Reads a text as if it were in the file `path`, beside which its relative paths begin.
    ///
    /// # Errors
    /// Every syntax error, with line and column, and none of the text.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Findings> {
        const SHOWN: usize = 20;
        let lines = Lines::of(text);
        let mut findings = Findings::new();
        let at = |place: Place, message: String| {
            let mut finding = Finding::about(path, message);
            (finding.line, finding.column) = (place.line, place.column);
            finding
        };
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in errors.iter().take(SHOWN) {
            let place = error.span().map_or_else(Place::default, |span| lines.place(span.start));
            let finding = at(place, error.message().to_owned());
            findings.push(if error.message() == "duplicate key" { twice(finding, text) } else { finding });
        }
        let table = if findings.is_empty() {
            tree::take(parsed.into_inner(), &lines, &mut |place, message| {
                findings.push(at(place, message.to_owned()));
            })
        } else {
            tree::dismantle(DeValue::Table(parsed.into_inner()));
            Table::default()
        };
        let place = Place { line: 1, column: 1 };
        let root = Site::new(path.into(), "", place, Arc::new(table));
        findings.or(Self { root, watched: None })
    }

    /// The file, as it was named.
    pub fn path(&self) -> &Path {
        self.root.file()
    }

    /// The file as it was when it was read, to notice that it changed; `None` for a text that came from no file.
    pub const fn watched(&self) -> Option<&Watched> {
        self.watched.as_ref()
    }

    /// What `[plugins]` says; needed before plugins can be loaded.
    ///
    /// # Errors
    /// Everything that is wrong in that table.
    pub fn plugins(&self) -> Result<PluginsConfig, Findings> {
        let mut findings = Findings::new();
        let plugins =
            PluginsConfig::of(self.section("plugins", &mut findings).as_ref(), &self.root, &mut findings);
        findings.or(plugins)
    }

    /// What the whole says, given the types that there are. The settings of profiles are checked when they are
    /// [resolved](super::Settings::resolve).
    ///
    /// # Errors
    /// Everything that is wrong outside the profiles' own settings.
    pub fn resolve(&self, types: &dyn Types) -> Result<Config, Findings> {
        let (config, findings) = self.examine(types);
        findings.or(config)
    }

    /// As [`resolve`](Document::resolve), but with what is well-formed beside what is wrong, so that the settings of
    /// the well-formed profiles can be checked in the same go. Nothing may be served from a configuration with
    /// errors.
    pub fn examine(&self, types: &dyn Types) -> (Config, Findings) {
        let mut findings = Findings::new();
        for entry in self.root.table().iter().filter(|entry| !TABLES.contains(&&*entry.key)) {
            findings.push(
                self.root
                    .at_place(entry.place, &entry.key, "is not known here")
                    .with_help(name::suggestion(&entry.key, &TABLES, "")),
            );
        }
        let plugins = self.section("plugins", &mut findings);
        let plugins = PluginsConfig::of(plugins.as_ref(), &self.root, &mut findings);
        let profile_sites = self.named("profiles", &mut findings);
        let connector_sites = self.named("connectors", &mut findings);
        let profiles = profile::read(&profile_sites, types, &mut findings);
        let known: HashMap<&str, ()> = profile_sites.iter().map(|(name, _)| (*name, ())).collect();
        let connectors = connector::read(&connector_sites, &known, &mut findings);
        let store = self.section("store", &mut findings);
        let store = StoreConfig::of(store.as_ref(), &mut findings);
        let http = self.section("http", &mut findings);
        let http = HttpConfig::of(http.as_ref(), &mut findings);
        let serve = self.section("serve", &mut findings);
        let serve = ServeConfig::of(serve.as_ref(), &mut findings);
        serve::check(serve.as_ref(), &connectors, &mut findings);
        findings.sort();
        (Config { plugins, profiles, connectors, store, http, serve }, findings)
    }

    /// A table at the root.
    fn section(&self, key: &str, findings: &mut Findings) -> Option<Site> {
        Reader::of_known(&self.root, findings).table(key)
    }

    /// The tables in a table at the root, each with a good name.
    fn named(&self, key: &str, findings: &mut Findings) -> Vec<(&str, Site)> {
        let Some(section) = self.root.table().get(key) else { return Vec::new() };
        let Some(table) = section.node.as_table() else {
            self.section(key, findings);
            return Vec::new();
        };
        let mut sites = Vec::new();
        for entry in table.iter() {
            let path = format!("{key}.{}", entry.key);
            let fault = match entry.node.as_table() {
                Some(table) => match name::fault(&entry.key) {
                    Some(fault) => fault.to_owned(),
                    None => {
                        let file = Arc::clone(self.root.file());
                        sites.push((&*entry.key, Site::new(file, path, entry.node.place, Arc::clone(table))));
                        continue;
                    }
                },
                None => format!("expected table `[{path}]`, found {}", entry.node.kind()),
            };
            findings.push(self.root.at_place(entry.place, &path, fault));
        }
        sites
    }
}

fn about_file(path: &Path, message: String) -> Findings {
    Finding::about(path, message)
        .with_help("name the configuration with `--config FILE` or COUNTERSIGN_CONFIG")
        .into()
}

/// A key or table that stands twice, with a word of where the first of two equal table headers is.
fn twice(finding: Finding, text: &str) -> Finding {
    let headers = || text.lines().map(str::trim).zip(1_u32..);
    let header = headers().find(|(line, number)| *number == finding.line && line.starts_with('['));
    let first = header.and_then(|(header, number)| {
        headers().find(|(line, _)| *line == header).filter(|(_, first)| *first < number)
    });
    match first {
        Some((_, first)) => finding
            .with_help(format!("this table begins in line {first} already; put what stands here into it")),
        None => finding.with_help("it stands in this table already; keep one of the two"),
    }
}
