use std::fmt;

use countersign::{Caller, Error, Origin, Table, Template, Withheld};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a part of a URL (RFC 3986 §2.3).
const HOLE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of a request: a text whose holes are percent-encoded and stand behind the host, or an address that an answer gave.
pub(crate) struct Url {
    origin: Origin,
    form: Form,
}

enum Form {
    Text(Vec<Part>),
    /// A path or URL from an answer, of the login's origin.
    Given(Template),
}

enum Part {
    Text(String),
    Hole(Template),
}

impl Url {
    /// Reads a URL. Without `login`, it is the login's own.
    pub(crate) fn new(text: &str, tables: &[&str], login: Option<&Origin>) -> Result<Self, Error> {
        let parts = parts(text, tables)?;
        if let ([Part::Hole(given)], Some(login)) = (&parts[..], login)
            && given.names("answer").next().is_some()
        {
            return Ok(Self { origin: login.clone(), form: Form::Given(given.clone()) });
        }
        let before = match parts.first() {
            Some(Part::Text(before)) => before.as_str(),
            _ => return Err(Error::config("begins with a hole; write scheme and host out")),
        };
        let rest = before.split_once("://").map_or("", |(_, rest)| rest);
        if parts.len() > 1 && !rest.contains(['/', '?']) {
            return Err(Error::config("has a hole in its host; write scheme and host out"));
        }
        let origin: Origin = before.parse()?;
        let has_fragment = |part: &Part| matches!(part, Part::Text(text) if text.contains('#'));
        if parts.iter().any(has_fragment) {
            return Err(Error::config("has a fragment, which is never sent; cut it off at #"));
        }
        if !origin.is_https() && !origin.is_loopback() {
            return Err(Error::config(
                "is not https, so passwords and sessions would travel in clear; use https:// (plain http is for loopback only)",
            ));
        }
        Ok(Self { origin, form: Form::Text(parts) })
    }

    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        let (parts, given) = match &self.form {
            Form::Text(parts) => (&parts[..], None),
            Form::Given(given) => (&[][..], Some(given)),
        };
        let holes = parts.iter().filter_map(|part| match part {
            Part::Hole(template) => Some(template),
            Part::Text(_) => None,
        });
        holes.chain(given)
    }

    /// The URL for a caller; what its holes come out as, and the values of its query, are noted as sent.
    ///
    /// # Errors
    /// When a hole comes out as something that leads elsewhere.
    pub(crate) fn render(
        &self,
        caller: &Caller,
        tables: &[(&str, &Table)],
        sent: &mut Withheld,
    ) -> Result<String, Error> {
        match &self.form {
            Form::Given(given) => self.on_origin(&given.render_over(caller, tables)?),
            Form::Text(parts) => {
                let mut url = String::new();
                for part in parts {
                    match part {
                        Part::Text(text) => url.push_str(text),
                        Part::Hole(hole) => {
                            let value = hole.render_over(caller, tables)?;
                            if matches!(&*value, "" | "." | "..") {
                                return Err(Error::config(
                                    "a hole of the URL comes out empty or as dots, which would lead to another path",
                                ));
                            }
                            sent.add(&value);
                            url.extend(utf8_percent_encode(&value, HOLE));
                        }
                    }
                }
                let query = url.split_once('?').map_or("", |(_, query)| query);
                form_urlencoded::parse(query.as_bytes()).for_each(|(_, value)| sent.add(&value));
                Ok(url)
            }
        }
    }

    fn on_origin(&self, given: &str) -> Result<String, Error> {
        let given = given.trim();
        let url = match given.starts_with('/') && !given.starts_with("//") && !given.starts_with("/\\") {
            true => format!("{}{given}", self.origin),
            false => given.to_owned(),
        };
        match url.parse::<Origin>() {
            Ok(origin) if origin == self.origin => Ok(url),
            _ => Err(Error::unavailable(format!(
                "the address that the answer gave is not one of {}, so nothing is sent there",
                self.origin
            ))),
        }
    }
}

/// Tells the origin: the rest may hold a tenant's key.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({}…)", self.origin)
    }
}

fn parts(text: &str, tables: &[&str]) -> Result<Vec<Part>, Error> {
    if text.contains("{%") || text.contains("{#") {
        return Err(Error::config("may have holes `{{ … }}` and nothing else of a template"));
    }
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((hole, behind)) = behind.split_once("}}") else {
            return Err(Error::config("has a hole that does not end; `}}` ends one"));
        };
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Hole(Template::parse_over(&format!("{{{{{hole}}}}}"), tables)?));
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<Url, Error> {
        Url::new(text, &["variables", "answer"], Some(&"https://a.example".parse().unwrap()))
    }

    fn rendered(text: &str, value: &str) -> Result<String, Error> {
        let answer = Table::from([("v".to_owned(), value.into())]);
        url(text).unwrap().render(&Caller::new(), &[("answer", &answer)], &mut Withheld::default())
    }

    #[test]
    fn holes_are_encoded_and_cannot_lead_elsewhere() {
        let text = "https://a.example/x/{{ answer.v }}/y?z={{ answer.v }}";
        assert_eq!(
            rendered(text, "ä/?#&").unwrap(),
            "https://a.example/x/%C3%A4%2F%3F%23%26/y?z=%C3%A4%2F%3F%23%26"
        );
        for value in ["", ".", ".."] {
            assert!(rendered(text, value).is_err(), "{value}");
        }
        for text in [
            "https://{{ answer.v }}/x",
            "https://a.{{ answer.v }}",
            "{{ caller.url }}",
            "https://a.example/#{{ answer.v }}",
            "https://a.example/{% if answer.v %}x{% endif %}",
            "https://a.example/{{ answer.v",
            "https://u@a.example/",
            "http://a.example/",
            "a.example",
        ] {
            assert!(url(text).is_err(), "{text}");
        }
        assert!(Url::new("{{ answer.v }}", &["answer"], None).is_err(), "a login has no answer before it");
    }

    #[test]
    fn an_address_from_an_answer_is_one_of_the_login_s_origin() {
        for (given, expected) in [
            ("/sessions/1", "https://a.example/sessions/1"),
            ("https://A.example:443/sessions/1?x=y", "https://A.example:443/sessions/1?x=y"),
        ] {
            assert_eq!(rendered("{{ answer.v }}", given).unwrap(), expected);
        }
        for given in [
            "https://b.example/",
            "//b.example/",
            "/\\b.example",
            "http://a.example/",
            "sessions/1",
            "https://a.example@b.example/",
        ] {
            assert!(rendered("{{ answer.v }}", given).is_err(), "{given}");
        }
    }
}
