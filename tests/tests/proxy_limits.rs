//! Whoever asks too much of the proxy, or takes too long, is refused, and nobody else notices.

use std::io::Write;
use std::time::{Duration, Instant};

use countersign_tests::client::Client;
use countersign_tests::fault::{FaultServer, Hold, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::proxy::{OPEN, Serve};

/// A proxy with these `[serve.limits]`, and these lines of its connector `orders`.
fn start(folder: &Folder, api: &FaultServer, limits: &str, connector: &str) -> Serve {
    Serve::start(
        folder,
        &format!(
            "{OPEN}[serve.limits]\n{limits}\n\
             [connectors.orders]\nbase_url = \"{}\"\nprofile = \"key\"\n{connector}\n\
             [connectors.other]\nbase_url = \"{}\"\nprofile = \"key\"\n\
             [profiles.key]\ntype = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"\n",
            api.url("/api"),
            api.url("/other")
        ),
    )
}

fn request(serve: &Serve) -> String {
    format!("GET /orders/1 HTTP/1.1\r\nHost: {}\r\n\r\n", serve.address())
}

/// Far more than a limit of a second takes to be noticed, far less than the default ones.
const SOON: Duration = Duration::from_secs(6);

#[test]
fn a_connection_too_many_is_closed_until_another_ends() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "max_connections = 2", "");
    let mut clients = [Client::connect(serve.address()), Client::connect(serve.address())];
    for client in &mut clients {
        client.send(request(&serve));
        assert_eq!(client.answer().status, 204);
    }
    let mut third = Client::connect(serve.address());
    third.send(request(&serve));
    assert_eq!(third.rest(), b"");
    for client in &mut clients {
        client.send(request(&serve));
        assert_eq!(client.answer().status, 204);
    }
    assert_eq!(api.count(), 4);
    drop(clients);
    let began = Instant::now();
    loop {
        let mut client = Client::connect(serve.address());
        client.send(request(&serve));
        match client.next(false) {
            Ok(Some(answer)) => break assert_eq!(answer.status, 204),
            _ => assert!(began.elapsed() < SOON, "nobody is let in any more"),
        }
    }
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "header_timeout = \"1s\"", "");
    let half = request(&serve).replace("\r\n\r\n", "\r\nX-Slow: ");
    let mut slow = Client::connect(serve.address());
    let mut silent = Client::connect(serve.address());
    let mut dripping = Client::connect(serve.address());
    let mut second = Client::connect(serve.address());
    second.send(request(&serve));
    assert_eq!(second.answer().status, 204);
    let began = Instant::now();
    slow.send(&half);
    second.send(&half);
    dripping.send(&half);
    let mut drops = dripping.sender();
    let dripping = std::thread::spawn(move || {
        assert_eq!(dripping.rest(), b"");
        began.elapsed()
    });
    let drops = std::thread::spawn(move || {
        // A byte now and then is no excuse.
        while began.elapsed() < 2 * SOON && drops.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for (name, client) in [("slow", &mut slow), ("silent", &mut silent), ("second", &mut second)] {
        assert_eq!(client.rest(), b"", "{name}");
        assert!(began.elapsed() < SOON, "{name}: {:?}", began.elapsed());
    }
    assert!(dripping.join().unwrap() < SOON);
    drops.join().unwrap();
    assert_eq!(api.count(), 1);
}

#[test]
fn a_connection_on_which_nothing_is_asked_any_more_is_closed() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "keep_alive = \"1s\"", "");
    let mut client = Client::connect(serve.address());
    client.send(request(&serve));
    assert_eq!(client.answer().status, 204);
    let began = Instant::now();
    assert_eq!(client.rest(), b"");
    assert!(began.elapsed() < SOON);
}

#[test]
fn a_call_that_takes_long_is_no_idle_connection() {
    let folder = Folder::new();
    let hold = Hold::new();
    let api = FaultServer::start([Reply::status(204).held(&hold)]);
    let limits = "keep_alive = \"1s\"\nheader_timeout = \"1s\"";
    let serve = start(&folder, &api, limits, "");
    let mut client = Client::connect(serve.address());
    // And the beginning of the next one, which has to wait for its turn.
    client.send(request(&serve).repeat(2).trim_end());
    api.wait_for(1);
    for _ in 0..3 {
        let mut idle = Client::connect(serve.address());
        assert_eq!(idle.rest(), b"", "another client's time is over");
    }
    hold.release();
    assert_eq!(client.answer().status, 204);
    client.send("\r\n\r\n");
    assert_eq!(client.answer().status, 204);
}

#[test]
fn calls_beyond_what_a_connector_may_have_at_a_time_are_told_so() {
    let folder = Folder::new();
    let hold = Hold::new();
    let api = FaultServer::start([Reply::status(204).held(&hold), Reply::status(204)]);
    let serve = start(&folder, &api, "", "max_concurrent = 1");
    let mut first = Client::connect(serve.address());
    first.send(request(&serve));
    api.wait_for(1);
    let problem = serve.get("/orders/1", "").problem(503);
    assert_eq!(problem["connector"], "orders");
    assert!(problem["detail"].as_str().unwrap().contains("max_concurrent"), "{problem}");
    // Other connectors go on.
    assert_eq!(serve.get("/other/1", "").status, 204);
    hold.release();
    assert_eq!(first.answer().status, 204);
    assert_eq!(serve.get("/orders/1", "").status, 204);
    assert_eq!(api.count(), 3);
}

#[test]
fn a_client_that_goes_away_frees_its_place() {
    let folder = Folder::new();
    let hold = Hold::new();
    let api = FaultServer::start([Reply::status(204).held(&hold), Reply::status(204)]);
    let serve = start(&folder, &api, "", "max_concurrent = 1");
    let mut first = Client::connect(serve.address());
    first.send(request(&serve));
    api.wait_for(1);
    drop(first);
    let began = Instant::now();
    while serve.get("/orders/1", "").status != 204 {
        assert!(began.elapsed() < SOON, "the place is still taken");
    }
    hold.release();
}

#[test]
fn heads_have_a_size_and_a_number_of_fields() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "max_headers = 10\nmax_header_bytes = 2048", "");
    // `Host` is one of them.
    assert_eq!(serve.get("/orders/1", &"X: y\r\n".repeat(9)).status, 204);
    serve.get("/orders/1", &"X: y\r\n".repeat(10)).problem(431);
    assert_eq!(serve.get("/orders/1", &format!("X: {}\r\n", "y".repeat(1800))).status, 204);
    serve.get("/orders/1", &format!("X: {}\r\n", "y".repeat(2048))).problem(431);
    serve.get(&format!("/orders/{}", "x".repeat(2048)), "").problem(414);
    assert_eq!(api.count(), 2);
}

#[test]
fn more_fields_than_by_default_pass_where_that_was_said() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "max_headers = 300\nmax_header_bytes = 200_000", "");
    assert_eq!(serve.get("/orders/1", &"X: y\r\n".repeat(299)).status, 204);
    assert_eq!(serve.get("/orders/1", &format!("X: {}\r\n", "y".repeat(150_000))).status, 204);
    serve.get("/orders/1", &"X: y\r\n".repeat(300)).problem(431);
    assert_eq!(api.requests()[0].headers.iter().filter(|(name, _)| name == "x").count(), 299);
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = start(&folder, &api, "", "timeout = \"1s\"");
    // One that is kept for a replay, and one that streams.
    for (method, status) in [("PUT", 408), ("POST", 504)] {
        let mut client = Client::connect(serve.address());
        let head = request(&serve).replace("GET", method);
        client.send(head.replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\nhalf"));
        let began = Instant::now();
        client.answer().problem(status);
        assert!(began.elapsed() < SOON, "{method}");
        client.send(" is not a request");
        client.finish();
        assert_eq!(client.rest(), b"");
    }
    assert_eq!(api.count(), 0);
}
