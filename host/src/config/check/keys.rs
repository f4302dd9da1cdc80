use serde_json::Value as Json;

/// The names of all settings that a schema or one of its parts knows, sorted.
pub(super) fn known<'s>(root: &'s Json, schema: &'s Json) -> Vec<&'s str> {
    let mut keys = Vec::new();
    collect(root, schema, 8, &mut keys);
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn collect<'s>(root: &'s Json, schema: &'s Json, depth: usize, keys: &mut Vec<&'s str>) {
    if depth == 0 {
        return;
    }
    if let Some(properties) = schema.get("properties").and_then(Json::as_object) {
        keys.extend(properties.keys().map(String::as_str));
    }
    let target = schema.get("$ref").and_then(Json::as_str).and_then(|target| target.strip_prefix('#'));
    let target = target.and_then(|target| root.pointer(target));
    let parts = ["allOf", "anyOf", "oneOf"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword)?.as_array())
        .flatten();
    let branches = ["if", "then", "else"].into_iter().filter_map(|keyword| schema.get(keyword));
    for part in parts.chain(branches).chain(target) {
        collect(root, part, depth - 1, keys);
    }
}
