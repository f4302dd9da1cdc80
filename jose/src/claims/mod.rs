//! Claims: from what an operator configures to the JSON of one token.
//!
//! Here live the settings and the compiled form. Signing does not: see `token`.

mod compiled;
mod config;

pub(crate) use compiled::{Claims, Moment};
pub use config::{Audience, ClaimsConfig};
