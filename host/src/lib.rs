//! Gives every outbound call its credentials.
//!
//! A [`Host`] runs a configuration. Its [`Connector`]s authorize requests; a [`Client`] sends them, an [`AuthorizeLayer`]
//! makes any `tower` HTTP service do so.

pub mod acquire;
mod admin;
mod bounded_program;
mod builtin;
pub mod cache;
mod certificates;
pub mod cli;
mod client;
mod composition;
pub mod config;
pub mod conformance;
pub mod connector;
mod delivery;
mod drive;
mod endpoint;
mod error;
mod exchange;
pub mod explain;
mod host;
pub mod instance;
mod needs;
#[cfg(feature = "otel")]
mod otel;
pub mod plugin;
mod proxy;
pub mod registry;
mod serve_files;
mod setup;
mod transport;
mod watch;

pub use client::{Answer, Authorize, AuthorizeError, AuthorizeLayer, Client, ReplayableBody};
pub use connector::{Authorization, BaseUrl, BodyBytes, Connector, PresentsClientCertificate};
pub use error::Error;
pub use host::{Host, ProfileStatus};
pub use proxy::{Overrides, Proxy};
pub use setup::{ReadyProfile, Setup};
