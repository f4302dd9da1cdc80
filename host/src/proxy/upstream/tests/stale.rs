use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body as _;

use super::super::http1::Http1;
use super::super::io::Stream;
use super::super::unanswered::Unanswered;
use super::server::Server;
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

#[test]
fn what_was_not_sent_comes_back() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut connection = Http1::new(Stream::Plain(stream));
        assert!(connection.is_ready());
        // Reset while nobody looks: the system knows, and this task is the first to learn it.
        let peer = socket2::Socket::from(listener.accept().unwrap().0);
        peer.set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        match connection.send(&mut post("body"), Instant::now()).await {
            Err(Unanswered::Unsent(request, _)) => {
                assert_eq!((request.method(), request.body().size_hint().exact()), (&Method::POST, Some(4)));
            }
            other => panic!("{other:?}"),
        }
        assert!(!connection.is_ready());
    });
}
