use std::collections::BTreeMap;
use std::sync::Arc;

use countersign::ErrorKind;

use super::{BOUNDS, Block, ConnectorStats, Counted, Refusal, add_all};
use crate::cache::KINDS;

/// The sums of all workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Connections that clients made.
    pub(crate) accepted: u64,
    closed: u64,
    refused: [u64; Refusal::ALL.len()],
    /// By name, those that the configuration has no more among them.
    pub(crate) connectors: BTreeMap<Arc<str>, ConnectorTotals>,
}

impl Totals {
    /// Connections of clients that are open now.
    pub(crate) const fn open(&self) -> u64 {
        self.accepted.saturating_sub(self.closed)
    }

    /// What was refused before it was known which connector it is for, by reason; reasons that are about a connector
    /// are left out.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL
            .into_iter()
            .zip(self.refused)
            .filter(|(why, count)| *count > 0 || !why.is_of_a_connector())
    }

    pub(super) fn add(&mut self, block: &Block) {
        // What is over is read before what began, lest more be over than had begun.
        block.closed.add_to(&mut self.closed);
        block.accepted.add_to(&mut self.accepted);
        add_all(&block.refused, &mut self.refused);
        for Counted { name, counters } in &block.connectors {
            let totals = self.connectors.entry(Arc::clone(name)).or_default();
            counters.get().into_iter().for_each(|counters| totals.add(counters));
        }
    }
}

/// A connector's sums.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectorTotals {
    /// Calls that began, whatever came of them.
    pub(crate) begun: u64,
    ended: u64,
    /// The upstream's answers by class: 1xx to 5xx.
    pub(crate) answers: [u64; 5],
    /// The answers by the time to their head: one number for each of [`BOUNDS`], and what took longer. Not cumulative.
    pub(crate) latency: [u64; BOUNDS.len() + 1],
    /// The sum of those times in microseconds.
    pub(crate) latency_sum: u64,
    /// Requests that were sent a second time, with another credential.
    pub(crate) replays: u64,
    refused: [u64; Refusal::ALL.len()],
    failed: [u64; KINDS.len()],
    /// Calls without an answer, other than those that took too long.
    pub(crate) unreachable: u64,
    /// Calls without an answer in time.
    pub(crate) timed_out: u64,
}

impl ConnectorTotals {
    /// Calls that are under way now.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.begun.saturating_sub(self.ended)
    }

    /// What was refused, by reason; reasons that never occurred are left out.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(self.refused).filter(|(_, count)| *count > 0)
    }

    /// Calls without a credential, by kind; kinds that never occurred are left out.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (ErrorKind, u64)> {
        KINDS.into_iter().zip(self.failed).filter(|(_, count)| *count > 0)
    }

    fn add(&mut self, counters: &ConnectorStats) {
        counters.ended.add_to(&mut self.ended);
        counters.begun.add_to(&mut self.begun);
        add_all(&counters.answers, &mut self.answers);
        add_all(&counters.latency, &mut self.latency);
        counters.latency_sum.add_to(&mut self.latency_sum);
        counters.replays.add_to(&mut self.replays);
        add_all(&counters.refused, &mut self.refused);
        add_all(&counters.failed, &mut self.failed);
        counters.unreachable.add_to(&mut self.unreachable);
        counters.timed_out.add_to(&mut self.timed_out);
    }
}
