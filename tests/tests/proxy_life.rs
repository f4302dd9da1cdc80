//! `countersign serve` lives through edits, signals and crashes: its own, its upstreams' and its issuers'.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::ledger::{Book, Ledger};
use countersign_tests::load::{Answered, Habit, Line, Load};
use countersign_tests::proxy::Serve;
use countersign_tests::service::free_port;
use rustix::process::Signal;
use serde_json::Value;

/// The client's secret at the issuer; nowhere to be read.
const SECRET: &str = "s3cr3t-of-the-client";

/// Four clients, of both habits.
const CROWD: [Habit; 4] = [Habit::Keeps, Habit::Keeps, Habit::Keeps, Habit::Fresh];

/// An API, its issuer, and the configuration of a proxy in front of them.
struct Scene {
    folder: Folder,
    book: Book,
    issuer: Ledger,
    api: Ledger,
    listen: String,
    admin: SocketAddr,
}

impl Scene {
    fn new(lifetime: Duration) -> Self {
        let book = Book::default();
        Self {
            folder: Folder::new(),
            issuer: Ledger::start(&book, lifetime),
            api: Ledger::start(&book, lifetime),
            book,
            listen: format!("\"127.0.0.1:{}\"", free_port()),
            admin: (Ipv4Addr::LOCALHOST, free_port()).into(),
        }
    }

    /// One whose tokens outlive it.
    fn calm() -> Self {
        Self::new(Duration::from_secs(3600))
    }

    /// The configuration: the connector `orders`, and more connectors of these names.
    fn toml(&self, more: &[&str]) -> String {
        // Calls may be made again when the API refuses their token, whatever they are; not for any other reason.
        let connector = |name: &str| {
            format!(
                "[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"token\"\ntimeout = \"5s\"\n\
                 rejection = {{ replay = \"always\" }}\n",
                self.api.url("/api")
            )
        };
        let more: String = more.iter().map(|name| connector(name)).collect();
        format!(
            "[serve]\nlisten = [{}]\naccess = \"any-local-process\"\nadmin = \"{}\"\nthreads = 2\n\
             [profiles.token]\ntype = \"oauth2\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\n\
             client_secret = \"{SECRET}\"\n{}{more}",
            self.listen,
            self.admin,
            self.issuer.url("/token"),
            connector("orders"),
        )
    }

    fn serve(&self) -> Serve {
        Serve::start_with(&self.folder, &self.toml(&[]), |command| {
            // Without a line for each call.
            command.env("COUNTERSIGN_LOG", "warn");
        })
    }

    /// What the listener for operators says.
    fn page(&self, path: &str) -> Answered {
        Line::connect(self.admin).and_then(|mut line| line.call("GET", path, "", "")).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.page("/status").body).unwrap()
    }
}

fn get(address: SocketAddr, path: &str) -> Answered {
    Line::connect(address).and_then(|mut line| line.call("GET", path, "", "")).unwrap()
}

/// How long it took until it was so.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// Asks for all pages again and again; each has to come, to count up, and to hold no secret.
fn operator(admin: SocketAddr) -> impl FnOnce() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread: JoinHandle<()> = std::thread::spawn(move || {
        let mut line = Line::connect(admin).unwrap();
        let mut counted = 0;
        while !stopped.load(Ordering::Relaxed) {
            for path in ["/healthz", "/readyz", "/metrics", "/status"] {
                let page = line.call("GET", path, "", "").unwrap();
                assert_eq!(page.status, 200, "{path}: {}", page.body);
                assert!(!page.body.contains(SECRET) && !page.body.contains("token-0"), "{path}");
                if path == "/metrics" {
                    let count = requests(&page.body, "orders");
                    assert!(count >= counted, "{count} after {counted}");
                    counted = count;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(counted > 0);
    });
    move || {
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}

/// The requests of a connector, as the metrics count them.
fn requests(metrics: &str, connector: &str) -> u64 {
    let label = format!("connector=\"{connector}\"");
    let lines = metrics.lines().filter(|line| line.starts_with("countersign_requests_total{"));
    let counts = lines.filter(|line| line.contains(&label)).filter_map(|line| line.rsplit(' ').next());
    counts.map(|count| count.parse::<f64>().unwrap() as u64).sum()
}

#[test]
fn edits_under_load_hold_within_a_second_and_cost_no_call_and_no_credential() {
    let scene = Scene::calm();
    let serve = scene.serve();
    let address = serve.address();
    let load = Load::start(address, "/orders", &CROWD);
    load.wait_for(20);
    let operator = operator(scene.admin);

    let mut took = Vec::new();
    for round in 0..6 {
        let name = format!("added-{round}");
        let path = format!("/{name}/x");
        scene.folder.config(&scene.toml(&[&name]));
        took.push(until("the new connector is there", || get(address, &path).status == 200));
        scene.folder.config(&scene.toml(&[]));
        took.push(until("it is gone", || get(address, &path).status == 404));
        load.wait_for(20);
    }
    took.sort();
    // One of them may have met a machine that was busy with something else.
    assert!(took[took.len() - 2] < Duration::from_secs(1), "{took:?}");

    let bad = scene.toml(&["added"]).replace("timeout = \"5s\"", "timeuot = \"5s\"");
    let line = 1 + bad.lines().position(|line| line.starts_with("timeuot")).unwrap();
    scene.folder.config(&bad);
    let said = serve.wait_to_hear("cannot be used; what held before goes on");
    let place = format!("countersign.toml:{line}:1");
    until("the finding is said", || serve.said().contains(&place));
    assert!(said.contains("timeuot") || serve.said().contains("timeuot"), "{}", serve.said());
    load.wait_for(50);
    assert_eq!(get(address, "/added/x").status, 404);
    assert_eq!(get(address, "/orders/x").status, 200);
    let status = scene.status();
    assert_eq!(status["reloads"]["last"]["ok"], false);
    assert!(status["reloads"]["ok"].as_u64() >= Some(12), "{status}");
    assert!(status["reloads"]["last"]["findings"].as_str().unwrap().contains(&place), "{status}");
    let failed = || scene.status()["reloads"]["failed"].as_u64().unwrap();
    let again = |how: &dyn Fn()| {
        let before = failed();
        how();
        until("it was read again", || failed() > before);
    };
    let file = File::options().append(true).open(scene.folder.path().join("countersign.toml")).unwrap();
    again(&|| file.set_modified(SystemTime::now()).unwrap());
    again(&|| serve.signal(Signal::HUP));

    scene.folder.config(&scene.toml(&["added"]));
    until("it was mended", || get(address, "/added/x").status == 200);
    let times = serve.said().matches(&place).count();
    assert_eq!(times, 2, "at first, and to who asked; read again it was no news: {}", serve.said());
    operator();
    let outcome = load.finish();
    assert!(outcome.well > 200, "{outcome:?}");
    assert!(outcome.statuses.is_empty() && outcome.broken.is_empty(), "{outcome:?}\n{}", serve.said());
    assert!(outcome.astray.is_empty(), "{outcome:?}");
    assert_eq!(scene.book.issued(), 1, "what did not change keeps its credential");
    assert_eq!(scene.book.without_credential(), Vec::<String>::new());
    assert_eq!(scene.book.doubled(), Vec::<String>::new());
}

#[test]
fn hanging_up_has_it_read_the_configuration_again() {
    let scene = Scene::calm();
    let serve = scene.serve();
    assert_eq!(get(serve.address(), "/orders/x").status, 200);
    for read in 1..=2 {
        serve.signal(Signal::HUP);
        until("it was read", || scene.status()["reloads"]["ok"] == read);
    }
    assert_eq!(get(serve.address(), "/orders/x").status, 200);
    assert_eq!(scene.book.issued(), 1);
}

#[test]
fn reloads_leave_nothing_behind() {
    let scene = Scene::calm();
    let serve = scene.serve();
    let count = |what: &str| {
        let folder = format!("/proc/{}/{what}", serve.pid().as_raw_nonzero());
        std::fs::read_dir(folder).unwrap().count()
    };
    let reload = |read: u64| {
        assert_eq!(get(serve.address(), "/orders/x").status, 200);
        serve.signal(Signal::HUP);
        until("it was read", || scene.status()["reloads"]["ok"] == read);
    };
    reload(1);
    let before = (count("fd"), count("task"), serve.resident());
    (2..=60).for_each(reload);
    let settled = || count("fd") <= before.0 + 2 && count("task") <= before.1 + 2;
    until("descriptors and threads are as before", settled);
    let grown = serve.resident().saturating_sub(before.2);
    assert!(grown < 4 << 20, "{grown} bytes");
}

#[test]
fn listeners_come_and_go_with_the_configuration() {
    let scene = Scene::calm();
    let serve = scene.serve();
    let address = serve.address();
    let load = Load::start(address, "/orders", &CROWD);
    let (second, own) = (free_port(), free_port());
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listens = |port: u16| Line::connect(at(port)).is_ok();

    let both = format!("{}, \"127.0.0.1:{second}\"", scene.listen);
    let toml =
        scene.toml(&["crm"]).replace(&format!("listen = [{}]", scene.listen), &format!("listen = [{both}]"));
    scene.folder.config(&format!("{toml}listen = \"127.0.0.1:{own}\"\n"));
    until("they listen", || listens(second) && listens(own));
    assert_eq!(get(at(second), "/orders/x").status, 200);
    assert_eq!(get(at(own), "/x").status, 200, "all of it is the connector's");
    let mut kept = Line::connect(at(own)).unwrap();
    assert_eq!(kept.call("GET", "/y", "", "").unwrap().status, 200);

    scene.folder.config(&scene.toml(&[]));
    until("they are gone", || !listens(second) && !listens(own));
    let late = kept.call("GET", "/z", "", "").unwrap();
    assert_eq!((late.status, late.header("connection")), (421, "close"), "{late:?}");
    assert_eq!(kept.rest(), "");

    // One that is taken by somebody else changes nothing.
    let taken = TcpListener::bind(at(second)).unwrap();
    scene.folder.config(&toml);
    let said = serve.wait_to_hear(&format!("127.0.0.1:{second}"));
    assert!(said.contains("cannot be used"), "{said}");
    assert_eq!(get(address, "/crm/x").status, 404);
    drop(taken);

    let outcome = load.finish();
    assert!(outcome.statuses.is_empty() && outcome.broken.is_empty(), "{outcome:?}\n{}", serve.said());
    assert_eq!(scene.book.issued(), 1);
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait_for_end(), 0);
}

#[test]
fn a_call_under_way_ends_as_it_began_though_its_connector_and_its_listener_are_gone() {
    let scene = Scene::calm();
    let own = free_port();
    let toml = format!("{}listen = \"127.0.0.1:{own}\"\n", scene.toml(&["added"]));
    let serve = Serve::start(&scene.folder, &toml);
    let mut slow = slow_call(&scene, (Ipv4Addr::LOCALHOST, own).into(), "/slow/x");
    scene.folder.config(&scene.toml(&[]));
    until("it is gone", || get(serve.address(), "/added/x").status == 404);
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "slowslow"));
}

/// A call whose answer takes a second, of which the first half was sent.
fn slow_call(scene: &Scene, address: SocketAddr, path: &str) -> Line {
    let id = "slow";
    let mut slow = Line::connect(address).unwrap();
    slow.send("GET", path, &format!("X-Id: {id}\r\n"), "").unwrap();
    until("it is under way", || scene.book.knows(id));
    slow
}

#[test]
fn asked_to_end_it_answers_what_is_under_way_and_takes_nothing_new() {
    let scene = Scene::calm();
    let serve = scene.serve();
    let address = serve.address();
    let mut idle = Line::connect(address).unwrap();
    assert_eq!(idle.call("GET", "/orders/x", "X-Id: idle\r\n", "").unwrap().status, 200);
    let mut slow = slow_call(&scene, address, "/orders/slow/x");

    serve.signal(Signal::TERM);
    until("nobody listens", || Line::connect(address).is_err());
    assert_eq!(idle.rest(), "", "who waits for nothing is let go");
    // For balancers, and for people.
    assert_eq!(scene.page("/healthz").status, 503);
    assert_eq!(scene.page("/readyz").status, 503);
    assert_eq!(scene.status()["draining"], true);
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "slowslow"));
    assert_eq!(slow.rest(), "");
    assert_eq!(serve.wait_for_end(), 0, "{}", serve.said());
}

#[test]
fn asked_to_end_under_load_it_cuts_nobody_off() {
    let mut reset = 0;
    for habit in [Habit::Keeps, Habit::Fresh, Habit::Fresh, Habit::Fresh, Habit::Fresh] {
        let scene = Scene::calm();
        let serve = scene.serve();
        let load = Load::start(serve.address(), "/orders", &[habit; 12]);
        load.wait_for(100);
        serve.signal(Signal::TERM);
        assert_eq!(serve.wait_for_end(), 0, "{}", serve.said());
        let mut outcome = load.finish();
        assert!(outcome.statuses.is_empty() && outcome.astray.is_empty(), "{habit:?}: {outcome:?}");
        assert!(outcome.broken.remove("connection refused") > Some(0), "{habit:?}: {outcome:?}");
        // What a client hears of that depends on what it is about to do.
        for words in ["connection reset", "not connected"] {
            reset += outcome.broken.remove(words).unwrap_or(0);
        }
        assert!(outcome.broken.is_empty(), "{habit:?}: {outcome:?}");
    }
    // Who comes in the very moment in which the socket is closed is reset by the system; that is a matter of microseconds.
    assert!(reset <= 4, "{reset} were in the queue and were not let in");
}

#[test]
fn asked_twice_to_end_it_ends_at_once() {
    let scene = Scene::calm();
    let serve = scene.serve();
    let mut slow = slow_call(&scene, serve.address(), "/orders/slow/x");
    serve.signal(Signal::TERM);
    serve.wait_to_hear("ending");
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait_for_end(), 1, "{}", serve.said());
    assert!(slow.answer().is_err(), "an answer that was cut off is no whole one");
}

#[test]
fn crashes_of_all_parts_under_load_let_no_call_out_bare_and_none_happen_twice() {
    let mut scene = Scene::new(Duration::from_secs(2));
    let mut serve = scene.serve();
    let address = serve.address();
    let load = Load::start(address, "/orders/late", &CROWD);
    load.wait_for(50);

    // In the middle of calls, and back at once: what went out and may have been answered is not sent again.
    for _ in 0..10 {
        scene.api.hang_up();
        load.wait_for(10);
    }
    for _ in 0..3 {
        scene.api.kill();
        std::thread::sleep(Duration::from_millis(100));
        scene.api.restart();
        load.wait_for(50);
    }

    let issued = scene.book.issued();
    scene.issuer.kill();
    // Until the token at hand has ended, and nobody gets another.
    until("no token is to be had", || get(address, "/orders/x").status != 200);
    assert_eq!(scene.page("/readyz").status, 503);
    let refused = get(address, "/orders/x");
    assert!([502, 503].contains(&refused.status), "{refused:?}");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    scene.issuer.restart();
    load.wait_for(50);
    assert!(scene.book.issued() > issued);

    for _ in 0..3 {
        serve.signal(Signal::KILL);
        assert_eq!(serve.wait_for_end(), 128 + 9);
        serve = scene.serve();
        load.wait_for(50);
    }

    let outcome = load.finish();
    assert!(outcome.astray.is_empty(), "{outcome:?}");
    assert!(outcome.statuses.keys().all(|status| [502, 503, 504].contains(status)), "{outcome:?}");
    assert!(outcome.broken.values().sum::<usize>() > 0, "the proxy was away: {outcome:?}");
    assert_eq!(scene.book.without_credential(), Vec::<String>::new());
    assert_eq!(scene.book.doubled(), Vec::<String>::new());
    assert!(scene.book.arrived() >= outcome.well, "{outcome:?}");
}

#[test]
fn the_service_manager_hears_of_each_turn() {
    let scene = Scene::calm();
    let path = scene.folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut bytes = [0; 1024];
        let length = ear.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let serve = Serve::start_with(&scene.folder, &scene.toml(&[]), |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(heard(), "READY=1\nSTATUS=serving 1 connectors");
    assert_eq!(get(serve.address(), "/orders/x").status, 200);

    serve.signal(Signal::HUP);
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(), "READY=1\nSTATUS=serving 1 connectors");
    scene.folder.config(&scene.toml(&["crm"]));
    assert!(heard().starts_with("RELOADING=1\n"));
    let mut ready = heard();
    // An editor that empties the file first was met in between.
    while !ready.ends_with("2 connectors") {
        ready = heard();
    }

    serve.signal(Signal::TERM);
    let stopping = heard();
    assert!(
        stopping.starts_with("STOPPING=1\n") && stopping.contains("EXTEND_TIMEOUT_USEC=30000000"),
        "{stopping}"
    );
    assert_eq!(serve.wait_for_end(), 0);
}

/// `countersign serve` with a listening socket as descriptor 3, as systemd hands it over.
fn activated(config: &std::path::Path, socket: &TcpListener) -> std::process::Child {
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    Command::new("/bin/sh")
        .arg("-c")
        .arg(r#"exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=calls; exec "$@""#)
        .arg("sh")
        .arg(built::program())
        .arg("--config")
        .arg(config)
        .arg("serve")
        .env_remove("http_proxy")
        .stdin(Stdio::from(socket))
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_socket_that_was_handed_over_outlives_the_proxy_and_no_client_is_turned_away() {
    let mut scene = Scene::calm();
    scene.listen = "\"systemd:calls\"".into();
    let config = scene.folder.config(&scene.toml(&[]));
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    // Before anybody serves.
    let load = Load::start(address, "/orders", &[Habit::Fresh, Habit::Fresh]);
    let mut child = activated(&config, &socket);
    load.wait_for(20);
    let pid = rustix::process::Pid::from_child(&child);
    // Nobody calls while it ends: what was taken in and not read yet is lost with every server.
    let outcome = load.finish();
    assert!(outcome.statuses.is_empty() && outcome.broken.is_empty(), "{outcome:?}");
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let mut waiting = Line::connect(address).unwrap();
    waiting.send("GET", "/orders/x", "X-Id: waiting\r\n", "").unwrap();
    let mut child = activated(&config, &socket);
    assert_eq!(waiting.answer().unwrap().body, "waiting");
    let _ = child.kill();
    let _ = child.wait();
}
