//! The configuration: from text to types that cannot be wrong, with findings that name file, line, column and the way
//! out, all in one go, and never a value.
//!
//! Here: the grammar, the sources of values (`${env:…}`, `${file:…}`), the check of a profile's settings against its
//! type's schema, and the schema of the whole. Not here: making profiles, loading plugins, opening connections.

mod alike;
mod authority;
mod check;
mod connector;
mod document;
mod duration;
mod finding;
mod header;
mod http;
mod listen;
mod name;
mod plugins;
mod probe;
mod profile;
mod reader;
mod rejection;
mod schema;
mod serve;
mod settings;
mod site;
mod sources;
mod store;
#[cfg(test)]
mod tests;
mod tree;

pub use connector::{CallerSource, ConnectorConfig, ConnectorServe};
pub use document::{Config, Document, Types};
pub use finding::{Finding, Findings, Severity};
pub use http::HttpConfig;
pub use listen::Listen;
pub(crate) use name::nearest;
pub(crate) use plugins::KEYS as PLUGINS_KEYS;
pub use plugins::{PluginConfig, PluginsConfig, plugin_name};
pub use probe::Probe;
pub use profile::ProfileConfig;
pub(crate) use reader::io_words;
pub use rejection::{Rejection, RejectionSign, Replay};
pub use schema::schema;
pub use serve::{Access, ServeConfig, ServeLimits};
pub use settings::{Resolved, Settings};
pub use site::Site;
pub(crate) use sources::{ReadError, read_file};
pub use sources::{Sources, Watched, escape};
pub use store::StoreConfig;
