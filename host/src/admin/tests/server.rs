use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::*;
use crate::admin::Admin;
use crate::proxy::listen::{Inherited, Listen, bind};

fn on(listen: Listen) -> Result<(Admin, String), Error> {
    let bound = bind(&listen, &Inherited::none(), &[])?;
    let address = bound[0].to_string();
    Ok((Admin::on(bound)?, address))
}

fn serve(listen: Listen, proxy: Arc<Proxy>) -> (JoinHandle<()>, String) {
    let (admin, address) = on(listen).unwrap();
    (tokio::spawn(admin.serve(proxy)), address)
}

fn any_port() -> Listen {
    Listen::Tcp("127.0.0.1:0".parse().unwrap())
}

async fn exchange(address: &str, sent: &str) -> String {
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn pages_are_served_over_tcp_and_head_has_no_body() {
    let (server, address) = serve(any_port(), Proxy::new());
    let request =
        |method| format!("{method} /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let got = exchange(&address, &request("GET")).await;
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nok\n"), "{got}");
    let head = exchange(&address, &request("HEAD")).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-length: 3\r\n"), "{head}");
    server.abort();
}

#[tokio::test]
async fn pages_are_served_over_a_unix_socket_which_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let (server, _) = serve(Listen::Unix(path.clone()), Proxy::new());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.abort();
    server.await.unwrap_err();
    while Path::exists(&path) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (server, address) = serve(any_port(), Proxy::new());
    let large = "x".repeat(20 << 10);
    let request = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: {large}\r\n\r\n");
    let answer = exchange(&address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = "x: y\r\n".repeat(70);
    let answer = exchange(&address, &format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_with_its_head_is_let_go() {
    let (server, address) = serve(any_port(), Proxy::new());
    let begun = tokio::time::Instant::now();
    let answer = exchange(&address, "GET /healthz HTTP/1.1\r\nhost: loc").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_most_wait_for_one_to_end() {
    let (server, address) = serve(any_port(), Proxy::new());
    let begun = tokio::time::Instant::now();
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(TcpStream::connect(address.parse::<SocketAddr>().unwrap()).await.unwrap());
    }
    let answer =
        exchange(&address, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // The time that the others have for their heads.
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn no_connection_lasts_for_ever() {
    let (server, address) = serve(any_port(), Proxy::new());
    let begun = tokio::time::Instant::now();
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).await.unwrap();
    let mut answer = [0; 1024];
    while stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {
        match stream.read(&mut answer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => tokio::time::sleep(Duration::from_secs(5)).await,
        }
        assert!(begun.elapsed() < Duration::from_secs(150), "still there");
    }
    assert!(begun.elapsed() > Duration::from_secs(100), "{:?}", begun.elapsed());
    server.abort();
}

#[tokio::test]
async fn an_address_that_other_machines_can_reach_is_refused() {
    let said = on(Listen::Tcp("0.0.0.0:0".parse().unwrap())).unwrap_err().to_string();
    assert!(said.contains("can be reached from other machines"), "{said}");
}
