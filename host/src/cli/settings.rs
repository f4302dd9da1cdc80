//! A type's settings as a person reads them, from their JSON Schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::output::Paint;

/// How deep nested tables are shown.
const DEEPEST: usize = 4;
const WIDTH: usize = 96;

/// The settings of a type: required ones first, each with its kind, default and description.
pub(crate) fn describe(schema: &Value, paint: Paint) -> String {
    let mut page = Page { root: schema, paint, text: String::new() };
    page.table(schema, 1);
    if page.text.is_empty() {
        page.text.push_str("  (no settings)\n");
    }
    page.text
}

struct Page<'a> {
    root: &'a Value,
    paint: Paint,
    text: String,
}

impl<'a> Page<'a> {
    fn table(&mut self, schema: &'a Value, depth: usize) {
        let schema = self.resolve(schema);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        for wanted in [true, false] {
            for (name, property) in properties {
                if required.contains(&name.as_str()) == wanted {
                    self.setting(name, property, wanted, depth);
                }
            }
        }
    }

    fn setting(&mut self, name: &str, property: &'a Value, required: bool, depth: usize) {
        let indent = "  ".repeat(depth);
        let resolved = self.resolve(property);
        let mut notes = vec![self.kind(property)];
        if required {
            notes.push("required".to_owned());
        }
        match property.get("default").or_else(|| resolved.get("default")) {
            None | Some(Value::Null) => {}
            Some(default)
                if default == &Value::Array(Vec::new()) || default == &Value::Object(Map::new()) => {}
            Some(default) => notes.push(format!("default {default}")),
        }
        let _ =
            writeln!(self.text, "{indent}{}  {}", self.paint.bold(name), self.paint.dim(notes.join(", ")));
        if let Some(description) = property.get("description").or_else(|| resolved.get("description")) {
            self.paragraphs(description.as_str().unwrap_or_default(), depth + 1);
        }
        if depth < DEEPEST {
            self.inner(resolved, depth + 1);
        }
    }

    /// The settings of a table, or of each form that a setting may take.
    fn inner(&mut self, schema: &'a Value, depth: usize) {
        self.table(schema, depth);
        if let Some(items) = schema.get("items") {
            self.table(items, depth);
        }
        for form in forms(schema) {
            let form = self.resolve(form);
            if form.get("properties").is_some() {
                let indent = "  ".repeat(depth);
                let title = form.get("description").and_then(Value::as_str).unwrap_or("a table of");
                let _ =
                    writeln!(self.text, "{indent}{}", self.paint.dim(format!("or, {}", first_line(title))));
                self.table(form, depth + 1);
            }
        }
    }

    /// A setting's kind in words: `string`, `integer or string`, `one of a, b`, `list of string`.
    fn kind(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        let secret = if schema.get("writeOnly") == Some(&Value::Bool(true)) { "secret " } else { "" };
        if let Some(value) = schema.get("const") {
            return value.as_str().map_or_else(|| value.to_string(), |text| format!("\"{text}\""));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
            return format!("one of {}", values.join(", "));
        }
        let alternatives: Vec<String> = match schema.get("type") {
            Some(Value::String(kind)) => vec![self.named(kind, schema)],
            Some(Value::Array(kinds)) => kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null")
                .map(|kind| self.named(kind, schema))
                .collect(),
            _ => {
                let mut kinds: Vec<String> = Vec::new();
                for form in forms(schema).filter(|form| form.get("type") != Some(&Value::from("null"))) {
                    let kind = self.kind(form);
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                kinds
            }
        };
        if alternatives.is_empty() {
            "any value".to_owned()
        } else {
            format!("{secret}{}", alternatives.join(" or "))
        }
    }

    fn named(&self, kind: &str, schema: &'a Value) -> String {
        match (kind, schema.get("items")) {
            ("array", Some(items)) => format!("list of {}", self.kind(items)),
            ("array", None) => "list".to_owned(),
            ("object", _) => "table".to_owned(),
            (kind, _) => kind.to_owned(),
        }
    }

    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        // A chain of references is short; a ring of them is nobody's schema.
        for _ in 0..8 {
            let target = schema
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix('#'))
                .and_then(|pointer| self.root.pointer(pointer));
            match target {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn paragraphs(&mut self, text: &str, depth: usize) {
        let indent = "  ".repeat(depth);
        for paragraph in text.split("\n\n") {
            let mut line = indent.clone();
            for word in paragraph.split_whitespace() {
                if line.len() > indent.len() && line.len() + 1 + word.len() > WIDTH {
                    let _ = writeln!(self.text, "{line}");
                    line.clone_from(&indent);
                }
                if line.len() > indent.len() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            let _ = writeln!(self.text, "{line}");
        }
    }
}

fn forms(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_reads_as_a_page() {
        let schema = json!({
            "type": "object",
            "required": ["url"],
            "properties": {
                "algorithm": { "$ref": "#/$defs/Algorithm" },
                "password": { "type": ["string", "null"], "writeOnly": true, "description": "The password." },
                "scope": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
                "url": { "type": "string", "description": "Where to log in.", "default": "x" },
            },
            "$defs": { "Algorithm": { "enum": ["RS256", "ES256"] } },
        });
        let page = describe(&schema, Paint::none());
        let expected = "  url  string, required, default \"x\"\n    Where to log in.\n  algorithm  one of RS256, ES256\n  \
                        password  secret string\n    The password.\n  scope  string or list of string\n";
        assert_eq!(page, expected);
    }
}
