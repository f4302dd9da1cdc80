use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use countersign::ClientCertificate;
use http_body_util::BodyExt as _;
use rustls::{ConnectionTrafficSecrets, ServerConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::{Tls, Trust, UpstreamErrorKind};
use super::tls_server::{Authority, TlsServer, answer};
use super::{Retry, Target, Upstream, call, get, run, target, upstream_with};

const HOST: &str = "127.0.0.1";

#[test]
fn a_private_authority_is_believed_where_it_is_given_and_only_there() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server(HOST), async |_| answer("ok")).await;
        let trusting = upstream_with(&server.url(), Some(authority.trusted(None)));
        assert_eq!(call(&trusting, get(), Retry::Never).await.unwrap().1, "ok");

        let systems = Tls::new(&Trust::new(None).unwrap(), None).unwrap();
        let stranger = upstream_with(&server.url(), Some(systems));
        let error = call(&stranger, get(), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Tls);
        let words = format!("{} cannot be reached: invalid peer certificate: UnknownIssuer", server.url());
        assert_eq!(error.to_string(), words);
    });
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server("elsewhere.example"), async |_| answer("ok")).await;
        let upstream = upstream_with(&server.url(), Some(authority.trusted(None)));
        let error = call(&upstream, get(), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Tls);
        assert!(error.to_string().contains("certificate not valid for name"), "{error}");
        assert_eq!(server.seen(), []);
    });
}

#[test]
fn a_host_is_checked_by_its_name() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server("localhost"), async |_| answer("ok")).await;
        let url = format!("https://localhost:{}", server.port());
        call(&upstream_with(&url, Some(authority.trusted(None))), get(), Retry::Never).await.unwrap();
    });
}

#[test]
fn a_client_certificate_is_presented_and_one_that_is_missing_is_told() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server_asking(HOST, true), async |_| answer("ok")).await;
        let identity = authority.client("erp");
        let known = upstream_with(&server.url(), Some(authority.trusted(Some(&identity))));
        assert_eq!(call(&known, get(), Retry::Never).await.unwrap().1, "ok");
        assert!(server.seen()[0].client_certificate);

        let unknown = upstream_with(&server.url(), Some(authority.trusted(None)));
        let error = call(&unknown, get(), Retry::Never).await.unwrap_err();
        assert_eq!(error.kind(), UpstreamErrorKind::Tls, "{error}");
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
    });
}

#[test]
fn a_new_connection_resumes_the_session_of_an_earlier_one() {
    run(async {
        let authority = Authority::new();
        let mut config = authority.server(HOST);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = TlsServer::start(config, async |_| answer("ok")).await;
        let tls = authority.trusted(None);
        for _ in 0..2 {
            call(&upstream_with(&server.url(), Some(tls.clone())), get(), Retry::Never).await.unwrap();
        }
        assert_eq!(server.seen().iter().map(|seen| seen.resumed).collect::<Vec<_>>(), [false, true]);
    });
}

#[test]
fn an_upgrade_offers_http1_only() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server(HOST), async |_| answer("no")).await;
        let upstream = upstream_with(&server.url(), Some(authority.trusted(None)));
        call(&upstream, get(), Retry::Never).await.unwrap();
        upstream.send_for_upgrade(get()).await.unwrap();
        assert_eq!(server.seen().iter().map(|seen| &*seen.protocol).collect::<Vec<_>>(), ["h2", "http/1.1"]);
    });
}

#[test]
fn a_handshake_that_does_not_go_on_ends_in_time() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let target = target(&url, Some(Authority::new().trusted(None)));
        let upstream =
            Rc::new(Upstream::new(Target { connect_timeout: Duration::from_millis(20), ..target }));
        let error = call(&upstream, get(), Retry::Never).await.unwrap_err();
        assert!(error.is_timeout());
        assert!(
            error.to_string().ends_with("took too long to connect: no connection within 0.02 s"),
            "{error}"
        );
    });
}

#[test]
fn certificates_and_keys_that_do_not_fit_are_refused_unseen() {
    let authority = Authority::new();
    let trust = Trust::new(None).unwrap();
    let (ours, other) = (authority.client("erp"), authority.client("other"));
    let mixed = ClientCertificate { chain_pem: ours.chain_pem.clone(), key_pem: other.key_pem };
    let error = Tls::new(&trust, Some(&mixed)).unwrap_err();
    assert_eq!(error.message(), "the client certificate and its key are not usable together");

    let no_key = ClientCertificate { key_pem: "canary".into(), ..ours.clone() };
    let no_chain = ClientCertificate { chain_pem: "canary".into(), ..ours };
    for identity in [no_key, no_chain] {
        let error = Tls::new(&trust, Some(&identity)).unwrap_err();
        assert!(!error.message().contains("canary"), "{error}");
    }
    assert_eq!(Trust::new(Some(b"canary")).unwrap_err().message(), "holds no PEM certificate");
}

#[test]
fn https_without_tls_set_up_sends_nothing() {
    run(async {
        let authority = Authority::new();
        let server = TlsServer::start(authority.server(HOST), async |_| answer("ok")).await;
        let upstream = upstream_with(&server.url(), None);
        let error = call(&upstream, get(), Retry::Never).await.unwrap_err();
        assert!(error.to_string().contains("TLS is not set up"), "{error}");
        assert_eq!(server.seen(), []);
    });
}

#[test]
fn a_connection_ends_with_the_words_that_tls_has_for_it() {
    run(async {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let mut config = authority.server(HOST);
        config.alpn_protocols.clear();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        for (connection, length) in [("close", 2), ("keep-alive", 2), ("keep-alive", 3)] {
            let serve = async {
                let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
                let mut read = [0; 4096];
                assert!(stream.read(&mut read).await.unwrap() > 0);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: {connection}\r\ncontent-length: {length}\r\n\r\nok"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                // Without them, this is an error.
                let end = stream.read(&mut read).await;
                assert_eq!(end.is_ok(), length == 2, "{connection}");
            };
            let ask = async {
                let upstream = upstream_with(&url, Some(authority.trusted(None)));
                let mut body = upstream.send(get(), Retry::Never).await.unwrap().into_body();
                assert_eq!(&**body.frame().await.unwrap().unwrap().data_ref().unwrap(), b"ok");
            };
            tokio::join!(serve, ask);
        }
    });
}

#[test]
fn a_renegotiation_is_refused_at_once_while_an_answer_is_waited_for() {
    run(async {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(authority.old_server(HOST)));
        let serve = async {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let (mut tcp, tls) = stream.into_inner();
            tcp.write_all(&hello_request(tls)).await.unwrap();
            let mut record = [0; 5];
            tcp.read_exact(&mut record).await.unwrap();
            record
        };
        let upstream = upstream_with(&url, Some(authority.trusted(None)));
        let (alert, _) = tokio::join!(serve, call(&upstream, get(), Retry::Never));
        assert_eq!(alert[..3], [21, 3, 3], "an alert (RFC 5246 §7.2)");
    });
}

/// The record with which a server asks for a new handshake (RFC 5246 §7.4.1.1), in AES-GCM (RFC 5288 §3).
fn hello_request(tls: ServerConnection) -> Vec<u8> {
    let (sequence, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("another cipher") };
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.as_ref()).unwrap());
    let nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
    let mut message = vec![0; 4];
    let head = [22, 3, 3, 0, message.len() as u8];
    let data = [&sequence.to_be_bytes()[..], &head].concat();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(data), &mut message).unwrap();
    [&[22, 3, 3, 0, 8 + message.len() as u8], &nonce[4..], &message].concat()
}
