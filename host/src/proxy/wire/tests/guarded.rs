use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::super::{Fault, Guarded, Phase, WireLimits, WireState};
use super::server::{Pieces, raw};

const GET: &[u8] = b"GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
const UPGRADE: &[u8] =
    b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

fn guarded<S>(io: S) -> (Guarded<S>, Arc<WireState>) {
    let state = Arc::new(WireState::default());
    (Guarded::new(io, WireLimits::default(), Arc::clone(&state)), state)
}

/// Answers with the path, or with a refusal's status and words.
fn answer(state: &WireState, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match state.refusal(request.uri().path()) {
        Some(fault) => {
            let mut answer = Response::new(Full::from(fault.what));
            *answer.status_mut() = StatusCode::from_u16(fault.status).unwrap();
            answer
        }
        None => Response::new(Full::from(request.uri().path().to_owned())),
    }
}

/// Serves a connection; with `switches`, an upgrade is answered with 101 and what is sent then comes back in capitals.
async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, switches: bool) {
    let (guarded, state) = guarded(io);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut answer = answer(&state, &request);
        if switches && request.headers().contains_key("upgrade") {
            state.release();
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *answer.body_mut() = Full::default();
            answer.headers_mut().insert("upgrade", "websocket".parse().unwrap());
            tokio::spawn(shout(hyper::upgrade::on(request)));
        }
        async { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(guarded), service).with_upgrades().await;
}

async fn shout(upgrade: hyper::upgrade::OnUpgrade) {
    let mut io = TokioIo::new(upgrade.await.unwrap());
    let mut buffer = [0; 64];
    loop {
        let length = io.read(&mut buffer).await.unwrap();
        if length == 0 {
            return;
        }
        io.write_all(&buffer[..length].to_ascii_uppercase()).await.unwrap();
    }
}

async fn read_until(client: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push(char::from(client.read_u8().await.unwrap()));
    }
    text
}

#[tokio::test]
async fn after_an_upgrade_bytes_pass_as_they_are() {
    let (mut client, io) = duplex(4096);
    tokio::spawn(serve(io, true));
    client.write_all(&[UPGRADE, b"too early\n\r\x01"].concat()).await.unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(read_until(&mut client, "\x01").await, "TOO EARLY\n\r\x01");
    client.write_all(b"\nget / http/1.1\r\r\x00").await.unwrap();
    assert_eq!(read_until(&mut client, "\x00").await, "\nGET / HTTP/1.1\r\r\x00");
}

#[tokio::test]
async fn what_came_before_the_answer_passes_as_it_is_once_it_is_released() {
    let (mut client, io) = duplex(4096);
    let (mut guarded, state) = guarded(io);
    client.write_all(&[UPGRADE, b"\0early\n"].concat()).await.unwrap();
    let mut buffer = [0; 4096];
    assert_eq!(guarded.read(&mut buffer).await.unwrap(), UPGRADE.len());
    assert!(waits(&mut guarded).await);
    state.release();
    guarded.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
    let length = guarded.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], b"\0early\n");
}

#[tokio::test]
async fn after_an_upgrade_that_is_declined_requests_are_judged_again() {
    let (mut client, io) = duplex(4096);
    tokio::spawn(serve(io, false));
    client.write_all(&[UPGRADE, GET, b"GET /2 HTTP/1.1\n"].concat()).await.unwrap();
    read_until(&mut client, "\r\n\r\n/live").await;
    read_until(&mut client, "\r\n\r\n/1").await;
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
}

#[tokio::test]
async fn a_client_that_waits_for_the_declined_upgrade_goes_on() {
    let (mut client, io) = duplex(4096);
    tokio::spawn(serve(io, false));
    for _ in 0..3 {
        client.write_all(UPGRADE).await.unwrap();
        read_until(&mut client, "\r\n\r\n/live").await;
        client.write_all(GET).await.unwrap();
        read_until(&mut client, "\r\n\r\n/1").await;
    }
}

#[tokio::test]
async fn a_refused_request_is_answered_though_its_client_goes_on_sending() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        serve(io, false).await;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /a b HTTP/1.1\r\n").await.unwrap();
    for _ in 0..64 {
        client.write_all(&[b'x'; 64 * 1024]).await.unwrap();
    }
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("put one between its parts"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_ends_is_left_after_a_moment() {
    let (mut client, io) = duplex(4096);
    let served = tokio::spawn(serve(io, false));
    client.write_all(b"GET /a b HTTP/1.1\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_secs(2), served).await.unwrap().unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sent_all_is_left_at_once() {
    let (mut client, io) = duplex(4096);
    let served = tokio::spawn(serve(io, false));
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_millis(1), served).await.unwrap().unwrap();
}

/// Nothing can be read for now.
async fn waits(io: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut buffer = [0; 4096];
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *io).poll_read(cx, &mut ReadBuf::new(&mut buffer)).is_pending()))
        .await
}

#[tokio::test]
async fn a_head_reaches_the_server_only_when_it_is_whole() {
    let (mut client, io) = duplex(4096);
    let (mut guarded, state) = guarded(io);
    let (head, end) = GET.split_at(GET.len() - 1);
    assert_eq!(state.phase(), Phase::Idle);
    client.write_all(head).await.unwrap();
    let mut buffer = [0; 4096];
    assert!(waits(&mut guarded).await);
    assert_eq!((state.phase(), state.heads()), (Phase::Head, 0));
    client.write_all(end).await.unwrap();
    let length = guarded.read(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..length], GET);
    assert_eq!((state.phase(), state.heads()), (Phase::Idle, 1));
}

#[tokio::test]
async fn a_phase_says_what_is_still_to_come() {
    let (mut client, io) = duplex(4096);
    let (mut guarded, state) = guarded(io);
    let mut buffer = [0; 4096];
    for (sent, phase) in [
        (CHUNKED, Phase::Body),
        (b"5\r\nhel", Phase::Body),
        (b"lo\r\n0\r\n", Phase::Body),
        (b"X: y\r\n\r\n", Phase::Idle),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1", Phase::Body),
        (b"2GET /1 HTT", Phase::Head),
        (b"P/1.1\r\nHost: localhost\r\n\r\n", Phase::Idle),
    ] {
        client.write_all(sent).await.unwrap();
        assert!(guarded.read(&mut buffer).await.unwrap() > 0);
        assert_eq!(state.phase(), phase, "after {}", String::from_utf8_lossy(sent));
    }
    assert_eq!(state.heads(), 3);
}

#[test]
fn a_fault_inside_a_body_is_an_error_that_holds_it() {
    let (guarded, _) = guarded(Pieces::new(&[CHUNKED, b"5\r\nhello!"].concat(), []));
    let (passed, error) = raw(guarded, 4096);
    assert_eq!(passed, [CHUNKED, b"5\r\nhello"].concat());
    let error = error.unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let fault = error.get_ref().and_then(|source| source.downcast_ref::<Fault>()).unwrap();
    assert_eq!(fault.status, 400);
}

#[test]
fn nothing_after_a_refused_head_is_read() {
    let bytes = [GET, b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", GET, GET].concat();
    for size in [1, 50, usize::MAX] {
        let (guarded, state) = guarded(Pieces::new(&bytes, std::iter::repeat(size)));
        let (passed, _) = raw(guarded, 4096);
        let stand_in = passed.strip_prefix(GET).unwrap();
        assert_eq!(stand_in.iter().filter(|byte| **byte == b'G').count(), 1);
        assert_eq!(state.heads(), 2);
    }
}

#[test]
fn a_client_cannot_make_itself_the_stand_in() {
    let state = WireState::default();
    assert_eq!(state.refusal("/%refused"), None);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let (client, io) = duplex(64);
    tokio::spawn(serve(io, false));
    let requests: String = (0..200)
        .map(|n| format!("POST /{n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"))
        .collect();
    let (mut reader, mut writer) = tokio::io::split(client);
    let sent = tokio::spawn(async move { writer.write_all(requests.as_bytes()).await.unwrap() });
    for n in 0..200 {
        read_until(&mut reader, &format!("\r\n\r\n/{n}")).await;
    }
    sent.await.unwrap();
}
