use std::collections::HashSet;

use countersign::{ClientCertificate, Error, HeaderView, Place, RequestHead};
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use percent_encoding::percent_decode_str;

use super::BodyBytes;
use super::learned::AsOf;
use crate::cache::{Placed, Snapshot};
use crate::transport::identity_of;

/// A request's head while credentials are put on it: a copy, so that a request is edited wholly or not at all.
pub(super) struct Staged {
    headers: HeaderMap,
    uri: Uri,
    client_certificate: Option<ClientCertificate>,
    /// Where something was placed, and by which profile's turn.
    taken: HashSet<(Place, String, usize)>,
}

impl Staged {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            client_certificate: None,
            taken: HashSet::new(),
        }
    }

    /// Places all that a credential brings; what the application itself put at those places gives way.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when an earlier profile of the connector placed the same.
    pub(super) fn place_all(&mut self, snapshot: &Snapshot, turn: usize) -> Result<(), Error> {
        for (name, value) in snapshot.headers() {
            self.place_header(name, value, turn)?;
        }
        for pair in snapshot.query() {
            self.place_in_query(pair.expose(), turn)?;
        }
        for pair in snapshot.cookies() {
            self.place_cookie(pair.expose(), turn)?;
        }
        snapshot.client_certificate().map_or(Ok(()), |certificate| self.present(certificate))
    }

    /// Places one edit of a signature.
    ///
    /// # Errors
    /// As [`place_all`](Staged::place_all).
    pub(super) fn place(&mut self, placed: &Placed, turn: usize) -> Result<(), Error> {
        match placed {
            Placed::Header(name, value) => self.place_header(name, value, turn),
            Placed::Query(pair) => self.place_in_query(pair.expose(), turn),
            Placed::Cookie(pair) => self.place_cookie(pair.expose(), turn),
        }
    }

    fn place_header(&mut self, name: &HeaderName, value: &HeaderValue, turn: usize) -> Result<(), Error> {
        self.take(Place::Header, name.as_str(), turn)?;
        self.headers.try_insert(name.clone(), value.clone()).map_err(|_| unfit("headers"))?;
        Ok(())
    }

    /// Has connections present a certificate.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when an earlier profile brought another one.
    fn present(&mut self, certificate: &ClientCertificate) -> Result<(), Error> {
        if self
            .client_certificate
            .as_ref()
            .is_some_and(|other| identity_of(other) != identity_of(certificate))
        {
            return Err(Error::config(
                "brings a client certificate, and an earlier profile of this connector brings another one; a connection \
                 presents one",
            ));
        }
        self.client_certificate = Some(certificate.clone());
        Ok(())
    }

    /// Whether the connection has to present a certificate.
    pub(super) const fn presents(&self) -> bool {
        self.client_certificate.is_some()
    }

    /// The head as a signing profile sees it, with everything that earlier profiles placed.
    pub(super) fn with_head<T>(
        &self,
        parts: &Parts,
        authority: &str,
        body: Option<&BodyBytes>,
        learned: &AsOf,
        look: impl FnOnce(&RequestHead<'_>) -> T,
    ) -> T {
        let views: Vec<HeaderView<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| HeaderView::new(name.as_str(), value.as_bytes()))
            .collect();
        let learned = learned.views();
        let path = if self.uri.path().is_empty() { "/" } else { self.uri.path() };
        let head = RequestHead::new(
            parts.method.as_str(),
            self.uri.scheme_str().unwrap_or("https"),
            authority,
            path,
        )
        .with_query(self.uri.query())
        .with_headers(&views)
        .with_learned(&learned)
        .with_body(body.map(|body| body.0.as_ref()));
        look(&head)
    }

    /// Puts the result on the request, all at once.
    pub(super) fn finish(self, parts: &mut Parts) {
        parts.headers = self.headers;
        parts.uri = self.uri;
        match self.client_certificate {
            Some(certificate) => parts.extensions.insert(certificate),
            None => parts.extensions.remove(),
        };
    }

    /// Where something was placed, under which name, and by which profile's turn.
    pub(super) fn placed(&self) -> impl Iterator<Item = (Place, &str, usize)> {
        self.taken.iter().map(|(place, name, turn)| (*place, name.as_str(), *turn))
    }

    fn take(&mut self, place: Place, name: &str, turn: usize) -> Result<(), Error> {
        if self.taken.iter().any(|(at, taken, by)| *at == place && taken == name && *by != turn) {
            return Err(Error::config(format!(
                "places the {place} {name}, which an earlier profile of this connector places, too"
            )));
        }
        self.taken.insert((place, name.to_owned(), turn));
        Ok(())
    }

    fn place_in_query(&mut self, pair: &str, turn: usize) -> Result<(), Error> {
        let name = name_of(pair);
        self.take(Place::Query, name, turn)?;
        let others = self.uri.query().into_iter().flat_map(|query| query.split('&'));
        let mut query: Vec<&str> =
            others.filter(|other| !other.is_empty() && !same_parameter(other, name)).collect();
        query.push(pair);
        let path_and_query = format!("{}?{}", self.uri.path(), query.join("&"));
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path_and_query).map_err(|_| unfit("query"))?);
        self.uri = Uri::from_parts(parts).map_err(|_| unfit("query"))?;
        Ok(())
    }

    fn place_cookie(&mut self, pair: &str, turn: usize) -> Result<(), Error> {
        let name = name_of(pair);
        self.take(Place::Cookie, name, turn)?;
        let mut cookies: Vec<String> = Vec::new();
        for field in self.headers.get_all(COOKIE) {
            let field = field.to_str().map_err(|_| unfit("cookies"))?;
            let others =
                field.split(';').map(str::trim).filter(|other| !other.is_empty() && name_of(other) != name);
            cookies.extend(others.map(str::to_owned));
        }
        cookies.push(pair.to_owned());
        let mut value = HeaderValue::from_str(&cookies.join("; ")).map_err(|_| unfit("cookies"))?;
        value.set_sensitive(true);
        self.headers.insert(COOKIE, value);
        Ok(())
    }
}

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or_default().trim()
}

/// Whether a pair of a query has that name, however both are encoded.
fn same_parameter(pair: &str, name: &str) -> bool {
    let written = name_of(pair);
    written == name
        || (written.contains(['%', '+']) || name.contains('%')) && {
            let written = written.replace('+', " ");
            percent_decode_str(&written).eq(percent_decode_str(name))
        }
}

fn unfit(what: &str) -> Error {
    Error::config(format!("the request's {what} cannot take the credential"))
}

#[cfg(test)]
mod tests {
    use super::super::learned::Learned;
    use super::*;

    fn staged(parts: &Parts, placed: &[Placed]) -> Parts {
        let mut staged = Staged::of(parts);
        for placed in placed {
            staged.place(placed, 0).unwrap();
        }
        let mut result = parts.clone();
        staged.finish(&mut result);
        result
    }

    fn request() -> Parts {
        let request =
            http::Request::get("https://a.example/x?a=1&key=old&b=2").header("cookie", "a=1; sid=old");
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn placed_values_replace_those_of_the_application() {
        let placed = [
            Placed::new(Place::Query, "key", "new").unwrap(),
            Placed::new(Place::Cookie, "sid", "new").unwrap(),
            Placed::new(Place::Header, "x-key", "new").unwrap(),
        ];
        let parts = staged(&request(), &placed);
        assert_eq!(parts.uri, "https://a.example/x?a=1&b=2&key=new");
        assert_eq!(parts.headers["cookie"], "a=1; sid=new");
        assert_eq!(parts.headers["x-key"], "new");
        assert!(parts.headers["cookie"].is_sensitive() && parts.headers["x-key"].is_sensitive());
    }

    #[test]
    fn values_of_the_application_are_replaced_in_every_spelling() {
        let mut request = request();
        request.uri = "https://a.example/x?a=1&%6b%65y=mine&key=old&a+b=2&keys=3".parse().unwrap();
        request.headers.insert("cookie", HeaderValue::from_static("a=1; sid =mine"));
        let placed = [
            Placed::new(Place::Query, "key", "new").unwrap(),
            Placed::new(Place::Query, "a b", "new").unwrap(),
            Placed::new(Place::Cookie, "sid", "new").unwrap(),
        ];
        let parts = staged(&request, &placed);
        assert_eq!(parts.uri, "https://a.example/x?a=1&keys=3&key=new&a%20b=new");
        assert_eq!(parts.headers["cookie"], "a=1; sid=new");
    }

    #[test]
    fn two_profiles_that_place_the_same_conflict() {
        let key = Placed::new(Place::Header, "x-key", "v").unwrap();
        let mut staged = Staged::of(&request());
        staged.place(&key, 0).unwrap();
        staged.place(&key, 0).unwrap();
        assert!(staged.place(&key, 1).is_err());
    }

    #[test]
    fn a_head_shows_what_was_placed_before() {
        let mut staged = Staged::of(&request());
        staged.place(&Placed::new(Place::Header, "x-key", "v").unwrap(), 0).unwrap();
        staged.with_head(&request(), "a.example", None, &Learned::default().now(), |head| {
            assert_eq!(head.header("x-key").next(), Some(b"v".as_slice()));
            assert_eq!((head.path(), head.query()), ("/x", Some("a=1&key=old&b=2")));
        });
    }
}
