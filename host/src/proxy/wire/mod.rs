//! The judge of raw HTTP/1, in front of the server's parser: only what can be read in one way gets there.
//!
//! Request smuggling lives on two readers that differ. So heads are judged whole before the parser sees a byte of
//! them, and bodies are followed, for only who knows where one ends knows where the next head begins. What a request
//! is for, and who may send it, is not asked here.

mod authority;
mod chars;
mod chunks;
mod fault;
mod field;
mod follow;
mod guarded;
mod head;
mod linger;
mod request_line;
mod state;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

pub(crate) use chunks::Chunks;
pub(crate) use fault::Fault;
pub(crate) use guarded::Guarded;
pub(crate) use head::WireLimits;
#[cfg(test)]
pub(crate) use head::{Framing, judge};
pub(crate) use state::{Phase, WireState};
