use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};

/// What profiles put on a request, by name: it must not go elsewhere.
#[derive(Debug, Default)]
pub(super) struct Touched {
    headers: Vec<HeaderName>,
    /// Query pairs as they stood on the wire. They hold secrets; they are compared and dropped, never shown.
    query: Vec<String>,
}

impl Touched {
    /// The difference between a request before and after it was authorized.
    pub(super) fn between(before: &Parts, after: &Parts) -> Self {
        let changed = |name: &&HeaderName| {
            !before.headers.get_all(*name).iter().eq(after.headers.get_all(*name).iter())
        };
        let headers = after.headers.keys().filter(changed).cloned().collect();
        let had = before.uri.query().unwrap_or_default();
        let added = pairs(&after.uri).filter(|pair| !had.split('&').any(|other| other == *pair));
        Self { headers, query: added.map(str::to_owned).collect() }
    }

    /// Removes the headers that were touched, whatever they hold now.
    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        for name in &self.headers {
            headers.remove(name);
        }
    }

    /// Whether an address repeats a query value that was placed, as servers do that redirect with the whole query.
    pub(super) fn is_echoed_by(&self, to: &Uri) -> bool {
        let to = to.to_string();
        self.query.iter().any(|pair| {
            let value = pair.split_once('=').map_or(pair.as_str(), |(_, value)| value);
            let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            !value.is_empty() && (to.contains(value) || to.contains(decoded.as_ref()))
        })
    }
}

fn pairs(uri: &Uri) -> impl Iterator<Item = &str> {
    uri.query().into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> Parts {
        http::Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_was_placed_is_known_by_name() {
        let before = parts("https://a.example/?a=1");
        let mut after = parts("https://a.example/?a=1&key=s%2Fcret");
        after.headers.insert("x-key", "v".parse().unwrap());
        let touched = Touched::between(&before, &after);
        let mut headers = after.headers.clone();
        headers.insert("accept", "x".parse().unwrap());
        touched.strip(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
        for echo in ["https://b.example/?key=s%2Fcret", "https://b.example/s/cret"] {
            assert!(touched.is_echoed_by(&echo.parse().unwrap()), "{echo}");
        }
        assert!(!touched.is_echoed_by(&"https://b.example/?a=1".parse().unwrap()));
    }
}
