use std::path::Path;
use std::sync::Arc;

use super::Finding;
use super::tree::{Node, Place, Table, Value};

/// Where a table of the configuration stands, so that whoever finds something wrong later can say so with file, line
/// and column.
#[derive(Debug, Clone)]
pub struct Site {
    file: Arc<Path>,
    /// Path of the table from the file's root.
    path: Box<str>,
    place: Place,
    table: Arc<Table>,
}

impl Site {
    pub(crate) fn new(file: Arc<Path>, path: impl Into<Box<str>>, place: Place, table: Arc<Table>) -> Self {
        Self { file, path: path.into(), place, table }
    }

    /// A finding about the table as a whole, or about something that is missing in it.
    pub fn finding(&self, message: impl Into<String>) -> Finding {
        self.at_place(self.place, "", message)
    }

    /// A finding about a setting of the table, named by its path within it (`claims.tenant`, `keys[1].kid`). It
    /// points at the setting, or, when that is not in the file, at the innermost table that is.
    pub fn finding_at(&self, field: &str, message: impl Into<String>) -> Finding {
        let place = match self.node(field) {
            _ if field.is_empty() => self.place,
            Ok(node) => node.place,
            Err(nearest) => nearest,
        };
        self.at_place(place, field, message)
    }

    /// A finding about a key of the table that `table` names (empty: this one), rather than about its value.
    pub(crate) fn finding_at_key(&self, table: &str, key: &str, message: impl Into<String>) -> Finding {
        let table_node =
            if table.is_empty() { Some(&self.table) } else { self.node(table).ok().and_then(Node::as_table) };
        let place = table_node.and_then(|table| table.get(key)).map_or(self.place, |entry| entry.place);
        self.at_place(place, &join(table, key), message)
    }

    pub(crate) fn at_place(&self, place: Place, field: &str, message: impl Into<String>) -> Finding {
        let mut finding = Finding::about(&self.file, message);
        (finding.line, finding.column) = (place.line, place.column);
        finding.path = join(&self.path, field);
        finding
    }

    pub(crate) fn file(&self) -> &Arc<Path> {
        &self.file
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The node that a path names, or the place of the innermost one on the way.
    pub(crate) fn node(&self, field: &str) -> Result<&Node, Place> {
        let mut step = step_in_table(&self.table, field).ok_or(self.place)?;
        loop {
            let (node, rest) = step;
            if rest.is_empty() {
                return Ok(node);
            }
            step = match &node.value {
                Value::Table(table) => step_in_table(table, rest.strip_prefix('.').unwrap_or(rest)),
                Value::Array(items) => step_in_array(items, rest),
                _ => None,
            }
            .ok_or(node.place)?;
        }
    }
}

/// Puts a field's path behind its table's.
pub(crate) fn join(table: &str, field: &str) -> String {
    match (table.is_empty(), field) {
        (_, "") => table.to_owned(),
        (true, _) => field.to_owned(),
        _ if field.starts_with('[') => format!("{table}{field}"),
        _ => format!("{table}.{field}"),
    }
}

/// The entry with the longest key that the path begins with: keys may hold dots themselves.
fn step_in_table<'n, 'p>(table: &'n Table, path: &'p str) -> Option<(&'n Node, &'p str)> {
    table
        .iter()
        .filter_map(|entry| Some((entry, path.strip_prefix(&*entry.key)?)))
        .filter(|(_, rest)| rest.is_empty() || rest.starts_with(['.', '[']))
        .min_by_key(|(_, rest)| rest.len())
        .map(|(entry, rest)| (&entry.node, rest))
}

fn step_in_array<'n, 'p>(items: &'n [Node], path: &'p str) -> Option<(&'n Node, &'p str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((items.get(index.parse::<usize>().ok()?)?, rest))
}
