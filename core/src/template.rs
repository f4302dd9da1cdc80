use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior};

use crate::{Caller, Error};

/// A text with holes that the caller's attributes fill: `{{ caller.user }}@example.com`.
///
/// The holes are known when the configuration is read ([`caller_attributes`](Template::caller_attributes)), so that
/// a profile can declare them as its [`Inputs`](crate::Inputs). A text without holes costs nothing to render.
///
/// # Example
/// ```
/// use countersign::{Caller, Template};
///
/// let subject = Template::parse("{{ caller.user }}@example.com")?;
/// assert_eq!(subject.caller_attributes().collect::<Vec<_>>(), ["user"]);
/// let caller = Caller::from_iter([("user", "ada")]);
/// assert_eq!(subject.render(&caller)?, "ada@example.com");
/// # Ok::<(), countersign::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Template(Text);

#[derive(Debug, Clone)]
enum Text {
    Literal(Arc<str>),
    /// Every hole is an attribute as it is, as in almost all texts that there are: filled in by copying.
    Plain {
        source: Arc<str>,
        parts: Arc<[Part]>,
        attributes: BTreeSet<String>,
    },
    Holes {
        source: Arc<str>,
        environment: Arc<Environment<'static>>,
        attributes: BTreeSet<String>,
    },
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Attribute(String),
}

impl Template {
    /// Reads a text; only `{{ … }}` and `{% … %}` make holes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) when the text is no template, or reads anything but `caller.NAME`.
    pub fn parse(source: &str) -> Result<Self, Error> {
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Self(Text::Literal(source.into())));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .add_template_owned("", source.to_owned())
            .map_err(|error| Error::config(format!("is not a template: {}", reason(&error))))?;
        let attributes = attributes(&environment)?;
        if let Some(parts) = plain_parts(source) {
            return Ok(Self(Text::Plain { source: source.into(), parts: parts.into(), attributes }));
        }
        let text = Text::Holes { source: source.into(), environment: environment.into(), attributes };
        Ok(Self(text))
    }

    /// A text that is taken as it is, braces and all.
    pub fn literal(text: &str) -> Self {
        Self(Text::Literal(text.into()))
    }

    /// The caller attributes that the text reads, sorted.
    pub fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        match &self.0 {
            Text::Literal(_) => None,
            Text::Plain { attributes, .. } | Text::Holes { attributes, .. } => {
                Some(attributes.iter().map(String::as_str))
            }
        }
        .into_iter()
        .flatten()
    }

    /// Fills the holes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) when the caller lacks an attribute that the text reads; the message
    /// names the attribute, never a value.
    pub fn render(&self, caller: &Caller) -> Result<String, Error> {
        self.fill(caller).map(Cow::into_owned)
    }

    /// Fills the holes, without a copy where the text is a single hole or has none.
    ///
    /// # Errors
    /// As [`render`](Template::render).
    pub fn fill<'t>(&'t self, caller: &'t Caller) -> Result<Cow<'t, str>, Error> {
        let missing = |name: &str| Error::config(format!("the caller has no attribute `{name}`"));
        let value = |name: &str| caller.get(name).ok_or_else(|| missing(name));
        match &self.0 {
            Text::Literal(text) => Ok(Cow::Borrowed(text)),
            Text::Plain { parts, .. } => match &**parts {
                [Part::Attribute(name)] => value(name).map(Cow::Borrowed),
                parts => {
                    let mut text = String::with_capacity(64);
                    for part in parts {
                        text.push_str(match part {
                            Part::Text(text) => text,
                            Part::Attribute(name) => value(name)?,
                        });
                    }
                    Ok(Cow::Owned(text))
                }
            },
            Text::Holes { environment, attributes, .. } => {
                if let Some(name) = attributes.iter().find(|name| caller.get(name).is_none()) {
                    return Err(missing(name));
                }
                environment
                    .get_template("")
                    .and_then(|template| template.render(minijinja::context! { caller => caller.as_map() }))
                    .map(Cow::Owned)
                    .map_err(|error| Error::config(format!("cannot be rendered: {}", reason(&error))))
            }
        }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        match &self.0 {
            Text::Literal(text) => text,
            Text::Plain { source, .. } | Text::Holes { source, .. } => source,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::parse(&source).map_err(|error| serde::de::Error::custom(error.message()))
    }
}

impl schemars::JsonSchema for Template {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "template" })
    }
}

/// A text whose holes are all `{{ caller.NAME }}`, in its parts; `None` for any other, and where the template's own rules
/// do more than to copy (they drop a line end at the end).
fn plain_parts(source: &str) -> Option<Vec<Part>> {
    if source.contains("{%") || source.contains("{#") || source.ends_with(['\n', '\r']) {
        return None;
    }
    let (mut parts, mut rest) = (Vec::new(), source);
    while let Some((text, behind)) = rest.split_once("{{") {
        let (hole, behind) = behind.split_once("}}")?;
        let name = hole.trim().strip_prefix("caller.")?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(Part::Attribute(name.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

fn attributes(environment: &Environment<'static>) -> Result<BTreeSet<String>, Error> {
    let template = environment
        .get_template("")
        .map_err(|error| Error::config(format!("is not a template: {}", reason(&error))))?;
    template
        .undeclared_variables(true)
        .into_iter()
        .map(|name| match name.strip_prefix("caller.") {
            Some(attribute) if !attribute.contains('.') => Ok(attribute.to_owned()),
            _ => Err(Error::config(format!("reads `{name}`, but only `caller.NAME` is known here"))),
        })
        .collect()
}

/// The library's short description; its detail may quote the text, which may hold a secret.
fn reason(error: &minijinja::Error) -> String {
    error.kind().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_attribute_is_named() {
        let template = Template::parse("{{ caller.tenant }}").unwrap();
        let error = template.render(&Caller::default()).unwrap_err();
        assert_eq!(error.message(), "the caller has no attribute `tenant`");
    }

    #[test]
    fn unknown_variables_are_refused_when_parsed() {
        assert!(Template::parse("{{ env.HOME }}").is_err());
        assert!(Template::parse("{{ caller }}").is_err());
        assert!(Template::parse("{{ caller.").is_err());
    }

    #[test]
    fn a_text_with_plain_holes_comes_out_as_the_template_library_has_it() {
        let caller = Caller::from_iter([("user", "a{{b}}&<>"), ("t_2", ""), ("user2", "ü")]);
        for source in [
            "{{ caller.user }}",
            "{{caller.user}}{{ caller.t_2 }}",
            "x-{{  caller.user\t}}@{{ caller.user2 }}}} }",
            "{ {{ caller.user }} }",
            "a\n{{ caller.user }} ",
        ] {
            let template = Template::parse(source).unwrap();
            assert!(matches!(template.0, Text::Plain { .. }), "{source}");
            let mut environment = Environment::new();
            environment.add_template_owned("", source.to_owned()).unwrap();
            let context = minijinja::context! { caller => caller.as_map() };
            let expected = environment.get_template("").unwrap().render(context).unwrap();
            assert_eq!(template.render(&caller).unwrap(), expected, "{source}");
        }
        for source in [
            "{{ caller.user|upper }}",
            "{{- caller.user }}",
            "{{ caller.user }}\n",
            "{# x #}{{ caller.user }}",
        ] {
            assert!(!matches!(Template::parse(source).unwrap().0, Text::Plain { .. }), "{source}");
        }
    }

    #[test]
    fn literals_have_no_holes() {
        let template = Template::parse("a } text { with braces").unwrap();
        assert_eq!(template.caller_attributes().count(), 0);
        assert_eq!(template.render(&Caller::default()).unwrap(), "a } text { with braces");
        assert_eq!(Template::literal("{{ x }}").render(&Caller::default()).unwrap(), "{{ x }}");
    }
}
