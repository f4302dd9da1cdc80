//! The parsed text as a tree that remembers where each key and value stood. It is smaller than the parser's own, knows
//! lines and columns instead of byte offsets, and wipes its strings, so that the text itself need not be kept.

use std::sync::Arc;

use countersign::Secret;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column in characters, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and where it begins; for a table, where its header or its brace stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// May be a secret that was written out.
    String(Arc<Secret>),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(Box<str>),
    Array(Vec<Node>),
    Table(Arc<Table>),
}

/// A table's entries, in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    /// Where the key stands.
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }
}

impl Node {
    /// The kind of value, as TOML calls it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "string",
            Value::Integer(_) => "integer",
            Value::Float(_) => "float",
            Value::Boolean(_) => "boolean",
            Value::Datetime(_) => "datetime",
            Value::Array(_) => "array",
            Value::Table(_) => "table",
        }
    }

    pub(crate) const fn as_table(&self) -> Option<&Arc<Table>> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text.expose()),
            _ => None,
        }
    }
}

/// Turns byte offsets of a text into places.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
    /// The characters before every `STEP`th byte, so that a long line is not counted again for each of its values.
    counted: Vec<usize>,
}

const STEP: usize = 256;

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let text = text.as_bytes();
        let mut counted = vec![0];
        for chunk in text.chunks(STEP) {
            counted.push(counted.last().unwrap_or(&0) + count(chunk));
        }
        Self { text, starts, counted }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        // A byte order mark is not seen in an editor.
        let mark = usize::from(line == 1 && offset > 0 && self.text.starts_with(b"\xEF\xBB\xBF"));
        let column = self.characters(offset).saturating_sub(self.characters(start) + mark) + 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: number(line), column: number(column) }
    }

    /// How many characters begin before an offset.
    fn characters(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let step = offset / STEP;
        self.counted[step] + count(&self.text[step * STEP..offset])
    }
}

/// Every byte that does not continue a character begins one.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// How deep tables and arrays may lie in each other: what works on them recurses.
const DEPTH: usize = 64;

/// Takes over a parsed document; `problem` is told of values that nothing else can hold.
pub(crate) fn take(
    parsed: DeTable<'_>,
    lines: &Lines<'_>,
    problem: &mut dyn FnMut(Place, &'static str),
) -> Table {
    table(parsed, DEPTH, lines, problem)
}

/// Drops a parsed document. Dotted keys make it as deep as a line is long, too deep for its own recursive drop.
pub(crate) fn dismantle(parsed: DeValue<'_>) {
    let mut left = vec![parsed];
    while let Some(value) = left.pop() {
        match value {
            DeValue::Array(items) => left.extend(items.into_iter().map(Spanned::into_inner)),
            DeValue::Table(table) => left.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            _ => {}
        }
    }
}

fn table(
    parsed: DeTable<'_>,
    depth: usize,
    lines: &Lines<'_>,
    problem: &mut dyn FnMut(Place, &'static str),
) -> Table {
    let mut entries: Vec<(usize, Entry)> = Vec::with_capacity(parsed.len());
    for (key, value) in parsed {
        let at = key.span().start;
        let place = lines.place(at);
        let node = node(value, place, depth, lines, problem);
        let key = key.into_inner().into_owned().into_boxed_str();
        entries.push((at, Entry { key, place, node }));
    }
    entries.sort_by_key(|(at, _)| *at);
    Table { entries: entries.into_iter().map(|(_, entry)| entry).collect() }
}

fn node(
    parsed: Spanned<DeValue<'_>>,
    key: Place,
    depth: usize,
    lines: &Lines<'_>,
    problem: &mut dyn FnMut(Place, &'static str),
) -> Node {
    let span = parsed.span();
    // A table that only deeper headers mention has no place of its own.
    let place = if span.is_empty() { key } else { lines.place(span.start) };
    let parsed = parsed.into_inner();
    if depth == 0 {
        problem(place, "lies too deep in tables and arrays");
        dismantle(parsed);
        return Node { place, value: Value::Boolean(false) };
    }
    let value = match parsed {
        DeValue::String(text) => Value::String(Arc::new(Secret::new(text.into_owned()))),
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_else(|_| {
                problem(place, "is an integer beyond 64 bits");
                0
            }))
        }
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Float(number),
            _ => {
                problem(place, "is not a finite number");
                Value::Float(0.0)
            }
        },
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string().into_boxed_str()),
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| node(item, place, depth - 1, lines, problem)).collect())
        }
        DeValue::Table(inner) => Value::Table(Arc::new(table(inner, depth - 1, lines, problem))),
    };
    Node { place, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_those_that_counting_gives(text in "[aä\u{1F600}\n\r]{0,900}") {
            let lines = Lines::of(&text);
            let (mut line, mut column) = (1, 1);
            for (offset, c) in text.char_indices() {
                prop_assert_eq!(lines.place(offset), Place { line, column });
                (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
            }
            prop_assert_eq!(lines.place(text.len()), Place { line, column });
        }
    }

    #[test]
    fn a_byte_order_mark_has_no_column() {
        assert_eq!(Lines::of("\u{feff}a").place(3), Place { line: 1, column: 1 });
    }
}
