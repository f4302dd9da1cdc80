//! The local egress proxy: plain HTTP in, the connector's upstream with its credential out.
//!
//! What profiles mean and how credentials live is elsewhere; here requests are judged, routed, forwarded and answered.

// Until the proxy is put together, nothing but its tests calls its rooms.
#![cfg_attr(not(test), expect(dead_code, unused_imports))]

pub(crate) mod wire;
