use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use countersign::{Error, Place, Secret, Table};
use jmespath::Expression;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::answer::Answer;
use crate::config::is_name;
use crate::cookie::Cookie;

/// The longest value that is read, in bytes: about what servers take in a header.
const LIMIT: usize = 16 * 1024;

/// Where in an answer something stands. A text alone is a JSON pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadingConfig {
    pub(crate) table: ReadingTable,
}

/// One of the first five, and whether it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingTable {
    /// A JSON pointer into the body (RFC 6901): `/data/token`; `""` is the whole of it.
    pub(crate) json: Option<String>,
    /// A JMESPath expression over the body.
    pub(crate) jmespath: Option<String>,
    /// The name of a header.
    pub(crate) header: Option<String>,
    /// The name of a cookie that the answer sets.
    pub(crate) cookie: Option<String>,
    /// `true`: the whole body, as text, without white space around it.
    #[serde(default)]
    pub(crate) body: bool,
    /// Whether it may be missing; what is placed by it is left out then.
    #[serde(default)]
    pub(crate) optional: bool,
}

impl<'de> Deserialize<'de> for ReadingConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointerOrTable;

        impl<'de> Visitor<'de> for PointerOrTable {
            type Value = ReadingConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a JSON pointer, or a table with `json`, `jmespath`, `header`, `cookie` or `body`",
                )
            }

            fn visit_str<E: de::Error>(self, pointer: &str) -> Result<ReadingConfig, E> {
                let table = ReadingTable { json: Some(pointer.to_owned()), ..ReadingTable::default() };
                Ok(ReadingConfig { table })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReadingConfig, A::Error> {
                let table = ReadingTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ReadingConfig { table })
            }
        }

        deserializer.deserialize_any(PointerOrTable)
    }
}

impl JsonSchema for ReadingConfig {
    fn schema_name() -> Cow<'static, str> {
        "Reading".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = ReadingTable::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string", "description": "A JSON pointer (RFC 6901)." }, table] })
    }
}

/// How to read one value from an answer.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    place: Source,
    optional: bool,
}

#[derive(Clone)]
enum Source {
    Pointer(String),
    JmesPath(Expression<'static>),
    Header(String),
    Cookie(String),
    Body,
}

impl Reading {
    pub(crate) fn new(config: ReadingConfig) -> Result<Self, Error> {
        let ReadingTable { json, jmespath, header, cookie, body, optional } = config.table;
        let given = [
            json.map(|pointer| {
                pointer_of(&pointer).map(|()| Source::Pointer(pointer)).map_err(|e| e.at("json"))
            }),
            jmespath.map(|expression| expression_of(&expression).map_err(|error| error.at("jmespath"))),
            header.map(|name| {
                Place::Header.check_name(&name).map_err(|error| error.at("header"))?;
                Ok(Source::Header(name.to_ascii_lowercase()))
            }),
            cookie.map(|name| {
                Place::Cookie.check_name(&name).map_err(|error| error.at("cookie"))?;
                Ok(Source::Cookie(name))
            }),
            body.then_some(Ok(Source::Body)),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(place), None) => Ok(Self { place: place?, optional }),
            _ => Err(Error::config(
                "is to be one of: a JSON pointer, `jmespath`, `header`, `cookie`, `body = true`",
            )),
        }
    }

    /// The value as text; `None` where there is none, or nothing in it.
    ///
    /// # Errors
    /// When what stands there is no text.
    pub(crate) fn text(&self, answer: &Answer<'_>) -> Result<Option<Secret>, Error> {
        let text = match &self.place {
            Source::Pointer(pointer) => {
                answer.json()?.pointer(pointer).map_or(Ok(None), |value| self.of(value))?
            }
            Source::JmesPath(expression) => {
                let found = expression.search(answer.json()?);
                // Its words may quote what it found.
                let found =
                    found.map_err(|_| Error::unavailable("the JMESPath cannot be applied to the answer"))?;
                self.of(&serde_json::to_value(&*found).unwrap_or_default())?
            }
            Source::Header(name) => answer.response().header(name).map(Secret::from),
            Source::Cookie(name) => Cookie::find(answer.response(), name).map(|cookie| cookie.value),
            Source::Body => Some(answer.text()?.into()),
        };
        Ok(text.filter(|text| !text.expose().trim().is_empty()))
    }

    /// The cookie, where it is one that is read.
    pub(crate) fn cookie(&self) -> Option<&str> {
        match &self.place {
            Source::Cookie(name) => Some(name),
            _ => None,
        }
    }

    fn of(&self, value: &Value) -> Result<Option<Secret>, Error> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str().into())),
            Value::Bool(_) | Value::Number(_) => Ok(Some(Secret::new(value.to_string()))),
            Value::Array(_) | Value::Object(_) => Err(Error::unavailable(format!(
                "the answer has a list or an object {}, where a text should be",
                self.at()
            ))),
        }
    }

    /// Where it looks, in words.
    pub(crate) fn at(&self) -> String {
        match &self.place {
            Source::Pointer(pointer) if pointer.is_empty() => "as its body".to_owned(),
            Source::Pointer(pointer) => format!("at `{pointer}`"),
            Source::JmesPath(_) => "where the JMESPath leads".to_owned(),
            Source::Header(name) => format!("in a header `{name}`"),
            Source::Cookie(name) => format!("in a cookie `{name}`"),
            Source::Body => "in its body".to_owned(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(pointer) => f.debug_tuple("Pointer").field(pointer).finish(),
            Self::JmesPath(expression) => f.debug_tuple("JmesPath").field(&expression.as_str()).finish(),
            Self::Header(name) => f.debug_tuple("Header").field(name).finish(),
            Self::Cookie(name) => f.debug_tuple("Cookie").field(name).finish(),
            Self::Body => f.write_str("Body"),
        }
    }
}

/// Several values, by name.
#[derive(Debug, Clone)]
pub(crate) struct Readings(BTreeMap<String, Reading>);

impl Readings {
    pub(crate) fn new(configs: BTreeMap<String, ReadingConfig>) -> Result<Self, Error> {
        let mut readings = BTreeMap::new();
        for (name, config) in configs {
            let reading =
                is_name(&name).and_then(|()| Reading::new(config)).map_err(|error| error.at(&*name))?;
            readings.insert(name, reading);
        }
        Ok(Self(readings))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn reading(&self, name: &str) -> Option<&Reading> {
        self.0.get(name)
    }

    /// All values of an answer that is a success.
    ///
    /// # Errors
    /// When one is missing that may not be, is no text, or is longer than any token.
    pub(crate) fn read(&self, answer: &Answer<'_>) -> Result<Table, Error> {
        let mut values = Table::new();
        for (name, reading) in &self.0 {
            match reading.text(answer).map_err(|error| answer.explained(error))? {
                Some(text) if text.expose().len() > LIMIT => {
                    let message = format!("the value `{name}` is longer than {} KiB", LIMIT / 1024);
                    return Err(Error::unavailable(message));
                }
                Some(text) => {
                    values.insert(name.clone(), text);
                }
                None if reading.optional => {}
                None => {
                    let message = format!("the answer has nothing {}, so there is no `{name}`", reading.at());
                    return Err(answer.explained(Error::unavailable(message)));
                }
            }
        }
        Ok(values)
    }
}

/// RFC 6901 §3: empty, or steps that begin with `/` each, in which `~` stands before 0 or 1 only.
pub(crate) fn pointer_of(pointer: &str) -> Result<(), Error> {
    let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    match (pointer.is_empty() || pointer.starts_with('/')) && escapes {
        true => Ok(()),
        false => Err(Error::config("is no JSON pointer (RFC 6901); it begins with `/`, like `/data/token`")),
    }
}

fn expression_of(expression: &str) -> Result<Source, Error> {
    let compiled = jmespath::compile(expression);
    let compiled = compiled.map_err(|error| {
        Error::config(format!(
            "is no JMESPath expression: it cannot be read at character {}",
            error.offset + 1
        ))
    })?;
    Ok(Source::JmesPath(compiled))
}
