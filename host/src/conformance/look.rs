//! A credential, or a signature, in a form that can be compared.

use countersign::{Credential, Lifetime, Placement};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A credential, with all that it holds.
pub(super) fn of(credential: &Credential) -> Value {
    serde_json::to_value(credential).unwrap_or_default()
}

/// A signature, with all that it holds.
pub(super) fn of_edits(edits: &[Placement]) -> Value {
    json!({ "placements": edits })
}

/// The same without what random bytes change: of each value only its length, in which a percent-encoded byte is one as any other.
pub(super) fn shape(look: &Value) -> Value {
    let mut shape = look.clone();
    let lengths = |value: &mut Value| {
        if let Some(text) = value.as_str() {
            let escapes = text.matches('%').count();
            *value = text.len().saturating_sub(2 * escapes).into();
        }
    };
    for part in ["material", "renewal"] {
        if let Some(value) = shape.get_mut(part) {
            lengths(value);
        }
    }
    for placement in shape.get_mut("placements").and_then(Value::as_array_mut).into_iter().flatten() {
        lengths(&mut placement["value"]);
    }
    shape
}

/// How long the credential lives from `now` on, as words that are the same at any time.
pub(super) fn life(credential: &Credential, now: SystemTime) -> String {
    match credential.lifetime() {
        Lifetime::Until(end) => match end.duration_since(now) {
            Ok(left) => format!("until {} ms later", left.as_millis()),
            Err(error) => format!("until {} ms before", error.duration().as_millis()),
        },
        other => format!("{other:?}"),
    }
}

/// The life that it states in numbers.
pub(super) fn stated(credential: &Credential, now: SystemTime) -> Option<Duration> {
    match credential.lifetime() {
        Lifetime::For(duration) => Some(duration),
        Lifetime::Until(end) => Some(end.duration_since(now).unwrap_or_default()),
        _ => None,
    }
}

/// The strings of it that are secret.
pub(super) fn secrets(look: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let placed = look["placements"].as_array().into_iter().flatten().map(|placement| &placement["value"]);
    for value in placed.chain([&look["material"], &look["renewal"]]).filter_map(Value::as_str) {
        // Behind a scheme: `Bearer TOKEN`.
        found.extend(value.rsplit(' ').next().map(str::to_owned));
    }
    found
}
