use countersign::{Context, Error, Secret};
use countersign_jose::TokenSigner;
use serde::{Deserialize, Serialize};

use crate::config::{Grant, OAuth2Config};

/// What this profile exchanges for tokens.
#[derive(Debug)]
pub(crate) enum Grants {
    ClientCredentials,
    RefreshToken(Secret),
    JwtBearer(Box<TokenSigner>),
}

/// RFC 7523 §2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One way to ask for a token; when it is refused, the next may be tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The grant's own form fields.
    pub(crate) fields: Vec<(String, Secret)>,
    refresh: Option<Refresh>,
}

#[derive(Debug, Clone)]
struct Refresh {
    configured: Secret,
    token: Secret,
}

/// What is kept from one refresh to the next. A configured token other than `configured` means that somebody logged
/// in anew, so that `token` is of the past.
#[derive(Serialize)]
struct State<'a> {
    configured: &'a str,
    token: &'a str,
}

impl Grants {
    pub(crate) fn new(config: &OAuth2Config) -> Result<Self, Error> {
        let unused = |setting: &str, grant: &str| {
            Error::config(format!("is not used by this grant; set `grant = \"{grant}\"`")).at(setting)
        };
        let missing = |setting: &str| Error::config("is missing; this grant needs it").at(setting);
        match (config.grant, &config.refresh_token, &config.assertion) {
            (Grant::ClientCredentials, None, None) => Ok(Self::ClientCredentials),
            (Grant::RefreshToken, Some(token), None) => {
                let token = token.clone().without_line_end();
                if token.expose().is_empty() {
                    return Err(Error::config("is empty; a source that gives nothing?").at("refresh_token"));
                }
                Ok(Self::RefreshToken(token))
            }
            (Grant::JwtBearer, None, Some(assertion)) => {
                let signer = assertion.signer(config).map_err(|error| error.at("assertion"))?;
                Ok(Self::JwtBearer(Box::new(signer)))
            }
            (Grant::RefreshToken, None, _) => Err(missing("refresh_token")),
            (Grant::JwtBearer, _, None) => Err(missing("assertion")),
            (Grant::ClientCredentials | Grant::JwtBearer, Some(_), _) => {
                Err(unused("refresh_token", "refresh_token"))
            }
            (_, _, Some(_)) => Err(unused("assertion", "jwt-bearer")),
        }
    }

    /// What signs the assertion, if that is what is exchanged.
    pub(crate) fn signer(&self) -> Option<&TokenSigner> {
        match self {
            Self::JwtBearer(signer) => Some(signer),
            _ => None,
        }
    }

    /// The ways to ask, in order; at least one.
    pub(crate) fn attempts(&self, cx: &Context) -> Result<Vec<Attempt>, Error> {
        Ok(match self {
            Self::ClientCredentials => vec![Attempt::plain("client_credentials", Vec::new())],
            Self::JwtBearer(signer) => {
                let assertion = signer.mint(cx.callers(), cx.now(), cx.random()?);
                let assertion = assertion.map_err(|error| error.at("assertion"))?;
                vec![Attempt::plain(JWT_BEARER, vec![("assertion".to_owned(), assertion.text)])]
            }
            Self::RefreshToken(configured) => {
                let kept = cx.previous().and_then(|state| kept(state, configured));
                let tokens = kept.filter(|kept| kept.expose() != configured.expose()).into_iter();
                tokens.chain([configured.clone()]).map(|token| Attempt::refresh(configured, token)).collect()
            }
        })
    }
}

impl Attempt {
    fn plain(grant_type: &str, fields: Vec<(String, Secret)>) -> Self {
        let grant_type = ("grant_type".to_owned(), Secret::from(grant_type));
        Self { fields: [grant_type].into_iter().chain(fields).collect(), refresh: None }
    }

    fn refresh(configured: &Secret, token: Secret) -> Self {
        let fields = vec![("refresh_token".to_owned(), token.clone())];
        let refresh = Some(Refresh { configured: configured.clone(), token });
        Self { refresh, ..Self::plain("refresh_token", fields) }
    }

    /// Whether a refused grant means that somebody has to log in.
    pub(crate) const fn refreshes(&self) -> bool {
        self.refresh.is_some()
    }

    /// What to keep for the next refresh: the rotated token, or the one that just worked (RFC 6749 §6).
    pub(crate) fn renewal(&self, rotated: Option<&Secret>) -> Option<Secret> {
        let Refresh { configured, token } = self.refresh.as_ref()?;
        let state = State { configured: configured.expose(), token: rotated.unwrap_or(token).expose() };
        serde_json::to_string(&state).ok().map(Secret::new)
    }
}

fn kept(state: &Secret, configured: &Secret) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Kept {
        configured: Secret,
        token: Secret,
    }
    let kept: Kept = serde_json::from_str(state.expose()).ok()?;
    (kept.configured.expose() == configured.expose()).then_some(kept.token)
}
