use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{Context, Error, HttpRequest, Secret};
use countersign_jose::TokenSigner;

use crate::assertion::client_signer;
use crate::config::{ClientAuth, Grant, OAuth2Config};

/// The client, and how it proves who it is (RFC 6749 §2.3).
#[derive(Debug)]
pub(crate) enum Client {
    /// `Authorization: Basic …`, made ready.
    Basic(Secret),
    Post {
        id: String,
        secret: Secret,
    },
    /// A new assertion for every exchange.
    Jwt {
        id: String,
        signer: Box<TokenSigner>,
    },
    /// By the certificate that the connection presents; the id says whose it is.
    Tls {
        id: String,
    },
    Public {
        id: Option<String>,
    },
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Client {
    pub(crate) fn new(config: &OAuth2Config) -> Result<Self, Error> {
        let method = config.method()?;
        let id = config.client_id.clone();
        if id.as_deref() == Some("") {
            return Err(Error::config("is empty; a source that gives nothing?").at("client_id"));
        }
        if method == ClientAuth::None {
            return Ok(Self::Public { id });
        }
        let id = id.ok_or_else(|| Error::config("is needed to say which client this is").at("client_id"))?;
        Ok(match method {
            ClientAuth::ClientSecretBasic => Self::Basic(basic(&id, &config.secret()?)),
            ClientAuth::ClientSecretPost => Self::Post { id, secret: config.secret()? },
            ClientAuth::ClientSecretJwt | ClientAuth::PrivateKeyJwt => {
                Self::Jwt { signer: Box::new(client_signer(config, method, &id)?), id }
            }
            ClientAuth::TlsClientAuth | ClientAuth::SelfSignedTlsClientAuth => Self::Tls { id },
            ClientAuth::None => Self::Public { id: Some(id) },
        })
    }

    /// Adds what proves the client: to the header, or as form fields that are handed back.
    pub(crate) fn authenticate(
        &self,
        request: HttpRequest,
        cx: &Context,
    ) -> Result<(HttpRequest, Vec<(String, Secret)>), Error> {
        let field = |name: &str, value: &str| (name.to_owned(), Secret::from(value));
        Ok(match self {
            Self::Basic(authorization) => {
                (request.header("authorization", authorization.clone()), Vec::new())
            }
            Self::Post { id, secret } => {
                (request, vec![field("client_id", id), ("client_secret".to_owned(), secret.clone())])
            }
            Self::Jwt { id, signer } => {
                let assertion = signer.mint(cx.callers(), cx.now(), cx.random()?)?;
                let fields = [
                    field("client_id", id),
                    field("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion".to_owned(), assertion.text),
                ];
                (request, fields.into())
            }
            Self::Tls { id } => (request, vec![field("client_id", id)]),
            Self::Public { id } => (request, id.iter().map(|id| field("client_id", id)).collect()),
        })
    }

    /// What signs assertions, if that is how the client proves itself.
    pub(crate) fn signer(&self) -> Option<&TokenSigner> {
        match self {
            Self::Jwt { signer, .. } => Some(signer),
            _ => None,
        }
    }
}

impl ClientAuth {
    const fn signs(self) -> bool {
        matches!(self, Self::PrivateKeyJwt | Self::ClientSecretJwt)
    }

    /// Whether the connection's certificate is the proof.
    const fn is_tls(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}

impl OAuth2Config {
    /// The configured method, or the one that the other settings make sense for.
    pub(crate) fn method(&self) -> Result<ClientAuth, Error> {
        let (secret, key) = (self.client_secret.is_some(), self.client_key.is_some());
        let certificate = self.client_certificate.is_some();
        let method = match (self.client_auth, secret, key) {
            (Some(method), ..) => method,
            (None, _, true) => ClientAuth::PrivateKeyJwt,
            (None, true, false) => ClientAuth::ClientSecretBasic,
            (None, false, false) if certificate => ClientAuth::TlsClientAuth,
            (None, false, false) if self.grant == Grant::JwtBearer => ClientAuth::None,
            (None, false, false) => {
                let message = "is missing; set it, `client_key` or `client_certificate`, or `client_auth = \"none\"` for a client without proof of its own";
                return Err(Error::config(message).at("client_secret"));
            }
        };
        let takes_key = method == ClientAuth::PrivateKeyJwt;
        let takes_secret = !takes_key && !method.is_tls() && method != ClientAuth::None;
        match (secret && !takes_secret, key && !takes_key, takes_key && !key) {
            (true, ..) => {
                Err(Error::config("is not used by this `client_auth`; remove one of them")
                    .at("client_secret"))
            }
            (_, true, _) => {
                Err(Error::config("is not used by this `client_auth`; remove one of them").at("client_key"))
            }
            (.., true) => Err(Error::config("is missing; private_key_jwt signs with it").at("client_key")),
            _ if method.is_tls() && !certificate => {
                Err(Error::config("is missing; this `client_auth` presents it").at("client_certificate"))
            }
            _ if !method.signs() && self.client_assertion.is_some() => {
                Err(Error::config("is not used by this `client_auth`; remove one of them")
                    .at("client_assertion"))
            }
            _ => Ok(method),
        }
    }

    /// The client's secret, for the methods that need one.
    pub(crate) fn secret(&self) -> Result<Secret, Error> {
        let secret = self.client_secret.clone().map(Secret::without_line_end).unwrap_or_default();
        if secret.expose().is_empty() {
            return Err(
                Error::config("is empty or missing; a source that gives nothing?").at("client_secret")
            );
        }
        Ok(secret)
    }
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1 and appendix B).
fn basic(id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = Secret::new(encoded(secret.expose()));
    let pair = Secret::new(format!("{}:{}", encoded(id), secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
