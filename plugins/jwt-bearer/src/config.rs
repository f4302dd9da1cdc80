use std::collections::BTreeMap;

use countersign::{Error, Template, TokenPlace};
use countersign_jose::{Algorithm, Audience, ClaimsConfig, HeaderConfig, KeyConfig, Period};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Signs a JWT with a key of your own and sends it as `Authorization: Bearer …`.
///
/// The API knows the public key: `countersign jwks PROFILE` prints it. Texts in claims may be templates over the
/// caller, like `"{{ caller.user }}"`; there is then a token for each caller.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtBearerConfig {
    /// The key to sign with.
    pub key: KeyConfig,
    /// The signature algorithm. By default the key's own: a JWK's `alg`, else ES256, ES384 or EdDSA by its curve, RS256
    /// for an RSA key, HS256 for a shared secret.
    pub algorithm: Option<Algorithm>,
    /// Who makes the token (`iss`).
    pub issuer: Option<Template>,
    /// Whom the token is about (`sub`).
    pub subject: Option<Template>,
    /// Whom the token is for (`aud`): one or several.
    pub audience: Option<Audience>,
    /// How long a token is valid (`exp`); by default five minutes.
    #[serde(default = "five_minutes")]
    pub lifetime: Period,
    /// How far `iat` and `nbf` are set back, for APIs whose clocks run behind; by default not at all.
    #[serde(default)]
    pub backdate: Period,
    /// Whether each token has a random name (`jti`), so that the API can notice a replay.
    #[serde(default = "yes")]
    pub jti: bool,
    /// Whether the token says when it was made (`iat`).
    #[serde(default = "yes")]
    pub iat: bool,
    /// Whether the token says from when on it is valid (`nbf`).
    #[serde(default = "yes")]
    pub nbf: bool,
    /// Further claims, of any type.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// The token's own header (JOSE), not that of the request.
    #[serde(default)]
    pub headers: HeaderConfig,
    /// Whether a token serves many requests until it is due for renewal. Without reuse each request gets a token of its
    /// own, at the price of a signature, for APIs that accept a `jti` only once.
    #[serde(default = "yes")]
    pub reuse: bool,
    /// The request's header that carries the token; by default `Authorization`.
    #[schemars(extend("default" = "Authorization"))]
    pub header: Option<String>,
    /// The word before the token in the header; by default `Bearer`. Empty: the token stands alone.
    #[schemars(extend("default" = "Bearer"))]
    pub scheme: Option<String>,
    /// The query parameter that carries the token, instead of a header. URLs end up in logs: only where the API has no
    /// other way.
    pub query: Option<String>,
    /// The cookie that carries the token, instead of a header.
    pub cookie: Option<String>,
}

const fn five_minutes() -> Period {
    ClaimsConfig::DEFAULT_LIFETIME
}

const fn yes() -> bool {
    true
}

impl JwtBearerConfig {
    pub(crate) fn place(&self) -> Result<TokenPlace, Error> {
        let one = |setting: &str| {
            Error::config("the token goes to one place; keep one of `header`, `query`, `cookie`").at(setting)
        };
        match (&self.header, &self.scheme, &self.query, &self.cookie) {
            (None, None, Some(query), None) => TokenPlace::query(query),
            (None, None, None, Some(cookie)) => TokenPlace::cookie(cookie),
            (header, scheme, None, None) => TokenPlace::header(
                header.as_deref().unwrap_or("Authorization"),
                scheme.as_deref().unwrap_or("Bearer"),
            ),
            (_, _, _, Some(_)) => Err(one("cookie")),
            (_, _, Some(_), None) => Err(one("query")),
        }
    }

    pub(crate) fn into_token(self) -> (HeaderConfig, ClaimsConfig) {
        let claims = ClaimsConfig {
            issuer: self.issuer,
            subject: self.subject,
            audience: self.audience,
            jti: self.jti,
            iat: self.iat,
            nbf: self.nbf,
            backdate: self.backdate,
            lifetime: self.lifetime,
            claims: self.claims,
        };
        (self.headers, claims)
    }
}
