//! Upstreams that answer before they have heard all, or that cannot be reached.

use std::sync::Arc;

use bytes::Bytes;

use super::super::UpstreamErrorKind;
use super::server::Server;
use super::{Retry, call, get, post, run, until, upstream};

/// More than the socket buffers of both sides hold.
fn large() -> Bytes {
    Bytes::from(vec![b'x'; 32 << 20])
}

fn too_large() -> String {
    let body = "too large ".repeat(2000);
    format!(
        "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_early_answer_arrives_from_an_upstream_that_closes_at_once() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            conn.say(too_large()).await;
        })
        .await;
        let (status, body) = call(&upstream(&server.url()), post(large()), Retry::Never).await.unwrap();
        assert_eq!((status, body.len()), (413, 20_000));
    });
}

#[test]
fn an_early_answer_arrives_from_an_upstream_that_stops_reading() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            conn.say(too_large()).await;
            conn.say_no_more().await;
            std::future::pending::<()>().await;
        })
        .await;
        let upstream = upstream(&server.url());
        let (status, body) = call(&upstream, post(large()), Retry::Never).await.unwrap();
        assert_eq!((status, body.len(), upstream.idle()), (413, 20_000, 0));
    });
}

#[test]
fn the_rest_of_a_request_that_was_answered_is_given_up() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            conn.say("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
            std::future::pending::<()>().await;
        })
        .await;
        let held = Arc::new(large());
        let body = Bytes::from_owner(Held(held.clone()));
        let (status, _) = call(&upstream(&server.url()), post(body), Retry::Never).await.unwrap();
        assert_eq!(status, 401);
        until(|| Arc::strong_count(&held) == 1).await;
    });
}

/// Bytes of which can be seen whether somebody has them still.
struct Held(Arc<Bytes>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn an_upstream_that_hangs_up_during_the_request_is_an_error() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
        })
        .await;
        let error = call(&upstream(&server.url()), post(large()), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Closed, "{error}");
    });
}

#[test]
fn nobody_there_is_said_with_the_origin_and_the_systems_words() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = call(&upstream(&url), get(), Retry::Idempotent).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Connect);
        assert_eq!(error.to_string(), format!("{url} cannot be reached: Connection refused (os error 111)"));
    });
}

#[test]
fn what_is_no_http_is_an_error_that_does_not_repeat_it() {
    run(async {
        let server = Server::answering("SSH-2.0-OpenSSH_9.9\r\n\r\n").await;
        let error = call(&upstream(&server.url()), get(), Retry::Idempotent).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Protocol, "{error}");
        assert!(!error.to_string().contains("SSH") && !error.to_string().contains("orders?"), "{error}");
    });
}

#[test]
fn a_body_whose_framing_is_broken_is_an_error() {
    run(async {
        let server = Server::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\n").await;
        let error = call(&upstream(&server.url()), get(), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Protocol, "{error}");
        assert!(!error.to_string().contains("zzz"), "{error}");
    });
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_an_error() {
    run(async {
        let server = Server::answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: chat\r\n\r\n").await;
        let error = call(&upstream(&server.url()), get(), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Protocol, "{error}");
    });
}
