use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::{Error, Place, Secret};

use super::filter::{self, Condition, Filter, Kind};
use super::source::{self, Source};
use super::{Hole, Piece, Reads, Template};
use crate::time::Form;

/// What a template may name.
pub(crate) struct Scope<'s> {
    pub(crate) key_id: Option<&'s str>,
    pub(crate) variables: &'s BTreeMap<String, Secret>,
    pub(crate) parts: &'s BTreeMap<String, String>,
    /// Header fields that are made later, and so are not to be seen; names in lower case.
    pub(crate) later: &'s [String],
    /// Whether the signature is there already.
    pub(crate) signature: bool,
    /// Parts that were read, and those that are being read (`None`).
    pub(crate) known: RefCell<BTreeMap<String, Option<Arc<Template>>>>,
}

impl Template {
    /// Reads a text that is signed, of which any bytes may come.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config), with the column; nothing of the text is repeated, for it may be secret.
    pub(crate) fn signed(text: &str, scope: &Scope<'_>) -> Result<Self, Error> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let (before, hole) = rest.split_at(at);
            literal(before, &mut pieces);
            let column = column(text, hole);
            let end = hole.find("}}").ok_or_else(|| {
                Error::config(format!("the `{{{{` at column {column} is not closed by `}}}}`"))
            })?;
            let inside = hole.get(2..end).unwrap_or_default();
            match self::hole(inside, text, scope)? {
                Hole { source: Source::Text(value), conditions, filters }
                    if conditions.is_empty() && filters.is_empty() =>
                {
                    literal(value.expose(), &mut pieces);
                }
                hole => pieces.push(Piece::Hole(hole)),
            }
            rest = hole.get(end + 2..).unwrap_or_default();
        }
        literal(rest, &mut pieces);
        let mut reads = Reads::default();
        for piece in &pieces {
            if let Piece::Hole(hole) = piece {
                reads.add(&hole.source.reads());
                reads.body |= hole.conditions.contains(&Condition::Body);
            }
        }
        Ok(Self { pieces, reads })
    }

    /// Reads a text that is placed, and so consists of characters.
    ///
    /// # Errors
    /// As [`signed`](Self::signed); when bytes are not written as text.
    pub(crate) fn placed(text: &str, scope: &Scope<'_>) -> Result<Self, Error> {
        let template = Self::signed(text, scope)?;
        match template.kind() {
            Kind::Text => Ok(template),
            _ => Err(Error::config(
                "has bytes in it (a signature, a hash, a body); write them as text, by `| hex` or `| base64` behind the name",
            )),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        let kinds = self.pieces.iter().map(|piece| match piece {
            Piece::Text(_) => Kind::Text,
            Piece::Hole(hole) => hole.kind(),
        });
        // The first that is not text decides.
        kinds.into_iter().find(|kind| *kind != Kind::Text).unwrap_or(Kind::Text)
    }
}

impl Hole {
    fn kind(&self) -> Kind {
        let made = |kind, filter: &Filter| filter.kind_of(kind).unwrap_or(Kind::Bytes);
        self.filters.iter().fold(self.source.kind(), made)
    }
}

fn literal(text: &str, pieces: &mut Vec<Piece>) {
    if text.is_empty() {
        return;
    }
    match pieces.last_mut() {
        Some(Piece::Text(before)) => *before = Secret::new(format!("{}{text}", before.expose())),
        _ => pieces.push(Piece::Text(text.into())),
    }
}

/// The column of a part of a text, counted in characters from 1. A text of several lines is counted through.
fn column(text: &str, part: &str) -> usize {
    let at = part.as_ptr() as usize - text.as_ptr() as usize;
    text.get(..at).unwrap_or_default().chars().count() + 1
}

/// What stands between braces, word by word; a text in quotes is one word.
fn words<'t>(text: &'t str, whole: &str) -> Result<Vec<&'t str>, Error> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '|' => 1,
            '"' => match rest.get(1..).unwrap_or_default().find('"') {
                Some(end) => end + 2,
                None => {
                    let column = column(whole, rest);
                    return Err(Error::config(format!("the quote at column {column} is not closed")));
                }
            },
            _ => rest.find(|c: char| c.is_whitespace() || c == '|' || c == '"').unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn hole(text: &str, whole: &str, scope: &Scope<'_>) -> Result<Hole, Error> {
    let words = words(text, whole)?;
    let mut calls = words.split(|word| *word == "|");
    let first = calls.next().unwrap_or_default();
    let Some((name, arguments)) = first.split_first() else {
        let column = column(whole, text);
        return Err(Error::config(format!("the braces at column {column} name nothing; write a variable")));
    };
    let source = source(name, arguments, whole, scope)?;
    let mut kind = source.kind();
    let mut hole = Hole { source, conditions: Vec::new(), filters: Vec::new() };
    for call in calls {
        let Some((name, arguments)) = call.split_first() else {
            let column = column(whole, text);
            return Err(Error::config(format!("a `|` behind column {column} has no filter behind it")));
        };
        let at = column(whole, name);
        if *name == "when" {
            hole.conditions.push(condition(arguments, at)?);
            continue;
        }
        let filter = filter(name, arguments, at)?;
        kind = filter.kind_of(kind).ok_or_else(|| {
            Error::config(format!(
                "`{name}` at column {at} works on text, and this is bytes; write `hex` or `base64` before it"
            ))
        })?;
        hole.filters.push(filter);
    }
    Ok(hole)
}

fn filter(name: &str, arguments: &[&str], at: usize) -> Result<Filter, Error> {
    match (name, arguments) {
        ("field", [field]) => Ok(Filter::Field(unquoted(field).unwrap_or(field).to_owned())),
        ("field", _) => {
            Err(Error::config(format!("`field` at column {at} takes the parameter's name: `field nonce`")))
        }
        ("before", [mark]) if unquoted(mark).is_some_and(|mark| !mark.is_empty()) => {
            Ok(Filter::Before(unquoted(mark).unwrap_or_default().to_owned()))
        }
        ("before", _) => {
            Err(Error::config(format!("`before` at column {at} takes a text in quotes: `before \";\"`")))
        }
        (name, []) => Filter::named(name).ok_or_else(|| unknown("filter", name, at, filter::names())),
        (name, _) if Filter::named(name).is_some() => {
            Err(Error::config(format!("`{name}` at column {at} takes nothing behind it; is a `|` missing?")))
        }
        (name, _) => Err(unknown("filter", name, at, filter::names())),
    }
}

fn condition(arguments: &[&str], at: usize) -> Result<Condition, Error> {
    let is_method = |word: &&str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    match arguments {
        ["body"] => Ok(Condition::Body),
        [_, ..] if arguments.iter().all(is_method) => {
            Ok(Condition::Methods(arguments.iter().map(|method| (*method).to_owned()).collect()))
        }
        _ => Err(Error::config(format!(
            "`when` at column {at} takes `body`, or methods in capitals: `when body`, `when POST PUT`"
        ))),
    }
}

fn source(name: &str, arguments: &[&str], whole: &str, scope: &Scope<'_>) -> Result<Source, Error> {
    let at = column(whole, name);
    let found = match name.split_once('.') {
        _ if unquoted(name).is_some() => Source::Text(unquoted(name).unwrap_or_default().into()),
        None if name == "key_id" => match scope.key_id {
            Some(key_id) => Source::Text(key_id.into()),
            None => return Err(Error::config(format!("`key_id` at column {at} is not set; set `key_id`"))),
        },
        Some(("header", field)) => header(field, at, scope)?,
        Some(("caller", attribute)) if is_name(attribute) => Source::Caller(attribute.to_owned()),
        Some(("variables", variable)) => match scope.variables.get(variable) {
            Some(value) => Source::Text(value.clone()),
            None => {
                let known = scope.variables.keys().map(String::as_str);
                return Err(unknown("name of `variables`", variable, at, known));
            }
        },
        Some(("parts", part)) => Source::Part(self::part(part, at, scope)?),
        _ => Source::named(name).ok_or_else(|| {
            let known = source::names().chain(["caller.NAME", "header.NAME", "parts.NAME", "variables.NAME"]);
            unknown("variable", name, at, known)
        })?,
    };
    if matches!(found, Source::Signature) && !scope.signature {
        return Err(Error::config(format!(
            "`signature` at column {at} stands in what is signed; it can go to `headers` and `query_parameters` only"
        )));
    }
    with_arguments(found, arguments, at, whole)
}

/// Only an instant takes something behind its name: how it is written, and by how much it is moved.
fn with_arguments(source: Source, arguments: &[&str], at: usize, whole: &str) -> Result<Source, Error> {
    let Source::Time(mut form) = source else {
        return match arguments.first() {
            None => Ok(source),
            Some(_) => Err(Error::config(format!(
                "the variable at column {at} takes nothing behind it; is a `|` missing?"
            ))),
        };
    };
    for argument in arguments {
        let at = column(whole, argument);
        if let Some(text) = unquoted(argument) {
            let moved = form.moved;
            form = Form::parse(text).ok_or_else(|| {
                Error::config(format!(
                    "the form of an instant at column {at} has an unknown `%`; %Y %m %d %H %M %S %L %f %a %b %s %% are known"
                ))
            })?;
            form.moved = moved;
        } else if let Some(moved) = argument.parse().ok().filter(|_| argument.starts_with(['+', '-'])) {
            form.moved = moved;
        } else {
            return Err(Error::config(format!(
                "an instant takes its form in quotes, and seconds by which it is moved, as `\"%Y-%m-%d\"` and `+300`; column {at} has neither"
            )));
        }
    }
    Ok(Source::Time(form))
}

fn header(field: &str, at: usize, scope: &Scope<'_>) -> Result<Source, Error> {
    let (name, optional) = field.strip_suffix('?').map_or((field, false), |name| (name, true));
    let name = name.to_ascii_lowercase();
    // `host` frames the message, and `cookie` is shared, but both may be read.
    if !matches!(name.as_str(), "host" | "cookie" | "content-length") {
        Place::Header.check_name(&name).map_err(|error| {
            Error::config(format!("the header at column {at} cannot be signed: {}", error.message()))
        })?;
    }
    if name == "host" {
        return Ok(Source::Authority);
    }
    if name == "content-length" {
        return Err(Error::config(format!(
            "the header at column {at} is written after the signature is made; sign `body` instead"
        )));
    }
    if scope.later.contains(&name) {
        return Err(Error::config(format!(
            "the header at column {at} is one that this profile sets, and not made yet; write what it is made of"
        )));
    }
    Ok(Source::Header { name, optional })
}

fn part(name: &str, at: usize, scope: &Scope<'_>) -> Result<Arc<Template>, Error> {
    match scope.known.borrow().get(name) {
        Some(Some(known)) => return Ok(Arc::clone(known)),
        Some(None) => {
            return Err(Error::config(format!("the part at column {at} has itself in it, by way of others")));
        }
        None => {}
    }
    let Some(text) = scope.parts.get(name) else {
        return Err(unknown("name of `parts`", name, at, scope.parts.keys().map(String::as_str)));
    };
    scope.known.borrow_mut().insert(name.to_owned(), None);
    let read = Template::signed(text, scope).map(Arc::new);
    let known = read.as_ref().ok().cloned();
    match known {
        Some(known) => scope.known.borrow_mut().insert(name.to_owned(), Some(known)),
        None => scope.known.borrow_mut().remove(name),
    };
    read.map_err(|error| {
        Error::config(format!("the part at column {at} cannot stand here: {}", error.message()))
    })
}

fn unquoted(word: &str) -> Option<&str> {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"'))
}

/// What settings and attributes may be called.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A name that is none, and the one that was probably meant. The name itself is not repeated: it may be part of a secret.
fn unknown<'k>(what: &str, name: &str, at: usize, known: impl Iterator<Item = &'k str>) -> Error {
    let known: Vec<&str> = known.collect();
    let tolerated = (name.chars().count() / 3).max(1);
    let nearest = known
        .iter()
        .map(|known| (strsim::osa_distance(name, known), *known))
        .filter(|(distance, _)| *distance <= tolerated)
        .min();
    let help = match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("known are {}", known.join(", ")),
    };
    Error::config(format!("unknown {what} at column {at}; {help}"))
}
