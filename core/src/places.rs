use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Place;

/// What one instance of a profile puts on requests, and what of a request its signature covers, as its settings have it.
///
/// The host compares it with that of the other profiles of a connector when the configuration is read: two that place the
/// same, or one that places what an earlier one has signed, are found before the first call.
///
/// # Example
/// ```
/// use countersign::{Place, Places};
///
/// let places = Places::none().header("Authorization").covers_headers(["x-amz-*"]).covers_query();
/// assert!(places.contains(Place::Header, "authorization"));
/// assert!(places.covers(Place::Header, "X-Amz-Meta") && places.covers(Place::Query, "any"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Places {
    /// The names of the headers that it places.
    #[serde(default)]
    headers: BTreeSet<String>,
    /// The names of the query parameters.
    #[serde(default)]
    query: BTreeSet<String>,
    /// The names of the cookies.
    #[serde(default)]
    cookies: BTreeSet<String>,
    /// Whether it presents a client certificate.
    #[serde(default)]
    client_certificate: bool,
    /// What its signature covers; absent for one that signs nothing of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    covers: Option<Covered>,
}

/// What of a request a signature covers, so that nobody may change it afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Covered {
    /// Headers by name; `x-amz-*` for all whose names begin so, `*` for all.
    #[serde(default)]
    headers: BTreeSet<String>,
    /// Whether it covers the whole query.
    #[serde(default)]
    query: bool,
}

impl Places {
    /// Nothing.
    pub const fn none() -> Self {
        Self {
            headers: BTreeSet::new(),
            query: BTreeSet::new(),
            cookies: BTreeSet::new(),
            client_certificate: false,
            covers: None,
        }
    }

    /// One more header.
    #[must_use]
    pub fn header(self, name: &str) -> Self {
        self.and(Place::Header, name)
    }

    /// One more value, at a place that settings decide.
    #[must_use]
    pub fn and(mut self, place: Place, name: &str) -> Self {
        match place {
            Place::Header => self.headers.insert(name.to_ascii_lowercase()),
            Place::Query => self.query.insert(name.to_owned()),
            Place::Cookie => self.cookies.insert(name.to_owned()),
        };
        self
    }

    /// Presents a client certificate.
    #[must_use]
    pub const fn client_certificate(mut self) -> Self {
        self.client_certificate = true;
        self
    }

    /// Signs these headers, where a request has them: by name, `x-amz-*` for all whose names begin so, `*` for all.
    #[must_use]
    pub fn covers_headers<N: AsRef<str>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase());
        self.covers.get_or_insert_default().headers.extend(names);
        self
    }

    /// Signs the query.
    #[must_use]
    pub fn covers_query(mut self) -> Self {
        self.covers.get_or_insert_default().query = true;
        self
    }

    /// Where it places values, and under which names; those of headers in lower case.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &str)> {
        let headers = self.headers.iter().map(|name| (Place::Header, name.as_str()));
        let query = self.query.iter().map(|name| (Place::Query, name.as_str()));
        let cookies = self.cookies.iter().map(|name| (Place::Cookie, name.as_str()));
        headers.chain(query).chain(cookies)
    }

    /// Whether it places a value there under that name.
    pub fn contains(&self, place: Place, name: &str) -> bool {
        self.iter().any(|(at, known)| at == place && same(place, known, name))
    }

    /// Whether it presents a client certificate.
    pub const fn presents_certificate(&self) -> bool {
        self.client_certificate
    }

    /// Whether it signs anything of a request.
    pub const fn signs(&self) -> bool {
        self.covers.is_some()
    }

    /// Whether its signature covers what stands there under that name, whoever placed it.
    pub fn covers(&self, place: Place, name: &str) -> bool {
        let Some(covered) = &self.covers else { return false };
        let header = |name: &str| {
            covered.headers.iter().any(|known| match known.strip_suffix('*') {
                Some(beginning) => {
                    name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
                }
                None => known.eq_ignore_ascii_case(name),
            })
        };
        match place {
            Place::Header => header(name),
            Place::Query => covered.query,
            Place::Cookie => header("cookie"),
        }
    }
}

/// Names of headers are the same in any case (RFC 9110 §5.1), the others are not.
fn same(place: Place, one: &str, other: &str) -> bool {
    if place == Place::Header { one.eq_ignore_ascii_case(other) } else { one == other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_headers_are_the_same_in_any_case_and_others_are_not() {
        let places = Places::none().header("X-Key").and(Place::Query, "Key").and(Place::Cookie, "Sid");
        assert!(places.contains(Place::Header, "x-KEY"));
        assert!(places.contains(Place::Query, "Key") && !places.contains(Place::Query, "key"));
        assert!(places.contains(Place::Cookie, "Sid") && !places.contains(Place::Header, "Sid"));
    }

    #[test]
    fn a_signature_covers_what_it_names() {
        let none = Places::none().header("authorization");
        assert!(!none.signs() && !none.covers(Place::Header, "authorization"));
        let some = Places::none().covers_headers(["Host", "x-amz-*"]);
        for (place, name, covered) in [
            (Place::Header, "host", true),
            (Place::Header, "X-Amz-Date", true),
            (Place::Header, "x-amz", false),
            (Place::Header, "x-key", false),
            (Place::Query, "key", false),
            (Place::Cookie, "sid", false),
        ] {
            assert_eq!(some.covers(place, name), covered, "{place} {name}");
        }
        let all = Places::none().covers_headers(["*"]).covers_query();
        assert!(all.covers(Place::Cookie, "sid") && all.covers(Place::Query, "a"));
    }

    #[test]
    fn what_an_older_side_does_not_say_is_nothing() {
        assert_eq!(serde_json::from_str::<Places>("{}").unwrap(), Places::none());
        let places = Places::none().header("a").client_certificate().covers_query();
        let json = serde_json::to_string(&places).unwrap();
        assert_eq!(serde_json::from_str::<Places>(&json).unwrap(), places);
    }
}
