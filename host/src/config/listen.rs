//! Addresses that the proxy listens on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::reader::{Reader, beside};
use super::tree::Value;

/// Where the proxy takes connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// `"127.0.0.1:7070"`; port 0 has the system choose one.
    Tcp(SocketAddr),
    /// `"unix:PATH"`: a socket that only this user can reach, unless more is allowed.
    Unix(PathBuf),
    /// `"systemd"` or `"systemd:NAME"`: a socket that whoever started the process has opened already. Without a name,
    /// those of no name of another listener.
    Inherited(Option<String>),
}

/// The longest path of a unix socket, in bytes (unix(7)).
const LONGEST_PATH: usize = 107;

impl Listen {
    /// Reads an address; a relative path begins beside the configuration `config`.
    ///
    /// # Errors
    /// What is wrong with it and how to write it; the text itself is not repeated.
    pub(crate) fn parse(text: &str, config: &Path) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path, config);
        }
        match text.split_once(':') {
            None if text == "systemd" => return Ok(Self::Inherited(None)),
            Some(("systemd", name)) => return inherited(name),
            _ => {}
        }
        text.parse().map(Self::Tcp).map_err(|_| tcp_fault(text))
    }

    /// Whether only processes of this machine can reach it, as far as the address says.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => is_loopback(address.ip()),
            Self::Unix(_) | Self::Inherited(_) => true,
        }
    }

    /// Whether both cannot be listened on at the same time.
    pub(crate) fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(one), Self::Tcp(other)) => {
                let (a, b) = (one.ip(), other.ip());
                let all = (a.is_unspecified() || b.is_unspecified()) && a.is_ipv4() == b.is_ipv4();
                one.port() != 0 && one.port() == other.port() && (a == b || all)
            }
            _ => self == other,
        }
    }
}

/// As the configuration writes it.
impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(None) => f.write_str("systemd"),
            Self::Inherited(Some(name)) => write!(f, "systemd:{name}"),
        }
    }
}

impl Reader<'_> {
    /// One address.
    pub(crate) fn listen(&mut self, key: &str) -> Option<Listen> {
        let text = self.string(key)?;
        self.address(key, text)
    }

    /// One address, or several.
    pub(crate) fn listens(&mut self, key: &str) -> Vec<Listen> {
        match self.node(key).map(|node| &node.value) {
            Some(Value::Array(_)) => {}
            Some(_) => return self.listen(key).into_iter().collect(),
            None => return Vec::new(),
        }
        let texts = self.strings(key).unwrap_or_default();
        texts
            .into_iter()
            .enumerate()
            .filter_map(|(index, text)| self.address(&format!("{key}[{index}]"), text))
            .collect()
    }

    fn address(&mut self, field: &str, text: &str) -> Option<Listen> {
        match Listen::parse(text, self.config()) {
            Ok(listen) => Some(listen),
            Err(message) => {
                self.fault(field, message, None);
                None
            }
        }
    }
}

fn unix(path: &str, config: &Path) -> Result<Listen, &'static str> {
    if path.is_empty() || path.contains('\0') {
        return Err("names no socket after `unix:`; write `unix:/run/countersign/proxy.sock`");
    }
    let path = beside(config, Path::new(path));
    if path.as_os_str().len() > LONGEST_PATH {
        return Err("is a path of more than 107 bytes, which no unix socket can have");
    }
    Ok(Listen::Unix(path))
}

fn inherited(name: &str) -> Result<Listen, &'static str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(
            "names no socket after `systemd:`; write the unit's FileDescriptorName=, or just `systemd`",
        );
    }
    Ok(Listen::Inherited(Some(name.to_owned())))
}

fn tcp_fault(text: &str) -> &'static str {
    const FORM: &str = "is no address; write `127.0.0.1:7070`, `[::1]:7070`, `unix:/path/of.sock`, `systemd` or `systemd:NAME`";
    if text.starts_with('/') {
        return "is a path; write `unix:` before it";
    }
    if text.parse::<IpAddr>().is_ok() {
        return "lacks a port; write `127.0.0.1:7070` or `[::1]:7070`";
    }
    match text.rsplit_once(':') {
        Some(("", port)) if port.parse::<u16>().is_ok() => {
            "lacks an address before the port; write `127.0.0.1:7070`, or `0.0.0.0:7070` for every interface"
        }
        Some((_, port)) if port.parse::<u16>().is_ok() => {
            "names a host; an address has numbers: `127.0.0.1:7070` or `[::1]:7070`"
        }
        _ => FORM,
    }
}

pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(text in "\\PC{0,20}|unix:\\PC{0,20}|systemd:\\PC{0,20}|[0-9.]{7,15}:[0-9]{1,5}") {
            if let Ok(listen) = Listen::parse(&text, Path::new("/etc/c.toml")) {
                prop_assert_eq!(Listen::parse(&listen.to_string(), Path::new("/elsewhere/c.toml")), Ok(listen));
            }
        }
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let path = |length: usize| format!("unix:/{}", "x".repeat(length - 1));
        assert!(Listen::parse(&path(107), Path::new("c.toml")).is_ok());
        assert!(Listen::parse(&path(108), Path::new("c.toml")).is_err());
    }
}
