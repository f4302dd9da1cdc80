//! Whose answer an error is about: the endpoint of the exchange that it came of, as it may be told.

use countersign::{Error, ErrorKind, Origin};
use serde_json::Value;

use crate::config::Settings;
use crate::explain::{quiet_path, secrets_of};

/// The URLs that stand in the settings of a profile for everybody to read, without query and fragment. Of those, errors name the
/// path, but for what in it looks like a key; of others only the origin, for their path may hold what came from a source, from the caller or from an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Endpoints(Box<[Box<str>]>);

impl Endpoints {
    /// Those of settings as they are written. None that stands where a secret belongs.
    pub(crate) fn written_in(settings: &Settings) -> Self {
        let written = settings.written();
        let secrets = secrets_of(&written, settings.schema());
        let mut urls = Vec::new();
        collect(&written, &mut urls);
        urls.retain(|url| secrets.iter().all(|secret| secret.expose() != url));
        Self(urls.into_iter().map(|url| bare(url).into()).collect())
    }

    /// Names the endpoint in an error that came of an exchange with that URL, unless it says it already. Errors that are not about
    /// what the other side did stay as they are.
    pub(crate) fn name(&self, url: &str, error: Error) -> Error {
        let about_exchange = !matches!(error.kind(), ErrorKind::Config | ErrorKind::Internal);
        let Ok(origin) = url.parse::<Origin>() else { return error };
        if !about_exchange || error.field().is_some() {
            return error;
        }
        let origin = origin.to_string();
        let endpoint = format!("{origin}{}", self.path(url));
        let message = match mention(error.message(), &origin) {
            Some((_, after)) if after.starts_with('/') => return error,
            // What the host said of the exchange begins with the origin, too.
            Some((before, after)) => {
                let after = after.replacen(&format!(": {origin} "), ": ", 1);
                format!("{before}{endpoint}{after}")
            }
            None => format!("{endpoint}: {}", error.message()),
        };
        let named = Error::new(error.kind(), message);
        match error.retry_after() {
            Some(wait) => named.with_retry_after(wait),
            None => named,
        }
    }

    /// The path of a URL, if it may be told and says anything.
    fn path(&self, url: &str) -> String {
        let url = bare(url);
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        match rest.find('/') {
            Some(slash) if self.0.iter().any(|told| &**told == url) => {
                quiet_path(rest[slash..].trim_end_matches('/'))
            }
            _ => String::new(),
        }
    }
}

/// A URL without query and fragment.
fn bare(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What stands before and after the first mention of an origin, and not of one that begins alike.
fn mention<'m>(message: &'m str, origin: &str) -> Option<(&'m str, &'m str)> {
    message.match_indices(origin).map(|(at, found)| (&message[..at], &message[at + found.len()..])).find(
        |(_, after)| {
            // A colon before a space ends a clause, and a dot before one a sentence.
            let mut next = after.chars();
            match next.next() {
                Some('.' | ':') => !next.next().is_some_and(char::is_alphanumeric),
                Some(character) => !(character.is_alphanumeric() || character == '-'),
                None => true,
            }
        },
    )
}

fn collect<'v>(value: &'v Value, urls: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if text.starts_with("https://") || text.starts_with("http://") => urls.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, urls)),
        Value::Object(entries) => entries.values().for_each(|value| collect(value, urls)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn named(url: &str, message: &str) -> String {
        let urls = [
            "https://a.example/login",
            "http://127.0.0.1:81/x/",
            "https://a.example/hooks/T01AB2CD3EF4GH5IJ6/login",
        ];
        let told = Endpoints(urls.map(Into::into).into());
        told.name(url, Error::denied(message)).message().to_owned()
    }

    #[test]
    fn an_error_names_the_endpoint_with_its_path_where_the_operator_wrote_it() {
        let said = "answered with status 401";
        assert_eq!(
            named("https://a.example/login?k=canary", said),
            "https://a.example/login: answered with status 401"
        );
        assert_eq!(named("https://A.example:443/login", said), "https://a.example: answered with status 401");
        assert_eq!(
            named("https://a.example/login/canary", said),
            "https://a.example: answered with status 401"
        );
        let key = "https://a.example/hooks/T01AB2CD3EF4GH5IJ6/login";
        assert_eq!(named(key, said), "https://a.example/hooks/…/login: answered with status 401");
        assert_eq!(
            named("http://127.0.0.1:81/x/#y", said),
            "http://127.0.0.1:81/x: answered with status 401"
        );
    }

    #[test]
    fn what_is_named_already_gets_its_path_and_is_named_once() {
        let url = "https://a.example/login";
        for (message, expected) in [
            ("token endpoint at https://a.example: no", "token endpoint at https://a.example/login: no"),
            ("cannot reach https://a.example.", "cannot reach https://a.example/login."),
            ("cannot reach https://a.example", "cannot reach https://a.example/login"),
            ("https://a.example/login: no", "https://a.example/login: no"),
            (
                "token endpoint at https://a.example: https://a.example cannot be reached: refused",
                "token endpoint at https://a.example/login: cannot be reached: refused",
            ),
            ("not https://a.example.org: no", "https://a.example/login: not https://a.example.org: no"),
            ("not https://a.example:8443: no", "https://a.example/login: not https://a.example:8443: no"),
        ] {
            assert_eq!(named(url, message), expected);
        }
        assert_eq!(
            named("https://b.example/x", "https://b.example gave nothing"),
            "https://b.example gave nothing"
        );
    }

    #[test]
    fn errors_about_something_else_stay_as_they_are_and_waits_are_kept() {
        let told = Endpoints::default();
        for error in [Error::config("no").at("user"), Error::config("no"), Error::internal("panicked")] {
            assert_eq!(told.name("https://a.example/login", error.clone()), error);
        }
        let error = Error::rate_limited("no").with_retry_after(Duration::from_secs(7));
        let named = told.name("https://a.example/login", error);
        assert_eq!(named.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!((named.kind(), named.message()), (ErrorKind::RateLimited, "https://a.example: no"));
    }
}
