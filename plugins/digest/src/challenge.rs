//! Challenges as they stand in `WWW-Authenticate` (RFC 9110 §11.6.1): of any scheme, several in a field, several fields.

/// A challenge: a scheme and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case.
    scheme: String,
    /// Names in lower case, values without quotes and escapes, each name once.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter's value; the name in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How many challenges of one answer are looked at.
const MOST: usize = 32;

/// The challenges of an answer that rejected a request.
pub(crate) fn of_rejection(rejection: &countersign::Challenge) -> Vec<Challenge> {
    of_fields(rejection.header("www-authenticate"))
}

/// The challenges of an answer's `WWW-Authenticate` fields.
pub(crate) fn of_fields<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    let mut all = Vec::new();
    for field in fields {
        read(field, &mut all);
        if all.len() >= MOST {
            break;
        }
    }
    all.truncate(MOST);
    all
}

/// Those of the scheme Digest.
pub(crate) fn of_digest(challenges: &[Challenge]) -> impl Iterator<Item = &Challenge> {
    challenges.iter().filter(|challenge| challenge.scheme == "digest")
}

/// Reads a field. Where it breaks the grammar, what comes behind cannot be told apart any more, and is not read; a challenge
/// that breaks it, or names a parameter twice, is none.
fn read(field: &str, all: &mut Vec<Challenge>) {
    let mut rest = Rest(field);
    let mut current: Option<Challenge> = None;
    // Whether it has a text in base64, behind which there are no parameters.
    let mut closed = false;
    loop {
        rest.skip(|c| matches!(c, ' ' | '\t' | ','));
        if rest.0.is_empty() {
            break;
        }
        let Some(word) = rest.token() else { return };
        let apart = rest.skip(|c| matches!(c, ' ' | '\t'));
        if let Some(challenge) = &mut current
            && let Some(after) = rest.0.strip_prefix('=')
        {
            if closed {
                return;
            }
            rest.0 = after;
            rest.skip(|c| matches!(c, ' ' | '\t'));
            let Some(value) = rest.value() else { return };
            let name = word.to_ascii_lowercase();
            if challenge.parameter(&name).is_some() {
                return;
            }
            challenge.parameters.push((name, value));
            // Parameters are parted by commas.
            rest.skip(|c| matches!(c, ' ' | '\t'));
            if !rest.0.is_empty() && !rest.0.starts_with(',') {
                return;
            }
            continue;
        }
        all.extend(current.take());
        if all.len() >= MOST {
            return;
        }
        closed = apart && rest.skip_token68();
        if !apart && !rest.0.is_empty() && !rest.0.starts_with(',') {
            return;
        }
        current = Some(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
    }
    all.extend(current);
}

/// What of a field is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Skips such characters; whether there were any.
    fn skip(&mut self, skipped: impl Fn(char) -> bool) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_start_matches(skipped);
        self.0.len() < before
    }

    fn token(&mut self) -> Option<&'a str> {
        let (token, rest) = self.0.split_at(self.0.find(|c| !is_token(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, or a quoted string without quotes and escapes.
    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.0.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = quoted.get(at + 1..).unwrap_or_default();
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }

    /// Behind a scheme may stand one text in base64 in place of parameters, as `Negotiate` has it.
    fn skip_token68(&mut self) -> bool {
        let end = self
            .0
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-._~+/".contains(c)))
            .unwrap_or(self.0.len());
        let behind = self.0.get(end..).unwrap_or_default().trim_start_matches('=');
        let ended = behind.trim_start_matches([' ', '\t']);
        let whole = end > 0 && (ended.is_empty() || ended.starts_with(','));
        if whole {
            self.0 = behind;
        }
        whole
    }
}

/// RFC 9110 §5.6.2.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str) -> Vec<String> {
        let challenges = of_fields([field].into_iter());
        let shown = challenges.iter().map(|challenge| {
            let parameters: Vec<_> =
                challenge.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", challenge.scheme, parameters.join(";"))
        });
        shown.collect()
    }

    #[test]
    fn several_challenges_in_a_field_are_told_apart() {
        for (field, expected) in [
            (r#"Digest realm="a, b", nonce="n""#, vec!["digest realm=a, b;nonce=n"]),
            (
                r#"Basic realm="simple", DIGEST Realm="x\"y" , NONCE = n,, Newauth"#,
                vec!["basic realm=simple", "digest realm=x\"y;nonce=n", "newauth "],
            ),
            (r#"Negotiate abc+/==, Digest realm="a""#, vec!["negotiate ", "digest realm=a"]),
            (
                r#"Negotiate, Digest qop="auth,auth-int",stale=true"#,
                vec!["negotiate ", "digest qop=auth,auth-int;stale=true"],
            ),
            ("", vec![]),
            (" , ,", vec![]),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_not_read() {
        for field in [
            r#"Digest realm="a"#,
            r#"Digest realm="a" nonce="b""#,
            r#"Digest realm="a", realm="b""#,
            r#"Digest realm=, nonce=b"#,
            r#"Digest realm="a\"#,
            "\u{fffd} Digest",
        ] {
            assert_eq!(shown(field), Vec::<String>::new(), "{field}");
        }
        assert_eq!(shown(r#"Basic realm="a", Digest realm="b"#), ["basic realm=a"]);
    }

    #[test]
    fn no_more_challenges_than_make_sense_are_looked_at() {
        assert_eq!(shown(&"Digest realm=\"a\", ".repeat(1000)).len(), MOST);
    }
}
