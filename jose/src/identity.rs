use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::{ClientCertificate, Error, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::certificate::{self, Chain};
use crate::key::{self, KeyConfig, PrivateKey};
use crate::pem;

/// A client certificate and its private key, which prove on the TLS connection who is calling (RFC 8446 §4.4.2).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// The certificate as PEM, followed by its issuers as far as the server wants to see them. Left out where it comes
    /// with the key: in the same text, or in a keystore.
    pub certificate: Option<String>,
    /// The certificate's private key: as PEM, with its `passphrase` if it has one, or a PKCS#12 or JKS `keystore`.
    pub key: KeyConfig,
}

/// A certificate chain and its private key, to prove in TLS who one is: read, and known to belong together.
///
/// # Example
/// ```
/// use countersign_jose::{Identity, IdentityConfig};
///
/// let config: IdentityConfig = serde_json::from_str(r#"{ "key": "no key" }"#).unwrap();
/// assert_eq!(Identity::new(&config).unwrap_err().field(), Some("key"));
/// ```
pub struct Identity {
    presented: ClientCertificate,
    chain: Chain,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// As certificates write it (RFC 5280 §4.1.2.1).
const X509_VERSION_3: u8 = 2;

impl Identity {
    /// Reads a key and its certificates: those of `certificate` (PEM, the key's own first), else those that came with
    /// the key, be it in the same text, in its setting, or in its keystore.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when key or certificate cannot be read, do not belong together, or are
    /// of a kind that TLS has no use for. The field begins with `key` or `certificate`.
    pub fn new(config: &IdentityConfig) -> Result<Self, Error> {
        let (key, certificate) = (&config.key, config.certificate.as_deref());
        let at_key = |error: Error| error.at("key");
        let loaded = key::load(None, key).map_err(at_key)?;
        let of_key = |message: &str| at_key(key::or_at(Error::config(message), key::field(key)));
        let (public_key, pkcs8) = match (&loaded.key, loaded.key.public_key(), loaded.key.to_pkcs8()) {
            (PrivateKey::Rsa { pss_only: true, .. }, ..) => {
                return Err(of_key(
                    "is an RSA key for RSASSA-PSS only, which is not supported in TLS; use a plain RSA key or an EC key",
                ));
            }
            (_, Some(public_key), Some(pkcs8)) => (public_key, pkcs8),
            _ => return Err(of_key("is a shared secret; TLS needs the private key of a certificate")),
        };
        let pkcs8 = pkcs8.map_err(|_| of_key("cannot be written as PKCS#8, which TLS reads"))?;
        let (certificates, at_chain): (_, &dyn Fn(Error) -> Error) = match certificate {
            Some(_) if key::field_of_chain(key) == Some("certificate") => {
                let error = "is given twice, beside the key and in its table; remove one of them";
                return Err(Error::config(error).at("certificate"));
            }
            Some(text) => {
                let at = &|error: Error| error.at("certificate");
                (certificate::from_pem(text).map_err(at)?, at)
            }
            None if loaded.chain.is_empty() => {
                let error =
                    "is missing; give it as PEM, or with the key: as PEM in one text, or in a keystore";
                return Err(Error::config(error).at("certificate"));
            }
            None => (loaded.chain, &|error| at_key(key::or_at(error, key::field_of_chain(key)))),
        };
        let chain = Chain::new(certificates, public_key).map_err(at_chain)?;
        let fields = chain.as_der().first().map_or(&[][..], Vec::as_slice);
        let certificate::Fields { version, not_before, not_after, .. } =
            certificate::fields(fields).map_err(at_chain)?;
        if version != X509_VERSION_3 {
            return Err(at_chain(Error::config(
                "has a certificate of an X.509 version before 3, which TLS libraries refuse; have it issued anew, with extensions",
            )));
        }
        let mut key_pem = String::new();
        pem::write("PRIVATE KEY", &pkcs8, &mut key_pem);
        let mut chain_pem = String::new();
        chain.as_der().iter().for_each(|der| pem::write("CERTIFICATE", der, &mut chain_pem));
        let presented = ClientCertificate { chain_pem, key_pem: Secret::new(key_pem) };
        Ok(Self { presented, chain, not_before, not_after })
    }

    /// What a connection presents: the key as unencrypted PKCS#8, whatever it came in.
    pub const fn client_certificate(&self) -> &ClientCertificate {
        &self.presented
    }

    /// The certificates, the key's own first.
    pub const fn certificates(&self) -> &Chain {
        &self.chain
    }

    /// From when on the certificate is valid (RFC 5280 §4.1.2.5).
    pub const fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when the certificate is valid.
    pub const fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether the certificate is valid by its own word.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when it has expired: nothing but another one helps.
    /// [`Unavailable`](countersign::ErrorKind::Unavailable) when it is not valid yet, with the time until it is.
    pub fn valid_at(&self, now: SystemTime) -> Result<(), Error> {
        if now > self.not_after {
            return Err(Error::config(format!(
                "the certificate expired at {}; put a renewed one in its place",
                utc(self.not_after)
            )));
        }
        match self.not_before.duration_since(now) {
            Ok(wait) if !wait.is_zero() => Err(Error::unavailable(format!(
                "the certificate is not valid before {}; is this machine's clock right?",
                utc(self.not_before)
            ))
            .with_retry_after(wait)),
            _ => Ok(()),
        }
    }
}

/// Says until when, and nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("not_after", &utc(self.not_after)).finish_non_exhaustive()
    }
}

/// An instant as people read it.
fn utc(instant: SystemTime) -> String {
    let since = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    match pkcs8::der::DateTime::from_unix_duration(Duration::from_secs(since.as_secs())) {
        Ok(date) => date.to_string(),
        Err(_) => format!("{} s after 1970", since.as_secs()),
    }
}
