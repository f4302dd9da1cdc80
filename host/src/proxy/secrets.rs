use countersign::Secret;
use http::Uri;
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// What was placed on a call where upstreams like to repeat it to clients: in the query and in cookies.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// The names of query parameters, as they were placed.
    query: Vec<String>,
    cookies: Vec<String>,
    /// The values of both, decoded; but for those so short that they could be anything.
    values: Vec<Secret>,
}

/// A request before something is placed on it.
pub(crate) struct Before {
    uri: Uri,
    cookies: String,
}

impl Before {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self { uri: parts.uri.clone(), cookies: cookies(parts) }
    }
}

/// The length from which on a value is looked for.
const LONG: usize = 8;

impl Secrets {
    /// What is new since `before`.
    pub(crate) fn placed(before: &Before, after: &Parts) -> Self {
        let mut secrets = Self::default();
        let pairs = new(before.uri.query().unwrap_or_default(), after.uri.query().unwrap_or_default(), '&');
        secrets.query = secrets.take(pairs);
        let pairs = new(&before.cookies, &cookies(after), ';');
        secrets.cookies = secrets.take(pairs);
        secrets
    }

    /// Keeps the values of pairs; their names.
    fn take(&mut self, pairs: Vec<(String, Secret)>) -> Vec<String> {
        let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        self.values.extend(values.into_iter().filter(|value| value.expose().len() >= LONG));
        names
    }

    fn is_empty(&self) -> bool {
        self.query.is_empty() && self.cookies.is_empty()
    }

    /// The names of the query parameters.
    pub(crate) fn query(&self) -> &[String] {
        &self.query
    }

    /// Takes them out of an answer's fields: parameters out of addresses, and whole values in which one is said in
    /// another way. A cookie by which the upstream renews a placed one is the credential, too.
    pub(crate) fn conceal(&self, headers: &mut HeaderMap) {
        if self.is_empty() {
            return;
        }
        let told = |name: &&HeaderName| {
            headers.get_all(*name).iter().any(|value| self.concealed(name, value).as_ref() != Some(value))
        };
        let names: Vec<HeaderName> = headers.keys().filter(told).cloned().collect();
        for name in names {
            let values = headers.get_all(&name).iter();
            let values: Vec<_> = values.filter_map(|value| self.concealed(&name, value)).collect();
            headers.remove(&name);
            for value in values {
                headers.append(name.clone(), value);
            }
        }
    }

    /// A field's value without them; none if there is no such.
    fn concealed(&self, name: &HeaderName, value: &HeaderValue) -> Option<HeaderValue> {
        let mut text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if *name == SET_COOKIE {
            let cookie = text.split('=').next().unwrap_or_default().trim();
            if self.cookies.iter().any(|placed| placed == cookie) {
                return None;
            }
        }
        let whole = text.len();
        self.query.iter().for_each(|name| cut(&mut text, name));
        if self.are_said(&text) {
            return None;
        }
        if text.len() == whole { Some(value.clone()) } else { HeaderValue::try_from(text).ok() }
    }

    /// Whether one of the values is in a text, encoded however often.
    fn are_said(&self, text: &str) -> bool {
        let mut text = text.to_owned();
        for _ in 0..4 {
            if self.values.iter().any(|value| text.contains(&**value.expose())) {
                return true;
            }
            let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
            if decoded == text {
                return false;
            }
            text = decoded;
        }
        false
    }
}

fn cookies(parts: &Parts) -> String {
    let values = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(";")
}

/// The pairs that only the second list has, their values decoded.
fn new(before: &str, after: &str, between: char) -> Vec<(String, Secret)> {
    if before == after {
        return Vec::new();
    }
    let new = after.split(between).map(str::trim).filter(|pair| !pair.is_empty());
    new.filter(|pair| !before.split(between).any(|other| other.trim() == *pair))
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), percent_decode_str(value).decode_utf8_lossy().into_owned().into())
        })
        .collect()
}

/// Takes a query parameter out of all addresses of a text.
fn cut(text: &mut String, name: &str) {
    let mut from = 0;
    while let Some(found) = text[from..].find(name) {
        let start = from + found;
        let end = start + name.len();
        let is_parameter = text[..start].ends_with(['?', '&']) && text[end..].starts_with('=');
        if !is_parameter {
            from = end;
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "&#<>\"',;".contains(c);
        let end = text[end..].find(ends).map_or(text.len(), |length| end + length);
        // Of the two characters that part it from its neighbours, one stays: the first.
        let range = if text[end..].starts_with('&') { start..end + 1 } else { start - 1..end };
        from = range.start;
        text.replace_range(range, "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, cookie: &str) -> Parts {
        let request = http::Request::get(uri).header("cookie", cookie);
        request.body(()).unwrap().into_parts().0
    }

    fn concealed(name: &'static str, value: &str) -> Option<String> {
        let before = parts("https://a.example/x?a=1", "theme=dark");
        let after = parts("https://a.example/x?a=1&key=s3cr%2Bt-value", "theme=dark; sid=c00kie-value");
        let secrets = Secrets::placed(&Before::of(&before), &after);
        assert_eq!(secrets.query(), ["key"]);
        let mut headers = HeaderMap::new();
        headers.append(name, value.parse().unwrap());
        secrets.conceal(&mut headers);
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_was_placed_is_taken_out_of_an_answers_fields() {
        for (name, value, expected) in [
            (
                "link",
                "<https://a.example/x?key=s3cr%2Bt-value&page=2>; rel=\"next\"",
                "<https://a.example/x?page=2>; rel=\"next\"",
            ),
            ("link", "</x?page=2&key=s3cr%2bt-value>, </x?key=s3cr+t-value>", "</x?page=2>, </x>"),
            ("refresh", "5; url=/x?a=1&key=other", "5; url=/x?a=1"),
            ("link", "</x?monkey=1&keys=2>", "</x?monkey=1&keys=2>"),
            ("set-cookie", "theme=light; Path=/", "theme=light; Path=/"),
            ("etag", "\"1\"", "\"1\""),
        ] {
            assert_eq!(concealed(name, value).as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_value_in_which_it_is_said_in_another_way_is_left_out() {
        for (name, value) in [
            ("location", "/login?return=%2Fx%3Fkey%3Ds3cr%252Bt-value"),
            ("x-echo", "s3cr+t-value"),
            ("set-cookie", "sid=renewed; HttpOnly"),
            ("set-cookie", "copy=c00kie-value"),
        ] {
            assert_eq!(concealed(name, value), None, "{value}");
        }
    }
}
