use std::collections::BTreeMap;

use countersign::{Error, Template};
use countersign_jose::{
    ASSERTION_LIFETIME, Algorithm, Audience, ClaimsConfig, HeaderConfig, KeyConfig, Period, SigningKey,
    TokenSigner,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::config::{ClientAuth, OAuth2Config};

/// The assertions by which a client proves who it is (RFC 7523 §2.2). Each exchange gets a new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientAssertionConfig {
    /// The signature algorithm. By default the key's own; HS256 for `client_secret_jwt`.
    pub algorithm: Option<Algorithm>,
    /// Whom the assertion is for (`aud`). By default `issuer`, else `token_url`.
    pub audience: Option<String>,
    /// How long an assertion is valid; by default one minute.
    pub lifetime: Period,
    /// The assertion's own header (JOSE): `kid`, `x5t` and the like.
    pub headers: HeaderConfig,
}

impl Default for ClientAssertionConfig {
    fn default() -> Self {
        Self {
            algorithm: None,
            audience: None,
            lifetime: ASSERTION_LIFETIME,
            headers: HeaderConfig::default(),
        }
    }
}

/// The JWT that the grant `jwt-bearer` exchanges for a token (RFC 7523 §2.1). Texts in its claims may be templates over
/// the caller, like `"{{ caller.user }}"`; there is then a token for each caller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertionConfig {
    /// The key to sign with. By default `client_key`.
    pub key: Option<KeyConfig>,
    /// The signature algorithm. By default the key's own.
    pub algorithm: Option<Algorithm>,
    /// Who makes the assertion (`iss`). By default `client_id`.
    pub issuer: Option<Template>,
    /// On whose behalf the token is asked for (`sub`). RFC 7523 wants one; some issuers go without.
    pub subject: Option<Template>,
    /// Whom the assertion is for (`aud`). By default the profile's `issuer`, else its `token_url`.
    pub audience: Option<Audience>,
    /// How long an assertion is valid; by default five minutes.
    #[serde(default = "five_minutes")]
    pub lifetime: Period,
    /// How far `iat` and `nbf` are set back, for issuers whose clocks run behind.
    #[serde(default)]
    pub backdate: Period,
    /// Whether each assertion has a random name (`jti`).
    #[serde(default = "yes")]
    pub jti: bool,
    /// Whether the assertion says when it was made (`iat`).
    #[serde(default = "yes")]
    pub iat: bool,
    /// Whether the assertion says from when on it is valid (`nbf`).
    #[serde(default = "yes")]
    pub nbf: bool,
    /// Further claims, of any type.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// The assertion's own header (JOSE): `kid`, `x5t` and the like.
    #[serde(default)]
    pub headers: HeaderConfig,
}

const fn five_minutes() -> Period {
    ClaimsConfig::DEFAULT_LIFETIME
}

const fn yes() -> bool {
    true
}

impl AssertionConfig {
    /// What makes the assertions. Errors are relative to this table.
    pub(crate) fn signer(&self, config: &OAuth2Config) -> Result<TokenSigner, Error> {
        let key = self.key.as_ref().or(config.client_key.as_ref());
        let key =
            key.ok_or_else(|| Error::config("is missing; the assertion is signed with it").at("key"))?;
        let key = SigningKey::new(self.algorithm, key).map_err(|error| error.at("key"))?;
        let issuer = self.issuer.clone().or_else(|| config.client_id.as_deref().map(Template::literal));
        let itself = || config.itself().map(|itself| Audience::One(Template::literal(itself)));
        let claims = ClaimsConfig {
            issuer: Some(issuer.ok_or_else(|| {
                Error::config("is missing, and so is `client_id`, which would be its default").at("issuer")
            })?),
            subject: self.subject.clone(),
            audience: self.audience.clone().or_else(itself),
            jti: self.jti,
            iat: self.iat,
            nbf: self.nbf,
            backdate: self.backdate,
            lifetime: self.lifetime,
            claims: self.claims.clone(),
        };
        TokenSigner::new(key, &self.headers, &claims)
    }
}

/// What makes the assertions of a client that proves itself by JWT.
pub(crate) fn client_signer(
    config: &OAuth2Config,
    method: ClientAuth,
    id: &str,
) -> Result<TokenSigner, Error> {
    let default = ClientAssertionConfig::default();
    let ClientAssertionConfig { algorithm, audience, lifetime, headers } =
        config.client_assertion.as_ref().unwrap_or(&default);
    if method == ClientAuth::ClientSecretJwt && algorithm.is_some_and(|algorithm| !algorithm.is_symmetric()) {
        let message = "does not sign with a secret; client_secret_jwt uses HS256, HS384 or HS512";
        return Err(Error::config(message).at("algorithm").at("client_assertion"));
    }
    let key = match (method, &config.client_key) {
        (ClientAuth::PrivateKeyJwt, Some(key)) => {
            SigningKey::new(*algorithm, key).map_err(|error| error.at("client_key"))?
        }
        _ => SigningKey::from_secret(
            algorithm.unwrap_or(Algorithm::Hs256),
            config.secret()?.expose().as_bytes(),
        )
        .map_err(|error| error.at("client_secret"))?,
    };
    if method == ClientAuth::PrivateKeyJwt && key.algorithm().is_symmetric() {
        let message = "is a shared secret, but private_key_jwt signs with a private key; set `client_secret` and \
                       `client_auth = \"client_secret_jwt\"`";
        return Err(Error::config(message).at("client_key"));
    }
    let audience = audience.as_deref().or(config.itself()).unwrap_or_default();
    TokenSigner::client_assertion(key, headers, id, audience, *lifetime)
        .map_err(|error| error.at("client_assertion"))
}

impl OAuth2Config {
    /// The server's own name, as audience of what is made for it: its issuer, else its endpoint (RFC 7523 §3).
    fn itself(&self) -> Option<&str> {
        self.issuer.as_deref().or(self.token_url.as_deref())
    }
}
