//! A credential's life: obtained once for all who need it, renewed ahead of its end, placed without waiting.
//! It knows profiles only as [`Acquire`](crate::acquire::Acquire). Not here: what a profile does, which requests a
//! credential may go to (connectors), and the sending of anything.

mod backoff;
mod clock;
mod contain;
mod counters;
mod file_store;
mod flight;
mod key;
mod life;
mod placed;
mod profile;
mod replica;
mod slot;
mod snapshot;
mod store;
mod sync;
mod tasks;
#[cfg(test)]
mod tests;

pub use backoff::{Failure, Jitter};
pub use clock::{Clock, GRANULARITY_MS, ManualClock, Moment, Ticker};
pub use counters::Counts;
pub(crate) use counters::KINDS;
pub use file_store::FileStore;
pub use life::Life;
pub use placed::Placed;
pub use profile::{Environment, Outcome, ProfileCache, Settings, Status};
pub use snapshot::{Generation, Snapshot};
pub use store::{MemoryStore, StateId, Store};

use profile::Shared;
