use std::net::SocketAddr;
use std::rc::Rc;

use countersign::Origin;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;

use super::super::{Proxy, Target, Tls, Upstream, UpstreamErrorKind};
use super::server::{Conn, Server};
use super::tls_server::{Authority, TlsServer, answer};
use super::{Retry, call, get, run, target};

fn origin(text: &str) -> Origin {
    text.parse().unwrap()
}

fn through(proxy: &str, url: &str, tls: Option<Tls>) -> Rc<Upstream> {
    let rules = Matcher::builder().all(proxy).build();
    let proxy = Proxy::of(&origin(url), &rules).unwrap();
    Rc::new(Upstream::new(Target { proxy, ..target(url, tls) }))
}

/// A proxy that leads everybody to one place.
async fn leading_to(port: u16) -> Server {
    Server::start(move |_, mut conn: Conn| async move {
        conn.head().await;
        conn.say("HTTP/1.1 200 Connection established\r\n\r\n").await;
        let target = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
        conn.become_one_with(target).await;
    })
    .await
}

#[test]
fn connections_lead_through_the_proxy_and_tls_goes_to_the_upstream() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server("orders.example"), async |_| answer("ok")).await;
        let proxy = leading_to(server.port()).await;
        let with_user = proxy.url().replace("http://", "http://erp:canary@");
        let upstream = through(&with_user, "https://orders.example", Some(authority.trusted(None)));
        assert_eq!(call(&upstream, get(), Retry::Never).await.unwrap().1, "ok");
        assert_eq!(server.seen()[0].protocol, "h2");
        assert_eq!(
            proxy.heads(),
            ["CONNECT orders.example:443 HTTP/1.1\r\nHost: orders.example:443\r\n\
              Proxy-Authorization: Basic ZXJwOmNhbmFyeQ==\r\n\r\n"]
        );
        let shown = format!("{upstream:?}");
        assert!(!shown.contains("canary") && !shown.contains("ZXJw"), "{shown}");
    });
}

#[test]
fn a_proxy_that_refuses_is_named_and_its_password_is_not() {
    run(async {
        let proxy =
            Server::answering("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                .await;
        let with_user = proxy.url().replace("http://", "http://erp:canary@");
        let error = call(&through(&with_user, "http://orders.example", None), get(), Retry::Never).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Connect);
        let words =
            format!("http://orders.example cannot be reached: the proxy {} answered 407", proxy.url());
        assert_eq!(error.to_string(), words);
        assert_eq!(proxy.heads().len(), 1, "the request itself does not go to a proxy that refused it");
    });
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    run(async {
        let upstream = through("http://127.0.0.1:1", "http://orders.example", None);
        let error = call(&upstream, get(), Retry::Never).await.unwrap_err().to_string();
        assert!(error.contains("the proxy http://127.0.0.1:1: Connection refused"), "{error}");
    });
}

#[test]
fn a_proxy_that_speaks_before_its_time_is_refused() {
    run(async {
        let proxy =
            Server::answering("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n").await;
        let upstream = through(&proxy.url(), "http://orders.example", None);
        let error = call(&upstream, get(), Retry::Never).await.unwrap_err().to_string();
        assert!(error.contains("more than an answer to CONNECT"), "{error}");
    });
}

#[test]
fn this_machine_and_exceptions_need_no_proxy_and_only_http_proxies_are_known() {
    let rules = Matcher::builder().all("http://proxy.example:3128").no("inside.example").build();
    for direct in ["http://127.0.0.1:7", "https://localhost", "http://[::1]", "https://api.inside.example"] {
        assert!(Proxy::of(&origin(direct), &rules).unwrap().is_none(), "{direct}");
    }
    assert!(Proxy::of(&origin("https://orders.example"), &rules).unwrap().is_some());
    for unknown in ["https://proxy.example", "socks5://proxy.example"] {
        let rules = Matcher::builder().all(unknown).build();
        Proxy::of(&origin("https://orders.example"), &rules).unwrap_err();
    }
}
