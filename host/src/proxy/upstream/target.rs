use std::time::Duration;

use countersign::Origin;

use super::{Proxy, Tls};

/// Where requests of one connector with one identity go, and how.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Scheme, host and port.
    pub(crate) origin: Origin,
    /// Needed for `https`, unused for `http`.
    pub(crate) tls: Option<Tls>,
    /// The proxy on the way, if there is one.
    pub(crate) proxy: Option<Proxy>,
    /// How long a connection may take to come about, TLS included.
    pub(crate) connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub(crate) idle_timeout: Duration,
}
