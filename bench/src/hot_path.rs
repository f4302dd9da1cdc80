//! A cached bearer is placed on a request: how much that costs beside the bare insertion of the header.

use std::hint::black_box;
use std::path::Path;

use countersign_host::Connector;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tokio::runtime::Runtime;

use crate::harness::{Group, Table, clock_overhead};
use crate::hosts::{self, Started};
use crate::peers;
use crate::requests::{OPERATIONS, bearer, heads, place_on, token};
use crate::two_threads;

const ROUNDS: usize = 301;

/// Measures all of them side by side, and then what two threads do to each other.
pub fn measure(plugin: &Path, runtime: &Runtime) -> Vec<Table> {
    let linked = hosts::start(runtime, &format!("type = \"bearer\"\ntoken = \"{}\"", token()), None);
    let endpoint = crate::token_endpoint::start();
    let settings =
        format!("type = \"bench-token\"\ntoken_url = \"http://{endpoint}/token\"\nclient_secret = \"x\"");
    let loaded = hosts::start(runtime, &settings, Some(plugin));
    vec![one_thread(&linked, &loaded, runtime), threads(&linked, &loaded)]
}

fn one_thread(linked: &Started, loaded: &Started, runtime: &Runtime) -> Table {
    let clock = clock_overhead();
    let mut group = Group::new("A cached bearer is placed on a request", ROUNDS);
    let (mut requests, insert) = (heads(), bare_insert());
    group.lane("`HeaderMap::insert` of a prebuilt value", OPERATIONS, move || {
        place_on(&mut requests, clock, &insert, take_away)
    });
    for (name, host) in [("linked in", linked), ("from a `.so`", loaded)] {
        let (mut requests, place) = (heads(), authorize(&host.connector));
        let name = format!("Countersign, `try_authorize`, type {name}");
        group.lane(&name, OPERATIONS, move || place_on(&mut requests, clock, &place, take_away));
        group.at_most_times(1.25);
    }
    peers::lanes(&mut group, clock, runtime);
    group.run()
}

fn threads(linked: &Started, loaded: &Started) -> Table {
    let clock = clock_overhead();
    let mut group = Group::new("The same while a second thread does it, too, without a pause", ROUNDS);
    let insert = bare_insert();
    // What it costs with nothing shared: the other thread has a value of its own.
    two_threads::lane(
        &mut group,
        "`HeaderMap::insert`, a value for each thread",
        clock,
        insert,
        bare_insert(),
    );
    let insert = bare_insert();
    two_threads::lane(&mut group, "`HeaderMap::insert`, one value for both", clock, insert.clone(), insert);
    for (name, host) in [("linked in", linked), ("from a `.so`", loaded)] {
        let place = authorize(&host.connector);
        let name = format!("Countersign, one credential for both, type {name}");
        two_threads::lane(&mut group, &name, clock, place.clone(), place);
        group.at_most_times(1.3);
    }
    group.run()
}

fn bare_insert() -> impl Fn(&mut Parts) + Clone + Send {
    let value = bearer();
    move |request| {
        request.headers.insert(AUTHORIZATION, value.clone());
    }
}

fn authorize(connector: &std::sync::Arc<Connector>) -> impl Fn(&mut Parts) + Clone + Send + use<> {
    let connector = connector.clone();
    move |request| {
        black_box(connector.try_authorize(request));
    }
}

/// Takes the credential off again, and so makes sure that it was there.
fn take_away(request: &mut Parts) {
    assert!(request.headers.remove(AUTHORIZATION).is_some());
}
