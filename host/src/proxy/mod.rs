//! The local egress proxy: plain HTTP in, the same call with its connector's credential out.
//!
//! Here requests are taken in, judged, routed, forwarded and answered. Not here: which credential a request gets (the
//! connector's), how it lives (the cache's), and what is told of all this to operators (`admin/`).

pub(crate) mod stats;
pub(crate) mod upstream;
pub(crate) mod wire;
