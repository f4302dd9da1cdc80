use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign::ClientCertificate;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use super::super::http2::Local;
use super::super::{Tls, Trust};

/// A certificate authority that lives as long as its test.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> ClientCertificate {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let chain_pem = params.signed_by(&key, &self.0).unwrap().pem();
        ClientCertificate { chain_pem, key_pem: key.serialize_pem().into() }
    }

    pub(super) fn client(&self, name: &str) -> ClientCertificate {
        self.issue(name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// What a client says TLS with who believes this authority.
    pub(super) fn trusted(&self, identity: Option<&ClientCertificate>) -> Tls {
        Tls::new(&Trust::new(Some(self.0.pem().as_bytes())).unwrap(), identity).unwrap()
    }

    /// A server's settings, with a certificate for `name`.
    pub(super) fn server(&self, name: &str) -> ServerConfig {
        self.server_asking(name, false)
    }

    /// One that asks clients for a certificate of this authority.
    pub(super) fn server_asking(&self, name: &str, asks: bool) -> ServerConfig {
        self.config(name, asks, aws_lc_rs::default_provider(), rustls::ALL_VERSIONS)
    }

    /// One of TLS 1.2, with AES-128 in GCM, that gives its keys away.
    pub(super) fn old_server(&self, name: &str) -> ServerConfig {
        let suites = vec![aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
        let provider = CryptoProvider { cipher_suites: suites, ..aws_lc_rs::default_provider() };
        let mut config = self.config(name, false, provider, &[&rustls::version::TLS12]);
        config.alpn_protocols.clear();
        config.enable_secret_extraction = true;
        config
    }

    fn config(
        &self,
        name: &str,
        asks: bool,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ServerConfig {
        let provider = Arc::new(provider);
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(versions).unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let identity = self.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        let chain = vec![CertificateDer::from_pem_slice(identity.chain_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

pub(super) fn answer(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync())
}

/// An answer whose body comes as a test wants it.
pub(super) fn streamed(chunks: UnboundedReceiver<io::Result<Bytes>>) -> Answer {
    Response::new(Chunks(chunks).boxed_unsync())
}

struct Chunks(UnboundedReceiver<io::Result<Bytes>>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// What a server saw of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) protocol: String,
    pub(super) resumed: bool,
    pub(super) client_certificate: bool,
}

/// An `https` server that speaks HTTP/2 with whoever does.
pub(super) struct TlsServer {
    address: SocketAddr,
    accepted: Rc<Cell<usize>>,
    seen: Rc<RefCell<Vec<Seen>>>,
    retire: Rc<Notify>,
    end: Rc<Notify>,
    shut: Rc<Cell<bool>>,
}

impl TlsServer {
    pub(super) async fn start<F>(
        config: ServerConfig,
        serve: impl Fn(Request<Incoming>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            accepted: Rc::default(),
            seen: Rc::default(),
            retire: Rc::default(),
            end: Rc::default(),
            shut: Rc::default(),
        };
        let (accepted, seen) = (server.accepted.clone(), server.seen.clone());
        let (retire, end, shut) = (server.retire.clone(), server.end.clone(), server.shut.clone());
        let (acceptor, serve) = (TlsAcceptor::from(Arc::new(config)), Rc::new(serve));
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.set(accepted.get() + 1);
                if shut.get() {
                    continue;
                }
                let (acceptor, serve, seen) = (acceptor.clone(), serve.clone(), seen.clone());
                let (retire, end) = (retire.clone(), end.clone());
                spawn_local(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let tls = stream.get_ref().1;
                    let protocol =
                        String::from_utf8(tls.alpn_protocol().unwrap_or_default().to_vec()).unwrap();
                    let http2 = protocol == "h2";
                    seen.borrow_mut().push(Seen {
                        protocol,
                        resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
                        client_certificate: tls.peer_certificates().is_some(),
                    });
                    let service = service_fn(move |request| {
                        let answer = serve(request);
                        async { Ok::<_, Infallible>(answer.await) }
                    });
                    if !http2 {
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                        return;
                    }
                    let mut connection =
                        pin!(http2::Builder::new(Local).serve_connection(TokioIo::new(stream), service));
                    loop {
                        tokio::select! {
                            _ = connection.as_mut() => return,
                            () = end.notified() => return,
                            () = retire.notified() => connection.as_mut().graceful_shutdown(),
                        }
                    }
                });
            }
        });
        server
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many TCP connections came.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// The connections whose handshake was completed.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Takes no new requests on the HTTP/2 connections there are, and finishes those under way.
    pub(super) fn retire(&self) {
        self.retire.notify_waiters();
    }

    /// Drops the HTTP/2 connections there are.
    pub(super) fn end(&self) {
        self.end.notify_waiters();
    }

    /// Hangs up on whoever comes from now on.
    pub(super) fn shut(&self) {
        self.shut.set(true);
    }
}
