use std::sync::Arc;

use countersign::{ClientCertificate, Error};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

/// Whose certificates are believed: the system's authorities and, where given, a private one.
///
/// Reading the system's takes milliseconds and a hundred kilobytes, so that one is made for all who trust the same.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    verifier: Arc<Verifier>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    /// The system's authorities and those of a PEM bundle.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the bundle holds no certificate or one that is none, or the
    /// system has no authorities.
    pub(crate) fn new(extra: Option<&[u8]>) -> Result<Self, Error> {
        let extra = match extra {
            None => Vec::new(),
            Some(pem) => certificates(pem).ok_or_else(|| Error::config("holds no PEM certificate"))?,
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Verifier::new_with_extra_roots(extra, provider.clone()).map_err(unusable)?;
        Ok(Self { verifier: Arc::new(verifier), provider })
    }
}

/// How TLS is spoken with one identity. Cheap to clone; connections made with clones resume each other's sessions.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// Offers HTTP/2 and HTTP/1.1.
    pub(super) any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 only: HTTP/2 has no `Upgrade`.
    pub(super) http1: Arc<ClientConfig>,
}

impl Tls {
    /// Of those that `trust` believes, with a client certificate or without one.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the certificate or its key cannot be read, or they do not belong
    /// together. Nothing of either is repeated.
    pub(crate) fn new(trust: &Trust, identity: Option<&ClientCertificate>) -> Result<Self, Error> {
        let builder = ClientConfig::builder_with_provider(trust.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(trust.verifier.clone());
        let mut http1 = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(identity.chain_pem.as_bytes())
                    .ok_or_else(|| Error::config("the client certificate is not PEM"))?;
                let key =
                    PrivateKeyDer::from_pem_slice(identity.key_pem.expose().as_bytes()).map_err(|_| {
                        Error::config("the client certificate's key is not an unencrypted PEM key")
                    })?;
                builder.with_client_auth_cert(chain, key).map_err(|_| {
                    Error::config("the client certificate and its key are not usable together")
                })?
            }
        };
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut any = http1.clone();
        any.alpn_protocols.insert(0, b"h2".to_vec());
        Ok(Self { any: Arc::new(any), http1: Arc::new(http1) })
    }
}

/// The certificates of a PEM text; none if there are none, or one is not readable.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}

fn unusable(error: rustls::Error) -> Error {
    Error::config(format!("TLS cannot be set up: {error}"))
}
