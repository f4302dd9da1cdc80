//! Reads a table whose keys belong to the host: each key once, with its type and bounds; the rest is unknown.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::tree::{Node, Value};
use super::{Findings, Site, duration, name};
use crate::transport::authorities;

pub(crate) struct Reader<'a> {
    site: &'a Site,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    /// Begins to read a table of which `keys` are known.
    pub(crate) fn new(site: &'a Site, keys: &[&str], findings: &'a mut Findings) -> Self {
        for entry in site.table().iter().filter(|entry| !keys.contains(&&*entry.key)) {
            findings.push(
                site.at_place(entry.place, &entry.key, "is not known here").with_help(name::suggestion(
                    &entry.key,
                    keys,
                    "this table has no settings",
                )),
            );
        }
        Self::of_known(site, findings)
    }

    /// Begins to read a table whose keys somebody else looks over.
    pub(crate) const fn of_known(site: &'a Site, findings: &'a mut Findings) -> Self {
        Self { site, findings }
    }

    /// Says something about a key of the table.
    pub(crate) fn fault(&mut self, field: &str, message: impl Into<String>, help: Option<&str>) {
        let finding = self.site.finding_at(field, message);
        self.findings.push(match help {
            Some(help) => finding.with_help(help),
            None => finding,
        });
    }

    /// The configuration's file, beside which relative paths begin.
    pub(crate) fn config(&self) -> &'a Path {
        self.site.file()
    }

    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        self.site.table().get(key).map(|entry| &entry.node)
    }

    /// A value of one kind; another kind is a finding.
    fn of_kind<T>(&mut self, key: &str, kind: &str, take: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let node = self.node(key)?;
        let value = take(&node.value);
        if value.is_none() {
            self.fault(key, format!("expected {kind}, found {}", node.kind()), None);
        }
        value
    }

    pub(crate) fn string(&mut self, key: &str) -> Option<&'a str> {
        let text = self.of_kind(key, "string", |value| match value {
            Value::String(text) => Some(text.expose().as_str()),
            _ => None,
        })?;
        self.refuse_source(key, text).then_some(text)
    }

    /// `${…}` in a table of the host would be taken literally, which nobody means.
    fn refuse_source(&mut self, field: &str, text: &str) -> bool {
        let source = text.contains("${");
        if source {
            self.fault(
                field,
                "holds a `${…}`, which only the settings of profiles may",
                Some("write the value itself"),
            );
        }
        !source
    }

    pub(crate) fn strings(&mut self, key: &str) -> Option<Vec<&'a str>> {
        let items = self.of_kind(key, "array of strings", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        })?;
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let field = format!("{key}[{index}]");
            match item.as_str() {
                Some(text) if self.refuse_source(&field, text) => texts.push(text),
                Some(_) => {}
                None => self.fault(&field, format!("expected string, found {}", item.kind()), None),
            }
        }
        Some(texts)
    }

    pub(crate) fn table(&mut self, key: &str) -> Option<Site> {
        let table = self.of_kind(key, "table", |value| match value {
            Value::Table(table) => Some(table),
            _ => None,
        })?;
        let place = self.node(key)?.place;
        let path = super::site::join(self.site.path(), key);
        Some(Site::new(Arc::clone(self.site.file()), path, place, Arc::clone(table)))
    }

    /// The tables of an array, each with its own place.
    pub(crate) fn tables(&mut self, key: &str) -> Option<Vec<Site>> {
        let items = self.of_kind(key, "array of tables", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        })?;
        let mut sites = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let field = format!("{key}[{index}]");
            match item.as_table() {
                Some(table) => {
                    let path = super::site::join(self.site.path(), &field);
                    sites.push(Site::new(Arc::clone(self.site.file()), path, item.place, Arc::clone(table)));
                }
                None => self.fault(&field, format!("expected table, found {}", item.kind()), None),
            }
        }
        Some(sites)
    }

    pub(crate) fn boolean(&mut self, key: &str) -> Option<bool> {
        self.of_kind(key, "boolean", |value| match value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn integer(&mut self, key: &str, bounds: RangeInclusive<i64>) -> Option<i64> {
        let number = self.of_kind(key, "integer", |value| match value {
            Value::Integer(value) => Some(*value),
            _ => None,
        })?;
        if !bounds.contains(&number) {
            self.fault(key, format!("must be from {} to {}", bounds.start(), bounds.end()), None);
            return None;
        }
        Some(number)
    }

    /// A number of bytes.
    pub(crate) fn size(&mut self, key: &str, least: i64, most: i64) -> Option<usize> {
        usize::try_from(self.integer(key, least..=most)?).ok()
    }

    /// A duration that is longer than nothing and no longer than `most`.
    pub(crate) fn duration(&mut self, key: &str, most: Duration) -> Option<Duration> {
        let text = self.string(key)?;
        match duration::parse(text) {
            Ok(Duration::ZERO) => self.fault(key, "must be longer than nothing", None),
            Ok(duration) if duration > most => {
                self.fault(key, format!("must be at most {} s", most.as_secs()), None);
            }
            Ok(duration) => return Some(duration),
            Err(message) => self.fault(key, message, None),
        }
        None
    }

    /// A path, relative to the folder of the configuration.
    pub(crate) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.string(key)?;
        if text.is_empty() {
            self.fault(key, "is empty", None);
            return None;
        }
        Some(beside(self.site.file(), Path::new(text)))
    }

    /// A path of a file with certificates in PEM.
    pub(crate) fn authorities(&mut self, key: &str) -> Option<PathBuf> {
        let path = self.file(key)?;
        let judged = match std::fs::read(&path) {
            Ok(pem) => authorities(&pem).map(|_| ()).map_err(|error| error.message().to_owned()),
            Err(error) => Err(format!("cannot be read: {}", io_words(&error))),
        };
        match judged {
            Ok(()) => return Some(path),
            Err(what) => self.fault(key, format!("{} {what}", path.display()), None),
        }
        None
    }

    /// A path of a file that is there.
    pub(crate) fn file(&mut self, key: &str) -> Option<PathBuf> {
        let path = self.path(key)?;
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Some(path),
            Ok(_) => self.fault(key, format!("{} is not a file", path.display()), None),
            Err(error) => self.fault(key, format!("{}: {}", path.display(), io_words(&error)), None),
        }
        None
    }
}

/// A path as a configuration means it: relative to its own folder.
pub(crate) fn beside(config: &Path, path: &Path) -> PathBuf {
    match config.parent() {
        Some(folder) => folder.join(path),
        None => path.to_owned(),
    }
}

/// What the system said, in lower case and without its number.
pub(crate) fn io_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => {
            let words = error.to_string();
            words.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}
