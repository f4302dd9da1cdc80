use std::fmt;
use std::time::Duration;

use countersign::{Credential, Error, ErrorKind, HttpResponse, Secret, TokenPlace};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::refusal::refusal;

/// A token endpoint's good answer (RFC 6749 §5.1).
#[derive(Debug)]
pub(crate) struct Answer {
    token: Secret,
    /// Whether the token is bound to the key of a proof (RFC 9449 §5).
    pub(crate) is_dpop: bool,
    lifetime: Option<Duration>,
    refresh_token: Option<Secret>,
}

/// The answer as it comes; what else is in it is ignored, but nothing of this twice.
#[derive(Deserialize)]
struct Body {
    access_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
    refresh_token: Option<Secret>,
    error: Option<String>,
}

impl Answer {
    /// Reads an answer, whatever it is. No error quotes the body.
    pub(crate) fn read(response: HttpResponse, wanted: Wanted, refreshing: bool) -> Result<Self, Error> {
        if !response.is_success() {
            return Err(refused(response, refreshing));
        }
        let body: Body = response.json()?;
        if let Some(code) = body.error {
            return Err(refusal(&code, response.status, refreshing));
        }
        let token = body.access_token.unwrap_or_default();
        check(token.expose())?;
        let is_dpop = wanted.judge(body.token_type.as_deref())?;
        let lifetime = body.expires_in.map(Seconds::lifetime).transpose()?;
        let refresh_token = body.refresh_token.filter(|token| !token.expose().is_empty());
        Ok(Self { token, is_dpop, lifetime, refresh_token })
    }

    pub(crate) fn token(&self) -> &str {
        self.token.expose()
    }

    pub(crate) const fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// Places the token, beside what the credential holds already. Without `expires_in` its lifetime stays unstated.
    pub(crate) fn place(&self, place: &TokenPlace, credential: Credential) -> Credential {
        let credential = place.place(credential, self.token.expose());
        match self.lifetime {
            Some(lifetime) => credential.valid_for(lifetime),
            None => credential,
        }
    }
}

/// The token type that is wanted (RFC 6749 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Bearer,
    Dpop,
    /// Bound to the key of a proof or, where the issuer does not know of that, not.
    DpopOrBearer,
}

impl Wanted {
    /// Whether the token is a DPoP token, or an error if it is neither that nor wanted.
    fn judge(self, token_type: Option<&str>) -> Result<bool, Error> {
        // RFC 6749 §5.1 requires the type, but servers forget it, and then it is a bearer token that they give.
        let given = token_type.unwrap_or("bearer");
        let is_dpop = given.eq_ignore_ascii_case("dpop");
        match self {
            Self::Bearer if is_dpop => Err(Error::unsupported(
                "gave a DPoP token; set `dpop = true`, or register the client for bearer tokens",
            )),
            Self::Dpop if given.eq_ignore_ascii_case("bearer") => Err(Error::unsupported(
                "gave a Bearer token, which whoever finds it can use; register the client for DPoP-bound tokens, or set \
                 `dpop = { accept_bearer = true }`",
            )),
            _ if is_dpop || given.eq_ignore_ascii_case("bearer") => Ok(is_dpop),
            Self::Bearer => Err(Error::unsupported(
                "gave a token of a type other than Bearer; register the client for bearer tokens",
            )),
            _ => Err(Error::unsupported(
                "gave a token of a type other than DPoP; register the client for DPoP-bound tokens",
            )),
        }
    }
}

/// `VSCHAR` (RFC 6749 §A.12), without the space that no header value can end with and no bearer token has.
fn check(token: &str) -> Result<(), Error> {
    if token.is_empty() {
        return Err(Error::unavailable("answered without an access_token"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::unavailable(
            "gave an access_token with characters that no token has (RFC 6749 §A.12)",
        ));
    }
    Ok(())
}

/// An answer that is not 2xx: by its error code where it has one (RFC 6749 §5.2), else by its status.
fn refused(response: HttpResponse, refreshing: bool) -> Error {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let wait = response.retry_after();
    let by_code = match response.status {
        400..=407 | 409..=428 | 430..=499 => response.json::<Refusal>().ok(),
        _ => None,
    };
    let error = match by_code {
        Some(Refusal { error }) => refusal(&error, response.status, refreshing),
        None => match response.success() {
            Err(error) => error,
            Ok(_) => Error::internal("a refusal with a good status"),
        },
    };
    match wait {
        Some(wait) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::RateLimited) => {
            error.with_retry_after(wait)
        }
        _ => error,
    }
}

/// `expires_in`: a number of seconds, which some servers write as a text or with a fraction.
#[derive(Clone, Copy)]
enum Seconds {
    Positive(u64),
    NotPositive,
}

impl Seconds {
    /// Ten years; nobody keeps a token longer, and instants stay far from their end.
    const MAX: u64 = 10 * 366 * 86_400;

    fn lifetime(self) -> Result<Duration, Error> {
        match self {
            Self::Positive(seconds) => Ok(Duration::from_secs(seconds.min(Self::MAX))),
            Self::NotPositive => {
                Err(Error::unavailable("gave a token that has expired already (expires_in is not positive)"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;

        impl Visitor<'_> for AnyNumber {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(if seconds == 0 { Seconds::NotPositive } else { Seconds::Positive(seconds) })
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Seconds, E> {
                self.visit_u64(u64::try_from(seconds).unwrap_or(0))
            }

            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates: just what is wanted
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
                self.visit_u64(seconds as u64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                match text.trim().parse::<f64>() {
                    Ok(seconds) if text.contains(|c: char| c.is_ascii_digit()) => self.visit_f64(seconds),
                    _ => Err(E::custom("not a number of seconds")),
                }
            }
        }

        deserializer.deserialize_any(AnyNumber)
    }
}
