//! Which of several alternatives was meant when none fits: the one whose marks fit, or else the one with the least
//! wrong. A mark is a setting with one fixed value, such as `grant = "client_credentials"`.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::Location;
use serde_json::Value as Json;

use super::words;

type Branch = Vec<ValidationError<'static>>;

pub(super) enum Verdict<'e> {
    /// None is nearer than another: say, at this place, what would fit.
    Say(&'e Location, String),
    /// This one was meant: explain what is wrong with it.
    Explain(&'e Branch),
}

/// Judges the alternatives for what was found `at` a place.
pub(super) fn likeliest<'e>(branches: &'e [Branch], at: &'e Location, found: &Json) -> Verdict<'e> {
    let of_type: Vec<&Branch> = branches.iter().filter(|branch| wrong_types(branch, at).is_none()).collect();
    if of_type.is_empty() {
        let types: Vec<&str> =
            branches.iter().filter_map(|branch| wrong_types(branch, at)).flatten().collect();
        return Verdict::Say(at, words::expected(&types, found));
    }
    let meant: Vec<&Branch> =
        of_type.iter().copied().filter(|branch| !branch.iter().any(|error| mark(error).is_some())).collect();
    if meant.is_empty() {
        return marked_otherwise(&of_type, at);
    }
    if let Some(message) = lacks(&meant, at) {
        return Verdict::Say(at, message);
    }
    match meant.iter().min_by_key(|branch| branch.len()) {
        Some(branch) => Verdict::Explain(branch),
        None => Verdict::Say(at, "is not possible here".to_owned()),
    }
}

/// The types that an alternative wants, if what was found is of none.
fn wrong_types(branch: &Branch, at: &Location) -> Option<Vec<&'static str>> {
    branch.iter().find_map(|error| match error.kind() {
        Kind::Type { kind } if error.instance_path() == at => Some(words::type_names(kind)),
        _ => None,
    })
}

/// The values that would mark an alternative as the one that is meant.
fn mark<'e>(error: &'e ValidationError<'static>) -> Option<Vec<&'e Json>> {
    match error.kind() {
        Kind::Constant { expected_value } => Some(vec![expected_value]),
        Kind::Enum { options } => options.as_array().map(|options| options.iter().collect()),
        _ => None,
    }
}

/// All are marked as something else: the marks that there are.
fn marked_otherwise<'e>(branches: &[&'e Branch], at: &'e Location) -> Verdict<'e> {
    let marks: Vec<_> = branches
        .iter()
        .filter_map(|branch| branch.iter().find_map(|error| Some((error.instance_path(), mark(error)?))))
        .collect();
    match marks.first() {
        Some((place, _)) if marks.iter().all(|(other, _)| other == place) => {
            Verdict::Say(place, words::one_of(marks.iter().flat_map(|(_, values)| values.iter().copied())))
        }
        _ => Verdict::Say(at, "fits none of the alternatives".to_owned()),
    }
}

/// What is lacking, when that is all that is wrong: a setting that all alternatives want, or one of several.
fn lacks(branches: &[&Branch], at: &Location) -> Option<String> {
    let lacking: Vec<Vec<&Json>> = branches
        .iter()
        .map(|branch| {
            branch
                .iter()
                .filter_map(|error| match error.kind() {
                    Kind::Required { property } if error.instance_path() == at => Some(property),
                    _ => None,
                })
                .collect()
        })
        .collect();
    let (first, others) = lacking.split_first()?;
    if others.is_empty() {
        return None;
    }
    if let Some(common) = first.iter().find(|property| others.iter().all(|other| other.contains(property))) {
        return Some(words::lacks(std::iter::once(*common)));
    }
    let only = branches.iter().zip(&lacking).all(|(branch, lacking)| branch.len() == 1 && lacking.len() == 1);
    only.then(|| words::lacks(lacking.into_iter().flatten()))
}
