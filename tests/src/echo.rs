//! What nginx says it received: one `name: value` a line, for a header's value holds no line break, whatever else
//! it holds.

use std::collections::BTreeMap;

/// The lines of an echoing server's answer, by name.
pub fn parse(body: &str) -> BTreeMap<String, String> {
    body.lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}
