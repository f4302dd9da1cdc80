//! The profile type `client-certificate`: a certificate presented on TLS connections (mutual TLS, RFC 8446 §4.4.2).
//!
//! ```toml
//! [profiles.bank]
//! type        = "client-certificate"
//! certificate = "${file:/run/tls/bank.crt}"
//! key         = "${file:/run/tls/bank.key}"
//! ```
//!
//! It places nothing on requests. The host presents the certificate on the connections that carry them, and shares such a
//! connection with no other identity.
#![forbid(unsafe_code)]

use countersign::{AuthProfile, Context, Credential, Error, Places};
use countersign_jose::{Identity, IdentityConfig};

/// A profile of the type `client-certificate`.
#[derive(Debug)]
pub struct ClientCertificate {
    identity: Identity,
}

impl AuthProfile for ClientCertificate {
    const TYPE: &'static str = "client-certificate";
    const SUMMARY: &'static str = "a certificate presented on TLS connections (mutual TLS: RFC 8446)";
    type Config = IdentityConfig;

    fn new(config: IdentityConfig) -> Result<Self, Error> {
        Ok(Self { identity: Identity::new(&config)? })
    }

    fn places(&self) -> Option<Places> {
        Some(Places::none().client_certificate())
    }

    /// Its life ends with the certificate's. Renewed ahead of that it is the same again: another one comes in by the
    /// settings, when a file behind them changes.
    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        self.identity.valid_at(cx.now())?;
        let certificate = self.identity.client_certificate().clone();
        Ok(Credential::new().and_client_certificate(certificate).valid_until(self.identity.not_after()))
    }
}

countersign::register_profile!(ClientCertificate);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
