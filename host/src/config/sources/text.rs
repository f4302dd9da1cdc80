//! The grammar of a setting's text: `${source:argument}`, `$$` for a dollar sign, and everything else as it stands.

use super::Fault;
use crate::config::name;

/// A kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `${env:NAME}`, `${env:NAME:-default}`
    Env,
    /// `${file:PATH}`
    File,
    /// `${base64:PATH}`
    Base64,
    /// `${command:PROGRAM ARGUMENT…}`
    Command,
}

const SOURCES: [(&str, Source); 4] =
    [("env", Source::Env), ("file", Source::File), ("base64", Source::Base64), ("command", Source::Command)];

/// A part of a setting's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Stands for itself.
    Literal(&'t str),
    /// Stands for what the source holds.
    Reference(Source, &'t str),
}

/// Takes a text apart. A `$` that neither `$` nor `{` follows stands for itself.
///
/// # Errors
/// A reference without end or with an unknown source.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece<'_>>, Fault> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, after) = (&rest[..dollar], &rest[dollar + 1..]);
        if let Some(body) = after.strip_prefix('{') {
            pieces.push(Piece::Literal(before));
            let (piece, tail) = reference(body)?;
            pieces.push(piece);
            rest = tail;
        } else {
            pieces.push(Piece::Literal(&rest[..=dollar]));
            rest = after.strip_prefix('$').unwrap_or(after);
        }
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    Ok(pieces)
}

/// Writes a text so that it stands for itself in a configuration: every `$` doubled.
pub fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// What follows `${`, up to its `}`, and the rest.
fn reference(body: &str) -> Result<(Piece<'_>, &str), Fault> {
    let Some((name, body)) = body.split_once(':').filter(|(name, _)| !name.contains('}')) else {
        return Err(Fault::with_help(
            "holds `${` without a source and a `}`",
            "write `${env:NAME}`, `${file:PATH}`, `${base64:PATH}` or `${command:PROGRAM}`; a dollar sign is `$$`",
        ));
    };
    let known = SOURCES.map(|(name, _)| name);
    let Some((_, source)) = SOURCES.iter().find(|(known, _)| *known == name) else {
        return Err(Fault::with_help(
            // Its name is not repeated: it may be a piece of a password with a `${` in it.
            "holds `${…:` with a source that does not exist",
            format!("{}; a dollar sign is `$$`", name::suggestion(name, &known, "")),
        ));
    };
    let end = match source {
        Source::Command => end_outside_quotes(body),
        _ => body.find('}'),
    };
    let Some(end) = end else {
        return Err(Fault::with_help(
            format!("holds `${{{name}:` without its `}}`"),
            "close it; a dollar sign is `$$`",
        ));
    };
    let argument = &body[..end];
    if *source != Source::Command && argument.contains("${") {
        return Err(Fault::new("holds a reference within a reference, which is not possible"));
    }
    if argument.trim().is_empty() {
        return Err(Fault::new(format!("holds `${{{name}:}}`, which names nothing")));
    }
    Ok((Piece::Reference(*source, argument), &body[end + 1..]))
}

/// The first `}` that no quotes protect, by the rules of a command's words.
fn end_outside_quotes(body: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                chars.next();
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('}', None) => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Piece::{Literal, Reference};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_taken_apart() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("plain").unwrap(), [Literal("plain")]);
        assert_eq!(parse("a${env:B}c").unwrap(), [Literal("a"), Reference(Source::Env, "B"), Literal("c")]);
        assert_eq!(parse("$$").unwrap(), [Literal("$")]);
        assert_eq!(parse("$${env:B}").unwrap(), [Literal("$"), Literal("{env:B}")]);
        assert_eq!(parse("$x $").unwrap(), [Literal("$"), Literal("x $")]);
        assert_eq!(parse("${file:/a b/c}").unwrap(), [Reference(Source::File, "/a b/c")],);
        assert_eq!(
            parse(r#"${command:get -f '{{.A}}' "}" \} x}!"#).unwrap(),
            [Reference(Source::Command, r#"get -f '{{.A}}' "}" \} x"#), Literal("!")],
        );
    }

    #[test]
    fn faults_name_the_way_out() {
        for (text, words) in [
            ("${", "holds `${` without a source"),
            ("${env", "holds `${` without a source"),
            ("${canary}", "holds `${` without a source"),
            ("${env:A", "holds `${env:` without its `}`"),
            ("${file:", "holds `${file:` without its `}`"),
            ("${command:a '}", "holds `${command:` without its `}`"),
            ("${file:${env:A}}", "a reference within a reference"),
            ("${env:}", "names nothing"),
            ("${evn:A}", "a source that does not exist"),
            ("${canary:A}", "a source that does not exist"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.message.contains(words), "{text}: {fault:?}");
            assert!(!fault.message.contains("canary"));
        }
        assert!(parse("${evn:A}").unwrap_err().help.unwrap().contains("did you mean `env`?"));
    }

    proptest! {
        #[test]
        fn any_text_survives_escaping(text in "[${}:a-c\u{e4} ]{0,24}") {
            let escaped = escape(&text);
            let back: String = parse(&escaped).unwrap().into_iter().map(|piece| match piece {
                Literal(text) => text,
                Reference(..) => panic!("a reference appeared"),
            }).collect();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
