//! Two threads at once: one is measured, the other does the same all the while.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::harness::Group;
use crate::requests::{OPERATIONS, PASSES, heads, place_on};

/// How often a measurement is repeated that the other thread did not accompany, because something else had its core.
const TRIES: usize = 100;

/// Adds a lane that measures what `place` makes, while another thread does what it made of it. Each thread makes its own,
/// and its own requests, so that nothing of one lies beside something of the other in memory by chance.
pub fn lane<'a, P: Fn(&mut Parts) + 'a>(
    group: &mut Group<'a>,
    name: &str,
    clock_overhead: Duration,
    place: impl Fn() -> P + Sync + 'a,
) {
    let (mut my_requests, mine) = (heads(), place());
    group.lane(name, OPERATIONS, move || {
        let (passes, over) = (AtomicU32::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut their_requests, theirs) = (heads(), place());
                while !over.load(Ordering::Relaxed) {
                    for request in &mut their_requests {
                        theirs(request);
                    }
                    their_requests.iter_mut().for_each(take_away);
                    passes.fetch_add(1, Ordering::Relaxed);
                }
            });
            let mut spent = Duration::MAX;
            for _ in 0..TRIES {
                let before = wait_for_next(&passes);
                spent = place_on(&mut my_requests, clock_overhead, &mine, take_away);
                if passes.load(Ordering::Relaxed) - before >= PASSES / 2 {
                    break;
                }
            }
            over.store(true, Ordering::Relaxed);
            spent
        })
    });
}

/// Waits until the other thread is seen at work.
fn wait_for_next(passes: &AtomicU32) -> u32 {
    let before = passes.load(Ordering::Relaxed);
    while passes.load(Ordering::Relaxed) == before {
        std::thread::yield_now();
    }
    passes.load(Ordering::Relaxed)
}

fn take_away(request: &mut Parts) {
    assert!(request.headers.remove(AUTHORIZATION).is_some());
}
