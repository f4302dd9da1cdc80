use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method};
use http_body_util::BodyExt as _;

use super::super::idle::MOST_IDLE;
use super::server::Server;
use super::{
    OutBody, Retry, Target, Upstream, call, get, post, request, run, target, until, upstream, whole,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn a_request_goes_out_in_origin_form_with_its_host() {
    run(async {
        let server = Server::answering(OK).await;
        let (status, body) = call(&upstream(&server.url()), get(), Retry::Never).await.unwrap();
        assert_eq!((status, &*body), (200, &b"ok"[..]));
        assert_eq!(server.heads(), ["GET /orders?of=today HTTP/1.1\r\nhost: orders.example\r\n\r\n"]);
    });
}

#[test]
fn a_connection_is_used_again_whatever_its_answer_is_framed_by() {
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    ] {
        run(async {
            let server = Server::answering(answer).await;
            let upstream = upstream(&server.url());
            for _ in 0..3 {
                call(&upstream, get(), Retry::Never).await.unwrap();
                call(&upstream, post("body"), Retry::Never).await.unwrap();
                assert_eq!(upstream.idle(), 1, "{answer}");
            }
            assert_eq!(server.accepted(), 1, "{answer}");
        });
    }
}

#[test]
fn an_answer_to_head_has_no_body_and_keeps_its_connection() {
    run(async {
        let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        let upstream = upstream(&server.url());
        let answer = upstream.send(request(Method::HEAD, OutBody::Empty), Retry::Never).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "1000");
        assert_eq!(upstream.idle(), 1);
        assert_eq!(whole(answer.into_body()).await.unwrap().len(), 0);
    });
}

#[test]
fn a_connection_comes_back_when_its_answer_was_read_and_no_sooner() {
    run(async {
        let server = Server::answering(OK).await;
        let upstream = upstream(&server.url());
        let answer = upstream.send(get(), Retry::Never).await.unwrap();
        assert_eq!(upstream.idle(), 0);
        let mut body = answer.into_body();
        assert_eq!(&**body.frame().await.unwrap().unwrap().data_ref().unwrap(), b"ok");
        assert_eq!(upstream.idle(), 1, "nobody asks a body of known length for more than its last byte");
        drop(body);
        assert_eq!(upstream.idle(), 1);
    });
}

#[test]
fn an_upstream_that_closes_after_each_answer_gets_a_connection_for_each() {
    for answer in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\n\r\nok",
        "HTTP/1.1 200 OK\r\n\r\nok",
    ] {
        run(async {
            let server = Server::start(move |_, mut conn| async move {
                conn.request().await;
                conn.say(answer).await;
            })
            .await;
            let upstream = upstream(&server.url());
            for _ in 0..3 {
                let (status, body) = call(&upstream, post("body"), Retry::Never).await.unwrap();
                assert_eq!((status, &*body), (200, &b"ok"[..]), "{answer}");
                assert_eq!(upstream.idle(), 0, "{answer}");
            }
            assert_eq!(server.accepted(), 3, "{answer}");
        });
    }
}

#[test]
fn a_cancelled_request_closes_its_connection() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let seen = closed.clone();
        let server = Server::start(move |_, mut conn| {
            let seen = seen.clone();
            async move {
                conn.request().await;
                conn.closed().await;
                seen.set(true);
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let under_way = upstream.send(get(), Retry::Never);
        tokio::select! {
            _ = under_way => panic!("there is no answer"),
            () = until(|| server.heads().len() == 1) => {}
        }
        until(|| closed.get()).await;
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn an_answer_dropped_before_its_end_closes_its_connection() {
    run(async {
        let closed = Rc::new(Cell::new(false));
        let seen = closed.clone();
        let server = Server::start(move |_, mut conn| {
            let seen = seen.clone();
            async move {
                conn.request().await;
                conn.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning").await;
                conn.closed().await;
                seen.set(true);
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let answer = upstream.send(get(), Retry::Never).await.unwrap();
        assert!(!closed.get());
        drop(answer);
        until(|| closed.get()).await;
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn an_answer_cut_short_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nthe b",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nthe b\r\n",
    ] {
        run(async {
            let server = Server::start(move |_, mut conn| async move {
                conn.request().await;
                conn.say(answer).await;
            })
            .await;
            let upstream = upstream(&server.url());
            let error = call(&upstream, get(), Retry::Idempotent).await.unwrap_err();
            assert!(error.to_string().contains("gave no whole answer"), "{error}");
            assert_eq!((server.accepted(), upstream.idle()), (1, 0));
        });
    }
}

#[test]
fn idle_connections_are_limited_and_the_rest_is_closed() {
    run(async {
        let server = Server::answering(OK).await;
        let upstream = upstream(&server.url());
        let mut answers = Vec::new();
        for _ in 0..MOST_IDLE + 3 {
            answers.push(upstream.send(get(), Retry::Never).await.unwrap());
        }
        assert_eq!(server.accepted(), MOST_IDLE + 3);
        for answer in answers {
            whole(answer.into_body()).await.unwrap();
        }
        assert_eq!(upstream.idle(), MOST_IDLE);
    });
}

#[test]
fn a_connection_unused_for_too_long_is_not_used_again() {
    run(async {
        let server = Server::answering(OK).await;
        let idle_timeout = Duration::ZERO;
        let upstream = Rc::new(Upstream::new(Target { idle_timeout, ..target(&server.url(), None) }));
        for count in 1..4 {
            call(&upstream, get(), Retry::Idempotent).await.unwrap();
            assert_eq!((server.accepted(), upstream.idle()), (count, 1));
        }
    });
}

#[test]
fn a_sweep_drops_what_is_unused_for_too_long_and_what_was_closed() {
    run(async {
        let server = Server::start(|number, mut conn| async move {
            conn.request().await;
            conn.say(OK).await;
            if number > 1 {
                conn.closed().await;
            }
        })
        .await;
        let upstream = upstream(&server.url());
        let answers = [
            upstream.send(get(), Retry::Never).await.unwrap(),
            upstream.send(get(), Retry::Never).await.unwrap(),
        ];
        for answer in answers {
            whole(answer.into_body()).await.unwrap();
        }
        until(|| {
            upstream.sweep(Instant::now());
            upstream.idle() == 1
        })
        .await;
        upstream.sweep(Instant::now() + Duration::from_secs(59));
        assert_eq!(upstream.idle(), 1);
        upstream.sweep(Instant::now() + Duration::from_secs(61));
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn a_length_that_is_not_the_bodys_does_not_go_out() {
    run(async {
        let server = Server::answering(OK).await;
        let upstream = upstream(&server.url());
        for (mut request, length) in [(post("four"), "content-length: 4"), (get(), "content-length: 0")] {
            request.headers_mut().insert("content-length", HeaderValue::from_static("99"));
            call(&upstream, request, Retry::Never).await.unwrap();
            let head = server.heads().pop().unwrap();
            assert!(head.contains(length) && !head.contains("99"), "{head}");
        }
    });
}
