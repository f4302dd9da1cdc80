//! Bodies pass as they come, both ways and however large; and so does what follows an upgrade.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use countersign_tests::client::Client;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::http1::{Recorded, read_request};
use countersign_tests::proxy::{OPEN, Serve};
use countersign_tests::raw::RawServer;

/// A connector `orders` with more lines of its own, and an API key in `X-Key`.
fn toml(url: &str, connector: &str) -> String {
    format!(
        "{OPEN}[connectors.orders]\nbase_url = \"{url}\"\nprofile = \"key\"\n{connector}\n\
         [profiles.key]\ntype = \"api-key\"\nkey = \"of-the-connector\"\nheader = \"X-Key\"\n"
    )
}

/// A proxy in front of an upstream that serves its connections so.
fn start(
    folder: &Folder,
    connector: &str,
    upstream: impl Fn(BufReader<TcpStream>) + Send + Sync + 'static,
) -> (RawServer, Serve) {
    let server = RawServer::start(move |stream| upstream(BufReader::new(stream)));
    let serve = Serve::start(folder, &toml(&server.url("/api"), connector));
    (server, serve)
}

/// The head of a request; its body is still to be read.
fn head(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
    head.to_lowercase()
}

fn request(serve: &Serve, method: &str, fields: &str) -> String {
    format!("{method} /orders/1 HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", serve.address())
}

/// What a test and its upstream tell each other.
fn signal() -> (Sender<()>, Mutex<Receiver<()>>) {
    let (sender, receiver) = channel();
    (sender, Mutex::new(receiver))
}

fn wait(receiver: &Mutex<Receiver<()>>) {
    receiver.lock().unwrap().recv_timeout(Duration::from_secs(20)).expect("the other side goes on");
}

#[test]
fn events_arrive_before_the_last_one_is_sent() {
    let folder = Folder::new();
    let (arrived, next) = signal();
    let (_upstream, serve) = start(&folder, "", move |mut stream| {
        head(&mut stream);
        let stream = stream.get_mut();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for number in 0..3 {
            wait(&next);
            write!(stream, "9\r\ndata: {number}\n\n\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "GET", "Accept: text/event-stream\r\n"));
    assert_eq!(client.head().header("content-type"), Some("text/event-stream"));
    for number in 0..3 {
        arrived.send(()).unwrap();
        // However it is parted on its way.
        let mut event = Vec::new();
        while !event.ends_with(b"\n\n") {
            event.extend(client.chunk().unwrap().unwrap());
        }
        assert_eq!(event, format!("data: {number}\n\n").into_bytes());
    }
    assert_eq!(client.chunk().unwrap(), None);
}

#[test]
fn an_upstream_sees_the_beginning_of_a_body_before_its_end_is_sent() {
    for (fields, first, second) in [
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n", "3\r\ndef\r\n0\r\n\r\n"),
        ("Content-Length: 6\r\n", "abc", "def"),
    ] {
        let folder = Folder::new();
        let (seen, first_is_there) = signal();
        let framing = fields.trim_end().to_lowercase();
        let (_upstream, serve) = start(&folder, "", move |mut stream| {
            assert!(head(&mut stream).contains(&framing));
            let mut text = String::new();
            let mut told = false;
            let mut byte = [0];
            while !(text.contains("def") && (framing.contains("length") || text.ends_with("0\r\n\r\n"))) {
                if stream.read(&mut byte).unwrap_or_default() == 0 {
                    return;
                }
                text.push(char::from(byte[0]));
                if text.contains("abc") && !std::mem::replace(&mut told, true) {
                    seen.send(()).unwrap();
                }
            }
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        let mut client = Client::connect(serve.address());
        client.send(request(&serve, "POST", fields));
        client.send(first);
        wait(&first_is_there);
        client.send(second);
        assert_eq!(client.answer().status, 204);
    }
}

const LARGE: usize = 64 << 20;
static BLOCK: [u8; 64 << 10] = [b'x'; 64 << 10];

/// How much of the proxy's memory large bodies may take, whatever their size.
const FLAT: usize = 6 << 20;

#[test]
fn a_large_body_takes_no_more_memory_than_a_small_one() {
    let folder = Folder::new();
    let (_upstream, serve) = start(&folder, "", |mut stream| {
        loop {
            let head = head(&mut stream);
            let Some((_, length)) = head.split_once("content-length: ") else { return };
            let mut left: usize = length.split('\r').next().unwrap().parse().unwrap();
            let length = left;
            let mut block = [0; BLOCK.len()];
            while left > 0 {
                let most = left.min(block.len());
                left -= stream.read(&mut block[..most]).unwrap();
            }
            let stream = stream.get_mut();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").unwrap();
            for _ in 0..length / BLOCK.len() {
                stream.write_all(&BLOCK).unwrap();
            }
        }
    });
    let mut client = Client::connect(serve.address());
    let mut pass = |size: usize| {
        client.send(request(&serve, "POST", &format!("Content-Length: {size}\r\n")));
        let mut most = 0;
        for block in 0..size / BLOCK.len() {
            client.send(&BLOCK[..]);
            if block % 16 == 0 {
                most = most.max(serve.resident());
            }
        }
        assert_eq!(client.head().status, 200);
        for block in 0..size / BLOCK.len() {
            assert!(client.bytes(BLOCK.len()) == BLOCK);
            if block % 16 == 0 {
                most = most.max(serve.resident());
            }
        }
        most
    };
    let small = pass(1 << 20);
    let large = pass(LARGE);
    assert!(large < small + FLAT, "{small} bytes at first, {large} for {LARGE}");
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    let folder = Folder::new();
    let (written, full) = channel();
    let written = Mutex::new(written);
    let (_upstream, serve) = start(&folder, "", move |mut stream| {
        head(&mut stream);
        let stream = stream.get_mut();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 * LARGE).unwrap();
        let mut total = 0;
        while total < 4 * LARGE && stream.write_all(&BLOCK).is_ok() {
            total += BLOCK.len();
        }
        written.lock().unwrap().send(total).unwrap();
    });
    let mut client = Client::connect(serve.address());
    let before = serve.resident();
    client.send(request(&serve, "GET", ""));
    let total = full.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(total < LARGE, "{total} bytes were taken that nobody read");
    let after = serve.resident();
    assert!(after < before + FLAT, "{before} bytes, then {after}");
}

const WEBSOCKET: &str =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

#[test]
fn an_upgrade_passes_both_ways_until_one_side_ends() {
    let folder = Folder::new();
    let (ended, end) = signal();
    let (_upstream, serve) = start(&folder, "", move |mut stream| {
        let head = head(&mut stream);
        assert!(head.starts_with("get /api/1 http/1.1\r\n"), "{head}");
        for field in ["x-key: of-the-connector\r\n", "upgrade: websocket\r\n", "connection: upgrade\r\n"] {
            assert!(head.contains(field), "{field}: {head}");
        }
        assert!(!head.contains("authorization") && !head.contains("cookie"), "{head}");
        let mut out = stream.get_ref().try_clone().unwrap();
        // The first bytes come with the answer's head.
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
        out.write_all(answer.as_bytes()).unwrap();
        // What passes is no HTTP, and is looked at by nobody.
        let mut frame = [0; 24];
        while stream.read_exact(&mut frame).is_ok() {
            frame.reverse();
            out.write_all(&frame).unwrap();
        }
        ended.send(()).unwrap();
    });
    let mut client = Client::connect(serve.address());
    let own = "Authorization: Basic bWluZQ==\r\nCookie: a=1\r\n";
    client.send(request(&serve, "GET", &format!("{WEBSOCKET}{own}")));
    let answer = client.head();
    assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")));
    assert_eq!(client.bytes(5), b"hello");
    for frame in
        [*b"\x81\x85mask\r\n\r\nGET / HTTP/1.1", *b"\0\0\0\0\xff\xff\xff\xff\r\n\r\n\r\n\r\n\n\n\n\n\n\n\n\n"]
    {
        client.send(frame);
        assert_eq!(client.bytes(24), frame.iter().rev().copied().collect::<Vec<_>>());
    }
    drop(client);
    wait(&end);
}

#[test]
fn an_upgrade_that_the_upstream_declines_is_an_ordinary_answer() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(403).body("no")]);
    let serve = Serve::start(&folder, &toml(&api.url("/api"), ""));
    let mut client = Client::connect(serve.address());
    for _ in 0..2 {
        client.send(request(&serve, "GET", WEBSOCKET));
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (403, "no".into()));
    }
    client.send(request(&serve, "GET", ""));
    assert_eq!(client.answer().status, 403);
    assert_eq!(api.requests()[2].header("upgrade"), None);
}

#[test]
fn no_upgrade_leads_to_http_that_nobody_judges() {
    let folder = Folder::new();
    let (seen, heads) = channel();
    let seen = Mutex::new(seen);
    let (_upstream, serve) = start(&folder, "", move |mut stream| {
        seen.lock().unwrap().send(head(&mut stream)).unwrap();
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    for protocol in ["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.0", "websocket, h2c", "h2c, websocket"] {
        for connection in ["Upgrade, HTTP2-Settings", "upgrade"] {
            let fields = format!(
                "Connection: {connection}\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            );
            let mut client = Client::connect(serve.address());
            client.send(request(&serve, "GET", &fields));
            // An upstream that switches although nobody asked for it has gone mad.
            client.answer().problem(502);
            let head = heads.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(!head.contains("upgrade") && !head.contains("http2-settings"), "{protocol}: {head}");
        }
    }
}

#[test]
fn a_client_of_http_1_0_gets_what_it_can_read() {
    let folder = Folder::new();
    let (_upstream, serve) = start(&folder, "", |mut stream| {
        while let Ok(Some(request)) = read_request(&mut stream) {
            assert_eq!(request.header("connection"), None);
            let answer =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    let mut client = Client::connect(serve.address());
    client.send(format!("GET /orders/1 HTTP/1.0\r\nHost: {}\r\n\r\n", serve.address()));
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (200, "abcdef".into()));
    assert_eq!(answer.header("transfer-encoding"), None);
}

#[test]
fn answers_without_a_body_leave_the_connection_in_order() {
    let folder = Folder::new();
    let api = FaultServer::start([
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"1\"\r\n\r\n"),
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Reply::raw("HTTP/1.1 204 No Content\r\nETag: \"2\"\r\n\r\n"),
        Reply::raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"3\"\r\n\r\n"),
        Reply::raw(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        Reply::raw("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
        Reply::status(200).body("last"),
    ]);
    let serve = Serve::start(&folder, &toml(&api.url("/api"), ""));
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "HEAD", ""));
    let answer = client.answer_to_head();
    assert_eq!(
        (answer.status, answer.header("content-length"), answer.header("etag")),
        (200, Some("1234"), Some("\"1\""))
    );
    client.send(request(&serve, "HEAD", ""));
    assert_eq!(client.answer_to_head().status, 200);
    for (status, tag, body) in [
        (204, Some("\"2\""), ""),
        (304, Some("\"3\""), ""),
        (200, None, "ok"),
        (200, None, "until the end"),
        (200, None, "last"),
    ] {
        client.send(request(&serve, "GET", ""));
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("etag"), &*answer.text()), (status, tag, body));
    }
}

#[test]
fn trailers_of_an_answer_do_not_disturb_it() {
    let folder = Folder::new();
    let (_upstream, serve) = start(&folder, "", |mut stream| {
        while let Ok(Some(_)) = read_request(&mut stream) {
            let answer = "HTTP/1.1 200 OK\r\nTrailer: Digest\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nDigest: x\r\n\r\n";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    let mut client = Client::connect(serve.address());
    for _ in 0..2 {
        client.send(request(&serve, "GET", "TE: trailers\r\nConnection: TE\r\n"));
        let answer = client.answer();
        assert_eq!((answer.text().as_str(), answer.trailers), ("abc", Vec::new()));
    }
}

#[test]
fn who_expects_to_be_told_to_go_on_is_told_so_only_if_the_body_is_wanted() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(204)]);
    let serve = Serve::start(&folder, &toml(&api.url("/api"), ""));
    let expect = "Content-Length: 8\r\nExpect: 100-continue\r\n";
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "POST", expect));
    assert_eq!(client.bytes(25), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("the body");
    assert_eq!(client.answer().status, 204);
    assert_eq!(api.requests().iter().map(Recorded::text).collect::<Vec<_>>(), ["the body"]);
    assert_eq!(api.requests()[0].header("expect"), None);
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "POST", expect).replace("/orders/", "/nothing/"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.interim), (404, vec![]));
}

#[test]
fn an_answer_that_comes_before_the_body_ends_reaches_the_client() {
    let folder = Folder::new();
    let (_upstream, serve) = start(&folder, "", |mut stream| {
        head(&mut stream);
        let stream = stream.get_mut();
        let answer =
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large";
        stream.write_all(answer.as_bytes()).unwrap();
        // As servers do that want their answer to be read.
        let mut left = 1 << 20;
        let mut block = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut block) {
            left -= count.min(left);
        }
    });
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "POST", &format!("Content-Length: {LARGE}\r\n")));
    client.send(&BLOCK[..]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (413, "too large".into()));
    // The rest of the body is not taken for a request.
    client.send("GET /orders/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    client.finish();
    assert_eq!(client.rest(), b"");
}

#[test]
fn connections_to_an_upstream_are_used_again() {
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(200).body("ok")]);
    let toml = toml(&api.url("/api"), "").replace("[serve]\n", "[serve]\nthreads = 1\n");
    let serve = Serve::start(&folder, &toml);
    for _ in 0..3 {
        let mut client = Client::connect(serve.address());
        for _ in 0..3 {
            client.send(request(&serve, "GET", ""));
            assert_eq!(client.answer().status, 200);
        }
    }
    assert_eq!((api.count(), api.connections()), (9, 1));
}

#[test]
fn a_stream_on_which_nothing_moves_is_ended() {
    let folder = Folder::new();
    let (_upstream, serve) = start(&folder, "idle_timeout = \"1s\"", |mut stream| {
        let request = head(&mut stream);
        let answer = match request.contains("upgrade") {
            true => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            false => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        };
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let began = Instant::now();
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "GET", ""));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap().unwrap(), b"abc");
    // Not the last chunk, for that would say that all is well.
    assert_eq!(client.rest(), b"");
    let mut client = Client::connect(serve.address());
    client.send(request(&serve, "GET", WEBSOCKET));
    assert_eq!(client.head().status, 101);
    assert_eq!(client.rest(), b"");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}
