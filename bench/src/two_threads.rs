//! Two threads at once: one is measured, the other does the same all the while.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::harness::Group;
use crate::requests::{OPERATIONS, heads, place_on};

/// Adds a lane that measures `mine` while another thread does `theirs`.
pub fn lane<'a>(
    group: &mut Group<'a>,
    name: &str,
    clock_overhead: Duration,
    mine: impl Fn(&mut Parts) + 'a,
    theirs: impl Fn(&mut Parts) + Send + Sync + 'a,
) {
    let (mut my_requests, mut their_requests) = (heads(), heads());
    group.lane(name, OPERATIONS, move || {
        let (begun, over) = (Barrier::new(2), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                place_on(&mut their_requests, clock_overhead, &theirs, take_away);
                begun.wait();
                while !over.load(Ordering::Relaxed) {
                    place_on(&mut their_requests, clock_overhead, &theirs, take_away);
                }
            });
            begun.wait();
            let spent = place_on(&mut my_requests, clock_overhead, &mine, take_away);
            over.store(true, Ordering::Relaxed);
            spent
        })
    });
}

fn take_away(request: &mut Parts) {
    assert!(request.headers.remove(AUTHORIZATION).is_some());
}
