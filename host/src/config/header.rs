//! Names of headers, and which of them belong to a connection or a message and to nobody else.

use http::HeaderName;

use super::reader::Reader;

/// What a header's name cannot be, where a setting hands the client's headers on.
///
/// They say how a message is framed, where it goes, or what two neighbours agree on (RFC 9110 §7.6.1): no setting may
/// meddle with them.
pub(crate) fn is_of_the_connection(name: &HeaderName) -> bool {
    const NAMES: [&str; 12] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}

impl Reader<'_> {
    /// A header's name in a setting that hands the client's headers on.
    pub(crate) fn header(&mut self, field: &str, text: &str) -> Option<HeaderName> {
        let Ok(name) = text.parse::<HeaderName>() else {
            self.fault(field, "is not a header's name", None);
            return None;
        };
        if is_of_the_connection(&name) {
            let message = format!("is `{name}`, which belongs to the connection and is never handed on");
            self.fault(field, message, None);
            return None;
        }
        Some(name)
    }
}
