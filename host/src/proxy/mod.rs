//! The local egress proxy: plain HTTP in, the same call with its connector's credential out.
//!
//! Here requests are taken in, judged, routed, forwarded and answered. Not here: which credential a request gets (the
//! connector's), how it lives (the cache's), and what is told of all this to operators (`admin/`).

#[allow(dead_code, unused_imports)]
pub(crate) mod listen;
#[allow(dead_code, unused_imports)]
pub(crate) mod service_manager;
#[allow(dead_code, unused_imports)]
pub(crate) mod stats;
#[allow(dead_code, unused_imports)]
pub(crate) mod upstream;
#[allow(dead_code, unused_imports)]
pub(crate) mod wire;
