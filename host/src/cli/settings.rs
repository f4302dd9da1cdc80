//! A type's settings as a person reads them, from their JSON Schema.

use std::cell::Cell;
use std::fmt::Write as _;

use serde_json::Value;

use super::output::Paint;
use super::paragraphs::{blocks, wrapped};

/// References are followed, and alternatives looked into, so far; a ring of them is nobody's schema.
const DEEPEST: usize = 8;
/// How many schemas are looked at for a page; no type has as many, and one that is made to has no endless page.
const MOST_LOOKS: usize = 100_000;

/// The settings of a type: required ones first, each with its kind, whether it is required, its default and its description,
/// those of tables within indented below; in lines of at most `width` characters, as far as words let them.
pub(crate) fn describe(schema: &Value, width: usize, paint: Paint) -> String {
    let mut page =
        Page { root: schema, width, paint, text: String::new(), told: Vec::new(), looks: Cell::new(0) };
    page.table(schema, &[], 1);
    if page.text.is_empty() {
        page.text.push_str("  (no settings)\n");
    }
    page.text
}

struct Page<'a> {
    root: &'a Value,
    width: usize,
    paint: Paint,
    text: String,
    /// The tables that stand on the page already, by what they are made of, and the setting that they stand at.
    told: Vec<(Vec<*const Value>, String)>,
    looks: Cell<usize>,
}

/// One of the forms that a setting may take.
struct Form<'a> {
    schema: &'a Value,
    description: Option<&'a str>,
}

impl Form<'_> {
    fn is_table(&self) -> bool {
        self.schema.get("properties").is_some()
    }

    /// The same for each place where the schema refers to it.
    fn identity(&self) -> *const Value {
        self.schema
    }

    fn constant(&self) -> Option<String> {
        self.schema.get("const").map(shown)
    }
}

impl<'a> Page<'a> {
    fn table(&mut self, schema: &'a Value, path: &[&str], depth: usize) {
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
                    self.setting(&[path, &[name]].concat(), property, wanted, depth);
                }
            }
        }
    }

    fn setting(&mut self, path: &[&str], property: &'a Value, required: bool, depth: usize) {
        let name = path.last().copied().unwrap_or_default();
        let resolved = self.resolve(property);
        let forms = self.forms(property);
        let constants = forms.iter().filter(|form| form.constant().is_some());
        let described = constants.clone().any(|form| form.description.is_some());
        let mut notes = match described && constants.count() == forms.len() {
            true => "one of those below".to_owned(),
            false => self.kind(property, 0),
        };
        let default = property.get("default").or_else(|| resolved.get("default")).filter(|it| tells(it));
        match default {
            _ if required => notes.push_str(", required"),
            Some(default) => {
                let _ = write!(notes, ", default {default}");
            }
            None => notes.push_str(", optional"),
        }
        self.heading(name, &notes, depth);
        let about = property.get("description").or_else(|| resolved.get("description"));
        if let Some(about) = about.and_then(Value::as_str) {
            self.paragraphs(about, depth + 1);
        }
        self.within(path, &forms, described, depth + 1);
    }

    /// The settings of a table, or what each form that a setting may take is.
    fn within(&mut self, path: &[&str], forms: &[Form<'a>], described: bool, depth: usize) {
        let made_of: Vec<_> = forms.iter().filter(|form| form.is_table()).map(Form::identity).collect();
        if !made_of.is_empty() {
            if let Some((_, at)) = self.told.iter().find(|(told, _)| *told == made_of) {
                let words = format!("The same settings as in `{at}`.");
                return self.paragraphs(&words, depth);
            }
            self.told.push((made_of, path.join(".")));
        }
        // Where no form has anything in it, the kind says it all.
        let any_within =
            forms.iter().any(|form| form.is_table() || self.several(form.schema).next().is_some());
        for form in forms {
            if let Some(constant) = form.constant() {
                if described {
                    self.heading(&constant, form.description.unwrap_or_default(), depth);
                }
            } else if forms.len() == 1 {
                self.content(path, form.schema, depth);
            } else if any_within {
                let kind = self.kind(form.schema, 0);
                let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                let about = form.description.unwrap_or_default().split("\n\n").next().unwrap_or_default();
                let colon = if about.is_empty() { "" } else { ": " };
                self.paragraphs(&format!("As {article} {kind}{colon}{about}"), depth);
                self.content(path, form.schema, depth + 1);
            }
        }
    }

    /// The settings of a table, of each item of a list, or of what stands in a table under names of one's own.
    fn content(&mut self, path: &[&str], schema: &'a Value, depth: usize) {
        self.table(schema, path, depth);
        let several: Vec<_> = self.several(schema).collect();
        for (words, place, forms) in several {
            self.paragraphs(words, depth);
            self.within(&[path, &[place]].concat(), &forms, false, depth);
        }
    }

    /// What a list or a table may hold several of, if those have settings.
    fn several(
        &self,
        schema: &'a Value,
    ) -> impl Iterator<Item = (&'static str, &'static str, Vec<Form<'a>>)> {
        let kinds = [
            ("items", "Each item:", "[…]"),
            ("additionalProperties", "Under a name of your own each:", "NAME"),
        ];
        kinds.into_iter().filter_map(|(key, words, place)| {
            let forms = self.forms(schema.get(key)?);
            forms.iter().any(Form::is_table).then_some((words, place, forms))
        })
    }

    /// The forms that a setting may take; nothing is none of them.
    fn forms(&self, schema: &'a Value) -> Vec<Form<'a>> {
        let mut forms = Vec::new();
        self.collect(schema, None, 0, &mut forms);
        forms
    }

    fn collect(&self, schema: &'a Value, about: Option<&'a str>, depth: usize, forms: &mut Vec<Form<'a>>) {
        if self.is_too_much(depth) {
            return;
        }
        let about_of = |schema: &'a Value| schema.get("description").and_then(Value::as_str);
        let resolved = self.resolve(schema);
        let mut alternatives = alternatives(resolved).peekable();
        if alternatives.peek().is_none() {
            if resolved.get("type") != Some(&Value::from("null")) {
                forms.push(Form { schema: resolved, description: about.or_else(|| about_of(resolved)) });
            }
            return;
        }
        for form in alternatives {
            self.collect(form, about_of(form), depth + 1, forms);
        }
    }

    /// A setting's kind in words: `string`, `integer or string`, `one of a, b`, `list of string`, `table of string`.
    fn kind(&self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolve(schema);
        if self.is_too_much(depth) {
            return "value".to_owned();
        }
        let secret = if schema.get("writeOnly") == Some(&Value::Bool(true)) { "secret " } else { "" };
        if let Some(value) = schema.get("const") {
            return shown(value);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let values: Vec<_> = values.iter().filter(|value| !value.is_null()).map(shown).collect();
            return format!("one of {}", values.join(", "));
        }
        let kinds: Vec<String> = match schema.get("type") {
            Some(Value::String(kind)) => vec![self.named(kind, schema, depth)],
            Some(Value::Array(kinds)) => kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null")
                .map(|kind| self.named(kind, schema, depth))
                .collect(),
            _ => {
                let forms = self.forms(schema);
                let constants: Vec<_> = forms.iter().filter_map(Form::constant).collect();
                if constants.len() > 1 && constants.len() == forms.len() {
                    return format!("one of {}", constants.join(", "));
                }
                let mut kinds: Vec<String> = Vec::new();
                // A form without alternatives is its own only form.
                for form in forms.iter().filter(|form| !std::ptr::eq(form.schema, schema)) {
                    let kind = self.kind(form.schema, depth + 1);
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                kinds
            }
        };
        if kinds.is_empty() { "any value".to_owned() } else { format!("{secret}{}", kinds.join(" or ")) }
    }

    fn named(&self, kind: &str, schema: &'a Value, depth: usize) -> String {
        let of = |key: &str| schema.get(key).filter(|of| of.as_object().is_some_and(|of| !of.is_empty()));
        match kind {
            "array" => match of("items") {
                Some(items) => format!("list of {}", self.kind(items, depth + 1)),
                None => "list".to_owned(),
            },
            "object" => match of("additionalProperties") {
                Some(values) => format!("table of {}", self.kind(values, depth + 1)),
                None => "table".to_owned(),
            },
            kind => kind.to_owned(),
        }
    }

    fn is_too_much(&self, depth: usize) -> bool {
        self.looks.set(self.looks.get() + 1);
        depth > DEEPEST || self.looks.get() > MOST_LOOKS
    }

    fn resolve(&self, mut schema: &'a Value) -> &'a Value {
        for _ in 0..DEEPEST {
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

    /// A name, and what it is.
    fn heading(&mut self, name: &str, notes: &str, depth: usize) {
        let indent = "  ".repeat(depth);
        let head = indent.chars().count() + name.chars().count() + 2;
        let hanging = format!("{indent}    ");
        let lines = wrapped(notes, self.width, head, hanging.len());
        for (number, line) in lines.iter().enumerate() {
            let line = self.paint.dim(line);
            let _ = match number {
                0 => writeln!(self.text, "{indent}{}  {line}", self.paint.bold(name)),
                _ => writeln!(self.text, "{hanging}{line}"),
            };
        }
        if lines.is_empty() {
            let _ = writeln!(self.text, "{indent}{}", self.paint.bold(name));
        }
    }

    fn paragraphs(&mut self, text: &str, depth: usize) {
        self.text.push_str(&blocks(text, self.width, 2 * depth));
    }
}

/// Whether a default says more than that nothing is there.
fn tells(default: &Value) -> bool {
    // What a table within is by default, its own settings say.
    !(default.is_null() || default.is_object() || default == &Value::Array(Vec::new()))
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// A value as the configuration writes it.
fn shown(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn page(schema: &Value) -> String {
        describe(schema, 80, Paint::none())
    }

    #[test]
    fn a_schema_reads_as_a_page() {
        let schema = json!({
            "type": "object",
            "required": ["url"],
            "properties": {
                "algorithm": { "$ref": "#/$defs/Algorithm" },
                "password": { "type": ["string", "null"], "writeOnly": true, "description": "The password." },
                "scope": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
                "texts": { "type": "object", "additionalProperties": { "type": "string", "writeOnly": true } },
                "tries": { "type": "integer", "default": 3 },
                "url": { "type": "string", "description": "Where to log in.", "default": "x" },
            },
            "$defs": { "Algorithm": { "enum": ["RS256", "ES256", null] } },
        });
        let expected = "  url  string, required\n    Where to log in.\n  algorithm  one of \"RS256\", \"ES256\", optional\n  \
                        password  secret string, optional\n    The password.\n  scope  string or list of string, optional\n  \
                        texts  table of secret string, optional\n  tries  integer, default 3\n";
        assert_eq!(page(&schema), expected);
    }

    #[test]
    fn tables_within_are_told_wherever_alternatives_hide_them_and_only_once() {
        let schema = json!({
            "type": "object",
            "properties": {
                "client_key": { "anyOf": [{ "$ref": "#/$defs/Key" }, { "type": "null" }], "description": "The key." },
                "dpop": { "anyOf": [{ "$ref": "#/$defs/Dpop" }, { "type": "null" }], "description": "A proof." },
            },
            "$defs": {
                "Dpop": { "anyOf": [
                    { "type": "boolean", "description": "Yes; or no." },
                    { "$ref": "#/$defs/DpopTable", "description": "Yes, in\nthis way. And more." },
                ] },
                "DpopTable": { "type": "object", "properties": {
                    "key": { "anyOf": [{ "$ref": "#/$defs/Key" }, { "type": "null" }] },
                } },
                "Key": { "anyOf": [
                    { "type": "string", "writeOnly": true },
                    { "type": "object", "required": ["pem"], "properties": { "pem": { "type": "string" } } },
                ] },
            },
        });
        let expected = "  client_key  secret string or table, optional\n    The key.\n    As a secret string\n    As a table\n      \
                        pem  string, required\n  \
                        dpop  boolean or table, optional\n    A proof.\n    As a boolean: Yes; or no.\n    \
                        As a table: Yes, in this way. And more.\n      key  secret string or table, optional\n        \
                        The same settings as in `client_key`.\n";
        assert_eq!(page(&schema), expected);
    }

    #[test]
    fn what_each_word_means_is_told_and_lists_and_maps_of_tables_are_looked_into() {
        let rule = json!({ "type": "object", "properties": { "at": { "type": "string", "description": "Where." } } });
        let schema = json!({
            "type": "object",
            "properties": {
                "grant": { "oneOf": [
                    { "const": "one", "description": "The first." }, { "const": "two", "description": "The second." },
                ] },
                "list": { "type": "array", "items": rule },
                "map": { "type": "object", "additionalProperties": { "anyOf": [{ "type": "string" }, rule] } },
                "plain": { "oneOf": [{ "const": "a" }, { "const": "b" }], "default": "a" },
            },
        });
        let expected = "  grant  one of those below, optional\n    \"one\"  The first.\n    \"two\"  The second.\n  \
                        list  list of table, optional\n    Each item:\n    at  string, optional\n      Where.\n  \
                        map  table of string or table, optional\n    Under a name of your own each:\n    As a string\n    As a table\n      \
                        at  string, optional\n        Where.\n  plain  one of \"a\", \"b\", default \"a\"\n";
        assert_eq!(page(&schema), expected);
    }

    #[test]
    fn a_ring_of_references_has_an_end() {
        for schema in [
            json!({ "properties": { "a": { "$ref": "#" } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/a" } }, "$defs": { "a": { "$ref": "#/$defs/a" } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/a" } },
                    "$defs": { "a": { "anyOf": vec![json!({ "$ref": "#/$defs/a" }); 30] } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/a" } },
                    "$defs": { "a": { "type": "array", "items": { "$ref": "#/$defs/a" } } } }),
            json!({ "properties": { "a": { "$ref": "#/$defs/a" } },
                    "$defs": { "a": { "type": "object", "additionalProperties": { "$ref": "#/$defs/a" } } } }),
        ] {
            assert!(page(&schema).starts_with("  a  "), "{schema}");
        }
    }
}
