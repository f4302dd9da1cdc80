//! Keys: from what an operator configures to something that signs.
//!
//! Here live the readers of each format and the check that a key fits its algorithm. Tokens do not: see `token`.

mod config;
mod der;
mod jks;
mod jwk;
mod keystore;
mod pkcs12;
mod private;
mod secret;
mod signer;
mod signing;
mod text;

pub use config::{Encoding, JwkKey, KeyConfig, KeystoreKey, PemKey, SecretKey};
pub(crate) use private::{Curve, PrivateKey};
pub use signing::SigningKey;
pub(crate) use signing::{field, field_of_chain, load, or_at};
