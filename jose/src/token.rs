use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::{Caller, Error, Secret};

use crate::claims::{Claims, ClaimsConfig, Moment};
use crate::header::HeaderConfig;
use crate::jwks::Jwks;
use crate::key::SigningKey;
use countersign::Period;

/// Makes signed tokens (JWT in JWS compact form, RFC 7519 and RFC 7515 §7.1), all of one shape and with one key.
///
/// A profile builds it once, when it is configured, and [mints](TokenSigner::mint) from it. The header is encoded at
/// that time; a token then costs its signature and little else.
///
/// # Example
/// ```
/// use std::time::SystemTime;
///
/// use countersign::Caller;
/// use countersign_jose::{Algorithm, ClaimsConfig, HeaderConfig, SigningKey, TokenSigner};
///
/// let key = SigningKey::from_secret(Algorithm::Hs256, &[7; 32])?;
/// let claims: ClaimsConfig = serde_json::from_str(r#"{ "subject": "{{ caller.user }}", "lifetime": "5m" }"#).unwrap();
/// let signer = TokenSigner::new(key, &HeaderConfig::default(), &claims)?;
/// assert_eq!(signer.caller_attributes().collect::<Vec<_>>(), ["user"]);
///
/// let token = signer.mint(&Caller::from_iter([("user", "ada")]), SystemTime::now(), [0; 16])?;
/// assert_eq!(token.text.expose().split('.').count(), 3);
/// # Ok::<(), countersign::Error>(())
/// ```
#[derive(Debug)]
pub struct TokenSigner {
    key: SigningKey,
    /// The encoded header and its dot.
    header: String,
    kid: Option<String>,
    claims: Claims,
    backdate: Period,
    lifetime: Period,
}

/// A signed token and how long it is good for.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token: three base64url parts with dots between them.
    pub text: Secret,
    /// When it expires: exactly its `exp`.
    pub expires_at: SystemTime,
}

impl TokenSigner {
    /// Puts key, header and claims together.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when a setting makes no sense. Errors of the header have their field
    /// under `headers`, those of the claims stand by themselves (`subject`, `claims.tenant`).
    pub fn new(key: SigningKey, header: &HeaderConfig, claims: &ClaimsConfig) -> Result<Self, Error> {
        Self::assemble(key, header, Claims::compile(claims)?, claims.backdate, claims.lifetime)
    }

    pub(crate) fn assemble(
        key: SigningKey,
        header: &HeaderConfig,
        claims: Claims,
        backdate: Period,
        lifetime: Period,
    ) -> Result<Self, Error> {
        let encoded = header.encode(&key).map_err(|error| error.at("headers"))?;
        let kid = header.kid(&key)?;
        Ok(Self { key, header: encoded, kid, claims, backdate, lifetime })
    }

    /// The caller attributes that the claims read, sorted: what a profile must declare as its inputs.
    pub fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        self.claims.caller_attributes().into_iter()
    }

    /// How long a token lives from its making.
    pub const fn lifetime(&self) -> Period {
        self.lifetime
    }

    /// Makes one token. `random` becomes its `jti`, so it must be fresh for every token.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the caller lacks an attribute that a claim reads, or a
    /// registered claim comes out empty; [`Internal`](countersign::ErrorKind::Internal) when the clock is before 1970.
    pub fn mint(&self, caller: &Caller, now: SystemTime, random: [u8; 16]) -> Result<Token, Error> {
        let moment = self.moment(now, random)?;
        let payload = self.claims.render(caller, &moment)?;

        let text = self.key.compact(&self.header, &payload)?;
        Ok(Token { text, expires_at: UNIX_EPOCH + Duration::from_secs(moment.end) })
    }

    /// The public key as a set, to hand to those who verify. Its `kid` is the tokens', else the key's thumbprint.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) for an HMAC algorithm: a shared secret is never published.
    pub fn jwks(&self) -> Result<Jwks, Error> {
        Ok(Jwks { keys: vec![self.key.public_jwk(self.kid.as_deref())?] })
    }

    fn moment(&self, now: SystemTime, name: [u8; 16]) -> Result<Moment, Error> {
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| Error::internal("the clock stands before 1970; set it"))?
            .as_secs();
        let start = now.saturating_sub(self.backdate.as_secs());
        Ok(Moment { start, end: now.saturating_add(self.lifetime.as_secs()), name })
    }
}
