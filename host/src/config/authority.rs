//! Values of `Host` by which the proxy knows what a request is for.

use http::uri::Authority;

use super::reader::Reader;

/// Reads the value of a `Host` field (RFC 9110 §7.2) into the form in which two of them are compared: lower case, and
/// without the port that `http` has anyway.
///
/// # Errors
/// What is wrong with it; the text itself is not repeated.
pub(crate) fn parse(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "is no host; write it as clients send it: `orders.local` or `orders.local:7070`";
    if text.contains("//") {
        return Err("is a URL; write only host and port: `orders.local` or `orders.local:7070`");
    }
    let authority: Authority = text.parse().map_err(|_| FORM)?;
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host).ok_or(FORM)?;
    let bracketed = host.starts_with('[');
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || !bracketed && !host.bytes().all(name) {
        return Err(FORM);
    }
    if bracketed && host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_err() {
        return Err(FORM);
    }
    match port.strip_prefix(':').map(str::parse::<u16>) {
        None | Some(Ok(80)) => Ok(host.to_ascii_lowercase()),
        Some(Ok(port)) if port > 0 => Ok(format!("{}:{port}", host.to_ascii_lowercase())),
        Some(_) => Err("has a port beyond 1 to 65535"),
    }
}

impl Reader<'_> {
    /// Values of `Host`; one that is wrong is left out.
    pub(crate) fn hosts(&mut self, key: &str) -> Vec<String> {
        let texts = self.strings(key).unwrap_or_default();
        let mut hosts = Vec::with_capacity(texts.len());
        for (index, text) in texts.into_iter().enumerate() {
            match parse(text) {
                Ok(host) => hosts.push(host),
                Err(message) => self.fault(&format!("{key}[{index}]"), message, None),
            }
        }
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_host_are_equal() {
        for (text, expected) in [
            ("Orders.Local", "orders.local"),
            ("a_b-c:7070", "a_b-c:7070"),
            ("a:80", "a"),
            ("a:07070", "a:7070"),
            ("127.0.0.1:7070", "127.0.0.1:7070"),
            ("[::A]:80", "[::a]"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_its_own_spelling(text in "[a-zA-Z0-9:.@\\[\\]/%-]{0,16}|\\PC{0,12}") {
            if let Ok(host) = parse(&text) {
                prop_assert_eq!(parse(&host), Ok(host.clone()));
                prop_assert!(!host.bytes().any(|byte| byte.is_ascii_uppercase() || b"@/ ".contains(&byte)));
            }
        }
    }
}
