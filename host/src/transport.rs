//! Connections to other servers: TLS roots, proxies and limits in one place, for token endpoints and upstreams alike.

use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign::{ClientCertificate, Error, Origin, Secret};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

use crate::delivery::TellsOfConnecting;

/// How long a connection may take to come about, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long nothing may come on an HTTP/2 connection in use before the peer is asked whether it is there, and how long it
/// may take to say so. Without it, all requests would share the fate of a connection whose peer is gone.
pub(crate) const PING_AFTER: Duration = Duration::from_secs(20);
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(10);

/// What connections need beyond the defaults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// Certificate authorities besides the system's, as a PEM bundle.
    pub(crate) roots: Option<&'a [u8]>,
    /// A client certificate and its private key, PEM.
    pub(crate) identity: Option<&'a [u8]>,
    /// A proxy in place of those of the environment.
    pub(crate) proxy: Option<&'a Origin>,
}

/// The certificates of a PEM bundle.
///
/// # Errors
/// [`Config`](countersign::ErrorKind::Config) when there is none in it, or one that is none.
pub(crate) fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::config("holds no PEM certificate")),
    }
}

/// A pair of HTTP clients that never follow redirects: one honours the proxies of the environment
/// (`HTTPS_PROXY`, `NO_PROXY`, …), one connects directly, for servers on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    proxied: Client,
    direct: Client,
}

impl Transport {
    /// Clients that trust the system's roots and those of `options`.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the options do not fit or TLS cannot be set up.
    pub(crate) fn new(options: Options<'_>) -> Result<Self, Error> {
        let roots = options.roots.map(authorities).transpose()?.unwrap_or_default();
        let build = |proxied: bool| {
            let mut builder = Client::builder()
                .redirect(Policy::none())
                .referer(false)
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE_TIMEOUT)
                .http2_keep_alive_interval(PING_AFTER)
                .http2_keep_alive_timeout(PONG_WITHIN)
                .connector_layer(TellsOfConnecting)
                .tls_certs_merge(roots.iter().cloned());
            if !proxied {
                builder = builder.no_proxy();
            } else if let Some(proxy) = options.proxy {
                let proxy = reqwest::Proxy::all(proxy.to_string())
                    .map_err(|_| Error::config("the proxy is not usable"))?;
                builder = builder.proxy(proxy);
            }
            if let Some(pem) = options.identity {
                let identity = reqwest::Identity::from_pem(pem).map_err(|_| {
                    Error::config("the client certificate and its key are not usable together")
                })?;
                builder = builder.identity(identity);
            }
            builder.build().map_err(|error| Error::config(format!("TLS cannot be set up: {}", cause(&error))))
        };
        Ok(Self { proxied: build(true)?, direct: build(false)? })
    }

    /// The client for a server.
    pub(crate) const fn to(&self, loopback: bool) -> &Client {
        if loopback { &self.direct } else { &self.proxied }
    }
}

/// The clients for one set of options: those of calls that present no certificate, and for each identity its own, whose
/// connections and TLS sessions it shares with no other.
#[derive(Debug)]
pub(crate) struct Transports {
    plain: Transport,
    roots: Option<Arc<[u8]>>,
    proxy: Option<Arc<Origin>>,
    /// Few, mostly none.
    identities: Mutex<Vec<([u8; 32], Transport)>>,
}

/// How many identities connections are kept for.
const MOST_IDENTITIES: usize = 64;

impl Transports {
    /// Those of `plain`, which was made of the same options.
    pub(crate) fn new(plain: Transport, roots: Option<Arc<[u8]>>, proxy: Option<Arc<Origin>>) -> Self {
        Self { plain, roots, proxy, identities: Mutex::default() }
    }

    /// The clients for a call to a server that presents that certificate, or none.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the certificate cannot be used or cannot be presented there: the
    /// call must then not be made.
    pub(crate) fn of(
        &self,
        certificate: Option<&ClientCertificate>,
        to: &Origin,
    ) -> Result<Transport, Error> {
        let Some(certificate) = certificate else { return Ok(self.plain.clone()) };
        if !to.is_https() {
            return Err(without_tls(to));
        }
        let digest = identity_of(certificate);
        let mut known = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, transport)) = known.iter().find(|(of, _)| *of == digest) {
            return Ok(transport.clone());
        }
        let identity = Secret::new(format!("{}\n{}", certificate.key_pem.expose(), certificate.chain_pem));
        let transport = Transport::new(Options {
            roots: self.roots.as_deref(),
            identity: Some(identity.expose().as_bytes()),
            proxy: self.proxy.as_deref(),
        })?;
        if known.len() >= MOST_IDENTITIES {
            known.clear();
        }
        known.push((digest, transport.clone()));
        Ok(transport)
    }
}

/// Whose certificate it is: connections are shared only by calls that present the same.
pub(crate) fn identity_of(certificate: &ClientCertificate) -> [u8; 32] {
    use aws_lc_rs::digest::{Context, SHA256};
    let mut context = Context::new(&SHA256);
    context.update(certificate.key_pem.expose().as_bytes());
    context.update(b"\n");
    context.update(certificate.chain_pem.as_bytes());
    let mut identity = [0; 32];
    identity.copy_from_slice(context.finish().as_ref());
    identity
}

/// A certificate was to be presented where there is no TLS to present it in.
pub(crate) fn without_tls(to: &Origin) -> Error {
    Error::config(format!("{to} is plain http, where no client certificate can be presented; use https"))
}

/// Why no answer came, for those who look for the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The host's name has no address.
    Unresolved,
    /// Nobody listens there.
    Refused,
    /// It took too long.
    Late,
    /// The other side broke TLS off, and said why: the alert's name (RFC 8446 §6).
    Alert(String),
    /// The other side's certificate is not accepted here, and why.
    Certificate(String),
    /// The connection was closed or reset without an answer.
    Cut,
    /// Something else.
    Other,
}

impl Trouble {
    /// What kept an answer away.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        use std::io::ErrorKind;
        if error.is_timeout() {
            return Self::Late;
        }
        let mut found = Self::Other;
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = next {
            let io = error.downcast_ref::<std::io::Error>();
            match error.downcast_ref::<rustls::Error>().or_else(|| io.and_then(of_tls)) {
                Some(rustls::Error::AlertReceived(alert)) => return Self::Alert(format!("{alert:?}")),
                Some(rustls::Error::InvalidCertificate(why)) => return Self::Certificate(why.to_string()),
                Some(other) => return Self::Certificate(other.to_string()),
                None => {}
            }
            match io.map(std::io::Error::kind) {
                Some(ErrorKind::ConnectionRefused) => found = Self::Refused,
                Some(ErrorKind::TimedOut) => found = Self::Late,
                Some(
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof,
                ) => found = Self::Cut,
                _ => {}
            }
            let words = error.to_string();
            if words.contains("dns error") {
                found = Self::Unresolved;
            } else if found == Self::Other
                && (words.contains("closed before") || words.contains("IncompleteMessage"))
            {
                found = Self::Cut;
            }
            next = error.source();
        }
        found
    }
}

/// The error of TLS that an I/O error was made of: such errors hide in one another, and not in the chain of sources.
fn of_tls(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner: &(dyn std::error::Error + 'static) = error.get_ref()?;
    let mut next = Some(inner);
    while let Some(inner) = next {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        if let Some(tls) = inner.downcast_ref::<std::io::Error>().and_then(of_tls) {
            return Some(tls);
        }
        next = inner.source();
    }
    None
}

/// Why no answer came, in words without the URL's path and query.
pub(crate) fn unreachable(origin: &Origin, error: &reqwest::Error) -> Error {
    let what = if error.is_timeout() {
        "took too long to connect"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "gave no whole answer"
    };
    Error::unavailable(format!("{origin} {what}: {}", cause(error)))
}

/// The innermost cause: what the operating system, the resolver or TLS said. The outer ones quote URLs.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut inner) = error.source() else { return "the request is not valid".to_owned() };
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_goes_over_tls_or_nowhere_and_each_has_clients_of_its_own() {
        let transports = Transports::new(Transport::new(Options::default()).unwrap(), None, None);
        let certificate = |name: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            let key_pem = Secret::new(made.signing_key.serialize_pem());
            ClientCertificate { chain_pem: made.cert.pem(), key_pem }
        };
        let (ours, theirs) = (certificate("ours"), certificate("theirs"));
        let plain = "http://127.0.0.1:1".parse().unwrap();
        let secured = "https://127.0.0.1:1".parse().unwrap();
        let error = transports.of(Some(&ours), &plain).err().unwrap();
        assert!(error.message().contains("use https"), "{error}");
        assert!(transports.of(None, &plain).is_ok());
        let kept = || transports.identities.lock().unwrap().len();
        for (certificate, expected) in [(&ours, 1), (&theirs, 2), (&ours, 2)] {
            transports.of(Some(certificate), &secured).unwrap();
            assert_eq!(kept(), expected);
        }
        assert_ne!(identity_of(&ours), identity_of(&theirs));
    }
}
