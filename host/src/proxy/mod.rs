//! The egress proxy's parts.

// Until the proxy that uses them stands here.
#[allow(dead_code)]
pub(crate) mod stats;
