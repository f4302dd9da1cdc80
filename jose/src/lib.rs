//! Keys and signed tokens for Countersign's profile types: [JWS], [JWK] and [JWT] from the signer's side.
//!
//! It turns what an operator writes ([`Algorithm`], [`KeyConfig`], [`HeaderConfig`], [`ClaimsConfig`]) into a
//! [`TokenSigner`], once; the signer then [mints](TokenSigner::mint) a token for a caller at the price of the bare
//! signature. There is no I/O, no clock and no randomness here: key text comes in as settings, time and random bytes
//! as arguments. Tokens are made here and never verified.
//!
//! # What holds, and where
//!
//! | demand | source | held by |
//! |---|---|---|
//! | the algorithm is chosen by the configuration: its own setting, else the key; by nothing else | RFC 8725 §3.1 | [`SigningKey::new`]: one key, one [`Algorithm`]; a JWK's own `alg` must agree |
//! | only sound algorithms, no `none` | RFC 8725 §3.2 | [`Algorithm`] has no other values |
//! | every operation's outcome is checked | RFC 8725 §3.3 | a key whose parts do not belong together is refused; a failed signature is an error, never a token |
//! | keys of sufficient entropy | RFC 8725 §3.5, RFC 7518 §3.2, §3.3 | HMAC secrets as long as the hash, RSA from 2048 bits |
//! | UTF-8 and nothing else | RFC 8725 §3.7 | Rust's strings |
//! | issuer, subject, audience | RFC 8725 §3.8, §3.9; RFC 7523 §3 (1) to (3) | [`ClaimsConfig`]; a template that comes out empty is an error, not a token. Which of them must be there is the profile type's decision; [`TokenSigner::client_assertion`] sets all |
//! | received claims are not trusted | RFC 8725 §3.10 | nothing is received; no `jwk` header is sent |
//! | explicit types | RFC 8725 §3.11 | `typ`, by default `JWT` |
//! | mutually exclusive validation rules | RFC 8725 §3.12 | the operator's `typ`, `aud` and claims |
//! | an expiry, always | RFC 7523 §3 (4) | `exp` cannot be left out |
//! | `nbf`, `iat`, `jti` | RFC 7523 §3 (5) to (7) | on unless switched off; `jti` has 128 random bits |
//! | signed with a key that the server can match | RFC 7523 §3 (9) | `kid`, `x5t`, `x5t#S256`, `x5c`; a certificate must belong to the key |
//! | claims and headers once only | RFC 7519 §4, RFC 7515 §4 | what has a setting is refused in `claims` and in `other` |
//!
//! [JWS]: https://www.rfc-editor.org/rfc/rfc7515
//! [JWK]: https://www.rfc-editor.org/rfc/rfc7517
//! [JWT]: https://www.rfc-editor.org/rfc/rfc7519
#![forbid(unsafe_code)]

mod algorithm;
mod assertion;
mod certificate;
mod claims;
mod compact;
mod generated;
mod header;
mod identity;
mod jwks;
mod key;
mod pem;
mod token;

pub use algorithm::Algorithm;
pub use assertion::ASSERTION_LIFETIME;
pub use certificate::Chain;
pub use claims::{Audience, ClaimsConfig};
pub use countersign::Period;
pub use generated::generate_p256;
pub use header::{HeaderConfig, Kid};
pub use identity::{Identity, IdentityConfig};
pub use jwks::{Jwks, PublicJwk};
pub use key::{Encoding, JwkKey, KeyConfig, KeystoreKey, PemKey, SecretKey, SigningKey};
pub use token::{Token, TokenSigner};
