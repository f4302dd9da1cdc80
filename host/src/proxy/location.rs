use http::Uri;
use http::header::{CONTENT_LOCATION, HeaderMap, HeaderName, HeaderValue, LOCATION};

use crate::connector::BaseUrl;

/// Maps the addresses of an answer back: what is below the connector's base URL becomes a path of ours, so that clients that
/// follow come back through us, with a credential; what is elsewhere on the upstream becomes absolute.
///
/// `ours` is what of our path named the connector (`/orders`), `asked` the upstream's URI of the call. Query parameters that a
/// profile placed (`secrets`) are taken off, for the upstream may repeat them.
pub(crate) fn map_back(headers: &mut HeaderMap, base: &BaseUrl, ours: &str, asked: &Uri, secrets: &[String]) {
    for name in [LOCATION, CONTENT_LOCATION] {
        map_field(headers, name, base, ours, asked, secrets);
    }
}

fn map_field(
    headers: &mut HeaderMap,
    name: HeaderName,
    base: &BaseUrl,
    ours: &str,
    asked: &Uri,
    secrets: &[String],
) {
    let Some(value) = headers.get(&name) else { return };
    let mapped = value.to_str().ok().and_then(|location| mapped(location, base, ours, asked, secrets));
    match mapped {
        Some(Mapped::Same) => {}
        Some(Mapped::To(location)) => {
            if let Ok(value) = HeaderValue::try_from(location) {
                headers.insert(name, value);
            } else {
                headers.remove(name);
            }
        }
        // What cannot be read cannot be known to hold no credential.
        None if secrets.is_empty() => {}
        None => {
            headers.remove(name);
        }
    }
}

enum Mapped {
    Same,
    To(String),
}

fn mapped(location: &str, base: &BaseUrl, ours: &str, asked: &Uri, secrets: &[String]) -> Option<Mapped> {
    let (location, fragment) = match location.split_once('#') {
        Some((location, fragment)) => (location, Some(fragment)),
        None => (location, None),
    };
    let is_absolute = location.split(['/', '?']).next().is_some_and(|start| start.contains(':'));
    let absolute: Uri = if is_absolute {
        location.parse().ok()?
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{}://{rest}", asked.scheme_str()?).parse().ok()?
    } else if location.starts_with('/') {
        format!("{}{location}", base.origin()).parse().ok()?
    } else if secrets.is_empty() && !has_dots(location) {
        // Relative to where it is: the same on both sides.
        return Some(Mapped::Same);
    } else {
        format!("{}{}", base.origin(), resolved(asked.path(), location)).parse().ok()?
    };
    let query = without(absolute.query(), secrets);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    let covered = base.covers(&absolute).then(|| &absolute.path()[base.prefix().len()..]);
    let text = match covered {
        // What begins with two slashes would be taken for another host's, and we take no such path.
        Some(rest) if !rest.starts_with("//") && !rest.starts_with("/\\") => {
            let slash = if ours.is_empty() && rest.is_empty() { "/" } else { "" };
            format!("{ours}{slash}{rest}{query}{fragment}")
        }
        _ => {
            let authority = absolute.authority()?;
            format!("{}://{authority}{}{query}{fragment}", absolute.scheme_str()?, absolute.path())
        }
    };
    Some(Mapped::To(text))
}

/// Whether a relative address has `.` or `..` segments in some reading: those count from the upstream's root, which is not ours. Taken as
/// it is, it could lead from one connector to another.
fn has_dots(location: &str) -> bool {
    crate::connector::has_dot_segments(location.split('?').next().unwrap_or_default())
}

/// A relative address as a path from the root (RFC 3986 §5.2).
fn resolved(asked: &str, location: &str) -> String {
    let (path, query) = match location.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (location, String::new()),
    };
    if path.is_empty() {
        return format!("{asked}{query}");
    }
    let folder = asked.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut segments: Vec<&str> = folder.split('/').skip(1).collect();
    let last = path.split('/').next_back().unwrap_or_default();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    if matches!(last, "." | "..") {
        segments.push("");
    }
    format!("/{}{query}", segments.join("/"))
}

/// A query without the pairs of those names.
fn without(query: Option<&str>, secrets: &[String]) -> Option<String> {
    let query = query?;
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let rest: Vec<&str> = query.split('&').filter(|pair| !secrets.contains(&name(pair))).collect();
    (!rest.is_empty() || secrets.is_empty()).then(|| rest.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(location: &str, base: &str, ours: &str, secrets: &[&str]) -> Option<String> {
        let base = BaseUrl::parse(base).unwrap();
        let asked = base.join("/a/b?key=s3cret").unwrap();
        let mut headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        let secrets: Vec<String> = secrets.iter().map(|&name| name.to_owned()).collect();
        map_back(&mut headers, &base, ours, &asked, &secrets);
        headers.get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn addresses_below_the_base_url_come_back_through_us() {
        let base = "https://orders.example/api";
        for (location, expected) in [
            ("https://orders.example/api/42?x=1#top", "/orders/42?x=1#top"),
            ("https://ORDERS.example:443/api", "/orders"),
            ("/api/42", "/orders/42"),
            ("//orders.example/api/42", "/orders/42"),
            ("42", "42"),
            ("?page=2", "?page=2"),
            ("../42", "/orders/42"),
            ("./42?x", "/orders/a/42?x"),
            ("..", "/orders/"),
            ("../../crm/42", "https://orders.example/crm/42"),
            ("../../../../crm", "https://orders.example/crm"),
            ("%2e%2e/%2E./crm", "https://orders.example/api/a/%2e%2e/%2E./crm"),
            ("/login", "https://orders.example/login"),
            ("/apis/x", "https://orders.example/apis/x"),
            ("https://orders.example/api/../admin", "https://orders.example/api/../admin"),
            ("https://elsewhere.example/api/42", "https://elsewhere.example/api/42"),
            ("http://orders.example/api/42", "http://orders.example/api/42"),
        ] {
            assert_eq!(map(location, base, "/orders", &[]).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(map("https://orders.example/", "https://orders.example", "", &[]).as_deref(), Some("/"));
        assert_eq!(map("https://orders.example/x", "https://orders.example", "", &[]).as_deref(), Some("/x"));
        let slashes = "https://orders.example//evil.example/x";
        assert_eq!(map(slashes, "https://orders.example", "", &[]).as_deref(), Some(slashes));
        let slashes = "https://orders.example/\\evil.example/x";
        assert_eq!(map(slashes, "https://orders.example", "", &[]).as_deref(), Some(slashes));
    }

    #[test]
    fn a_placed_query_parameter_is_not_repeated_to_the_client() {
        let base = "https://orders.example/api";
        for (location, expected) in [
            ("/api/a/?x=1&key=s3cret", "/orders/a/?x=1"),
            ("/api/a/?key=s3cret", "/orders/a/"),
            ("c?key=s3cret", "/orders/a/c"),
            ("?page=2&key=s3cret", "/orders/a/b?page=2"),
            ("?key=s3cret&page=2", "/orders/a/b?page=2"),
            ("#top", "/orders/a/b#top"),
            ("https://elsewhere.example/?key=s3cret&y", "https://elsewhere.example/?y"),
        ] {
            assert_eq!(map(location, base, "/orders", &["key"]).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(map("http://a b/?key=s3cret", base, "/orders", &["key"]), None);
    }
}
