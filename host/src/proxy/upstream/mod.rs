//! Connections to upstreams: addresses, TLS, HTTP/1.1 and HTTP/2, and the connections that are kept for the next request.
//!
//! Everything of one [`Upstream`] lives on one thread, inside a `LocalSet`. Not here: what a request says, which
//! credential it carries, how long an answer may take, and whether it is sent again after a rejection.

mod connect;
mod error;
mod head;
mod http1;
mod http2;
mod idle;
mod in_body;
mod io;
mod out_body;
mod pool;
mod proxy;
mod shared;
mod target;
mod tls;
mod unanswered;
mod upgrade;

#[cfg(test)]
mod tests;

pub(crate) use error::{UpstreamError, UpstreamErrorKind};
pub(crate) use in_body::InBody;
pub(crate) use out_body::{Moves, OutBody};
pub(crate) use pool::{Retry, Upstream};
pub(crate) use proxy::Proxy;
pub(crate) use target::Target;
pub(crate) use tls::{Tls, Trust};
