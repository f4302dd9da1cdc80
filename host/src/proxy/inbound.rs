use countersign::Caller;
use http::StatusCode;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::problem::Problem;
use super::stats::Refusal;
use crate::config::CallerSource;

/// The attributes of the caller that a request's headers, or the configuration, give.
///
/// # Errors
/// The refusal of a request that lacks a required one, or has several values of one.
pub(crate) fn caller(sources: &[(String, CallerSource)], headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut caller = Caller::new();
    for (attribute, source) in sources {
        let (name, required) = match source {
            CallerSource::Value(value) => {
                caller.set(attribute.as_str(), value.as_str());
                continue;
            }
            CallerSource::Header { name, required } => (name, *required),
        };
        let refuse = |what: &str| {
            let detail =
                format!("the header `{name}`, from which the caller's `{attribute}` is taken, {what}");
            Err(Problem::refused(Refusal::Caller, StatusCode::BAD_REQUEST, detail))
        };
        let mut values = headers.get_all(name).iter();
        match (values.next().map(HeaderValue::as_bytes), values.next()) {
            (None | Some(b""), None) if required => return refuse("is missing"),
            (None | Some(b""), None) => {}
            (Some(value), None) => match std::str::from_utf8(value) {
                Ok(value) => caller.set(attribute.as_str(), value),
                Err(_) => return refuse("is not UTF-8"),
            },
            (_, Some(_)) => return refuse("comes several times"),
        }
    }
    Ok(caller)
}

/// What of a client's head goes no further: what belongs to its connection (RFC 9110 §7.6.1), its own credentials, what
/// it says of where it comes from, and the headers that say who the caller is.
#[derive(Debug)]
pub(crate) struct Strip {
    /// Of those that go no further otherwise: these may.
    pass: Vec<HeaderName>,
    caller: Vec<HeaderName>,
}

impl Strip {
    pub(crate) fn new(pass: &[HeaderName], sources: &[(String, CallerSource)]) -> Self {
        let caller = sources.iter().filter_map(|(_, source)| match source {
            CallerSource::Header { name, .. } => Some(name.clone()),
            CallerSource::Value(_) => None,
        });
        Self { pass: pass.to_vec(), caller: caller.filter(|name| !pass.contains(name)).collect() }
    }

    /// Takes it off, before any credential is placed. `token`: whether the client's `Authorization` is our own token, which
    /// goes no further whatever the configuration says.
    pub(crate) fn request(&self, headers: &mut HeaderMap, token: bool) {
        named_by_connection(headers);
        let goes = |name: &HeaderName| match fate(name.as_str()) {
            Fate::Stays => false,
            Fate::Connection => true,
            Fate::Client => !self.pass.contains(name) || (token && *name == http::header::AUTHORIZATION),
        };
        remove(headers, |name| goes(name) || self.caller.contains(name));
    }
}

/// Takes off an answer what belongs to the upstream's connection.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    named_by_connection(headers);
    // `Alt-Svc` would lead clients past us.
    remove(headers, |name| fate(name.as_str()) == Fate::Connection || name.as_str() == "alt-svc");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// Belongs to the connection.
    Connection,
    /// The client's own credential, or a word on where it comes from.
    Client,
}

fn fate(name: &str) -> Fate {
    match name {
        "connection"
        | "expect"
        | "http2-settings"
        | "keep-alive"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "transfer-encoding"
        | "upgrade" => Fate::Connection,
        "authorization" | "cookie" => Fate::Client,
        // What it says of where it comes from.
        "client-ip"
        | "cf-connecting-ip"
        | "forwarded"
        | "true-client-ip"
        | "via"
        | "x-client-ip"
        | "x-cluster-client-ip"
        | "x-real-ip" => Fate::Client,
        // Some servers take these for the path, which would lead out of the connector's prefix.
        "x-original-uri" | "x-original-url" | "x-rewrite-url" => Fate::Client,
        _ if name.starts_with("x-forwarded-") => Fate::Client,
        // Many servers know no difference between `x_api_key` and `x-api-key`: the one would stand for the other, be it
        // one of the above or where a credential is placed.
        _ if name.contains('_') => Fate::Client,
        _ => Fate::Stays,
    }
}

/// Removes the fields of some names; most requests have none or two.
fn remove(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| goes(name)).cloned() {
        headers.remove(name);
    }
}

/// Removes what `Connection` names (RFC 9110 §7.6.1).
fn named_by_connection(headers: &mut HeaderMap) {
    let mut values = headers.get_all(CONNECTION).iter();
    match (values.next(), values.next()) {
        (None, _) => return,
        // What nearly everybody says names nothing that stays otherwise.
        (Some(value), None) if is_of_course(value.as_bytes()) => return,
        _ => {}
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn is_of_course(connection: &[u8]) -> bool {
    connection.eq_ignore_ascii_case(b"keep-alive") || connection.eq_ignore_ascii_case(b"close")
}

/// The protocol that a request wants to go on with, if it asks for one (RFC 9110 §7.8).
///
/// Never HTTP itself, in another version or over TLS: in such a tunnel requests would pass that nobody judged, and to
/// other paths with it.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(http::header::UPGRADE)?;
    let http = |name: &str| {
        let name = name.split('/').next().unwrap_or_default().trim();
        ["h2", "h2c", "h3", "http", "tls"].iter().any(|http| name.eq_ignore_ascii_case(http))
    };
    if protocol.to_str().ok()?.split(',').any(http) {
        return None;
    }
    let asked = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asked =
        asked.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    (asked && !headers.contains_key(TRANSFER_ENCODING)).then(|| protocol.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn from_header(name: &str, required: bool) -> CallerSource {
        CallerSource::Header { name: name.parse().unwrap(), required }
    }

    #[test]
    fn what_belongs_to_the_client_goes_no_further() {
        let strip = Strip::new(&[], &[("user".to_owned(), from_header("x-user", true))]);
        let mut fields = headers(&[
            ("accept", "*/*"),
            ("authorization", "Basic Zm9v"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Bearer x"),
            ("proxy-connection", "close"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-anything", "1"),
            ("x-real-ip", "1.2.3.4"),
            ("via", "1.1 other"),
            ("client-ip", "1.2.3.4"),
            ("true-client-ip", "1.2.3.4"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x_user", "bob"),
            ("x_forwarded_for", "1.2.3.4"),
            ("x-api_key", "mine"),
            ("expect", "100-continue"),
            ("x-user", "ada"),
            ("x-other", "1"),
        ]);
        strip.request(&mut fields, false);
        assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept", "x-other"]);
    }

    #[test]
    fn what_the_operator_lets_pass_does_but_never_our_token() {
        let pass = ["authorization", "cookie", "x-user"].map(|name| name.parse().unwrap());
        let strip = Strip::new(&pass, &[("user".to_owned(), from_header("x-user", true))]);
        let all =
            headers(&[("authorization", "Basic x"), ("cookie", "a=1"), ("x-user", "ada"), ("via", "1.1 a")]);
        let mut fields = all.clone();
        strip.request(&mut fields, false);
        assert_eq!(fields.len(), 3);
        let mut fields = all;
        strip.request(&mut fields, true);
        assert!(!fields.contains_key("authorization") && fields.contains_key("cookie"));
    }

    #[test]
    fn what_connection_names_is_gone_before_a_credential_is_placed() {
        let mut fields = headers(&[
            ("connection", "x-api-key"),
            ("connection", "close,x-b"),
            ("x-api-key", "1"),
            ("x-b", "2"),
            ("x-c", "3"),
        ]);
        fields.append("connection", HeaderValue::from_bytes(b"\xff, x-c").unwrap());
        Strip::new(&[], &[]).request(&mut fields, false);
        assert!(fields.is_empty());
    }

    #[test]
    fn a_required_attribute_is_there_once_or_the_request_is_refused() {
        let sources = [
            ("user".to_owned(), from_header("x-user", true)),
            ("tenant".to_owned(), from_header("x-tenant", false)),
            ("channel".to_owned(), CallerSource::Value("erp".to_owned())),
        ];
        let found = caller(&sources, &headers(&[("x-user", "ada")])).unwrap();
        assert_eq!(
            (found.get("user"), found.get("tenant"), found.get("channel")),
            (Some("ada"), None, Some("erp"))
        );
        for wrong in [
            &[("x-user", "")][..],
            &[],
            &[("x-user", "ada"), ("x-user", "bob")],
            &[("x-user", "ada"), ("x-tenant", "a"), ("x-tenant", "b")],
        ] {
            let problem = caller(&sources, &headers(wrong)).unwrap_err();
            assert_eq!(problem.status(), 400, "{wrong:?}");
        }
        assert!(caller(&sources, &headers(&[])).unwrap_err().detail().contains("`x-user`"));
    }

    #[test]
    fn an_upgrade_is_asked_for_by_both_fields() {
        assert!(
            upgrade(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some()
        );
        assert!(upgrade(&headers(&[("connection", "close"), ("upgrade", "websocket")])).is_none());
        for http in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.0", "TLS/1.0, HTTP/1.1"] {
            assert!(upgrade(&headers(&[("connection", "upgrade"), ("upgrade", http)])).is_none(), "{http}");
        }
        assert!(upgrade(&headers(&[("connection", "upgrade")])).is_none());
    }
}
