use std::sync::Arc;

use countersign::Error;
use tokio::runtime::Handle;

use crate::cache::{Clock, Jitter, Ticker};
use crate::explain::Record;
use crate::plugin::Shelf;
use crate::transport::{Options, Transport};
use crate::watch::Watch;

/// What a host and those that follow it by [`reload`](crate::Host::reload) stand on. It ends with the last of them.
pub(super) struct Ground {
    pub(super) clock: Clock,
    pub(super) jitter: Jitter,
    /// Where conversations run and files are read.
    pub(super) runtime: Handle,
    /// The plugin files that run in this process.
    pub(super) shelf: Arc<Shelf>,
    pub(super) watch: Watch,
    /// The connections of connectors without certificate authorities of their own.
    pub(super) plain: Transport,
    /// Where the exchanges of profiles are taken down, if they are.
    pub(super) record: Option<Arc<Record>>,
    /// It runs as long as it is held.
    _ticker: Ticker,
}

impl Ground {
    pub(super) fn new(
        runtime: Handle,
        shelf: Arc<Shelf>,
        record: Option<Arc<Record>>,
    ) -> Result<Self, Error> {
        let clock = Clock::system();
        Ok(Self {
            _ticker: Ticker::start(&clock)?,
            plain: Transport::new(Options::default())?,
            jitter: Jitter::random(),
            watch: Watch::default(),
            clock,
            runtime,
            shelf,
            record,
        })
    }
}
