use serde_json::{Map, Value as Json, json};

use super::document::Types;
use super::{connector, http, plugins, probe, profile, rejection, serve, store};
use crate::plugin::PluginSettings;

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
            "serve": serve_table(),
        },
        "$defs": definitions,
    })
}

const DURATION: &str = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
const LISTEN: &str = r"^(unix:.+|systemd(:.+)?|[0-9.]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5})$";
const ATTRIBUTE: &str = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$";
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
            "keys": keys("Who alone may sign it."),
            "allow_libraries": strings("Shared libraries that the file may need besides the C library's."),
            "required": { "type": "boolean", "default": false, "description": "Refuse to start without the file." },
            "types": strings("The only types that the file may bring."),
            "isolation": isolation("Where its code runs."),
            "allow": strings("What its process may do beyond computing: `read:/path`, `env:NAME`, `connect`, `threads`."),
            "memory": { "type": "integer", "minimum": 64 << 20, "maximum": 1_u64 << 40, "default": PluginSettings::MEMORY,
                "description": "The most memory that its process may take, in bytes." },
        }),
    );
    json!({
        "type": "object",
        "description": "Plugin files.",
        "properties": {
            "dir": { "type": "string", "description": "The folder; without it, `plugins` beside this file, if it exists." },
            "trust": { "enum": ["any", "pinned", "signed"], "default": "any", "description": "What a file needs to be executed: nothing, a digest here or in plugins.lock, or a signature by one of the keys." },
            "keys": keys("Who may sign plugin files."),
            "isolation": isolation("Where the code of plugins runs that do not say it themselves."),
        },
        "propertyNames": { "pattern": NAME },
        "additionalProperties": entry,
    })
}

fn keys(description: &str) -> Json {
    let description = format!("{description} Public keys of minisign, `RW…`, or paths of files with them.");
    json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "description": description })
}

fn isolation(description: &str) -> Json {
    json!({ "enum": ["process", "best-effort", "in-process"], "description": description })
}

fn connector_table() -> Json {
    let mut sign = closed(
        "What an answer looks like that says so: all that is given here must hold.",
        &rejection::SIGN_KEYS,
        &json!({
            "status": { "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 599 }, "minItems": 1, "description": "One of these statuses." },
            "header": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Headers that contain a text, in any case." },
            "body_contains": { "type": "string", "minLength": 1, "maxLength": 256, "description": "A text in the body." },
        }),
    );
    sign["required"] = json!(["status"]);
    let rejection = closed(
        "Which answers say that the credential was refused: all that is given here must hold.",
        &rejection::KEYS,
        &json!({
            "status": { "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 599 }, "minItems": 1, "default": [401], "description": "One of these statuses." },
            "header": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Headers that contain a text, in any case." },
            "body_contains": { "type": "string", "minLength": 1, "maxLength": 256, "description": "A text in the body." },
            "also": { "type": "array", "maxItems": rejection::MOST_SIGNS, "items": sign, "description": "Further answers that say so: one of them is enough." },
            "replay": { "enum": rejection::REPLAYS, "default": "idempotent", "description": "Which refused requests are sent once more with a new credential." },
            "max_replay_body": { "type": "integer", "minimum": 0, "maximum": 64 << 20, "default": 64 << 10, "description": "The largest body kept for that, in bytes." },
        }),
    );
    let probe = closed(
        "The call by which `countersign test` and `countersign explain` try the connector out.",
        &probe::KEYS,
        &json!({
            "method": { "type": "string", "pattern": "^[A-Z]+$", "description": "The method; GET, or POST where there is a body." },
            "path": { "type": "string", "description": "The path below `base_url`, with its query." },
            "headers": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Headers that go along." },
            "body": { "type": "string", "description": "The body." },
            "status": { "type": "array", "items": { "type": "integer", "minimum": 100, "maximum": 599 }, "minItems": 1, "description": "The answers that are well; any 2xx unless configured." },
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
            "probe": probe,
            "ca_file": { "type": "string", "description": "A file with further certificate authorities, in PEM." },
            "allow_http": { "type": "boolean", "default": false, "description": "Allow http:// to another machine: everybody on the way can read the credential." },
            "caller": caller_table(),
            "listen": listen("A listener of the proxy for this connector alone."),
            "hosts": strings("Values of `Host` by which the proxy knows that a request is for this connector."),
            "pass_headers": strings("Headers of the client that the proxy forwards, of those that it drops otherwise."),
            "max_concurrent": { "type": "integer", "minimum": 1, "maximum": connector::MOST_CONCURRENT, "default": 1024, "description": "Calls through the proxy at a time." },
            "connect_timeout": duration("How long the proxy's connection to the upstream may take to come about.", "10s"),
            "idle_timeout": duration("How long nothing may move on a proxied call whose answer has begun.", "5m"),
        }),
    );
    table["required"] = json!(["base_url"]);
    table["oneOf"] = json!([{ "required": ["profile"] }, { "required": ["profiles"] }]);
    table
}

/// `{ header = "X-User" }` or `{ value = "erp" }`, by attribute.
fn caller_table() -> Json {
    let mut source = closed(
        "Where the attribute comes from: a header of the client's request, or a fixed value.",
        &connector::CALLER_KEYS,
        &json!({
            "header": { "type": "string", "minLength": 1, "description": "The header; it is not forwarded." },
            "required": { "type": "boolean", "default": true, "description": "Refuse requests without the header." },
            "value": { "type": "string", "minLength": 1, "description": "The value for every request." },
        }),
    );
    source["oneOf"] = json!([
        { "required": ["header"] },
        { "required": ["value"], "properties": { "required": false } },
    ]);
    json!({
        "type": "object",
        "description": "Attributes of the caller, by name.",
        "propertyNames": { "pattern": ATTRIBUTE },
        "additionalProperties": source,
    })
}

fn serve_table() -> Json {
    let limits = closed(
        "How much clients may ask for.",
        &serve::LIMIT_KEYS,
        &json!({
            "max_connections": { "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 4096, "description": "Connections of clients at a time." },
            "max_header_bytes": { "type": "integer", "minimum": 1024, "maximum": 1 << 20, "default": 64 << 10, "description": "The largest head of a request, in bytes." },
            "max_headers": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "description": "The most header fields of a request." },
            "header_timeout": duration("How long a client may take for a whole head.", "10s"),
            "keep_alive": duration("How long a connection is kept on which nothing is asked.", "75s"),
            "max_buffered_body": { "type": "integer", "minimum": 0, "maximum": 64 << 20, "default": 1 << 20, "description": "The largest body that is held for a profile that signs it, in bytes." },
        }),
    );
    let address = listen("");
    closed(
        "The proxy, `countersign serve`.",
        &serve::KEYS,
        &json!({
            "listen": { "oneOf": [address, { "type": "array", "items": address }], "description": "Where to listen for all connectors: `127.0.0.1:7070`, `unix:/path/of.sock`, `systemd` or `systemd:NAME`; one or several." },
            "access": { "enum": serve::ACCESSES, "description": "Who may come over TCP: whoever sends the token, or every process of this machine." },
            "token_file": { "type": "string", "minLength": 1, "default": "countersign.token", "description": "The file with the token that clients send." },
            "admin": listen("Where health, metrics and status are told; on this machine only."),
            "hosts": strings("Further values of `Host` that mean the proxy itself."),
            "allow_uids": { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": u32::MAX - 1 }, "description": "Users besides ours who may come over unix sockets." },
            "threads": { "type": "integer", "minimum": 1, "maximum": serve::MOST_THREADS, "description": "How many threads serve; without it, one for each processor." },
            "drain": duration("How long requests in flight have when the proxy ends.", "30s"),
            "limits": limits,
        }),
    )
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

fn listen(description: &str) -> Json {
    let mut address = json!({ "type": "string", "pattern": LISTEN });
    if !description.is_empty() {
        address["description"] = format!("{description} For example `127.0.0.1:7071`.").into();
    }
    address
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
