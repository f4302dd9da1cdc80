//! A server that does whatever a script says, wrong things above all, and remembers what it was asked.
//!
//! Here live the server ([`FaultServer`]) and what it can be told to do ([`Reply`]). It runs on threads of its own,
//! so that a test's runtime and its clock, stopped or not, have no say in it.

mod reply;
mod server;
mod signal;

pub use reply::Reply;
pub use server::FaultServer;
pub use signal::Hold;
