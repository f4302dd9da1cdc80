//! What is counted: a block of each worker's own, and the sums when somebody asks.

mod refusal;
mod totals;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use countersign::ErrorKind;

pub(crate) use self::refusal::Refusal;
pub(crate) use self::totals::{ConnectorTotals, Totals};
use crate::cache::KINDS;

/// What went through the proxy since the process started: one for all workers and all generations of the configuration.
///
/// Each worker writes a block of its own, summed when somebody asks. Connectors are known by name and for ever: their
/// numbers survive every reload, and no total but what is under way ever goes down.
#[derive(Debug, Default)]
pub(crate) struct Stats(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    /// Of the blocks that are gone.
    rest: Totals,
    blocks: Vec<Arc<Block>>,
}

impl Stats {
    /// A block for the calling worker, with the connectors of one generation in the order in which they are then
    /// called by index. Dropping it loses nothing.
    pub(crate) fn worker(&self, connectors: impl IntoIterator<Item: Into<Arc<str>>>) -> WorkerStats {
        let counted = |name: _| Counted { name, counters: OnceLock::new() };
        let connectors = connectors.into_iter().map(|name| counted(name.into())).collect();
        let block = Arc::new(Block { connectors, ..Block::default() });
        self.settled().blocks.push(Arc::clone(&block));
        WorkerStats { block, _one_thread: PhantomData }
    }

    /// The sums at this moment.
    pub(crate) fn totals(&self) -> Totals {
        let books = self.settled();
        let mut totals = books.rest.clone();
        books.blocks.iter().for_each(|block| totals.add(block));
        totals
    }

    /// The books, in which the blocks that nobody writes any more have become part of the rest.
    fn settled(&self) -> MutexGuard<'_, Books> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Books { rest, blocks } = &mut *guard;
        blocks.retain_mut(|block| match Arc::get_mut(block) {
            Some(gone) => {
                rest.add(gone);
                false
            }
            None => true,
        });
        guard
    }
}

/// One worker's block. It can move to the worker's thread, but not be shared with another.
#[derive(Debug)]
pub(crate) struct WorkerStats {
    block: Arc<Block>,
    _one_thread: PhantomData<Cell<()>>,
}

impl WorkerStats {
    /// A connector's counters; `index` is its place among the names that the block was made with.
    #[inline]
    pub(crate) fn connector(&self, index: usize) -> &ConnectorStats {
        self.block.connectors[index].counters.get_or_init(Box::default)
    }

    /// A client's connection was accepted.
    pub(crate) fn accepted(&self) {
        self.block.accepted.bump();
    }

    /// A client's connection is gone; it need not have been accepted by this block.
    pub(crate) fn closed(&self) {
        self.block.closed.bump();
    }

    /// A request, or a connection, was refused before it was known which connector it is for.
    pub(crate) fn refused(&self, why: Refusal) {
        self.block.refused[why as usize].bump();
    }
}

/// Only the worker that took the block writes it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Block {
    accepted: Counter,
    closed: Counter,
    refused: [Counter; Refusal::ALL.len()],
    /// In the order in which they are called by index.
    connectors: Box<[Counted]>,
}

/// A connector in one worker's block.
#[derive(Debug)]
struct Counted {
    name: Arc<str>,
    /// Made with its first call on that worker.
    counters: OnceLock<Box<ConnectorStats>>,
}

/// A connector's counters in one worker's block, on cache lines of their own.
///
/// A call begins, then one of `answered`, `refused`, `failed` and `unreachable` says what came of it (none, if the
/// client went away), and it ends when its answer's body is through.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ConnectorStats {
    begun: Counter,
    ended: Counter,
    answers: [Counter; 5],
    latency: [Counter; BOUNDS.len() + 1],
    latency_sum: Counter,
    replays: Counter,
    refused: [Counter; Refusal::ALL.len()],
    failed: [Counter; KINDS.len()],
    unreachable: Counter,
    timed_out: Counter,
}

impl ConnectorStats {
    /// A call is under way.
    #[inline]
    pub(crate) fn begin(&self) {
        self.begun.bump();
    }

    /// A call is over, whatever came of it; it may have begun in a block before this one.
    #[inline]
    pub(crate) fn end(&self) {
        self.ended.bump();
    }

    /// The head of the upstream's answer goes to the client, so long after the call began.
    #[inline]
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        self.answers[usize::from((status / 100).clamp(1, 5)) - 1].bump();
        let micros = took.as_secs().saturating_mul(1_000_000).saturating_add(took.subsec_micros().into());
        let bucket = BOUNDS.iter().position(|bound| micros <= bound.micros).unwrap_or(BOUNDS.len());
        self.latency[bucket].bump();
        self.latency_sum.add(micros);
    }

    /// The request was put to the upstream a second time, with another credential.
    pub(crate) fn replayed(&self) {
        self.replays.bump();
    }

    /// The proxy refused the request.
    pub(crate) fn refused(&self, why: Refusal) {
        self.refused[why as usize].bump();
    }

    /// There was no credential.
    pub(crate) fn failed(&self, kind: ErrorKind) {
        if let Some(index) = KINDS.iter().position(|known| *known == kind) {
            self.failed[index].bump();
        }
    }

    /// The upstream could not be reached, or gave no answer (in time: `timeout`).
    pub(crate) fn unreachable(&self, timeout: bool) {
        if timeout { self.timed_out.bump() } else { self.unreachable.bump() }
    }
}

/// The upper end of a bucket of the latency histogram, inclusive.
#[derive(Debug)]
pub(crate) struct Bound {
    micros: u64,
    /// The same in seconds, as Prometheus writes it.
    pub(crate) seconds: &'static str,
}

const fn bound(micros: u64, seconds: &'static str) -> Bound {
    Bound { micros, seconds }
}

/// The histogram's buckets; above the last one there is one more, without an end.
pub(crate) const BOUNDS: [Bound; 15] = [
    bound(1_000, "0.001"),
    bound(2_500, "0.0025"),
    bound(5_000, "0.005"),
    bound(10_000, "0.01"),
    bound(25_000, "0.025"),
    bound(50_000, "0.05"),
    bound(100_000, "0.1"),
    bound(250_000, "0.25"),
    bound(500_000, "0.5"),
    bound(1_000_000, "1"),
    bound(2_500_000, "2.5"),
    bound(5_000_000, "5"),
    bound(10_000_000, "10"),
    bound(30_000_000, "30"),
    bound(60_000_000, "60"),
];

/// A number that one thread writes and any may read.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    #[inline]
    fn bump(&self) {
        self.add(1);
    }

    #[inline]
    fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    fn add_to(&self, sum: &mut u64) {
        *sum = sum.wrapping_add(self.0.load(Ordering::Relaxed));
    }
}

fn add_all<const N: usize>(counters: &[Counter; N], sums: &mut [u64; N]) {
    counters.iter().zip(sums).for_each(|(counter, sum)| counter.add_to(sum));
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(400);

    fn of<'t>(totals: &'t Totals, name: &str) -> &'t ConnectorTotals {
        &totals.connectors[name]
    }

    #[test]
    fn workers_are_summed_by_the_connectors_names() {
        let stats = Stats::default();
        let (one, other) = (stats.worker(["crm", "orders"]), stats.worker(["orders"]));
        one.connector(1).answered(200, FAST);
        other.connector(0).answered(204, FAST);
        other.connector(0).answered(502, FAST);
        one.accepted();
        other.accepted();
        other.closed();
        other.refused(Refusal::Host);
        let totals = stats.totals();
        assert_eq!(of(&totals, "orders").answers, [0, 2, 0, 0, 1]);
        assert_eq!(of(&totals, "crm").answers, [0; 5]);
        assert_eq!((totals.accepted, totals.open()), (2, 1));
        assert_eq!(
            totals.refused().filter(|(_, count)| *count > 0).collect::<Vec<_>>(),
            [(Refusal::Host, 1)]
        );
    }

    #[test]
    fn numbers_survive_a_reload_and_the_old_block_takes_no_room() {
        let stats = Stats::default();
        let before = stats.worker(["crm", "orders"]);
        before.accepted();
        before.connector(1).begin();
        before.connector(1).answered(200, FAST);
        before.connector(0).failed(ErrorKind::Denied);
        let after = stats.worker(["orders", "shop"]);
        assert_eq!(of(&stats.totals(), "orders").in_flight(), 1);
        drop(before);
        after.connector(0).end();
        after.closed();
        after.connector(0).answered(200, FAST);
        for _ in 0..2 {
            let totals = stats.totals();
            assert_eq!(of(&totals, "orders").answers[1], 2);
            assert_eq!((of(&totals, "orders").begun, of(&totals, "orders").in_flight()), (1, 0));
            assert_eq!(of(&totals, "crm").failed().collect::<Vec<_>>(), [(ErrorKind::Denied, 1)]);
            assert_eq!((totals.accepted, totals.open()), (1, 0));
            assert_eq!(totals.connectors.len(), 3);
        }
        assert_eq!(stats.0.lock().unwrap().blocks.len(), 1);
    }

    #[test]
    fn nothing_is_lost_while_workers_come_and_go_and_somebody_reads() {
        let stats = Stats::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let worker = stats.worker(["orders"]);
                        (0..100).for_each(|_| worker.connector(0).answered(200, FAST));
                    }
                });
            }
            let mut last = 0;
            for _ in 0..200 {
                let now = stats.totals().connectors.get("orders").map_or(0, |orders| orders.answers[1]);
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
        assert_eq!(of(&stats.totals(), "orders").answers[1], 4 * 50 * 100);
    }

    #[test]
    fn a_latency_counts_in_the_first_bucket_that_holds_it() {
        let stats = Stats::default();
        let worker = stats.worker(["orders"]);
        let mut micros = vec![0, 1_000, 1_001, 60_000_000, 60_000_001];
        micros.iter().for_each(|micros| worker.connector(0).answered(200, Duration::from_micros(*micros)));
        let totals = stats.totals();
        let latency = of(&totals, "orders").latency;
        assert_eq!((latency[0], latency[1], latency[14], latency[15]), (2, 1, 1, 1));
        assert_eq!(of(&totals, "orders").latency_sum, micros.drain(..).sum::<u64>());
        assert!(BOUNDS.windows(2).all(|pair| pair[0].micros < pair[1].micros));
        for bound in &BOUNDS {
            assert_eq!(bound.seconds.parse::<f64>().unwrap() * 1e6, bound.micros as f64);
        }
    }

    #[test]
    fn statuses_that_are_none_count_in_the_nearest_class() {
        let stats = Stats::default();
        let worker = stats.worker(["orders"]);
        for status in [0, 101, 599, 999] {
            worker.connector(0).answered(status, FAST);
        }
        assert_eq!(of(&stats.totals(), "orders").answers, [2, 0, 0, 0, 2]);
    }

    #[test]
    fn reasons_stand_in_the_order_of_their_numbers() {
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index, "{}", refusal.as_str());
        }
    }
}
