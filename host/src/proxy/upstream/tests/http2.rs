use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, spawn_local, yield_now};
use tokio_rustls::TlsAcceptor;

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
    run(async {
        let authority = Authority::new();
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(HOST)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        spawn_local(async move {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let mut count = 0;
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                count += 1;
                match count {
                    2 => respond.send_reset(h2::Reason::REFUSED_STREAM),
                    _ => drop(respond.send_response(Response::new(()), true).unwrap()),
                }
            }
        });
        let upstream = upstream_with(&url, Some(authority.trusted(None)));
        assert_eq!(calls(&upstream, 1).await, 1);
        assert_eq!(call(&upstream, post("body"), Retry::Never).await.unwrap().0, 200);
    });
}
