use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{Context, Error, HttpRequest, Secret};

use crate::config::{ClientAuth, OAuth2Config};

/// The client, and how it proves who it is (RFC 6749 §2.3).
#[derive(Debug)]
pub(crate) enum Client {
    /// `Authorization: Basic …`, made ready.
    Basic(Secret),
    Post {
        id: String,
        secret: Secret,
    },
    Public {
        id: Option<String>,
    },
}

impl Client {
    pub(crate) fn new(config: OAuth2Config) -> Result<Self, Error> {
        let method = config.method()?;
        let id = config.client_id.filter(|id| !id.is_empty());
        if method == ClientAuth::None {
            return Ok(Self::Public { id });
        }
        let id = id.ok_or_else(|| Error::config("is needed to say which client this is").at("client_id"))?;
        let secret = config.client_secret.map(Secret::without_line_end).unwrap_or_default();
        if secret.expose().is_empty() {
            return Err(
                Error::config("is empty or missing; a source that gives nothing?").at("client_secret")
            );
        }
        Ok(match method {
            ClientAuth::ClientSecretBasic => Self::Basic(basic(&id, &secret)),
            ClientAuth::ClientSecretPost => Self::Post { id, secret },
            ClientAuth::None => Self::Public { id: Some(id) },
        })
    }

    /// Adds what proves the client: to the header, or as form fields that are handed back.
    pub(crate) fn authenticate(
        &self,
        request: HttpRequest,
        _cx: &Context,
    ) -> Result<(HttpRequest, Vec<(String, Secret)>), Error> {
        let field = |name: &str, value: &str| (name.to_owned(), Secret::from(value));
        Ok(match self {
            Self::Basic(authorization) => {
                (request.header("authorization", authorization.clone()), Vec::new())
            }
            Self::Post { id, secret } => {
                (request, vec![field("client_id", id), ("client_secret".to_owned(), secret.clone())])
            }
            Self::Public { id } => (request, id.iter().map(|id| field("client_id", id)).collect()),
        })
    }
}

impl OAuth2Config {
    /// The configured method, or the one that the other settings make sense for.
    fn method(&self) -> Result<ClientAuth, Error> {
        match (self.client_auth, &self.client_secret) {
            (Some(ClientAuth::None), Some(_)) => {
                Err(Error::config("is given, but `client_auth` is none; remove one of them")
                    .at("client_secret"))
            }
            (Some(method), _) => Ok(method),
            (None, Some(_)) => Ok(ClientAuth::ClientSecretBasic),
            (None, None) => Err(Error::config(
                "is missing; set it, or `client_auth = \"none\"` for a client without proof of its own",
            )
            .at("client_secret")),
        }
    }
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1 and appendix B).
fn basic(id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = Secret::new(encoded(secret.expose()));
    let pair = Secret::new(format!("{}:{}", encoded(id), secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
