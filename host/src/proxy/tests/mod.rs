//! A proxy that runs, with upstreams and clients of raw bytes.

mod clients;
mod reloads;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Overrides, Proxy};
use crate::Host;

/// A proxy with its runtime and its folder.
struct Running {
    proxy: Proxy,
    runtime: tokio::runtime::Runtime,
    config: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Serves `orders` at that upstream by TCP; `serve` and `connector` are further settings of the two.
    fn new(upstream: &TcpListener, serve: &str, connector: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("countersign.toml");
        std::fs::write(&config, text(upstream, serve, connector)).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let proxy = runtime.block_on(async {
            Proxy::start(Host::start(&config).await.unwrap(), &config, Overrides::default()).unwrap()
        });
        Self { proxy, runtime, config, _folder: folder }
    }

    fn edit(&self, upstream: &TcpListener, serve: &str, connector: &str) {
        std::fs::write(&self.config, text(upstream, serve, connector)).unwrap();
        self.runtime.block_on(self.proxy.reload()).unwrap();
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.proxy.listeners()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// A head of a request to `/orders` with further fields.
    fn head(&self, fields: &str) -> String {
        format!("GET /orders HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", self.proxy.listeners()[0])
    }

    /// Connections of clients, tunnels among them.
    fn connections(&self) -> usize {
        self.proxy.connections()
    }
}

fn text(upstream: &TcpListener, serve: &str, connector: &str) -> String {
    format!(
        "[serve]\nlisten = '127.0.0.1:0'\naccess = 'any-local-process'\nthreads = 1\n{serve}\n\
         [profiles.key]\ntype = 'bearer'\ntoken = 'cAnArY'\n\
         [connectors.orders]\nprofile = 'key'\nbase_url = 'http://{}'\n{connector}\n",
        upstream.local_addr().unwrap()
    )
}

fn upstream() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The next connection of an upstream and what it says first.
fn taken(upstream: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = upstream.accept().unwrap();
    let head = head(&mut stream);
    (stream, head)
}

/// What comes up to and with an empty line.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&head));
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
