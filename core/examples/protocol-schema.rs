//! Prints the JSON Schema of the protocol between processes:
//!
//! ```sh
//! cargo run -p countersign --example protocol-schema >docs/protocol.schema.json
//! ```

use countersign::protocol::frame::{FromPlugin, ToPlugin, VERSION};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

#[allow(clippy::print_stdout, dead_code)]
fn main() {
    println!("{:#}", schema());
}

/// The schema of a line: of the host's in `$defs/ToPlugin`, of the plugin's in `$defs/FromPlugin`.
pub(crate) fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let (to_plugin, from_plugin) =
        (generator.subschema_for::<ToPlugin>(), generator.subschema_for::<FromPlugin>());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the protocol between a Countersign host and a plugin in another process",
        "description": format!(
            "Version {VERSION}. Unknown fields are ignored, and unknown messages that have an `id` answered by an error \
             of the kind `unsupported`, so a valid line of a younger side need not be valid by this schema. The rules \
             stand on the book's page \"The protocol\"."
        ),
        "anyOf": [to_plugin, from_plugin],
        "$defs": definitions(generator.take_definitions(true)),
    })
}

/// Without what only a reader of the Rust documentation needs: examples, and how an item is used.
fn definitions(all: Map<String, Value>) -> Value {
    let mut all = Value::Object(all);
    shorten(&mut all);
    all
}

fn shorten(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            if let Some(Value::String(text)) = entries.get_mut("description") {
                let end = text.find("\n\n# ").unwrap_or(text.len());
                text.truncate(end);
            }
            entries.values_mut().for_each(shorten);
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        _ => {}
    }
}
