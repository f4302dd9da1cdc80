use http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::Server;
use super::{OutBody, Retry, call, get, run, upstream, whole};

fn upgrading() -> Request<OutBody> {
    let mut request = get();
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "echo".parse().unwrap());
    request
}

#[test]
fn an_upgraded_connection_is_the_callers_with_all_that_came_on_it() {
    run(async {
        let server = Server::start(|_, mut conn| async move {
            let head = conn.head().await.unwrap();
            assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: echo\r\n"), "{head}");
            conn.say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello")
                .await;
            let heard = conn.bytes(4).await;
            conn.say(heard).await;
        })
        .await;
        let upstream = upstream(&server.url());
        let answer = upstream.send_for_upgrade(upgrading()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        stream.write_all(b"ping").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"ping");
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    run(async {
        let server = Server::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        let upstream = upstream(&server.url());
        let answer = upstream.send_for_upgrade(upgrading()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert_eq!(whole(answer.into_body()).await.unwrap(), "no");
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn an_upgrade_never_takes_a_kept_connection() {
    run(async {
        let server = Server::answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        let upstream = upstream(&server.url());
        call(&upstream, get(), Retry::Never).await.unwrap();
        upstream.send_for_upgrade(upgrading()).await.unwrap();
        assert_eq!((server.accepted(), upstream.idle()), (2, 1));
    });
}
