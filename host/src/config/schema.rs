use serde_json::{Map, Value as Json, json};

use super::document::Types;
use super::{connector, http, plugins, profile, rejection, store};

/// The JSON Schema (draft 2020-12) of the whole configuration, the settings of every type included, by which editors
/// complete and check it.
///
/// A setting that is no string in its type's schema cannot come from a `${…}`.
pub fn schema(types: &dyn Types) -> Json {
    let mut names = types.names();
    names.sort_unstable();
    let mut definitions = Map::new();
    let mut branches = Vec::with_capacity(names.len());
    for name in &names {
        let Some(settings) = types.schema(name) else { continue };
        definitions.insert((*name).to_owned(), profile_definition(name, settings));
        branches.push(json!({
            "if": { "properties": { "type": { "const": name } }, "required": ["type"] },
            "then": { "$ref": format!("#/$defs/{}", pointer_part(name)) },
        }));
    }
    let profile = json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": { "type": "string", "enum": names, "description": "The profile type." },
        },
        "allOf": branches,
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Countersign configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "plugins": plugins_table(),
            "profiles": named("Instances of profile types, by name.", profile),
            "connectors": named("Upstream APIs and the profiles that their calls carry, by name.", connector_table()),
            "store": closed("Where renewal state (refresh tokens) is kept.", &store::KEYS, &json!({
                "dir": { "type": "string", "description": "The folder; without it, memory." },
            })),
            "http": http_table(),
        },
        "$defs": definitions,
    })
}

const DURATION: &str = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
const NAME: &str = r"^[a-z0-9][a-z0-9._-]{0,63}$";

/// A type's settings with the keys of the host beside them. Its own references are led into its own definition, so
/// that two types' definitions of one name stay apart.
fn profile_definition(name: &str, settings: &Json) -> Json {
    let mut settings = settings.clone();
    rebase(&mut settings, &format!("#/$defs/{}", pointer_part(name)));
    let Json::Object(mut settings) = settings else { return settings };
    settings.remove("$schema");
    settings.remove("$id");
    let properties = settings.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("type".into(), json!({ "const": name, "description": "The profile type." }));
        properties.insert(
            "default_lifetime".into(),
            duration("How long a credential is used when its issuer does not say.", "5m"),
        );
    }
    debug_assert!(profile::KEYS.iter().all(|key| settings["properties"].get(key).is_some()));
    Json::Object(settings)
}

/// Leads `#…` references below `prefix`.
fn rebase(schema: &mut Json, prefix: &str) {
    match schema {
        Json::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Json::String(target) if key == "$ref" => {
                        if let Some(pointer) = target.strip_prefix('#') {
                            *target = format!("{prefix}{pointer}");
                        }
                    }
                    value => rebase(value, prefix),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rebase(item, prefix)),
        _ => {}
    }
}

fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn plugins_table() -> Json {
    let entry = closed(
        "What is demanded of one plugin file, named by its stem without `lib`.",
        &plugins::ENTRY_KEYS,
        &json!({
            "sha256": { "type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "The digest that the file must have." },
            "allow_libraries": strings("Shared libraries that the file may need besides the C library's."),
            "required": { "type": "boolean", "default": false, "description": "Refuse to start without the file." },
            "types": strings("The only types that the file may bring."),
        }),
    );
    json!({
        "type": "object",
        "description": "Plugin files.",
        "properties": { "dir": { "type": "string", "description": "The folder; without it, `plugins` beside this file, if it exists." } },
        "propertyNames": { "pattern": NAME },
        "additionalProperties": entry,
    })
}

fn connector_table() -> Json {
    let rejection = closed(
        "Which answers say that the credential was refused: all that is given here must hold.",
        &rejection::KEYS,
        &json!({
            "status": { "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 599 }, "minItems": 1, "default": [401], "description": "One of these statuses." },
            "header": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Headers that contain a text, in any case." },
            "body_contains": { "type": "string", "minLength": 1, "maxLength": 256, "description": "A text in the body." },
            "replay": { "enum": rejection::REPLAYS, "default": "idempotent", "description": "Which refused requests are sent once more with a new credential." },
            "max_replay_body": { "type": "integer", "minimum": 0, "maximum": 64 << 20, "default": 64 << 10, "description": "The largest body kept for that, in bytes." },
        }),
    );
    let mut table = closed(
        "",
        &connector::KEYS,
        &json!({
            "base_url": { "type": "string", "format": "uri", "description": "Where the calls go, and nowhere else." },
            "profile": { "type": "string", "description": "The profile that the calls carry." },
            "profiles": { "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true, "description": "The profiles that the calls carry, in order." },
            "timeout": duration("The total deadline of a call.", "30s"),
            "rejection": rejection,
            "ca_file": { "type": "string", "description": "A file with further certificate authorities, in PEM." },
            "allow_http": { "type": "boolean", "default": false, "description": "Allow http:// to another machine: everybody on the way can read the credential." },
        }),
    );
    table["required"] = json!(["base_url"]);
    table["oneOf"] = json!([{ "required": ["profile"] }, { "required": ["profiles"] }]);
    table
}

fn http_table() -> Json {
    closed(
        "How token endpoints are talked to.",
        &http::KEYS,
        &json!({
            "timeout": duration("The total deadline of one exchange.", "10s"),
            "max_body": { "type": "integer", "minimum": 1, "maximum": 64 << 20, "default": 256 << 10, "description": "The largest body that is read, in bytes." },
            "ca_file": { "type": "string", "description": "A file with further certificate authorities, in PEM." },
            "proxy": { "type": "string", "format": "uri", "description": "The proxy to go through." },
        }),
    )
}

/// A table of the host: it has these keys and no others.
fn closed(description: &str, keys: &[&str], properties: &Json) -> Json {
    debug_assert!(properties.as_object().is_some_and(|properties| {
        properties.len() == keys.len() && keys.iter().all(|key| properties.contains_key(*key))
    }));
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !description.is_empty() {
        table["description"] = description.into();
    }
    table
}

fn named(description: &str, table: Json) -> Json {
    json!({
        "type": "object",
        "description": description,
        "propertyNames": { "pattern": NAME },
        "additionalProperties": table,
    })
}

fn strings(description: &str) -> Json {
    json!({ "type": "array", "items": { "type": "string" }, "description": description })
}

fn duration(description: &str, default: &str) -> Json {
    json!({
        "type": "string",
        "pattern": DURATION,
        "minLength": 1,
        "default": default,
        "description": format!("{description} For example `30s`, `5m`, `1h30m`."),
    })
}
