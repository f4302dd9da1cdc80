use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::{Findings, Site};

/// `[serve.limits]`: how much clients may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections of clients at a time; 4096 unless configured.
    pub max_connections: usize,
    /// The largest head of a request, in bytes; 64 KiB unless configured.
    pub max_header_bytes: usize,
    /// The most header fields of a request; 100 unless configured.
    pub max_headers: usize,
    /// How long a client may take for a whole head; 10 s unless configured.
    pub header_timeout: Duration,
    /// How long a connection is kept on which nothing is asked; 75 s unless configured.
    pub keep_alive: Duration,
    /// The largest body that is held for a profile that signs it, in bytes; 1 MiB unless configured.
    pub max_buffered_body: usize,
}

pub(crate) const KEYS: [&str; 6] = [
    "max_connections",
    "max_header_bytes",
    "max_headers",
    "header_timeout",
    "keep_alive",
    "max_buffered_body",
];

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_header_bytes: 64 << 10,
            max_headers: 100,
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            max_buffered_body: 1 << 20,
        }
    }
}

impl ServeLimits {
    pub(super) fn of(section: Option<&Site>, findings: &mut Findings) -> Self {
        let default = Self::default();
        let Some(site) = section else { return default };
        let mut reader = Reader::new(site, &KEYS, findings);
        let ten_minutes = Duration::from_secs(600);
        Self {
            max_connections: reader.size("max_connections", 1, 1_000_000).unwrap_or(default.max_connections),
            max_header_bytes: reader
                .size("max_header_bytes", 1 << 10, 1 << 20)
                .unwrap_or(default.max_header_bytes),
            max_headers: reader.size("max_headers", 1, 1000).unwrap_or(default.max_headers),
            header_timeout: reader.duration("header_timeout", ten_minutes).unwrap_or(default.header_timeout),
            keep_alive: reader
                .duration("keep_alive", Duration::from_secs(86_400))
                .unwrap_or(default.keep_alive),
            max_buffered_body: reader
                .size("max_buffered_body", 0, 64 << 20)
                .unwrap_or(default.max_buffered_body),
        }
    }
}
