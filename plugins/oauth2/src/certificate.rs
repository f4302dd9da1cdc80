use std::time::SystemTime;

use countersign::{Credential, Error, HttpRequest, Lifetime};
use countersign_jose::{Identity, SigningKey};
use serde_json::Value;

use crate::config::{ClientAuth, OAuth2Config};
use crate::confirmation::Confirmation;

/// The client's certificate: it proves the client to the token endpoint (RFC 8705 §2), and tokens can be bound to it (§3).
#[derive(Debug)]
pub(crate) struct Certificate {
    identity: Identity,
    thumbprint: String,
    bound: Option<bool>,
    registered: Option<Value>,
}

impl Certificate {
    /// Reads the settings; none without `client_certificate`.
    pub(crate) fn new(config: &OAuth2Config) -> Result<Option<Self>, Error> {
        let Some(settings) = &config.client_certificate else {
            return match config.certificate_bound {
                Some(true) => {
                    Err(Error::config("is missing; `certificate_bound` needs it").at("client_certificate"))
                }
                _ => Ok(None),
            };
        };
        let within = |error: Error| error.at("client_certificate");
        let identity = Identity::new(settings).map_err(within)?;
        let thumbprint = identity.certificates().x5t_s256().unwrap_or_default();
        let registered = match config.method()? {
            ClientAuth::SelfSignedTlsClientAuth => {
                let key = SigningKey::new(None, &settings.key).map_err(|error| within(error.at("key")))?;
                Some(registered(&key, &identity)?)
            }
            _ => None,
        };
        Ok(Some(Self { identity, thumbprint, bound: config.certificate_bound, registered }))
    }

    /// Presents it to the token endpoint.
    ///
    /// # Errors
    /// When it has expired or is not valid yet.
    pub(crate) fn present(&self, request: HttpRequest, now: SystemTime) -> Result<HttpRequest, Error> {
        self.identity.valid_at(now).map_err(|error| error.at("client_certificate"))?;
        Ok(request.client_certificate(self.identity.client_certificate().clone()))
    }

    /// Whether the API is shown the certificate, too.
    pub(crate) fn is_for_the_api(&self) -> bool {
        self.bound != Some(false)
    }

    /// Has the API shown the certificate along with the token, and ends both with the certificate.
    ///
    /// # Errors
    /// When the token says of itself that it is bound otherwise.
    pub(crate) fn bind(
        &self,
        credential: Credential,
        token: &Confirmation,
        now: SystemTime,
    ) -> Result<Credential, Error> {
        if !self.is_for_the_api() {
            return Ok(credential);
        }
        match token {
            Confirmation::Jwt { certificate: Some(bound), .. } if *bound != self.thumbprint => {
                return Err(Error::denied(
                    "the token endpoint gave a token that is bound to another certificate (RFC 8705 §3.1); does something \
                     between here and there end TLS?",
                ));
            }
            Confirmation::Jwt { certificate: None, .. } if self.bound == Some(true) => {
                return Err(Error::denied(
                    "the token endpoint gave a token that is not bound to the certificate; have the client registered with \
                     `tls_client_certificate_bound_access_tokens`, or remove `certificate_bound`",
                ));
            }
            _ => {}
        }
        let end = self.identity.not_after();
        let credential = match credential.lifetime() {
            Lifetime::For(life) if now.checked_add(life).is_none_or(|token_end| token_end > end) => {
                credential.valid_until(end)
            }
            _ => credential,
        };
        Ok(credential.and_client_certificate(self.identity.client_certificate().clone()))
    }

    /// What the issuer has to know of a certificate that vouches for itself (RFC 8705 §2.2.2): a JWK with its `x5c`.
    pub(crate) const fn registered(&self) -> Option<&Value> {
        self.registered.as_ref()
    }
}

fn registered(key: &SigningKey, identity: &Identity) -> Result<Value, Error> {
    let mut jwk = serde_json::to_value(key.public_jwk(None)?)
        .map_err(|_| Error::internal("the public key does not serialize to JSON"))?;
    jwk["x5c"] = identity.certificates().x5c().into();
    Ok(jwk)
}
