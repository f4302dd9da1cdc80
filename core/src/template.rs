use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::{Caller, Error, Secret};

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
#[derive(Clone)]
pub struct Template(Text);

#[derive(Clone)]
enum Text {
    Literal(Arc<str>),
    /// Every hole is an attribute as it is, as in almost all texts that there are: filled in by copying.
    Plain {
        source: Arc<str>,
        parts: Arc<[Part]>,
        holes: Arc<Holes>,
    },
    Holes {
        source: Arc<str>,
        environment: Arc<Environment<'static>>,
        holes: Arc<Holes>,
    },
}

#[derive(PartialEq)]
enum Part {
    Text(String),
    Attribute(String),
    /// A name of another table than the caller's.
    Name(String, String),
}

/// What a text reads.
#[derive(Default)]
struct Holes {
    attributes: BTreeSet<String>,
    names: BTreeSet<(String, String)>,
}

/// Texts by name that templates read beside the caller's attributes, for instance what an issuer answered.
pub type Table = BTreeMap<String, Secret>;

impl Template {
    /// Reads a text; only `{{ … }}` and `{% … %}` make holes.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) when the text is no template, or reads anything but `caller.NAME`.
    pub fn parse(source: &str) -> Result<Self, Error> {
        Self::parse_over(source, &[])
    }

    /// Reads a text that may have holes for the names of further tables, too: `{{ answer.token }}` where `answer` is among
    /// `tables`. It is filled by [`render_over`](Template::render_over).
    ///
    /// # Errors
    /// As [`parse`](Template::parse).
    ///
    /// # Example
    /// ```
    /// use countersign::{Caller, Table, Template};
    ///
    /// let header = Template::parse_over("Token {{ answer.id }}", &["answer"])?;
    /// let answer = Table::from([("id".to_owned(), "t0k3n".into())]);
    /// assert_eq!(header.render_over(&Caller::new(), &[("answer", &answer)])?, "Token t0k3n");
    /// # Ok::<(), countersign::Error>(())
    /// ```
    pub fn parse_over(source: &str, tables: &[&str]) -> Result<Self, Error> {
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Self(Text::Literal(source.into())));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .add_template_owned("", source.to_owned())
            .map_err(|error| Error::config(format!("is not a template: {}", reason(&error))))?;
        let holes: Arc<Holes> = holes(&environment, tables)?.into();
        if let Some(parts) = plain_parts(source, tables) {
            return Ok(Self(Text::Plain { source: source.into(), parts: parts.into(), holes }));
        }
        tried(&environment, &holes)?;
        Ok(Self(Text::Holes { source: source.into(), environment: environment.into(), holes }))
    }

    /// A text that is taken as it is, braces and all.
    pub fn literal(text: &str) -> Self {
        Self(Text::Literal(text.into()))
    }

    /// The caller attributes that the text reads, sorted.
    pub fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        self.holes().into_iter().flat_map(|holes| holes.attributes.iter().map(String::as_str))
    }

    /// The names that the text reads of a table other than the caller's, sorted.
    pub fn names<'t>(&'t self, table: &'t str) -> impl Iterator<Item = &'t str> {
        let names = self.holes().into_iter().flat_map(|holes| &holes.names);
        names.filter(move |(of, _)| of == table).map(|(_, name)| name.as_str())
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
        self.filled(caller, &[])
    }

    /// Fills the holes from the caller and from the tables that [`parse_over`](Template::parse_over) was told of.
    ///
    /// # Errors
    /// As [`render`](Template::render); and when a table lacks a name that the text reads.
    pub fn render_over(&self, caller: &Caller, tables: &[(&str, &Table)]) -> Result<String, Error> {
        self.filled(caller, tables).map(Cow::into_owned)
    }

    fn filled<'t>(&'t self, caller: &'t Caller, tables: &[(&str, &'t Table)]) -> Result<Cow<'t, str>, Error> {
        let missing = |name: &str| Error::config(format!("the caller has no attribute `{name}`"));
        let named = |table: &str, name: &str| {
            let (_, texts) = tables.iter().find(|(known, _)| *known == table)?;
            texts.get(name).map(|text| text.expose().as_str())
        };
        let unnamed = |table: &str, name: &str| Error::config(format!("there is no `{table}.{name}`"));
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
                            Part::Name(table, name) => {
                                named(table, name).ok_or_else(|| unnamed(table, name))?
                            }
                        });
                    }
                    Ok(Cow::Owned(text))
                }
            },
            Text::Holes { environment, holes, .. } => {
                if let Some(name) = holes.attributes.iter().find(|name| caller.get(name).is_none()) {
                    return Err(missing(name));
                }
                let mut context: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
                for (table, name) in &holes.names {
                    let text = named(table, name).ok_or_else(|| unnamed(table, name))?;
                    context.entry(table).or_default().push((name, text));
                }
                let attributes = caller.as_map().iter();
                context.insert(
                    "caller",
                    attributes.map(|(name, text)| (name.as_str(), text.as_str())).collect(),
                );
                let context =
                    context.into_iter().map(|(table, texts)| (table, minijinja::Value::from_pairs(texts)));
                environment
                    .get_template("")
                    .and_then(|template| template.render(minijinja::Value::from_pairs(context)))
                    .map(Cow::Owned)
                    .map_err(|error| Error::config(format!("cannot be rendered: {}", reason(&error))))
            }
        }
    }

    /// Whether the text has no holes.
    pub const fn is_literal(&self) -> bool {
        matches!(self.0, Text::Literal(_))
    }

    fn holes(&self) -> Option<&Holes> {
        match &self.0 {
            Text::Literal(_) => None,
            Text::Plain { holes, .. } | Text::Holes { holes, .. } => Some(holes),
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

/// Tells nothing of the text, which may be a secret or hold one.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(…)")
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

/// A text whose holes are all `{{ TABLE.NAME }}`, in its parts; `None` for any other, and where the template's own rules
/// do more than to copy (they drop a line end at the end).
fn plain_parts(source: &str, tables: &[&str]) -> Option<Vec<Part>> {
    if source.contains("{%") || source.contains("{#") || source.ends_with(['\n', '\r']) {
        return None;
    }
    let (mut parts, mut rest) = (Vec::new(), source);
    while let Some((text, behind)) = rest.split_once("{{") {
        let (hole, behind) = behind.split_once("}}")?;
        let (table, name) = hole.trim().split_once('.')?;
        if table != "caller" && !tables.contains(&table) {
            return None;
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(match table {
            "caller" => Part::Attribute(name.to_owned()),
            table => Part::Name(table.to_owned(), name.to_owned()),
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

fn holes(environment: &Environment<'static>, tables: &[&str]) -> Result<Holes, Error> {
    let template = environment
        .get_template("")
        .map_err(|error| Error::config(format!("is not a template: {}", reason(&error))))?;
    let mut holes = Holes::default();
    for read in template.undeclared_variables(true) {
        match read.split_once('.') {
            Some(("caller", name)) if !name.contains('.') => {
                holes.attributes.insert(name.to_owned());
            }
            Some((table, name)) if tables.contains(&table) && !name.contains('.') => {
                holes.names.insert((table.to_owned(), name.to_owned()));
            }
            _ => {
                let known: Vec<_> = tables.iter().map(|table| format!(", `{table}.NAME`")).collect();
                let known = known.concat();
                return Err(Error::config(format!(
                    "reads `{read}`, but only `caller.NAME`{known} is known here"
                )));
            }
        }
    }
    Ok(holes)
}

/// The filters that are wanted most.
const FILTERS: [&str; 9] = ["lower", "upper", "trim", "replace", "split", "join", "first", "last", "default"];

/// Fills the holes once with anything, for the library looks for a filter no sooner than it comes to it. What else goes wrong may
/// be the fault of what they were filled with.
fn tried(environment: &Environment<'_>, holes: &Holes) -> Result<(), Error> {
    let mut context: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    context.insert("caller", holes.attributes.iter().map(|name| (name.as_str(), "x")).collect());
    for (table, name) in &holes.names {
        context.entry(table).or_default().push((name, "x"));
    }
    let context = context.into_iter().map(|(table, texts)| (table, minijinja::Value::from_pairs(texts)));
    let context = minijinja::Value::from_pairs(context);
    let outcome = environment.get_template("").and_then(|template| template.render(context));
    let what = match outcome.map_err(|error| error.kind()) {
        Err(ErrorKind::UnknownFilter) => {
            format!("filter; there are `{}` and others of Jinja", FILTERS.join("`, `"))
        }
        Err(ErrorKind::UnknownTest) => "test (`is …`)".to_owned(),
        Err(ErrorKind::UnknownFunction) => "function".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::config(format!("is a template with an unknown {what}")))
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
    fn unknown_filters_and_tests_are_refused_when_parsed() {
        for (source, what) in [
            ("{{ caller.user | canary }}", "is a template with an unknown filter; there are `lower`"),
            ("{{ caller.user if caller.user is canary else 1 }}", "is a template with an unknown test"),
        ] {
            let error = Template::parse(source).unwrap_err();
            assert!(error.message().contains(what), "{error}");
            assert!(!error.message().contains("canary"), "{error}");
        }
        for filter in FILTERS {
            assert!(Template::parse(&format!("{{{{ caller.user | {filter} }}}}")).is_ok(), "{filter}");
        }
        // Only a real value can tell.
        assert!(Template::parse("{{ caller.year | int + 1 }}").is_ok());
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
    fn other_tables_are_read_where_they_are_known() {
        let answer = Table::from([("id".to_owned(), "t".into()), ("b".to_owned(), "{{ x }}".into())]);
        let caller = Caller::from_iter([("user", "ada")]);
        for (source, expected) in [
            ("{{ answer.id }}", "t"),
            ("{{caller.user}}: {{ answer.b }}", "ada: {{ x }}"),
            ("{{ answer.id|upper }}{{ caller.user }}", "Tada"),
        ] {
            let template = Template::parse_over(source, &["answer"]).unwrap();
            assert_eq!(template.render_over(&caller, &[("answer", &answer)]).unwrap(), expected);
            assert!(template.names("answer").count() > 0 && template.names("other").count() == 0);
            let error = template.render_over(&caller, &[("answer", &Table::new())]).unwrap_err();
            assert!(error.message().starts_with("there is no `answer."), "{error}");
        }
        let error = Template::parse_over("{{ other.x }}", &["answer"]).unwrap_err();
        assert_eq!(error.message(), "reads `other.x`, but only `caller.NAME`, `answer.NAME` is known here");
    }

    #[test]
    fn literals_have_no_holes() {
        let template = Template::parse("a } text { with braces").unwrap();
        assert_eq!(template.caller_attributes().count(), 0);
        assert_eq!(template.render(&Caller::default()).unwrap(), "a } text { with braces");
        assert_eq!(Template::literal("{{ x }}").render(&Caller::default()).unwrap(), "{{ x }}");
    }
}
