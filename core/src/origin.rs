use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Scheme, host and port of a server (RFC 6454): what a credential is bound to.
///
/// Host and scheme are in lower case, the port is always known, so that two spellings of one origin are equal.
///
/// # Example
/// ```
/// use countersign::Origin;
///
/// let origin: Origin = "https://Orders.example/api/v1".parse()?;
/// assert_eq!(origin.to_string(), "https://orders.example");
/// assert_eq!(origin, "https://orders.example:443".parse()?);
/// # Ok::<(), countersign::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    https: bool,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// The origin of a URI.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) when the URI is not absolute, is neither `http` nor `https`, or
    /// carries a user or password (`https://user@host` is refused: RFC 9110 §4.2.4).
    pub fn of(uri: &Uri) -> Result<Self, Error> {
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(Error::config("has a scheme other than http or https")),
            None => return Err(Error::config("is not an absolute URL; it starts with https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| Error::config("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(Error::config("carries a user before `@`; give credentials to a profile instead"));
        }
        if authority.host().is_empty() {
            return Err(Error::config("names no host"));
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host: authority.host().to_ascii_lowercase().into(), port })
    }

    /// Whether the scheme is `https`.
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// The host in lower case; an IPv6 address with its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, given or by default.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is this machine itself: `localhost`, `127.0.0.0/8` or `::1`.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        &*self.host == "localhost"
            || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether it is an address of this machine's own link, which no router passes on (RFC 3927, RFC 4291 §2.5.6), or one
    /// of those that EC2 uses like that (`fd00:ec2::/32`): where clouds tell an instance or a container of its credentials.
    pub fn is_link_local(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(address)) => address.is_link_local(),
            Ok(std::net::IpAddr::V6(address)) => {
                address.is_unicast_link_local() || matches!(address.segments(), [0xfd00, 0x0ec2, ..])
            }
            Err(_) => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let uri: Uri = text.parse().map_err(|_| Error::config("is not a URL"))?;
        Self::of(&uri)
    }
}

impl TryFrom<String> for Origin {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_before_the_host_is_refused() {
        assert!("https://orders.example@evil.example/".parse::<Origin>().is_err());
    }

    #[test]
    fn loopback_is_recognized_in_every_spelling() {
        for url in ["http://localhost:1", "http://127.9.9.9", "http://[::1]:80/x"] {
            assert!(url.parse::<Origin>().unwrap().is_loopback(), "{url}");
        }
        for (url, link_local) in [
            ("http://169.254.169.254", true),
            ("http://[fd00:ec2::254]", true),
            ("http://[fe80::1]", true),
            ("http://169.255.0.1", false),
            ("http://[fd00:ec3::1]", false),
            ("http://169.254.169.254.example", false),
        ] {
            assert_eq!(url.parse::<Origin>().unwrap().is_link_local(), link_local, "{url}");
        }
        assert!(!"http://localhost.example".parse::<Origin>().unwrap().is_loopback());
    }
}
