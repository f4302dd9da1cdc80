//! The protocol between processes as it was promised to plugins that exist: `docs/protocol.schema.json` is of this code, and a
//! change that those plugins would feel fails here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../examples/protocol-schema.rs"]
mod protocol_schema;

use std::collections::BTreeSet;
use std::path::Path;

use countersign::protocol::frame::VERSION;
use serde_json::{Map, Value, json};

const SNAPSHOT: &str = "../docs/protocol.schema.json";
const RENEW: &str = "COUNTERSIGN_UPDATE=1 cargo test -p countersign --test promise";

/// What may learn new words: an older side answers that it does not know them, or passes over them.
const OPEN: [&str; 4] = ["ToPlugin", "FromPlugin", "Need", "Event"];

/// What is only for readers.
const WORDS: [&str; 6] = ["description", "title", "examples", "$schema", "$comment", "default"];

/// What changed: what an older side does not notice, and what it would feel.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    grown: Vec<String>,
    broken: Vec<String>,
}

#[test]
fn the_protocol_is_the_one_that_was_promised() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SNAPSHOT);
    let (text, is) = (std::fs::read_to_string(&path).unwrap_or_default(), protocol_schema::schema());
    let written = format!("{is:#}\n");
    let promised: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let of_version = |version: &str| {
        let told = promised["description"].as_str().unwrap_or_default();
        told.starts_with(&format!("Version {}.", version.split('.').next().unwrap()))
    };
    let changes = if of_version(VERSION) { compare(&promised, &is) } else { Changes::default() };
    assert!(
        changes.broken.is_empty(),
        "plugins or hosts that exist would feel this change of the protocol:\n  {}\ntake it back, or add a new optional \
         field or a new message beside the old one (docs/src/versions.md)",
        changes.broken.join("\n  ")
    );
    if std::env::var_os("COUNTERSIGN_UPDATE").is_some() {
        std::fs::write(&path, &written).unwrap();
    } else {
        assert!(
            text == written,
            "the protocol has grown, which those who exist do not notice:\n  {}\nrenew its schema: {RENEW}",
            changes.grown.join("\n  ")
        );
    }
}

fn compare(promised: &Value, is: &Value) -> Changes {
    let mut changes = Changes::default();
    let (old, new) = (&promised["$defs"], &is["$defs"]);
    for (name, before) in old.as_object().unwrap() {
        match new.get(name) {
            Some(after) => changes.of(name, before, after, OPEN.contains(&name.as_str())),
            None => changes.broken.push(format!("{name} is gone")),
        }
    }
    let added = new.as_object().unwrap().keys().filter(|name| old.get(name.as_str()).is_none());
    changes.grown.extend(added.map(|name| format!("{name}, a new definition")));
    changes
}

impl Changes {
    fn of(&mut self, at: &str, before: &Value, after: &Value, open: bool) {
        let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
            if before != after {
                self.broken.push(format!("{at} was {before}, and is {after}"));
            }
            return;
        };
        let keys: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
        for key in keys.into_iter().filter(|key| !WORDS.contains(key)) {
            let none = Value::Null;
            let (before, after) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
            match key {
                "properties" => self.of_properties(at, before, after),
                // Who reads a required field does not do without it, and who writes may not have to know of a new one.
                "required" if names(before) != names(after) => {
                    self.broken.push(format!("{at}: required were {before}, and are {after}"));
                }
                "required" => {}
                "oneOf" | "anyOf" | "enum" => self.of_variants(at, before, after, open),
                "items" | "additionalProperties" | "propertyNames" => {
                    self.of(&format!("{at}.{key}"), before, after, false);
                }
                _ if before != after => {
                    self.broken.push(format!("{at}: `{key}` was {before}, and is {after}"));
                }
                _ => {}
            }
        }
    }

    fn of_properties(&mut self, at: &str, before: &Value, after: &Value) {
        let empty = Map::new();
        let (old, new) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
        for (name, before) in old {
            match new.get(name) {
                Some(after) => self.of(&format!("{at}.{name}"), before, after, false),
                None => self.broken.push(format!("{at}.{name} is gone")),
            }
        }
        let added = new.keys().filter(|name| !old.contains_key(*name));
        self.grown.extend(added.map(|name| format!("{at}.{name}, a new field")));
    }

    fn of_variants(&mut self, at: &str, before: &Value, after: &Value, open: bool) {
        let empty = Vec::new();
        let (old, new) = (before.as_array().unwrap_or(&empty), after.as_array().unwrap_or(&empty));
        for before in old {
            let name = word(before);
            match new.iter().find(|after| word(after) == name) {
                Some(after) => self.of(&format!("{at}/{name}"), before, after, false),
                None => self.broken.push(format!("{at}/{name} is gone")),
            }
        }
        for name in new.iter().map(word).filter(|name| old.iter().all(|before| word(before) != *name)) {
            let added = format!("{at}/{name}, a new word");
            if open { self.grown.push(added) } else { self.broken.push(added) }
        }
    }
}

/// By what a variant is known: its only key, its value, what it refers to, or its type.
fn word(variant: &Value) -> String {
    if let Some(properties) = variant["properties"].as_object()
        && let (Some(only), 1) = (properties.keys().next(), properties.len())
    {
        return only.clone();
    }
    let told = ["const", "$ref", "type", "enum"].iter().find_map(|key| variant.get(key));
    told.unwrap_or(variant).to_string()
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn example() -> Value {
    json!({ "$defs": {
        "ToPlugin": { "oneOf": [
            { "type": "object", "required": ["create"], "properties": { "create": { "$ref": "#/$defs/Create" } } },
        ] },
        "Create": {
            "type": "object",
            "description": "words",
            "required": ["id", "type"],
            "properties": {
                "id": { "type": "integer", "minimum": 0 },
                "type": { "type": "string" },
                "hint": { "type": ["string", "null"] },
            },
        },
        "Kind": { "enum": ["config", "denied"] },
    } })
}

fn changed(change: impl FnOnce(&mut Value)) -> Changes {
    let mut is = example();
    change(&mut is["$defs"]);
    compare(&example(), &is)
}

#[test]
fn optional_fields_and_messages_may_be_added() {
    assert_eq!(changed(|_| {}), Changes::default());
    assert_eq!(changed(|it| it["Create"]["description"] = json!("other words")), Changes::default());
    for change in [
        |it: &mut Value| it["Create"]["properties"]["more"] = json!({ "type": "string" }),
        |it: &mut Value| it["Other"] = json!({ "type": "object" }),
        |it: &mut Value| {
            let message = json!({ "type": "object", "required": ["dance"], "properties": { "dance": {} } });
            it["ToPlugin"]["oneOf"].as_array_mut().unwrap().push(message);
        },
    ] {
        let changes = changed(change);
        assert!(changes.broken.is_empty() && changes.grown.len() == 1, "{changes:?}");
    }
}

#[test]
fn whatever_else_changes_breaks_the_promise() {
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 10] = [
        ("a field is removed", |it| drop(it["Create"]["properties"].as_object_mut().unwrap().remove("hint"))),
        ("a field is renamed", |it| {
            let fields = it["Create"]["properties"].as_object_mut().unwrap();
            let hint = fields.remove("hint").unwrap();
            fields.insert("tip".to_owned(), hint);
        }),
        ("a field is retyped", |it| it["Create"]["properties"]["type"]["type"] = json!("integer")),
        ("a number is narrower", |it| it["Create"]["properties"]["id"]["minimum"] = json!(1)),
        ("a field is required", |it| it["Create"]["required"] = json!(["id", "type", "hint"])),
        ("a new field is required", |it| {
            it["Create"]["properties"]["more"] = json!({ "type": "string" });
            it["Create"]["required"] = json!(["id", "type", "more"]);
        }),
        ("a field is no longer required", |it| it["Create"]["required"] = json!(["id"])),
        ("a message is removed", |it| it["ToPlugin"]["oneOf"] = json!([])),
        ("a closed list gets another word", |it| it["Kind"]["enum"] = json!(["config", "denied", "new"])),
        ("a definition is gone", |it| drop(it.as_object_mut().unwrap().remove("Kind"))),
    ];
    for (what, change) in changes {
        assert!(!changed(change).broken.is_empty(), "{what}");
    }
}
