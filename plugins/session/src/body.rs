use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use countersign::{Caller, Error, HttpRequest, Secret, Table, Template, Withheld};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A JSON document whose texts are templates. It counts as secret.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Json(pub(crate) Value);

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(…)")
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Body {
    None,
    Json(Node),
    Form(Vec<(String, Template)>),
    Text(Template),
}

/// A part of a JSON document.
#[derive(Debug)]
pub(crate) enum Node {
    /// A number, a truth value, nothing.
    Same(Value),
    Text(Template),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Body {
    pub(crate) fn new(
        json: Option<Json>,
        form: Option<BTreeMap<String, Secret>>,
        text: Option<Secret>,
        tables: &[&str],
    ) -> Result<Self, Error> {
        Ok(match (json, form, text) {
            (None, None, None) => Self::None,
            (Some(Json(value)), None, None) => {
                Self::Json(Node::new(value, tables).map_err(|error| error.at("json"))?)
            }
            (None, Some(fields), None) => {
                let mut form = Vec::new();
                for (name, text) in fields {
                    let text = text.without_line_end();
                    let at = |error: Error| error.at(name.as_str()).at("form");
                    form.push((name.clone(), template(text.expose(), tables).map_err(at)?));
                }
                Self::Form(form)
            }
            (None, None, Some(text)) => {
                Self::Text(template(text.expose(), tables).map_err(|error| error.at("body"))?)
            }
            (Some(_), ..) => {
                return Err(Error::config("is a body already; keep one of `json`, `form`, `body`").at("json"));
            }
            (_, Some(_), _) => {
                return Err(Error::config("is a body already; keep one of `form`, `body`").at("form"));
            }
        })
    }

    pub(crate) const fn content_type(&self) -> Option<&'static str> {
        match self {
            Self::None | Self::Text(_) => None,
            Self::Json(_) => Some("application/json"),
            Self::Form(_) => Some("application/x-www-form-urlencoded"),
        }
    }

    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::None => Vec::new(),
            Self::Json(node) => node.templates(),
            Self::Form(fields) => fields.iter().map(|(_, template)| template).collect(),
            Self::Text(template) => vec![template],
        }
    }

    /// Puts the body on a request; what it is made of is noted as sent.
    pub(crate) fn put(
        &self,
        request: HttpRequest,
        caller: &Caller,
        tables: &[(&str, &Table)],
        sent: &mut Withheld,
    ) -> Result<HttpRequest, Error> {
        Ok(match self {
            Self::None => request,
            Self::Json(node) => request.body(node.render(caller, tables, sent)?.to_string()),
            Self::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, template) in fields {
                    let text = template.render_over(caller, tables)?;
                    sent.add(&text);
                    form.append_pair(name, &text);
                }
                request.body(form.finish())
            }
            Self::Text(template) => {
                let text = template.render_over(caller, tables)?;
                sent.add(&text);
                request.body(text)
            }
        })
    }
}

impl Node {
    fn new(value: Value, tables: &[&str]) -> Result<Self, Error> {
        Ok(match value {
            Value::String(text) => {
                let text = Secret::new(text).without_line_end();
                Self::Text(template(text.expose(), tables)?)
            }
            Value::Array(values) => {
                let node = |(index, value): (usize, Value)| {
                    Self::new(value, tables).map_err(|error: Error| error.at(format!("[{index}]")))
                };
                Self::List(values.into_iter().enumerate().map(node).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let node = |(name, value): (String, Value)| {
                    let node = Self::new(value, tables).map_err(|error| error.at(&*name))?;
                    Ok((name, node))
                };
                Self::Object(fields.into_iter().map(node).collect::<Result<_, Error>>()?)
            }
            same => Self::Same(same),
        })
    }

    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Same(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::List(nodes) => nodes.iter().flat_map(Self::templates).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, node)| node.templates()).collect(),
        }
    }

    fn render(
        &self,
        caller: &Caller,
        tables: &[(&str, &Table)],
        sent: &mut Withheld,
    ) -> Result<Value, Error> {
        Ok(match self {
            Self::Same(value) => value.clone(),
            Self::Text(template) => {
                let text = template.render_over(caller, tables)?;
                sent.add(&text);
                Value::String(text)
            }
            Self::List(nodes) => {
                let mut values = Vec::with_capacity(nodes.len());
                for node in nodes {
                    values.push(node.render(caller, tables, sent)?);
                }
                Value::Array(values)
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (name, node) in fields {
                    object.insert(name.clone(), node.render(caller, tables, sent)?);
                }
                Value::Object(object)
            }
        })
    }
}

/// A template of a text that may be a secret: the template's own words would name what stands in its holes.
pub(crate) fn template(text: &str, tables: &[&str]) -> Result<Template, Error> {
    Template::parse_over(text, tables).map_err(|_| {
        let known: Vec<_> = tables.iter().map(|table| format!(", `{{{{ {table}.NAME }}}}`")).collect();
        Error::config(format!(
            "is no template: `{{{{ caller.NAME }}}}`{} make holes; put a text with other braces into `variables`",
            known.concat()
        ))
    })
}
