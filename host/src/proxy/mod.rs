//! The egress proxy's parts.

// Until the proxy that uses them stands here.
#[allow(dead_code, unused_imports)]
pub(crate) mod listen;
#[allow(dead_code)]
pub(crate) mod service_manager;
#[allow(dead_code)]
pub(crate) mod stats;
