//! A look at settings without a validator, for the words of JSON Schema that the schemas of nearly all types are made of.
//!
//! To make a validator takes more code and memory than all else that happens at the start. What this finds good is good;
//! what it does not, or does not know, a validator judges, which also finds the words for what is wrong.

use std::cell::Cell;

use serde_json::{Map, Value as Json};

/// Whether settings are what a schema allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// A validator has to say.
    Unknown,
}

use Answer::{No, Unknown, Yes};

/// Words that only describe.
const ANNOTATIONS: [&str; 8] =
    ["$comment", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"];
/// Formats that refuse nothing.
const FORMATS: [&str; 9] =
    ["int32", "int64", "password", "template", "uint", "uint8", "uint16", "uint32", "uint64"];
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The only pattern that is known: that of durations.
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
/// How deep schemas lead into each other.
const DEEPEST: usize = 64;
/// How many schemas are looked at before a validator is left to it: definitions may lead into each other without end.
const MOST: usize = 10_000;

/// Whether each word of a schema is one of those that are known here, used as it should be.
pub(super) fn understands(schema: &Json) -> bool {
    all_known(schema, schema, DEEPEST)
}

/// What a schema that is understood says of a value.
pub(super) fn answer(root: &Json, value: &Json) -> Answer {
    of_schema(root, root, value, &Cell::new(MOST), DEEPEST)
}

fn all_known(root: &Json, schema: &Json, depth: usize) -> bool {
    let words = match schema {
        Json::Bool(_) => return true,
        Json::Object(words) if depth > 0 => words,
        _ => return false,
    };
    let known = |schema: &Json| all_known(root, schema, depth - 1);
    words.iter().all(|(word, said)| match word.as_str() {
        "$schema" => said.as_str() == Some(DIALECT),
        "$ref" => target(root, said).is_some(),
        "$defs" | "properties" => said.as_object().is_some_and(|all| all.values().all(known)),
        "allOf" | "anyOf" | "oneOf" => {
            said.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(known))
        }
        "additionalProperties" | "items" => known(said),
        "type" => types(said).is_some_and(|mut types| types.all(is_type_name)),
        "required" => said.as_array().is_some_and(|keys| keys.iter().all(Json::is_string)),
        "enum" => said.is_array(),
        "const" => true,
        "format" => said.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "pattern" => said.as_str() == Some(DURATION),
        "minLength" | "maxLength" | "minItems" | "maxItems" => said.is_u64(),
        "minimum" | "maximum" => said.is_number(),
        _ => ANNOTATIONS.contains(&word.as_str()),
    })
}

fn of_schema(root: &Json, schema: &Json, value: &Json, left: &Cell<usize>, depth: usize) -> Answer {
    left.set(left.get().saturating_sub(1));
    let words = match schema {
        Json::Bool(true) => return Yes,
        Json::Bool(false) => return No,
        Json::Object(words) if depth > 0 && left.get() > 0 => words,
        _ => return Unknown,
    };
    let says = |schema: &Json, value: &Json| of_schema(root, schema, value, left, depth - 1);
    all(words.iter().map(|(word, said)| match (word.as_str(), value) {
        ("$ref", _) => target(root, said).map_or(Unknown, |schema| says(schema, value)),
        ("allOf", _) => all(schemas(said).map(|schema| says(schema, value))),
        ("anyOf", _) => any(schemas(said).map(|schema| says(schema, value))),
        ("oneOf", _) => one(schemas(said).map(|schema| says(schema, value))),
        ("type", _) => types(said).map_or(Unknown, |names| any(names.map(|name| is_of_type(value, name)))),
        ("const", _) => equal(said, value),
        ("enum", _) => any(schemas(said).map(|known| equal(known, value))),
        ("properties", Json::Object(entries)) => match said.as_object() {
            Some(known) => all(known
                .iter()
                .filter_map(|(key, schema)| entries.get(key).map(|value| says(schema, value)))),
            None => Unknown,
        },
        ("additionalProperties", Json::Object(entries)) => {
            all(entries.iter().filter(|(key, _)| !names(words, key)).map(|(_, value)| says(said, value)))
        }
        ("required", Json::Object(entries)) => {
            all(schemas(said).map(|key| truth(key.as_str().is_some_and(|key| entries.contains_key(key)))))
        }
        ("items", Json::Array(items)) => all(items.iter().map(|item| says(said, item))),
        ("minItems", Json::Array(items)) => truth(said.as_u64() <= Some(items.len() as u64)),
        ("maxItems", Json::Array(items)) => truth(said.as_u64() >= Some(items.len() as u64)),
        ("minLength", Json::String(text)) => truth(said.as_u64() <= Some(text.chars().count() as u64)),
        ("maxLength", Json::String(text)) => truth(said.as_u64() >= Some(text.chars().count() as u64)),
        ("minimum", Json::Number(_)) => {
            both(said, value).map_or(Unknown, |(least, value)| truth(least <= value))
        }
        ("maximum", Json::Number(_)) => {
            both(said, value).map_or(Unknown, |(most, value)| truth(most >= value))
        }
        ("pattern", Json::String(text)) => truth(is_duration(text)),
        // The others are of values of another type, or only describe.
        _ => Yes,
    }))
}

/// A definition of the same schema.
fn target<'s>(root: &'s Json, reference: &Json) -> Option<&'s Json> {
    let pointer = reference.as_str()?.strip_prefix('#')?;
    let name = pointer.strip_prefix("/$defs/")?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain { root.pointer(pointer) } else { None }
}

/// Whether `properties` has that key.
fn names(words: &Map<String, Json>, key: &str) -> bool {
    words.get("properties").is_some_and(|known| known.get(key).is_some())
}

fn schemas(said: &Json) -> impl Iterator<Item = &Json> {
    said.as_array().into_iter().flatten()
}

/// The types that a schema names; nothing if it does so wrongly.
fn types(said: &Json) -> Option<impl Iterator<Item = &str>> {
    let several = said.as_array().map(Vec::as_slice).unwrap_or_default();
    let good = said.is_string() || (!several.is_empty() && several.iter().all(Json::is_string));
    good.then(|| said.as_str().into_iter().chain(several.iter().filter_map(Json::as_str)))
}

fn is_type_name(name: &str) -> bool {
    matches!(name, "null" | "boolean" | "object" | "array" | "number" | "string" | "integer")
}

fn is_of_type(value: &Json, name: &str) -> Answer {
    truth(match (name, value) {
        // Whether 1.0 is one.
        ("integer", Json::Number(number)) if number.is_f64() => return Unknown,
        ("integer", Json::Number(_)) => true,
        (name, value) => {
            name == match value {
                Json::Null => "null",
                Json::Bool(_) => "boolean",
                Json::Number(_) => "number",
                Json::String(_) => "string",
                Json::Array(_) => "array",
                Json::Object(_) => "object",
            }
        }
    })
}

fn equal(known: &Json, value: &Json) -> Answer {
    match (known, value) {
        (Json::Null, Json::Null) => Yes,
        (Json::Bool(known), Json::Bool(value)) => truth(known == value),
        (Json::String(known), Json::String(value)) => truth(known == value),
        // How numbers are written, deep inside too, is no matter of theirs.
        (Json::Number(_), Json::Number(_))
        | (Json::Array(_), Json::Array(_))
        | (Json::Object(_), Json::Object(_)) => Unknown,
        _ => No,
    }
}

/// Whether it matches [`DURATION`].
fn is_duration(text: &str) -> bool {
    let rest = ['d', 'h', 'm', 's'].iter().fold(text, |rest, unit| {
        let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        if after.len() == rest.len() { rest } else { after.strip_prefix(*unit).unwrap_or(rest) }
    });
    rest.is_empty()
}

fn both(said: &Json, value: &Json) -> Option<(i64, i64)> {
    said.as_i64().zip(value.as_i64())
}

const fn truth(holds: bool) -> Answer {
    if holds { Yes } else { No }
}

fn all(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut all = Yes;
    for answer in answers {
        match answer {
            Yes => {}
            No => return No,
            Unknown => all = Unknown,
        }
    }
    all
}

fn any(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut any = No;
    for answer in answers {
        match answer {
            Yes => return Yes,
            No => {}
            Unknown => any = Unknown,
        }
    }
    any
}

fn one(answers: impl Iterator<Item = Answer>) -> Answer {
    let (mut yes, mut unknown) = (0_u32, false);
    for answer in answers {
        match answer {
            Yes => yes += 1,
            No => {}
            Unknown => unknown = true,
        }
    }
    match (yes, unknown) {
        (1, false) => Yes,
        (0, false) | (2.., _) => No,
        (0 | 1, true) => Unknown,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::Registry;

    fn values() -> Vec<Json> {
        vec![
            json!(null),
            json!(true),
            json!(-1),
            json!(1.0),
            json!(0.5),
            json!(70_000),
            json!(u64::MAX),
            json!(""),
            json!("x"),
            json!("hex"),
            json!("base64"),
            json!("RS256"),
            json!("é"),
            json!("5m"),
            json!("1d12h30m5s"),
            json!("5"),
            json!("5s5s"),
            json!("5m\n"),
            json!("1s1m"),
            json!("m"),
            json!([]),
            json!(["x"]),
            json!([1]),
            json!({}),
            json!({ "pem": "x" }),
            json!({ "secret": "x", "encoding": "hex" }),
            json!({ "header": "x" }),
            json!({ "name": "x", "in": "header" }),
        ]
    }

    fn agrees(schema: &Json, validator: &jsonschema::Validator, value: &Json, decided: &mut u32) {
        let answer = answer(schema, value);
        if answer != Unknown {
            assert_eq!(answer == Yes, validator.is_valid(value), "{schema} {value}");
            *decided += 1;
        }
    }

    #[test]
    fn it_says_what_a_validator_says_of_all_built_in_types_or_nothing() {
        let types = Registry::built_in();
        for name in types.names() {
            let schema = &types.manifest(name).unwrap().schema;
            assert!(understands(schema), "{name}");
            let validator = jsonschema::draft202012::options().build(schema).unwrap();
            let keys: Vec<&str> =
                schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let required =
                schema.get("required").map(|keys| schemas(keys).collect::<Vec<_>>()).unwrap_or_default();
            let mut decided = 0;
            for value in values() {
                agrees(schema, &validator, &value, &mut decided);
                for filler in [json!("x"), value.clone()] {
                    let mut whole = Map::new();
                    required.iter().for_each(|key| {
                        whole.insert(key.as_str().unwrap().to_owned(), filler.clone());
                    });
                    agrees(schema, &validator, &Json::Object(whole.clone()), &mut decided);
                    for key in keys.iter().chain(&["unknown"]) {
                        let mut with = whole.clone();
                        with.insert((*key).to_owned(), value.clone());
                        agrees(schema, &validator, &Json::Object(with), &mut decided);
                    }
                }
            }
            assert!(decided > 20, "{name}: {decided}");
        }
    }

    #[test]
    fn it_says_what_a_validator_says_of_each_word_or_nothing() {
        let some = [
            json!(true),
            json!(false),
            json!({}),
            json!({ "type": ["integer", "null"] }),
            json!({ "type": "number", "minimum": 0, "maximum": 10 }),
            json!({ "minLength": 1, "maxLength": 1 }),
            json!({ "minItems": 1, "maxItems": 1, "items": { "type": "string" } }),
            json!({ "enum": ["x", 1, true, null, []] }),
            json!({ "const": { "pem": "x" } }),
            json!({ "pattern": DURATION }),
            json!({ "required": ["pem"], "properties": { "pem": { "$ref": "#/$defs/text" } }, "$defs": { "text": { "type": "string" } } }),
            json!({ "additionalProperties": false, "properties": { "pem": true } }),
            json!({ "additionalProperties": { "type": "string" }, "properties": { "encoding": false } }),
            json!({ "oneOf": [{ "type": "string" }, { "minLength": 1 }, { "const": "x" }] }),
            json!({ "anyOf": [{ "type": "string" }, { "pattern": DURATION }], "allOf": [{ "type": ["string", "array"] }] }),
        ];
        for schema in some {
            assert!(understands(&schema), "{schema}");
            let validator = jsonschema::draft202012::options().build(&schema).unwrap();
            values().iter().for_each(|value| agrees(&schema, &validator, value, &mut 0));
        }
    }

    #[test]
    fn what_it_does_not_know_it_leaves_to_a_validator() {
        for schema in [
            json!({ "not": {} }),
            json!({ "if": true, "then": false }),
            json!({ "patternProperties": {} }),
            json!({ "unevaluatedProperties": false }),
            json!({ "properties": { "a": { "prefixItems": [] } } }),
            json!({ "$defs": { "a": { "dependentRequired": {} } } }),
            json!({ "$ref": "#/$defs/none" }),
            json!({ "$ref": "https://example.com/" }),
            json!({ "$id": "https://example.com/" }),
            json!({ "$schema": "http://json-schema.org/draft-07/schema#" }),
            json!({ "format": "email" }),
            json!({ "pattern": "^x$" }),
            json!({ "type": "text" }),
            json!({ "required": [1] }),
            json!({ "minLength": -1 }),
            json!([]),
        ] {
            assert!(!understands(&schema), "{schema}");
        }
        let endless = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert_eq!(answer(&endless, &json!(1)), Unknown);
        let a = json!({ "$ref": "#/$defs/a" });
        let many = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [a, a, a, a] } } });
        assert_eq!(answer(&many, &json!(1)), Unknown);
    }
}
