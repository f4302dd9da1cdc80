//! `countersign serve` where something is short: descriptors, names, connections, time.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign_tests::client::Client;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::proxy::{OPEN, Serve};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};

/// Far more than what is limited to a second takes, far less than the other limits.
const SOON: Duration = Duration::from_secs(8);

/// A proxy in front of this API, with one worker, and with more keys of its connector `orders`.
fn toml(url: &str, connector: &str) -> String {
    format!(
        "{OPEN}threads = 1\n[connectors.orders]\nbase_url = \"{url}\"\nprofile = \"key\"\n{connector}\n\
         [profiles.key]\ntype = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"\n"
    )
}

fn request(serve: &Serve) -> String {
    format!("GET /orders/1 HTTP/1.1\r\nHost: {}\r\n\r\n", serve.address())
}

/// What the kernel knows of the process, by file name.
fn about(serve: &Serve, what: &str) -> PathBuf {
    format!("/proc/{}/{what}", serve.pid().as_raw_nonzero()).into()
}

/// The numbers of its descriptors.
fn descriptors(serve: &Serve) -> Vec<u64> {
    let numbers = std::fs::read_dir(about(serve, "fd")).unwrap();
    numbers.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// How long all of its threads were on a processor so far.
fn worked(serve: &Serve) -> Duration {
    let threads = std::fs::read_dir(about(serve, "task")).unwrap();
    let nanos = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}

#[test]
fn out_of_descriptors_it_says_so_once_does_not_spin_and_goes_on_when_there_are_some() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = Serve::start(&folder, &toml(&api.url("/api"), ""));
    let mut first = Client::connect(serve.address());
    first.send(request(&serve));
    assert_eq!(first.answer().status, 204);

    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = |current| prlimit(Some(serve.pid()), Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let used = descriptors(&serve);
    let most = used.iter().max().unwrap() + 1;
    limit(Some(most));
    // All of them are connected, as the kernel does that; those for whom there is no descriptor wait.
    let left = most - used.len() as u64;
    let mut crowd: Vec<_> = (0..left + 8).map(|_| Client::connect(serve.address())).collect();
    let said = serve.wait_to_hear("no connection can be accepted");
    assert!(said.contains("Too many open files"), "{said}");

    let (began, before) = (Instant::now(), worked(&serve));
    first.send(request(&serve));
    assert_eq!(first.answer().status, 204, "who is in is served");
    std::thread::sleep(Duration::from_secs(2).saturating_sub(began.elapsed()));
    let share = (worked(&serve) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(share < 0.2, "a lack of descriptors takes {share} of a processor");
    assert_eq!(serve.said().matches("no connection can be accepted").count(), 1);

    limit(maximum);
    for client in &mut crowd {
        client.send(request(&serve));
        assert_eq!(client.answer().status, 204);
    }
}

/// A library in front of libc's, in which every search for a name lasts for ever.
fn resolver_that_hangs(folder: &Folder) -> PathBuf {
    let source = folder.put(
        "hangs.c",
        "#include <unistd.h>\n\
         int getaddrinfo(const char *n, const char *s, const void *h, void **r) {\n\
         if (write(2, \"a name is looked for\\n\", 21) < 0) return 1;\n\
         for (;;) pause();\n}\n",
    );
    let library = folder.path().join("hangs.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.unwrap().success());
    library
}

#[test]
fn a_resolver_that_hangs_keeps_neither_the_call_nor_the_end() {
    let folder = Folder::new();
    let library = resolver_that_hangs(&folder);
    let toml = toml("https://orders.example", "connect_timeout = \"1s\"");
    let serve = Serve::start_with(&folder, &toml, |command| {
        command.env("LD_PRELOAD", &library);
    });
    let began = Instant::now();
    let problem = serve.get("/orders/1", "").problem(504);
    assert!(problem["detail"].as_str().unwrap().contains("no connection within 1 s"), "{problem}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    serve.wait_to_hear("a name is looked for");

    let began = Instant::now();
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait_for_end(), 0);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// A listener whose queue is full, so that the kernel leaves further connections unanswered; and what is in the queue.
fn full() -> (rustix::fd::OwnedFd, SocketAddr, Vec<TcpStream>) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    let queue = (0..16).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok());
    let queue: Vec<_> = queue.collect();
    assert!(queue.len() < 16, "the queue takes everything");
    (socket, address, queue)
}

#[test]
fn an_upstream_that_does_not_answer_its_door_is_given_up_after_the_time_to_connect() {
    let folder = Folder::new();
    let (_listener, queue_is_full, _queue) = full();
    // The kernel connects, and nobody speaks TLS.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for url in [format!("http://{queue_is_full}"), format!("https://{}", silent.local_addr().unwrap())] {
        let serve = Serve::start(&folder, &toml(&url, "connect_timeout = \"1s\"\ntimeout = \"25s\""));
        let began = Instant::now();
        let problem = serve.get("/orders/1", "").problem(504);
        assert_eq!((&problem["kind"], &problem["connector"]), (&"upstream".into(), &"orders".into()));
        assert!(problem["detail"].as_str().unwrap().contains("no connection within 1 s"), "{problem}");
        assert!((Duration::from_millis(900)..SOON).contains(&began.elapsed()), "{url} {:?}", began.elapsed());
    }
}

#[test]
fn the_watchdog_hears_of_a_proxy_whose_configuration_takes_its_time() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let path = folder.path().join("notify");
    let ear = UnixDatagram::bind(&path).unwrap();
    ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let heard = || {
        let mut bytes = [0; 1024];
        let length = ear.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let now = toml(&api.url("/api"), "");
    let serve = Serve::start_with(&folder, &now, |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    });
    while !heard().starts_with("READY=1") {}

    let slow = "${command:sh -c 'until test -e go-on; do sleep 0.05; done; echo k'}";
    folder.config(&now.replace("key = \"k\"", &format!("key = \"{slow}\"")));
    serve.signal(Signal::HUP);
    while !heard().starts_with("RELOADING=1") {}
    for _ in 0..5 {
        assert_eq!(heard(), "WATCHDOG=1", "while the program runs that the key comes from");
    }
    assert_eq!(serve.get("/orders/1", "").status, 204, "calls go on");
    folder.put("go-on", "");
    while !heard().starts_with("READY=1") {}
}
