use std::path::PathBuf;
use std::time::Duration;

use countersign::Origin;

use super::reader::Reader;
use super::{Findings, Site};
use crate::connector::BaseUrl;

/// `[http]`: how the host talks to token endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// The total deadline of one exchange; 10 s unless configured.
    pub timeout: Duration,
    /// The largest body that is read, in bytes; 256 KiB unless configured.
    pub max_body: usize,
    /// A file with further certificate authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through.
    pub proxy: Option<Origin>,
}

pub(crate) const KEYS: [&str; 4] = ["timeout", "max_body", "ca_file", "proxy"];

impl Default for HttpConfig {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_body: 256 << 10, ca_file: None, proxy: None }
    }
}

impl HttpConfig {
    pub(crate) fn of(section: Option<&Site>, findings: &mut Findings) -> Self {
        let default = Self::default();
        let Some(site) = section else { return default };
        let mut reader = Reader::new(site, &KEYS, findings);
        Self {
            timeout: reader.duration("timeout", Duration::from_secs(600)).unwrap_or(default.timeout),
            max_body: reader.size("max_body", 1, 64 << 20).unwrap_or(default.max_body),
            ca_file: reader.authorities("ca_file"),
            proxy: proxy(&mut reader),
        }
    }
}

fn proxy(reader: &mut Reader<'_>) -> Option<Origin> {
    let url = BaseUrl::parse(reader.string("proxy")?);
    match url {
        Ok(url) if url.prefix().is_empty() => return Some(url.origin().clone()),
        Ok(_) => reader.fault("proxy", "has a path; a proxy is only scheme, host and port", None),
        Err(message) => reader.fault("proxy", message, None),
    }
    None
}
