//! The configuration as an operator meets it: a text in, findings or types out.

mod findings;
mod properties;
mod schema;
mod serve;
mod settings;
mod sources;
mod whole;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::{Config, Document, Findings, Resolved, Sources, Types};

/// A secret that must be in no finding.
const CANARY: &str = "canary-7f3a";

/// Two types: one with plain settings, one with alternatives.
pub(super) struct Known(BTreeMap<&'static str, Json>);

impl Known {
    pub(super) fn new() -> Self {
        let token = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "issuer": { "type": "string", "minLength": 1 },
                "secret": { "type": "string", "format": "password", "minLength": 4 },
                "algorithm": { "$ref": "#/$defs/Algorithm" },
                "port": { "type": ["integer", "null"], "minimum": 1, "maximum": 65535 },
                "claims": { "type": "object", "additionalProperties": true },
                "keys": { "type": "array", "items": { "$ref": "#/$defs/Key" } },
            },
            "required": ["issuer"],
            "additionalProperties": false,
            "$defs": {
                "Algorithm": { "oneOf": [
                    { "const": "RS256", "type": "string", "description": "RSA" },
                    { "enum": ["ES256", "EdDSA"], "type": "string" },
                ]},
                "Key": {
                    "type": "object",
                    "properties": { "kid": { "type": "string" }, "pem": { "type": "string" } },
                    "required": ["kid"],
                    "additionalProperties": false,
                },
            },
        });
        let login = json!({
            "type": "object",
            "properties": {
                "key": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/Key" }, { "type": "null" }] },
            },
            "oneOf": [
                {
                    "type": "object",
                    "properties": { "grant": { "const": "client_credentials" }, "client_id": { "type": "string" } },
                    "required": ["grant", "client_id"],
                },
                {
                    "type": "object",
                    "properties": { "grant": { "const": "refresh_token" }, "refresh_token": { "type": "string" } },
                    "required": ["grant", "refresh_token"],
                },
            ],
            "unevaluatedProperties": false,
            "$defs": { "Key": {
                "type": "object",
                "properties": { "path": { "type": "string" } },
                "required": ["path"],
                "additionalProperties": false,
            }},
        });
        Self(BTreeMap::from([("token", token), ("login", login)]))
    }
}

impl Types for Known {
    fn names(&self) -> Vec<&str> {
        self.0.keys().copied().collect()
    }

    fn schema(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }
}

fn environment() -> Sources {
    Sources::with_environment(|name| match name {
        "SECRET" => Some(CANARY.into()),
        "DOLLARS" => Some("${env:SECRET}$$".into()),
        "EMPTY" => Some("".into()),
        _ => None,
    })
}

/// A text as the file `countersign.toml` of a folder: all findings, the profiles' own included.
fn examine_in(folder: &Path, text: &str) -> Result<(Config, Vec<Resolved>), Findings> {
    let document = Document::parse(&folder.join("countersign.toml"), text)?;
    let (config, mut findings) = document.examine(&Known::new());
    let mut resolved = Vec::new();
    let sources = environment();
    for profile in &config.profiles {
        match profile.settings.resolve(&sources) {
            Ok(settings) => resolved.push(settings),
            Err(more) => findings.extend(more),
        }
    }
    findings.or((config, resolved))
}

fn examine(text: &str) -> Result<(Config, Vec<Resolved>), Findings> {
    examine_in(Path::new(""), text)
}

fn findings(text: &str) -> String {
    examine(text).map(|_| ()).expect_err(text).to_string()
}

/// The settings of the only profile.
fn settings_in(folder: &Path, text: &str) -> Result<Json, String> {
    let (_, resolved) = examine_in(folder, text).map_err(|findings| findings.to_string())?;
    Ok(resolved[0].value.clone())
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(folder.join(name), bytes).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
}
