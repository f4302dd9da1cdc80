//! The local egress proxy: plain HTTP in, the same call with its connector's credential out.
//!
//! Here requests are taken in, judged, routed, forwarded and answered. Not here: which credential a request gets (the
//! connector's), how it lives (the cache's), and what is told of all this to operators (`admin/`).

mod access;
mod again;
mod answer;
mod call;
mod client;
mod deadline;
mod doors;
mod forward;
mod generation;
mod inbound;
mod joined;
mod kept_head;
pub(crate) mod listen;
mod local;
mod location;
mod problem;
mod route;
mod scratch;
mod secrets;
mod serve;
mod service_manager;
pub(crate) mod stats;
pub(crate) mod token;
mod tunnel;
mod upstream;
mod wire;
mod worker;

#[cfg(test)]
mod tests;

pub use serve::{Overrides, Proxy};
pub(crate) use service_manager::ServiceManager;
