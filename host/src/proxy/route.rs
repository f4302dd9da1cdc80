use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, StatusCode};

use super::generation::Generation;
use super::problem::Problem;
use super::stats::Refusal;

/// Which connectors a listener leads to, and by which values of `Host`.
#[derive(Debug)]
pub(crate) struct Routes {
    /// In lower case and without `:80`.
    hosts: HashMap<Box<str>, Whose>,
    /// Of a listener that web pages cannot reach, so that any `Host` will do.
    others: Option<Whose>,
}

/// Whose a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The connector's that the path begins with: `/NAME/…`.
    Named,
    /// That connector's, whatever the path.
    Connector(usize),
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) connector: usize,
    /// What of the path-and-query names the connector and is not the upstream's: so many bytes.
    pub(crate) skip: usize,
}

impl Routes {
    /// Those of a listener: its own addresses mean `whose`.
    pub(crate) fn new(
        address: Option<SocketAddr>,
        whose: Whose,
        own: &[String],
        of_connectors: impl Iterator<Item = (String, usize)>,
    ) -> Self {
        let mut hosts: HashMap<Box<str>, Whose> = HashMap::new();
        for host in address.iter().flat_map(|address| own_hosts(*address)).chain(own.iter().cloned()) {
            hosts.insert(host.into(), whose);
        }
        for (host, connector) in of_connectors {
            // At a connector's own listener every request is that connector's.
            let whose = if whose == Whose::Named { Whose::Connector(connector) } else { whose };
            hosts.insert(host.into(), whose);
        }
        Self { hosts, others: address.is_none().then_some(whose) }
    }

    /// Whose a request is, by its `Host`; an absolute target has to say the same.
    ///
    /// # Errors
    /// The refusal.
    fn whose<B>(&self, request: &Request<B>) -> Result<Whose, Problem> {
        let host = request.headers().get(HOST).map(|host| host.as_bytes());
        if let Some(authority) = request.uri().authority() {
            let same = host.is_none_or(|host| host.eq_ignore_ascii_case(authority.as_str().as_bytes()));
            if !same {
                let detail = "the target names another host than the field `Host`";
                return Err(Problem::refused(Refusal::Host, StatusCode::BAD_REQUEST, detail));
            }
        }
        let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        self.of_host(host.or(authority).unwrap_or_default()).or(self.others).ok_or_else(|| {
            let detail = "`Host` is none that means this proxy; if it should, add it to `hosts` in `[serve]` or of a connector";
            Problem::refused(Refusal::Host, StatusCode::MISDIRECTED_REQUEST, detail)
        })
    }

    fn of_host(&self, host: &[u8]) -> Option<Whose> {
        let host = std::str::from_utf8(host).ok()?;
        if let Some(whose) = self.hosts.get(host) {
            return Some(*whose);
        }
        let lower = host.to_ascii_lowercase();
        self.hosts.get(lower.strip_suffix(":80").unwrap_or(&lower)).copied()
    }

    /// Where a request goes.
    ///
    /// # Errors
    /// The refusal: another's host, or no such connector.
    pub(crate) fn route<B>(&self, request: &Request<B>, generation: &Generation) -> Result<Route, Problem> {
        match self.whose(request)? {
            Whose::Connector(connector) => Ok(Route { connector, skip: 0 }),
            Whose::Named => {
                let name = name_of(request.uri().path());
                let connector = generation.of_name(name).ok_or_else(|| {
                    let detail = "the path begins with no connector's name; it looks like `/NAME/…`, NAME being one of the configuration's connectors";
                    Problem::refused(Refusal::Connector, StatusCode::NOT_FOUND, detail)
                })?;
                Ok(Route { connector, skip: 1 + name.len() })
            }
        }
    }
}

/// The first segment of a path.
fn name_of(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').next().unwrap_or_default()
}

/// The values of `Host` that clients have for an address of ours.
fn own_hosts(address: SocketAddr) -> Vec<String> {
    let port = match address.port() {
        80 => String::new(),
        port => format!(":{port}"),
    };
    let ip = address.ip().to_canonical();
    let mut hosts = Vec::new();
    if ip.is_loopback() || ip.is_unspecified() {
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}{port}")));
    }
    if !ip.is_unspecified() {
        hosts.push(match ip {
            IpAddr::V4(ip) => format!("{ip}{port}"),
            IpAddr::V6(ip) => format!("[{ip}]{port}"),
        });
    }
    hosts
}

/// The path and query that the upstream gets: what `skip` leaves, below the connector's prefix.
///
/// # Errors
/// The refusal of a path that some server could take to lead elsewhere.
pub(crate) fn below(prefix: &str, asked: &PathAndQuery, skip: usize) -> Result<PathAndQuery, Problem> {
    let rest = asked.as_str().get(skip..).unwrap_or_default();
    if rest.starts_with("//") || (rest.starts_with('/') && crate::connector::has_dot_segments(asked.path())) {
        let detail =
            "the path has an empty segment at its beginning, or a `.` or `..` segment in some reading";
        return Err(Problem::refused(Refusal::Path, StatusCode::BAD_REQUEST, detail));
    }
    if prefix.is_empty() && skip == 0 {
        return Ok(asked.clone());
    }
    let slash = if prefix.is_empty() && !rest.starts_with('/') { "/" } else { "" };
    let mut path = Vec::with_capacity(prefix.len() + slash.len() + rest.len());
    path.extend_from_slice(prefix.as_bytes());
    path.extend_from_slice(slash.as_bytes());
    path.extend_from_slice(rest.as_bytes());
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(path)).map_err(|_| {
        Problem::refused(Refusal::Path, StatusCode::BAD_REQUEST, "the path is not valid in a URL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below_text(prefix: &str, asked: &str, skip: usize) -> Option<String> {
        below(prefix, &asked.parse().unwrap(), skip).ok().map(|path| path.to_string())
    }

    #[test]
    fn what_follows_the_name_goes_below_the_prefix() {
        for (prefix, asked, expected) in [
            ("/api", "/orders/42?x=1", "/api/42?x=1"),
            ("/api", "/orders", "/api"),
            ("/api", "/orders?x", "/api?x"),
            ("/api", "/orders/", "/api/"),
            ("", "/orders/42", "/42"),
            ("", "/orders", "/"),
            ("", "/orders?x=/../", "/?x=/../"),
            ("/api", "/orders/a%2Fb/c..d/.e", "/api/a%2Fb/c..d/.e"),
        ] {
            assert_eq!(below_text(prefix, asked, 7).as_deref(), Some(expected), "{asked}");
        }
        assert_eq!(below_text("", "/42?x", 0).as_deref(), Some("/42?x"));
        assert_eq!(below_text("/api", "/42?x", 0).as_deref(), Some("/api/42?x"));
    }

    #[test]
    fn no_path_leads_out_of_the_prefix_in_any_reading() {
        for prefix in ["", "/api"] {
            for rest in [
                "/../admin",
                "/..",
                "/%2e%2e/admin",
                "/.%2E/x",
                "/..%2fadmin",
                "/%252e%252e/x",
                "/..;/x",
                "/x/./y",
                "/x%5c..%5cadmin",
                "//evil.example/x",
                "/x/%2e",
                "/..%00/x",
            ] {
                let asked = format!("/orders{rest}");
                assert_eq!(below_text(prefix, &asked, 7), None, "{prefix} {asked}");
            }
        }
    }

    #[test]
    fn hosts_are_ours_or_refused() {
        let address = "127.0.0.1:7070".parse().unwrap();
        let own = vec!["proxy.internal:7070".to_owned()];
        let routes =
            Routes::new(Some(address), Whose::Named, &own, [("orders.local".to_owned(), 3)].into_iter());
        let whose = |uri: &str, host: &str| {
            routes
                .whose(&Request::get(uri).header("host", host).body(()).unwrap())
                .map_err(|it| it.status().as_u16())
        };
        for host in
            ["127.0.0.1:7070", "localhost:7070", "LOCALHOST:7070", "[::1]:7070", "proxy.internal:7070"]
        {
            assert_eq!(whose("/", host), Ok(Whose::Named), "{host}");
        }
        for host in ["orders.local", "orders.local:80", "Orders.Local"] {
            assert_eq!(whose("/", host), Ok(Whose::Connector(3)), "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1", "localhost", "127.0.0.1:7071", "127.0.0.1:7070.evil.example", ""]
        {
            assert_eq!(whose("/", host), Err(421), "{host}");
        }
        assert_eq!(whose("http://localhost:7070/orders", "localhost:7070"), Ok(Whose::Named));
        assert_eq!(whose("http://evil.example/orders", "localhost:7070"), Err(400));
    }

    #[test]
    fn a_connectors_own_listener_leads_only_there() {
        let address = "0.0.0.0:80".parse().unwrap();
        let routes = Routes::new(
            Some(address),
            Whose::Connector(1),
            &[],
            [("orders.local".to_owned(), 3)].into_iter(),
        );
        assert_eq!(routes.of_host(b"orders.local"), Some(Whose::Connector(1)));
        assert_eq!(routes.of_host(b"127.0.0.1"), Some(Whose::Connector(1)));
        let unix = Routes::new(None, Whose::Named, &[], std::iter::empty());
        let request = Request::get("/orders/1").header("host", "whatever").body(()).unwrap();
        assert_eq!(unix.whose(&request).ok(), Some(Whose::Named));
    }
}
