//! The profile type `oauth1`: each request is signed with OAuth 1.0 (RFC 5849).
//!
//! ```toml
//! [profiles.shop]
//! type            = "oauth1"
//! consumer_key    = "dpf43f3p2l4k3l03"
//! consumer_secret = "${env:SHOP_CONSUMER_SECRET}"
//! token           = "nnch734d00sl2jdk"
//! token_secret    = "${env:SHOP_TOKEN_SECRET}"
//! ```
//!
//! The token is one that was issued already, or there is none ("two-legged"); how users grant tokens is not part of this.
#![forbid(unsafe_code)]

mod base_string;
mod config;
mod encode;
mod method;
mod parameters;
mod sign;

use countersign::{AuthProfile, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext};

pub use config::OAuth1Config;
use sign::Signature;

/// A profile of the type `oauth1`.
#[derive(Debug)]
pub struct OAuth1 {
    signature: Signature,
}

impl AuthProfile for OAuth1 {
    const TYPE: &'static str = "oauth1";
    const SUMMARY: &'static str = "each request signed with OAuth 1.0 (RFC 5849)";
    type Config = OAuth1Config;

    fn new(config: OAuth1Config) -> Result<Self, Error> {
        Ok(Self { signature: config.into_signature()? })
    }

    fn inputs(&self) -> Inputs {
        if self.signature.reads_body() { Inputs::none().body() } else { Inputs::none() }
    }

    fn places(&self) -> Option<Places> {
        Some(self.signature.places())
    }

    /// All that is needed is in the settings.
    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::signing(&())?.until_rejected())
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        self.signature.sign(request, cx)
    }

    fn public_keys(&self) -> Vec<serde_json::Value> {
        self.signature.public_key.iter().cloned().collect()
    }
}

countersign::register_profile!(OAuth1);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
