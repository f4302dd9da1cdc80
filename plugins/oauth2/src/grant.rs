use countersign::{Context, Error, Secret};
use serde::{Deserialize, Serialize};

use crate::config::{Grant, OAuth2Config};

/// What this profile exchanges for tokens.
#[derive(Debug)]
pub(crate) enum Grants {
    ClientCredentials,
    RefreshToken(Secret),
}

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
        match (config.grant, &config.refresh_token) {
            (Grant::ClientCredentials, None) => Ok(Self::ClientCredentials),
            (Grant::RefreshToken, Some(token)) => {
                let token = token.clone().without_line_end();
                if token.expose().is_empty() {
                    return Err(Error::config("is empty; a source that gives nothing?").at("refresh_token"));
                }
                Ok(Self::RefreshToken(token))
            }
            (Grant::RefreshToken, None) => {
                Err(Error::config("is missing; this grant begins with one").at("refresh_token"))
            }
            (_, Some(_)) => Err(Error::config("is not used by this grant; set `grant = \"refresh_token\"`")
                .at("refresh_token")),
        }
    }

    /// The ways to ask, in order; at least one.
    pub(crate) fn attempts(&self, cx: &Context) -> Result<Vec<Attempt>, Error> {
        Ok(match self {
            Self::ClientCredentials => vec![Attempt::plain("client_credentials", Vec::new())],
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
