use std::cell::Cell;
use std::rc::Rc;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, yield_now};

use super::server::Server;
use super::tls_server::{Authority, TlsServer, answer};
use super::{OutBody, Retry, Upstream, get, run, until, upstream, upstream_with};

/// A client's connection to something that passes its requests on, bodies and all.
async fn passing_on(upstream: Rc<Upstream>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let upstream = upstream.clone();
            request.headers_mut().remove("transfer-encoding");
            async move { upstream.send(request.map(|body| OutBody::Stream(body, None)), Retry::Never).await }
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    TcpStream::connect(address).await.unwrap()
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{}", String::from_utf8_lossy(&read));
    }
    String::from_utf8(read).unwrap()
}

#[test]
fn bodies_are_passed_on_as_they_come_in_both_directions() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            assert_eq!(conn.bytes(10).await, b"5\r\nfirst\r\n");
            conn.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nheard\r\n").await;
            assert_eq!(conn.bytes(16).await, b"6\r\nsecond\r\n0\r\n\r\n");
            conn.say("4\r\nmore\r\n0\r\n\r\n").await;
            conn.closed().await;
        })
        .await;
        let upstream = upstream(&server.url());
        let mut client = passing_on(upstream.clone()).await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        read_until(&mut client, "5\r\nheard\r\n").await;
        client.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.unwrap();
        read_until(&mut client, "4\r\nmore\r\n0\r\n\r\n").await;
        until(|| upstream.idle() == 1).await;
    });
}

#[test]
fn a_get_with_a_body_of_unknown_length_keeps_it() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            assert!(conn.head().await.unwrap().contains("transfer-encoding: chunked\r\n"));
            assert_eq!(conn.bytes(14).await, b"4\r\nbody\r\n0\r\n\r\n");
            conn.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        })
        .await;
        let mut client = passing_on(upstream(&server.url())).await;
        let request = "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut client, "\r\n\r\n").await;
    });
}

#[test]
fn a_client_that_goes_away_during_its_request_ends_it_upstream() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let seen = closed.clone();
        let server = Server::start(move |_, mut conn| {
            let seen = seen.clone();
            async move {
                conn.head().await;
                conn.closed().await;
                seen.set(true);
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let mut client = passing_on(upstream.clone()).await;
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nthe beginning")
            .await
            .unwrap();
        until(|| server.heads().len() == 1).await;
        drop(client);
        until(|| closed.get()).await;
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn a_clients_trailers_go_no_further() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server("127.0.0.1"), async |request: Request<Incoming>| {
            let whole = request.into_body().collect().await.unwrap();
            answer(format!("{:?}", whole.trailers().map(http::HeaderMap::len)))
        })
        .await;
        let upstream = upstream_with(&server.url(), Some(authority.trusted(None)));
        let mut client = passing_on(upstream).await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        client.write_all(format!("{head}1\r\nx\r\n0\r\nx-user: eve\r\n\r\n").as_bytes()).await.unwrap();
        read_until(&mut client, "None").await;
    });
}

#[test]
fn an_answer_that_nobody_reads_is_not_taken_in() {
    const ALL: usize = 64 << 20;
    run(async {
        let sent = Rc::new(Cell::new(0));
        let count = sent.clone();
        let server = Server::start(move |_, mut conn| {
            let count = count.clone();
            async move {
                conn.head().await;
                conn.say(format!("HTTP/1.1 200 OK\r\ncontent-length: {ALL}\r\n\r\n")).await;
                while count.get() < ALL {
                    conn.say([b'x'; 65536]).await;
                    count.set(count.get() + 65536);
                }
                conn.closed().await;
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let mut body = upstream.send(get(), Retry::Never).await.unwrap().into_body();
        let mut received = body.frame().await.unwrap().unwrap().data_ref().unwrap().len();
        for _ in 0..2000 {
            yield_now().await;
        }
        assert!(sent.get() < ALL / 2, "{} bytes were taken in", sent.get());
        while let Some(frame) = body.frame().await {
            received += frame.unwrap().data_ref().unwrap().len();
        }
        assert_eq!((received, upstream.idle()), (ALL, 1));
    });
}

/// Takes a whole request while it says as much itself, one independently of the other.
async fn hears_and_says(length: usize) -> Server {
    Server::start(move |_, mut conn| async move {
        conn.head().await;
        conn.both(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"), length).await;
    })
    .await
}

#[test]
fn a_request_goes_on_while_nobody_reads_its_answer() {
    const ALL: usize = 24 << 20;
    run(async {
        let server = hears_and_says(ALL).await;
        let upstream = upstream(&server.url());
        let mut client = passing_on(upstream.clone()).await;
        client
            .write_all(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {ALL}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        for _ in 0..ALL / 65536 {
            client.write_all(&[b'x'; 65536]).await.unwrap();
        }
        let (mut read, mut came) = (vec![0; 65536], 0);
        while came < ALL {
            let count = client.read(&mut read).await.unwrap();
            assert!(count > 0);
            came += count;
        }
        until(|| upstream.idle() == 1).await;
    });
}

#[test]
fn a_client_that_goes_away_while_both_speak_ends_both() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let seen = closed.clone();
        let server = Server::start(move |_, mut conn| {
            let seen = seen.clone();
            async move {
                conn.head().await;
                conn.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning").await;
                conn.closed().await;
                seen.set(true);
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let mut client = passing_on(upstream.clone()).await;
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nthe").await.unwrap();
        read_until(&mut client, "the beginning").await;
        drop(client);
        until(|| closed.get()).await;
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn an_answer_ends_early_when_its_request_does() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            conn.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning").await;
            conn.closed().await;
        })
        .await;
        let upstream = upstream(&server.url());
        let mut client = passing_on(upstream.clone()).await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nthe\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        read_until(&mut client, "the beginning").await;
        client.write_all(b"no chunk").await.unwrap();
        // The client is told, and the upstream.
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
        assert_eq!(upstream.idle(), 0);
    });
}
