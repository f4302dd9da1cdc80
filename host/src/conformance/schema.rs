//! What a type's schema says of its settings, as far as the checks ask.

use serde_json::Value;

/// How deep references and combinations are followed.
const DEPTH: usize = 16;

/// The settings at the top: name and schema.
pub(super) fn settings(schema: &Value) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    each(schema, schema, DEPTH, &mut |part| {
        if let Some(properties) = part.get("properties").and_then(Value::as_object) {
            found.extend(properties.iter().map(|(name, schema)| (name.as_str(), schema)));
        }
    });
    found.dedup_by_key(|(name, _)| *name);
    found
}

/// The names of the settings that must be there.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a part of the schema, or what it refers to or combines, has a keyword that satisfies `is`.
pub(super) fn has(root: &Value, part: &Value, keyword: &str, is: impl Fn(&Value) -> bool) -> bool {
    let mut found = false;
    each(root, part, DEPTH, &mut |part| found |= part.get(keyword).is_some_and(&is));
    found
}

/// The strings in `value` that the schema says are secret.
pub(super) fn secrets(root: &Value, part: &Value, value: &Value, found: &mut Vec<String>) {
    gather(root, part, value, DEPTH, found);
    found.sort_unstable();
    found.dedup();
}

fn gather(root: &Value, part: &Value, value: &Value, depth: usize, found: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    each(root, part, depth, &mut |part| {
        if part.get("writeOnly") == Some(&Value::Bool(true)) {
            strings(value, found);
        }
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    let of = part
                        .get("properties")
                        .and_then(|all| all.get(name))
                        .or_else(|| part.get("additionalProperties"));
                    if let Some(of) = of {
                        gather(root, of, value, depth - 1, found);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(of) = part.get("items") {
                    items.iter().for_each(|item| gather(root, of, item, depth - 1, found));
                }
            }
            _ => {}
        }
    });
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(entries) => entries.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

/// A part of a schema, what it refers to and what it combines.
fn each<'a>(root: &'a Value, part: &'a Value, depth: usize, see: &mut dyn FnMut(&'a Value)) {
    if depth == 0 {
        return;
    }
    see(part);
    let target =
        part.get("$ref").and_then(Value::as_str).and_then(|target| root.pointer(target.strip_prefix('#')?));
    if let Some(target) = target {
        each(root, target, depth - 1, see);
    }
    for combination in ["anyOf", "oneOf", "allOf"] {
        for part in part.get(combination).and_then(Value::as_array).into_iter().flatten() {
            each(root, part, depth - 1, see);
        }
    }
}
