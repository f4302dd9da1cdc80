use std::cell::Cell;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;

use super::super::http1::{Http1, Http1Error};
use super::super::idle::Idle;
use super::super::io::Stream;
use super::super::unanswered::{Cause, Unanswered};
use super::server::Server;
use super::tls_server::Authority;
use super::{OutBody, Retry, UpstreamError, call, get, post, request, run, upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with the second request on a connection.
const RESETS: &str = "";
const BEGINS: &str = "HTTP/1.1 200";

/// Two requests on one connection, the second of which is not answered; how many requests came in all.
async fn second_request(
    second: Request<OutBody>,
    retry: Retry<'_>,
    instead: &'static str,
) -> (Result<(u16, Bytes), UpstreamError>, usize) {
    let server = Server::start(move |number, mut conn| async move {
        conn.request().await;
        conn.say(OK).await;
        conn.request().await;
        if number == 1 {
            conn.say(instead).await;
        }
    })
    .await;
    let upstream = upstream(&server.url());
    call(&upstream, get(), Retry::Never).await.unwrap();
    assert_eq!(upstream.idle(), 1);
    let outcome = call(&upstream, second, retry).await;
    (outcome, server.heads().len() - 1)
}

#[test]
fn an_idempotent_request_is_sent_again_when_a_kept_connection_ends() {
    run(async {
        let (outcome, came) = second_request(get(), Retry::Idempotent, RESETS).await;
        assert_eq!(outcome.unwrap().0, 200);
        assert_eq!(came, 2);
        let put = request(Method::PUT, OutBody::Bytes(Bytes::from_static(b"body")));
        let (outcome, came) = second_request(put, Retry::Idempotent, RESETS).await;
        assert_eq!(outcome.unwrap().0, 200);
        assert_eq!(came, 2);
    });
}

#[test]
fn a_request_is_made_again_by_who_can() {
    run(async {
        let made = Rc::new(Cell::new(0));
        let make = || {
            made.set(made.get() + 1);
            Some(get())
        };
        let (outcome, came) = second_request(get(), Retry::Remade(&make), RESETS).await;
        assert_eq!((outcome.unwrap().0, came, made.get()), (200, 2, 1));
    });
}

#[test]
fn a_request_with_an_effect_is_not_sent_again() {
    run(async {
        let (outcome, came) = second_request(post("body"), Retry::Never, RESETS).await;
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("gave no whole answer: "), "{error}");
        assert_eq!(came, 1);
    });
}

#[test]
fn a_request_is_not_sent_again_once_an_answer_began() {
    run(async {
        let (outcome, came) = second_request(get(), Retry::Idempotent, BEGINS).await;
        outcome.unwrap_err();
        assert_eq!(came, 1);
    });
}

#[test]
fn a_request_on_a_new_connection_is_not_sent_again() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.request().await;
        })
        .await;
        call(&upstream(&server.url()), get(), Retry::Idempotent).await.unwrap_err();
        assert_eq!(server.heads().len(), 1);
    });
}

#[test]
fn a_request_with_an_effect_finds_out_that_a_kept_connection_was_closed() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = upstream(&format!("http://{}", listener.local_addr().unwrap()));
        let (close, told) = mpsc::channel();
        let (closed, hears) = mpsc::channel();
        let server = thread::spawn(move || {
            let first = answer_one(&listener);
            told.recv().unwrap();
            drop(first);
            closed.send(()).unwrap();
            answer_one(&listener).1
        });
        call(&upstream, get(), Retry::Never).await.unwrap();
        assert_eq!(upstream.idle(), 1);
        // This thread stands still, so that nobody has looked at the connection when the next request wants it.
        close.send(()).unwrap();
        hears.recv().unwrap();
        assert_eq!(call(&upstream, post("body"), Retry::Never).await.unwrap().0, 200);
        assert!(server.join().unwrap().starts_with("POST "));
    });
}

/// Answers one request on a new connection; the connection and what came.
fn answer_one(listener: &TcpListener) -> (TcpStream, String) {
    let (mut conn, _) = listener.accept().unwrap();
    let mut read = [0; 4096];
    let count = conn.read(&mut read).unwrap();
    conn.write_all(OK.as_bytes()).unwrap();
    (conn, String::from_utf8_lossy(&read[..count]).into_owned())
}

/// A connection, and the other end of it.
pub(in super::super) async fn connection() -> (Http1, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Http1::new(Stream::Plain(stream)), listener.accept().unwrap().0)
}

/// While nobody looks: the system knows, and this task is the first to learn it.
fn reset(peer: TcpStream) {
    let peer = socket2::Socket::from(peer);
    peer.set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
}

#[test]
fn what_was_not_sent_comes_back() {
    run(async {
        let (mut connection, peer) = connection().await;
        assert!(connection.is_ready());
        reset(peer);
        match connection.send(&mut post("body"), Instant::now()).await {
            Err(Unanswered::Unsent(request, cause)) => {
                assert_eq!((request.method(), request.body().size_hint().exact()), (&Method::POST, Some(4)));
                assert!(matches!(cause, Cause::Http1(Http1Error::Io(_))), "{cause:?}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!connection.is_ready());
    });
}

#[test]
fn what_was_said_before_a_request_went_out_does_not_answer_it() {
    run(async {
        let (mut connection, mut peer) = connection().await;
        assert!(connection.is_ready());
        peer.write_all(OK.as_bytes()).unwrap();
        reset(peer);
        match connection.send(&mut post("body"), Instant::now()).await {
            Err(Unanswered::Unsent(request, _)) => assert_eq!(request.method(), Method::POST),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_connection_is_looked_at_however_much_its_task_did_already() {
    run(async {
        let (mut connection, mut peer) = connection().await;
        peer.write_all(OK.as_bytes()).unwrap();
        tokio::time::timeout(Duration::from_secs(5), async {
            while connection.is_ready() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        let (mut connection, mut peer) = self::connection().await;
        peer.write_all(OK.as_bytes()).unwrap();
        // The reactor learns of what came.
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::future::poll_fn(|cx| {
            while let std::task::Poll::Ready(spent) = tokio::task::coop::poll_proceed(cx) {
                spent.made_progress();
            }
            assert!(!connection.is_ready());
            std::task::Poll::Ready(())
        })
        .await;
    });
}

#[test]
fn a_connection_whose_answer_is_due_is_not_ready() {
    run(async {
        let (mut connection, mut peer) = connection().await;
        let mut request = get();
        {
            let mut send = std::pin::pin!(connection.send(&mut request, Instant::now()));
            assert!(tokio::time::timeout(Duration::from_millis(10), &mut send).await.is_err());
        }
        assert!(peer.read(&mut [0; 4096]).unwrap() > 0);
        assert!(connection.is_through() && !connection.is_ready());
    });
}

#[test]
fn of_a_large_request_something_may_have_gone_out_over_tls() {
    run(async {
        let authority = Authority::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = authority.server("127.0.0.1");
        config.alpn_protocols.clear();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let config = authority.trusted(None).http1;
        for (length, unsent) in [(4, true), (100_000, false)] {
            let connect = async {
                let stream = tokio::net::TcpStream::connect(address).await.unwrap();
                let connector = tokio_rustls::TlsConnector::from(config.clone());
                connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap()
            };
            let accept = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
            let (stream, peer) = tokio::join!(connect, accept);
            let mut connection = Http1::new(Stream::Tls(Box::new(stream)));
            while !connection.is_ready() {
                tokio::task::yield_now().await;
            }
            reset(peer.into_inner().0.into_std().unwrap());
            match connection.send(&mut post(vec![0; length]), Instant::now()).await {
                Err(Unanswered::Unsent(..)) => assert!(unsent, "{length}"),
                Err(Unanswered::Silent(_)) => assert!(!unsent, "{length}"),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn an_old_connection_does_not_take_younger_ones_with_it() {
    run(async {
        let (idle, now, timeout) = (Idle::default(), Instant::now(), Duration::from_secs(50));
        let (young, _peer) = connection().await;
        let (old, _other) = connection().await;
        idle.put(Box::new(young), now + timeout);
        idle.put(Box::new(old), now);
        assert!(idle.take(now + timeout + Duration::from_secs(1), timeout).is_some());
        assert_eq!(idle.len(), 0);
    });
}

#[test]
fn a_body_that_is_passed_on_as_it_comes_is_never_left_behind() {
    run(async {
        let (body, _client) = incoming().await;
        let (mut connection, peer) = connection().await;
        reset(peer);
        let mut request = request(Method::POST, OutBody::Stream(body, None));
        match connection.send(&mut request, Instant::now()).await {
            Err(Unanswered::Silent(_)) => {}
            other => panic!("{other:?}"),
        }
    });
}

/// The body of a request that a client began, and the client.
pub(in super::super) async fn incoming() -> (Incoming, tokio::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo";
    tokio::io::AsyncWriteExt::write_all(&mut client, head).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Cell::new(Some(tell));
    spawn_local(async move {
        let service = service_fn(move |request: Request<Incoming>| {
            tell.take().unwrap().send(request.into_body()).unwrap();
            std::future::pending::<Result<Response<String>, Infallible>>()
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    (told.await.unwrap(), client)
}

#[test]
fn little_that_comes_behind_much_holds_little_memory() {
    run(async {
        let (mut connection, mut peer) = connection().await;
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
        peer.write_all(&[head.as_bytes(), &vec![b'x'; (16 << 10) - head.len()]].concat()).unwrap();
        connection.send(&mut get(), Instant::now()).await.unwrap();
        std::future::poll_fn(|cx| connection.poll_body(cx)).await.unwrap().unwrap();
        peer.write_all(b"y").unwrap();
        let piece = std::future::poll_fn(|cx| connection.poll_body(cx)).await.unwrap().unwrap();
        assert_eq!(piece, "y");
        assert!(piece.try_into_mut().unwrap().capacity() < 4096);
    });
}

#[test]
fn a_request_whose_body_is_gone_is_not_sent_again() {
    run(async {
        let (body, mut client) = incoming().await;
        tokio::io::AsyncWriteExt::write_all(&mut client, b"dy").await.unwrap();
        let put = request(Method::PUT, OutBody::Stream(body, None));
        let (outcome, came) = second_request(put, Retry::Idempotent, RESETS).await;
        outcome.unwrap_err();
        assert_eq!(came, 1);
    });
}
