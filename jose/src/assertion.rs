use countersign::Error;

use crate::claims::Claims;
use crate::header::HeaderConfig;
use crate::key::SigningKey;
use crate::token::TokenSigner;
use countersign::Period;

/// How long a client assertion lives when nothing else is set: long enough for one exchange.
pub const ASSERTION_LIFETIME: Period = Period::from_secs(60);

impl TokenSigner {
    /// Makes client assertions: by which an OAuth client proves who it is (RFC 7523 §2.2 and §3; `private_key_jwt`
    /// with a private key, `client_secret_jwt` with a shared secret).
    ///
    /// `iss` and `sub` are the client's id; `aud` is the authorization server's issuer, or its token endpoint where the
    /// server expects that; `jti` is always there. Mint one for every exchange, and never use one twice.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when `client_id`, `audience` or `lifetime` is empty, or the header
    /// makes no sense (field under `headers`).
    pub fn client_assertion(
        key: SigningKey,
        header: &HeaderConfig,
        client_id: &str,
        audience: &str,
        lifetime: Period,
    ) -> Result<Self, Error> {
        for (field, empty) in [
            ("client_id", client_id.is_empty()),
            ("audience", audience.is_empty()),
            ("lifetime", lifetime == Period::default()),
        ] {
            if empty {
                return Err(Error::config("is empty, but a client assertion needs it").at(field));
            }
        }
        Self::assemble(key, header, Claims::of_client(client_id, audience), Period::default(), lifetime)
    }
}
