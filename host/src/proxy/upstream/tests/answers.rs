//! What upstreams of any kind may answer over HTTP/1.1: what becomes of it, and of the connection.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use proptest::prelude::*;

use super::super::UpstreamErrorKind::{self, Closed, Protocol};
use super::server::Server;
use super::{Retry, Upstream, call, get, post, run, until, upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What becomes of an answer that comes in pieces of some size, after which the upstream closes; and how many connections are
/// left to be used again right after it.
async fn outcome(answer: &[u8], piece: usize) -> (Result<(u16, Bytes), UpstreamErrorKind>, usize) {
    let pieces: Vec<Vec<u8>> = answer.chunks(piece.max(1)).map(<[u8]>::to_vec).collect();
    let server = Server::start(move |_, mut conn| {
        let pieces = pieces.clone();
        async move {
            conn.request().await;
            for piece in pieces {
                conn.say(piece).await;
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let upstream = upstream(&server.url());
    let outcome = call(&upstream, get(), Retry::Never).await.map_err(|error| error.kind());
    (outcome, upstream.idle())
}

#[test]
fn an_answer_is_what_it_says_however_it_comes() {
    let whole = |status, body: &'static str| Ok((status, Bytes::from_static(body.as_bytes())));
    for (answer, expected) in [
        (OK, whole(200, "ok")),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", whole(200, "until the end")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2  \r\nok\r\n1;x=y\r\n!\r\n0\r\nx: y\r\n\r\n",
            whole(200, "ok!"),
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nno",
            whole(404, "no"),
        ),
        ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", whole(200, "ok")),
        ("HTTP/1.1 200 OK\nx: y\ncontent-length: 2\n\nok", whole(200, "ok")),
        ("HTTP/1.1 204 No Content\r\n\r\n", whole(204, "")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", Err(Closed)),
        ("HTTP/1.1 200 OK\r\ncontent-le", Err(Closed)),
        ("", Err(Closed)),
        ("HTTP/1.1 100 Continue\r\n\r\n", Err(Closed)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Err(Closed)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nokk\r\n", Err(Protocol)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx\n\r\n", Err(Protocol)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Err(Protocol)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", Err(Protocol)),
        ("HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok", Err(Protocol)),
        ("HTTP/1.1 200 OK\r\nx\r\n\r\n", Err(Protocol)),
    ] {
        for piece in [answer.len(), 1, 7] {
            let (outcome, _) = run(outcome(answer.as_bytes(), piece));
            assert_eq!(outcome, expected, "{answer:?} by {piece}");
        }
    }
}

#[test]
fn answers_before_the_final_one_and_heads_are_not_endless() {
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    assert_eq!(run(outcome((early.repeat(16) + OK).as_bytes(), 4096)).0.unwrap().0, 200);
    assert_eq!(run(outcome((early.repeat(17) + OK).as_bytes(), 4096)).0, Err(Protocol));
    let large = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(200 << 10));
    assert_eq!(run(outcome(large.as_bytes(), 4096)).0.unwrap().0, 200);
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(300 << 10));
    assert_eq!(run(outcome(endless.as_bytes(), 4096)).0, Err(Protocol));
}

#[test]
fn what_follows_an_answer_is_nobodys_answer() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    // With the answer, or behind it, when the connection is kept already.
    for together in [true, false] {
        run(async {
            let server = Server::start(move |_, mut conn| async move {
                while conn.request().await.is_some() {
                    match together {
                        true => conn.say([OK, evil].concat()).await,
                        false => {
                            conn.say(OK).await;
                            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                            conn.say(evil).await;
                        }
                    }
                }
            })
            .await;
            let upstream = upstream(&server.url());
            for count in 1..4 {
                assert_eq!(call(&upstream, get(), Retry::Never).await.unwrap().1, "ok");
                if together {
                    assert_eq!(upstream.idle(), 0);
                } else {
                    gone(&upstream).await;
                }
                assert_eq!(server.accepted(), count);
            }
        });
    }
}

/// Waits until the connections that were kept turn out to be of no use.
async fn gone(upstream: &Rc<Upstream>) {
    until(|| {
        upstream.sweep(Instant::now());
        upstream.idle() == 0
    })
    .await;
}

#[test]
fn an_answer_with_two_framings_is_read_in_chunks_and_is_the_last_of_its_connection() {
    let two =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let (outcome, kept) = run(outcome(two.as_bytes(), two.len()));
    assert_eq!((outcome.unwrap().1, kept), (Bytes::from_static(b"ok"), 0));
}

#[test]
fn a_request_that_is_answered_before_its_end_is_the_last_of_its_connection() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            conn.head().await;
            conn.say(OK).await;
            conn.closed().await;
        })
        .await;
        let upstream = upstream(&server.url());
        let large = Bytes::from(vec![b'x'; 32 << 20]);
        assert_eq!(call(&upstream, post(large), Retry::Never).await.unwrap().0, 200);
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn a_large_body_in_memory_arrives_whole() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            let (_, body) = conn.request().await.unwrap();
            let sum = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            conn.say(format!("HTTP/1.1 200 OK\r\n\r\n{} {sum}", body.len())).await;
        })
        .await;
        for length in [0, 1, 8 << 10, (8 << 10) + 1, 5 << 20] {
            let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let sum = body.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            let mut request = post(body);
            request.headers_mut().insert("content-length", 0.into());
            let (_, said) = call(&upstream(&server.url()), request, Retry::Never).await.unwrap();
            assert_eq!(said, format!("{length} {sum}"));
        }
    });
}

#[test]
fn a_body_of_known_length_tells_what_is_left_of_it() {
    run(async {
        let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let mut body = upstream(&server.url()).send(get(), Retry::Never).await.unwrap().into_body();
        let left = |body: &super::InBody| http_body::Body::size_hint(body).exact();
        assert_eq!(left(&body), Some(2));
        body.frame().await.unwrap().unwrap();
        assert_eq!(left(&body), Some(0));
        assert!(http_body::Body::is_end_stream(&body));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_body_arrives_as_it_was_whatever_its_framing_and_its_pieces(
        data in proptest::collection::vec(any::<u8>(), 0..40_000),
        cuts in proptest::collection::vec(1_usize..9000, 1..12),
        piece in 1_usize..20_000,
        chunked: bool,
    ) {
        let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
        if chunked {
            answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            let (mut rest, mut cuts) = (&data[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, more) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                answer.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                answer.extend_from_slice(chunk);
                answer.extend_from_slice(b"\r\n");
                rest = more;
            }
            answer.extend_from_slice(b"0\r\n\r\n");
        } else {
            answer.extend_from_slice(format!("content-length: {}\r\n\r\n", data.len()).as_bytes());
            answer.extend_from_slice(&data);
        }
        let (outcome, _) = run(outcome(&answer, piece));
        prop_assert!(outcome.unwrap().1 == data);
    }
}
