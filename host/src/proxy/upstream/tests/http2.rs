use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, spawn_local, yield_now};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::UpstreamErrorKind;
use super::tls_server::{Answer, Authority, TlsServer, answer, streamed};
use super::{Retry, Upstream, call, get, post, run, until, upstream_with, whole};

const HOST: &str = "127.0.0.1";

async fn serve<F>(serve: impl Fn(Request<Incoming>) -> F + 'static) -> (TlsServer, Rc<Upstream>)
where
    F: Future<Output = Answer> + 'static,
{
    let authority = Authority::new();
    let server = TlsServer::start(authority.server(HOST), serve).await;
    let upstream = upstream_with(&server.url(), Some(authority.trusted(None)));
    (server, upstream)
}

fn is_gone(upstream: &Upstream) -> bool {
    upstream.sweep(Instant::now());
    upstream.idle() == 0
}

/// So many calls at once; how many were answered.
async fn calls(upstream: &Rc<Upstream>, count: usize) -> usize {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let upstream = upstream.clone();
        calls.spawn_local(async move { call(&upstream, get(), Retry::Never).await.is_ok() });
    }
    calls.join_all().await.into_iter().filter(|answered| *answered).count()
}

#[test]
fn requests_share_one_connection() {
    run(async {
        let (server, upstream) = serve(async |_| answer("ok")).await;
        assert_eq!(calls(&upstream, 1).await, 1);
        assert_eq!(calls(&upstream, 50).await, 50);
        assert_eq!((server.accepted(), upstream.idle()), (1, 1));
        assert_eq!(server.seen()[0].protocol, "h2");
    });
}

#[test]
fn a_connection_that_ended_is_made_anew_once_for_all() {
    run(async {
        let (server, upstream) = serve(async |_| answer("ok")).await;
        calls(&upstream, 1).await;
        server.end();
        until(|| is_gone(&upstream)).await;
        assert_eq!(calls(&upstream, 50).await, 50);
        assert_eq!(server.accepted(), 2);
    });
}

#[test]
fn all_who_wait_for_a_connection_that_fails_fail_with_it() {
    run(async {
        let (server, upstream) = serve(async |_| answer("ok")).await;
        calls(&upstream, 1).await;
        server.end();
        server.shut();
        until(|| is_gone(&upstream)).await;
        assert_eq!(calls(&upstream, 50).await, 0);
        assert_eq!(server.accepted(), 2);
    });
}

#[test]
fn the_request_that_arrives_is_the_one_that_was_sent() {
    run(async {
        let (_server, upstream) = serve(async |request| {
            let (head, body) = request.into_parts();
            assert_eq!((head.version, head.method.as_str()), (Version::HTTP_2, "POST"));
            assert_eq!(head.uri, "https://orders.example/orders?of=today");
            assert_eq!(head.headers["content-length"], "4");
            assert!(!head.headers.contains_key("host"));
            answer(body.collect().await.unwrap().to_bytes())
        })
        .await;
        assert_eq!(call(&upstream, post("body"), Retry::Never).await.unwrap().1, "body");
    });
}

#[test]
fn a_cancelled_request_ends_alone() {
    run(async {
        let came = Rc::new(Cell::new(0));
        let count = came.clone();
        let (server, upstream) = serve(move |_| {
            count.set(count.get() + 1);
            let first = count.get() == 1;
            async move { if first { std::future::pending().await } else { answer("ok") } }
        })
        .await;
        tokio::select! {
            _ = upstream.send(get(), Retry::Never) => panic!("there is no answer"),
            () = until(|| came.get() == 1) => {}
        }
        assert_eq!(calls(&upstream, 5).await, 5);
        assert_eq!(server.accepted(), 1);
    });
}

/// A server whose first answer's body comes as told, and the others at once.
async fn serve_one_slowly() -> (TlsServer, Rc<Upstream>, UnboundedSender<io::Result<Bytes>>) {
    let (chunks, receiver) = unbounded_channel();
    let receiver = Rc::new(Cell::new(Some(receiver)));
    let (server, upstream) = serve(move |_| {
        let receiver = receiver.take();
        async move { receiver.map_or_else(|| answer("ok"), streamed) }
    })
    .await;
    (server, upstream, chunks)
}

#[test]
fn a_connection_that_takes_no_new_requests_is_replaced_and_those_under_way_end_well() {
    run(async {
        let (server, upstream, chunks) = serve_one_slowly().await;
        let long = upstream.send(get(), Retry::Never).await.unwrap().into_body();
        server.retire();
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(call(&upstream, post("body"), Retry::Never).await.unwrap().1, "ok");
        assert_eq!(server.accepted(), 2);
        chunks.send(Ok(Bytes::from_static(b"the end"))).unwrap();
        drop(chunks);
        assert_eq!(whole(long).await.unwrap(), "the end");
    });
}

#[test]
fn an_answer_cut_short_is_an_error_and_ends_alone() {
    run(async {
        let (server, upstream, chunks) = serve_one_slowly().await;
        let cut = upstream.send(get(), Retry::Idempotent).await.unwrap().into_body();
        chunks.send(Ok(Bytes::from_static(b"the beginning"))).unwrap();
        chunks.send(Err(io::Error::other("enough"))).unwrap();
        let error = whole(cut).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Closed, "{error}");
        assert_eq!(calls(&upstream, 5).await, 5);
        assert_eq!(server.accepted(), 1);
    });
}

#[test]
fn a_connection_nobody_needs_is_dropped_by_a_sweep() {
    run(async {
        let (_server, upstream) = serve(async |_| answer("ok")).await;
        calls(&upstream, 1).await;
        upstream.sweep(Instant::now() + Duration::from_secs(59));
        assert_eq!(upstream.idle(), 1);
        upstream.sweep(Instant::now() + Duration::from_secs(61));
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn a_stream_that_the_upstream_did_not_look_at_is_sent_again_whatever_the_method() {
    let refused_stream = frame(3, 0, 3, &7u32.to_be_bytes());
    let go_away_after_stream_1 = frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]);
    for (refusal, connections) in [(refused_stream, 1), (go_away_after_stream_1, 2)] {
        run(async {
            let authority = Authority::new();
            let acceptor = TlsAcceptor::from(Arc::new(authority.server(HOST)));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            let accepted = Rc::new(Cell::new(0));
            let count = accepted.clone();
            let last = Rc::new(Cell::new(0));
            let flags_of_last = last.clone();
            spawn_local(async move {
                loop {
                    let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
                    count.set(count.get() + 1);
                    let refusal = refusal.clone();
                    let last = last.clone();
                    let refuse = move |id, flags| {
                        last.set(flags);
                        (id == 3).then(|| refusal.clone())
                    };
                    spawn_local(by_hand(stream, refuse));
                }
            });
            let upstream = upstream_with(&url, Some(authority.trusted(None)));
            assert_eq!(calls(&upstream, 1).await, 1);
            assert_eq!(call(&upstream, post("body"), Retry::Never).await.unwrap().0, 200);
            assert_eq!(accepted.get(), connections);
            assert_eq!(flags_of_last.get() & 1, 0, "a head behind which the body follows");
        });
    }
}

#[test]
fn an_upstream_that_refuses_every_stream_is_not_asked_without_end() {
    run(async {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(HOST)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let refused = Rc::new(Cell::new(0));
        let count = refused.clone();
        spawn_local(async move {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let refuse = move |id, _| {
                count.set(count.get() + usize::from(id > 1));
                (id > 1).then(|| frame(3, 0, id, &7u32.to_be_bytes()))
            };
            by_hand(stream, refuse).await;
        });
        let upstream = upstream_with(&url, Some(authority.trusted(None)));
        assert_eq!(calls(&upstream, 1).await, 1);
        let error = call(&upstream, get(), Retry::Idempotent).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(refused.get(), 3);
    });
}

/// A frame of RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// HTTP/2 by hand: status 200 for every request, but for those on streams that are refused, with a frame.
async fn by_hand(mut stream: TlsStream<TcpStream>, refuse: impl Fn(u8, u8) -> Option<Vec<u8>>) {
    stream.read_exact(&mut [0; 24]).await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let [_, high, low, kind, flags, _, _, _, id] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        stream.read_exact(&mut payload).await.unwrap();
        let reply = match (kind, flags, id) {
            (4, 0, _) => frame(4, 1, 0, &[]),
            (1, ..) => refuse(id, flags).unwrap_or_else(|| frame(1, 5, id, &[0x88])),
            _ => continue,
        };
        stream.write_all(&reply).await.unwrap();
        stream.flush().await.unwrap();
    }
}

#[test]
fn answers_that_nobody_reads_do_not_hold_up_the_others() {
    run(async {
        let (server, upstream) = serve(async |_| answer(vec![b'x'; 2 << 20])).await;
        assert!(call(&upstream, get(), Retry::Never).await.is_ok());
        let mut unread = Vec::new();
        for _ in 0..20 {
            unread.push(upstream.send(get(), Retry::Never).await.unwrap());
        }
        let (_, body) = call(&upstream, get(), Retry::Never).await.unwrap();
        assert_eq!((body.len(), server.accepted()), (2 << 20, 1));
    });
}
