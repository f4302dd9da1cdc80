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
    Holes { source: Arc<str>, environment: Arc<Environment<'static>>, attributes: BTreeSet<String> },
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
            Text::Holes { attributes, .. } => Some(attributes.iter().map(String::as_str)),
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
        match &self.0 {
            Text::Literal(text) => Ok(text.to_string()),
            Text::Holes { environment, attributes, .. } => {
                if let Some(missing) = attributes.iter().find(|name| caller.get(name).is_none()) {
                    return Err(Error::config(format!("the caller has no attribute `{missing}`")));
                }
                environment
                    .get_template("")
                    .and_then(|template| template.render(minijinja::context! { caller => caller.as_map() }))
                    .map_err(|error| Error::config(format!("cannot be rendered: {}", reason(&error))))
            }
        }
    }

    /// The text as it was written.
    pub fn source(&self) -> &str {
        match &self.0 {
            Text::Literal(text) => text,
            Text::Holes { source, .. } => source,
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
    fn literals_have_no_holes() {
        let template = Template::parse("a } text { with braces").unwrap();
        assert_eq!(template.caller_attributes().count(), 0);
        assert_eq!(template.render(&Caller::default()).unwrap(), "a } text { with braces");
        assert_eq!(Template::literal("{{ x }}").render(&Caller::default()).unwrap(), "{{ x }}");
    }
}
