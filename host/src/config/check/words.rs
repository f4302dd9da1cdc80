use jsonschema::JsonType;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value as Json;

/// What is wrong, in words that hold only what the schema says.
pub(super) fn of(kind: &Kind, found: &Json) -> String {
    match kind {
        Kind::Type { kind } => expected(&type_names(kind), found),
        Kind::Required { property } => lacks(std::iter::once(property)),
        Kind::Constant { expected_value } => format!("must be {}", shown(expected_value)),
        Kind::Enum { options } => match options.as_array() {
            Some(options) => one_of(options.iter()),
            None => "is none of the values that are possible here".to_owned(),
        },
        Kind::FalseSchema => "is not possible here".to_owned(),
        Kind::Format { format } => format!("is not of the format `{format}`"),
        Kind::Pattern { pattern } => format!("does not match the pattern `{pattern}`"),
        Kind::MinLength { limit: 1 } => "is empty".to_owned(),
        Kind::MinLength { limit } => format!("is shorter than {limit} characters"),
        Kind::MaxLength { limit } => format!("is longer than {limit} characters"),
        Kind::Minimum { limit } => format!("is less than {limit}"),
        Kind::Maximum { limit } => format!("is more than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinItems { limit: 1 } => "is empty".to_owned(),
        Kind::MinItems { limit } => format!("has fewer than {limit} items"),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => format!("has more than {limit} items"),
        Kind::AdditionalItems { limit } => format!("has more than {limit} items"),
        Kind::MinProperties { limit: 1 } => "is empty".to_owned(),
        Kind::MinProperties { limit } => format!("has fewer than {limit} settings"),
        Kind::UniqueItems => "has an item twice".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "fits several alternatives at once; keep the settings of one".to_owned()
        }
        Kind::PropertyNames { .. } => "has a key of a form that is not possible here".to_owned(),
        kind => format!("is refused by `{}` of the type's schema", kind.keyword()),
    }
}

/// `expected a string or table, found integer`.
pub(super) fn expected(types: &[&str], found: &Json) -> String {
    format!("expected {}, found {}", alternatives(types.iter().map(|name| (*name).to_owned())), kind(found))
}

/// ``lacks `a` or `b` ``.
pub(super) fn lacks<'v>(settings: impl Iterator<Item = &'v Json>) -> String {
    format!("lacks {}", alternatives(settings.map(shown)))
}

/// ``must be `a`, `b` or `c` ``.
pub(super) fn one_of<'v>(options: impl Iterator<Item = &'v Json>) -> String {
    format!("must be {}", alternatives(options.filter(|option| !option.is_null()).map(shown)))
}

fn alternatives(options: impl Iterator<Item = String>) -> String {
    let mut options: Vec<String> = options.collect();
    options.dedup();
    match options.pop() {
        Some(last) if options.is_empty() => last,
        Some(last) => format!("{} or {last}", options.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// The types that a keyword allows, as TOML calls them; it knows no null.
pub(super) fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    let name = |kind| match kind {
        JsonType::Array => Some("array"),
        JsonType::Boolean => Some("boolean"),
        JsonType::Integer => Some("integer"),
        JsonType::Null => None,
        JsonType::Number => Some("number"),
        JsonType::Object => Some("table"),
        JsonType::String => Some("string"),
    };
    match kind {
        TypeKind::Single(kind) => name(*kind).into_iter().collect(),
        TypeKind::Multiple(kinds) => kinds.iter().filter_map(name).collect(),
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "table",
    }
}

/// A value of the schema.
fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}
