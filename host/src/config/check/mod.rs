//! A profile's settings against the JSON Schema of its type: all that is wrong, in words, without a value.

mod alternatives;
mod keys;
mod plain;
mod words;

use std::sync::{Arc, OnceLock};

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value as Json;

use self::alternatives::Verdict;
use super::{name, profile};

/// A type's schema, made ready once for all profiles of the type.
pub(crate) struct Check {
    type_name: Arc<str>,
    schema: Json,
    /// Whether [`plain`] understands the schema.
    is_plain: bool,
    /// Of a plain schema made only when something may be wrong.
    validator: OnceLock<Result<Validator, String>>,
}

/// One thing that the schema refuses.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The path of the setting within the profile; empty for the profile itself.
    pub(crate) path: String,
    /// The key at fault in the table at `path`, when it is about the key and not about a value.
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Check {
    /// Makes a schema ready.
    ///
    /// # Errors
    /// It is no JSON Schema, or refers to something outside of it.
    pub(crate) fn new(type_name: &str, schema: &Json) -> Result<Self, String> {
        let is_plain = plain::understands(schema);
        let check = Self {
            type_name: type_name.into(),
            schema: schema.clone(),
            is_plain,
            validator: OnceLock::new(),
        };
        if !is_plain {
            check.validator().map_err(str::to_owned)?;
        }
        Ok(check)
    }

    fn validator(&self) -> Result<&Validator, &str> {
        let make = || {
            // The plain regular expressions: those that look around can take forever.
            let options = jsonschema::draft202012::options().with_pattern_options(PatternOptions::regex());
            options.offline().build(&self.schema).map_err(|error| {
                format!("the schema of the type {} is broken at `{}`", self.type_name, error.instance_path())
            })
        };
        self.validator.get_or_init(make).as_ref().map_err(String::as_str)
    }

    pub(crate) const fn schema(&self) -> &Json {
        &self.schema
    }

    pub(crate) fn type_name(&self) -> Arc<str> {
        Arc::clone(&self.type_name)
    }

    /// Everything that the schema refuses, but for what is said of the values at `unresolved`, which are not known.
    pub(crate) fn problems(&self, settings: &Json, unresolved: &[String]) -> Vec<Problem> {
        if self.is_plain && plain::answer(&self.schema, settings) == plain::Answer::Yes {
            return Vec::new();
        }
        let validator = match self.validator() {
            Ok(validator) if validator.is_valid(settings) => return Vec::new(),
            Ok(validator) => validator,
            Err(broken) => {
                let help = Some("tell the author of the type".to_owned());
                return vec![Problem { path: String::new(), key: None, message: broken.to_owned(), help }];
            }
        };
        let errors: Vec<ValidationError<'_>> = validator.iter_errors(settings).collect();
        let mut problems = Vec::new();
        for error in &errors {
            self.explain(error, errors.len() > 1, &mut problems);
        }
        problems.retain(|problem| problem.key.is_some() || !unresolved.contains(&problem.path));
        problems
    }

    /// `several`: whether it is not the only error, so that it may follow from another.
    fn explain(&self, error: &ValidationError<'_>, several: bool, problems: &mut Vec<Problem>) {
        let path = path(error.instance_path());
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => self.unknown(error, &path, unexpected, problems),
            Kind::UnevaluatedProperties { unexpected } => {
                let known = self.known_keys(error);
                let unknown: Vec<String> = unexpected
                    .iter()
                    .filter(|key| !several || !known.contains(&key.as_str()))
                    .cloned()
                    .collect();
                self.unknown(error, &path, &unknown, problems);
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                match alternatives::likeliest(context, error.instance_path(), error.instance()) {
                    Verdict::Say(at, message) => {
                        problems.push(Problem { path: self::path(at), key: None, message, help: None });
                    }
                    Verdict::Explain(errors) => {
                        errors.iter().for_each(|error| self.explain(error, true, problems));
                    }
                }
            }
            kind @ (Kind::Pattern { .. } | Kind::Format { .. }) => {
                let help = self.examples(error);
                let message = match help {
                    Some(_) => "is not of the form that it has to have".to_owned(),
                    None => words::of(kind, error.instance()),
                };
                problems.push(Problem { path, key: None, message, help });
            }
            kind => {
                let message = words::of(kind, error.instance());
                problems.push(Problem { path, key: None, message, help: None });
            }
        }
    }

    fn unknown(&self, error: &ValidationError<'_>, path: &str, keys: &[String], problems: &mut Vec<Problem>) {
        let mut known = self.known_keys(error);
        if path.is_empty() {
            known.extend(profile::KEYS);
        }
        for key in keys {
            let help = name::suggestion(key, &known, "this table has no settings");
            let (path, key) = (path.to_owned(), Some(key.clone()));
            problems.push(Problem { path, key, message: "is not known here".into(), help: Some(help) });
        }
    }

    /// The keys that a schema knows, given an error of one of its keywords.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<&str> {
        self.refusing(error).map(|schema| keys::known(&self.schema, schema)).unwrap_or_default()
    }

    /// The examples that a schema gives of a text's form.
    fn examples(&self, error: &ValidationError<'_>) -> Option<String> {
        let examples = self.refusing(error)?.get("examples")?.as_array()?;
        let examples: Vec<String> =
            examples.iter().filter_map(Json::as_str).map(|it| format!("`{it}`")).collect();
        (!examples.is_empty()).then(|| format!("write it like {}", examples.join(", ")))
    }

    /// The schema that one of whose keywords refused.
    fn refusing(&self, error: &ValidationError<'_>) -> Option<&Json> {
        let keyword = error.schema_path().as_str();
        self.schema.pointer(keyword.rsplit_once('/').map_or("", |(parent, _)| parent))
    }
}

/// An instance's location as the configuration writes paths: `claims.tenant`, `keys[1].kid`.
fn path(location: &Location) -> String {
    let mut path = String::new();
    for segment in location.segments() {
        match segment {
            LocationSegment::Property(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            }
            LocationSegment::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}
