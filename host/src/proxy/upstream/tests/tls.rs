use std::rc::Rc;
use std::time::Duration;

use countersign::ClientCertificate;
use tokio::net::TcpListener;

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
