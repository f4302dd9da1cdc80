use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use countersign::Error;
use serde_json::{Map, Value as Json};
use zeroize::Zeroize;

use super::check::Check;
use super::sources::{Fault, Notes, Piece, Sources, Watched, parse};
use super::tree::{Node, Table, Value};
use super::{Finding, Findings, Site, profile};

/// The settings of one profile that belong to its type, as they stand in the file.
///
/// They can be resolved again whenever a source may have changed.
#[derive(Clone)]
pub struct Settings {
    site: Site,
    check: Arc<Check>,
}

/// The settings of one profile with the values of all sources in place. Its strings are wiped when it is dropped.
pub struct Resolved {
    /// What the type is made from.
    pub value: Json,
    /// The files that values came from: when one has changed, resolve again.
    pub watched: Vec<Watched>,
    /// What works and should be looked at, such as a key that everybody may read.
    pub warnings: Findings,
}

impl Settings {
    pub(crate) const fn new(site: Site, check: Arc<Check>) -> Self {
        Self { site, check }
    }

    /// Puts the values of all sources in place and checks the whole against the type's schema. It reads files and
    /// runs programs, so it may block for as long as those take.
    ///
    /// # Errors
    /// Every source that has no value, and every setting that the schema refuses. After a first success, the caller
    /// keeps what it had and tries again: a file may be half-written.
    pub fn resolve(&self, sources: &Sources) -> Result<Resolved, Findings> {
        let mut filling = Filling {
            site: &self.site,
            sources,
            notes: Notes::default(),
            findings: Findings::new(),
            warnings: Findings::new(),
            unresolved: Vec::new(),
        };
        let mut settings = Map::new();
        for entry in self.site.table().iter().filter(|entry| !profile::KEYS.contains(&&*entry.key)) {
            settings.insert(entry.key.to_string(), filling.value(&entry.node, &entry.key));
        }
        let Filling { notes, mut findings, warnings, unresolved, .. } = filling;
        let resolved = Resolved { value: Json::Object(settings), watched: notes.watched, warnings };
        for problem in self.check.problems(&resolved.value, &unresolved) {
            let finding = match problem.key {
                Some(key) => self.site.finding_at_key(&problem.path, &key, problem.message),
                None => self.site.finding_at(&problem.path, problem.message),
            };
            findings.push(Finding { help: problem.help, ..finding });
        }
        findings.or(resolved)
    }

    /// An error of the type, as a finding at the setting that it is about.
    pub fn locate(&self, error: &Error) -> Finding {
        match error.field() {
            Some(field) => self.site.finding_at(field, error.message()),
            None => self.site.finding(error.message()),
        }
    }

    /// A digest of the settings as they are written, sources unresolved: it changes when the profile is told to be
    /// another one, and not when a secret is rotated behind its source.
    pub fn fingerprint(&self) -> String {
        let (mut digest, host) = (Context::new(&SHA256), profile::KEYS);
        digest_table(self.site.table(), &mut digest, |key| !host.contains(&key));
        digest.finish().as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The settings as they are written, without any text that holds a reference to a source.
    pub(crate) fn written(&self) -> Json {
        let settings = self.site.table().iter().filter(|entry| !profile::KEYS.contains(&&*entry.key));
        Json::Object(settings.map(|entry| (entry.key.to_string(), written(&entry.node))).collect())
    }

    /// The schema of the type.
    pub(crate) fn schema(&self) -> &Json {
        self.check.schema()
    }

    /// Where the profile's table stands.
    pub const fn site(&self) -> &Site {
        &self.site
    }
}

fn written(node: &Node) -> Json {
    match &node.value {
        Value::String(text) if text.expose().contains('$') => Json::Null,
        Value::String(text) => Json::String(text.expose().clone()),
        Value::Array(items) => items.iter().map(written).collect(),
        Value::Table(table) => {
            Json::Object(table.iter().map(|entry| (entry.key.to_string(), written(&entry.node))).collect())
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Json::Null,
    }
}

impl Resolved {
    /// A digest of the settings with the values of their sources: equal when a profile made from either would be the
    /// same. It tells whoever sees it that a guessed secret is the right one, so it is shown to nobody.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Context::new(&SHA256);
        digest_json(&self.value, &mut digest);
        let mut octets = [0; 32];
        octets.copy_from_slice(digest.finish().as_ref());
        octets
    }
}

/// Blind: settings may be secret.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("path", &self.site.path()).finish_non_exhaustive()
    }
}

impl Drop for Resolved {
    fn drop(&mut self) {
        wipe(&mut self.value);
    }
}

/// Blind: settings may be secret.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").field("watched", &self.watched).finish_non_exhaustive()
    }
}

/// Feeds an unambiguous rendering of a table, in whatever order its keys are written.
fn digest_table(table: &Table, digest: &mut Context, wanted: impl Fn(&str) -> bool) {
    let mut entries: Vec<_> = table.iter().filter(|entry| wanted(&entry.key)).collect();
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    digest.update(format!("t{}:", entries.len()).as_bytes());
    for entry in entries {
        digest.update(format!("k{}:{}", entry.key.len(), entry.key).as_bytes());
        digest_value(&entry.node.value, digest);
    }
}

fn digest_value(value: &Value, digest: &mut Context) {
    match value {
        Value::String(text) => {
            digest.update(format!("s{}:", text.expose().len()).as_bytes());
            digest.update(text.expose().as_bytes());
        }
        Value::Integer(number) => digest.update(format!("i{number};").as_bytes()),
        Value::Float(number) => digest.update(format!("f{number};").as_bytes()),
        Value::Boolean(value) => digest.update(format!("b{value};").as_bytes()),
        Value::Datetime(time) => digest.update(format!("d{time};").as_bytes()),
        Value::Array(items) => {
            digest.update(format!("a{}:", items.len()).as_bytes());
            items.iter().for_each(|item| digest_value(&item.value, digest));
        }
        Value::Table(table) => digest_table(table, digest, |_| true),
    }
}

/// As [`digest_table`], of the values themselves.
fn digest_json(value: &Json, digest: &mut Context) {
    match value {
        Json::Null => digest.update(b"n"),
        Json::Bool(value) => digest.update(format!("b{value};").as_bytes()),
        Json::Number(number) => digest.update(format!("i{number};").as_bytes()),
        Json::String(text) => {
            digest.update(format!("s{}:", text.len()).as_bytes());
            digest.update(text.as_bytes());
        }
        Json::Array(items) => {
            digest.update(format!("a{}:", items.len()).as_bytes());
            items.iter().for_each(|item| digest_json(item, digest));
        }
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            digest.update(format!("t{}:", entries.len()).as_bytes());
            for (key, value) in entries {
                digest.update(format!("k{}:{key}", key.len()).as_bytes());
                digest_json(value, digest);
            }
        }
    }
}

fn wipe(value: &mut Json) {
    match value {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(entries) => entries.values_mut().for_each(wipe),
        _ => {}
    }
}

/// One pass over a profile's settings.
struct Filling<'a> {
    site: &'a Site,
    sources: &'a Sources,
    notes: Notes,
    findings: Findings,
    warnings: Findings,
    /// The paths of the strings that have no value.
    unresolved: Vec<String>,
}

impl Filling<'_> {
    fn value(&mut self, node: &Node, path: &str) -> Json {
        match &node.value {
            Value::String(text) => Json::String(self.text(text.expose(), node, path)),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Boolean(value) => Json::Bool(*value),
            Value::Datetime(text) => Json::String(text.to_string()),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.value(item, &format!("{path}[{index}]")))
                .collect(),
            Value::Table(table) => table
                .iter()
                .map(|entry| {
                    (entry.key.to_string(), self.value(&entry.node, &format!("{path}.{}", entry.key)))
                })
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    fn text(&mut self, text: &str, node: &Node, path: &str) -> String {
        if !text.contains('$') {
            return text.to_owned();
        }
        self.expand(text, node, path).unwrap_or_else(|fault| {
            self.findings.push(self.finding(fault, node, path));
            self.unresolved.push(path.to_owned());
            String::new()
        })
    }

    fn expand(&mut self, text: &str, node: &Node, path: &str) -> Result<String, Fault> {
        let mut parts = Vec::new();
        let pieces = parse(text)?;
        for piece in &pieces {
            if let Piece::Reference(source, argument) = piece {
                let value = self.sources.value(*source, argument, self.site.file(), &mut self.notes)?;
                for warning in std::mem::take(&mut self.notes.warnings) {
                    self.warnings.push(self.finding(warning, node, path).as_warning());
                }
                parts.push(value);
            }
        }
        // With room for all of it, so that growing leaves no copy of a secret behind.
        let length = parts.iter().map(|part| part.expose().len()).sum::<usize>() + text.len();
        let mut expanded = String::with_capacity(length);
        let mut parts = parts.iter();
        for piece in pieces {
            expanded.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Reference(..) => parts.next().map_or("", |part| part.expose()),
            });
        }
        Ok(expanded)
    }

    fn finding(&self, fault: Fault, node: &Node, path: &str) -> Finding {
        Finding { help: fault.help, ..self.site.at_place(node.place, path, fault.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_digest_is_of_the_values_in_whatever_order() {
        let digest = |value: Json| {
            let (watched, warnings) = (Vec::new(), Findings::new());
            Resolved { value, watched, warnings }.digest()
        };
        let one = digest(json!({ "a": "x", "b": [1, true, null], "c": {} }));
        assert_eq!(one, digest(json!({ "c": {}, "b": [1, true, null], "a": "x" })));
        for other in [
            json!({ "a": "y", "b": [1, true, null], "c": {} }),
            json!({ "a": "x", "b": [1, true], "c": {} }),
            json!({ "a": "x", "b": [true, 1, null], "c": {} }),
            json!({ "a": "x", "b": [1, true, null], "c": [] }),
            json!({ "a": "x", "b": [1, true, null] }),
        ] {
            assert_ne!(one, digest(other));
        }
    }

    #[test]
    fn every_string_is_wiped_at_any_depth() {
        let mut value = json!({ "a": "secret", "b": ["secret", { "c": "secret" }], "d": 1 });
        wipe(&mut value);
        assert_eq!(value, json!({ "a": "", "b": ["", { "c": "" }], "d": 1 }));
    }
}
