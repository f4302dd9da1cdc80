//! Single-flight under a model checker: whatever the interleaving, one works at a time and nobody waits for ever.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

#[path = "../src/cache/flight.rs"]
mod flight;

/// What `flight.rs` is built from, as shuttle has it.
mod sync {
    pub(crate) use shuttle::sync::{Arc, Mutex};
    pub(crate) use std::sync::PoisonError;
}

use std::sync::atomic::{AtomicUsize, Ordering};

use flight::{Leader, SingleFlight, Turn};
use shuttle::future::{self, JoinHandle};
use shuttle::rand::{Rng, thread_rng};
use sync::Arc;

const ITERATIONS: usize = 5_000;
const CALLERS: usize = 4;

#[derive(Default)]
struct World {
    working: AtomicUsize,
    outcomes: AtomicUsize,
}

/// The one who works; leaves also when the work is cancelled.
struct Working<'a>(&'a World);

impl<'a> Working<'a> {
    fn on(world: &'a World) -> Self {
        assert_eq!(world.working.fetch_add(1, Ordering::SeqCst), 0, "two work at a time");
        Self(world)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Leads to an outcome, or gives up on the way.
async fn lead(world: &World, leader: Leader<usize>) {
    let outcome = {
        let _working = Working::on(world);
        future::yield_now().await;
        if thread_rng().gen_bool(0.3) {
            return;
        }
        world.outcomes.fetch_add(1, Ordering::SeqCst) + 1
    };
    leader.land(outcome);
}

async fn call(world: Arc<World>, flights: SingleFlight<usize>) -> usize {
    let (mut leader, mut wait) = flights.join();
    loop {
        if let Some(leader) = leader.take() {
            lead(&world, leader).await;
        }
        match (&mut wait).await {
            Turn::Landed(outcome) => return outcome,
            Turn::Lead(handed_over) => leader = Some(handed_over),
        }
    }
}

fn callers(world: &Arc<World>, flights: &SingleFlight<usize>) -> Vec<JoinHandle<usize>> {
    (0..CALLERS).map(|_| future::spawn(call(Arc::clone(world), flights.clone()))).collect()
}

#[test]
fn one_works_at_a_time_and_all_are_answered_though_some_go_away() {
    shuttle::check_random(
        || {
            future::block_on(async {
                let (world, flights) = (Arc::new(World::default()), SingleFlight::new());
                let mut callers = callers(&world, &flights);
                let leaving = callers.split_off(thread_rng().gen_range(1..CALLERS));
                for caller in &leaving {
                    future::yield_now().await;
                    caller.abort();
                }
                for caller in callers {
                    let outcome = caller.await.unwrap();
                    assert!((1..=world.outcomes.load(Ordering::SeqCst)).contains(&outcome));
                }
                for caller in leaving {
                    let _ = caller.await;
                }
            });
        },
        ITERATIONS,
    );
}

#[test]
fn who_waits_for_the_same_flight_gets_the_same_outcome() {
    shuttle::check_random(
        || {
            future::block_on(async {
                let flights = SingleFlight::new();
                let (leader, first) = flights.join();
                let waits = [first, flights.join().1, flights.join().1];
                let waiting = waits.map(future::spawn);
                let landing = future::spawn(async move { leader.unwrap().land(7) });
                for wait in waiting {
                    assert!(matches!(wait.await.unwrap(), Turn::Landed(7)));
                }
                landing.await.unwrap();
                assert!(flights.join().0.is_some(), "a flight that landed is over");
            });
        },
        ITERATIONS,
    );
}
