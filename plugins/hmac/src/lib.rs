//! The profile type `hmac`: the family of home-made signatures, described in the configuration.
//!
//! ```toml
//! [profiles.acme]
//! type    = "hmac"
//! secret  = "${env:ACME_SECRET}"
//! sign    = "{{ timestamp }}.{{ body }}"
//! headers = { X-Timestamp = "{{ timestamp }}", X-Signature = "{{ signature | hex }}" }
//! ```
//!
//! A template is read once, in `new`; a request then costs its HMAC and little more, for the text goes into the HMAC as it
//! is written.
#![forbid(unsafe_code)]

mod algorithm;
mod config;
mod nonce;
mod query;
mod secret;
mod sign;
mod sink;
mod template;
mod time;

use countersign::{
    AuthProfile, Caller, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext,
};

pub use algorithm::Algorithm;
pub use config::HmacConfig;
use nonce::Nonce;
pub use secret::Encoding;
pub use sign::DerivedEncoding;
use sign::Signature;
use template::Reads;
use time::Time;

/// A profile of the type `hmac`.
#[derive(Debug)]
pub struct Hmac {
    signature: Signature,
    reads: Reads,
}

impl AuthProfile for Hmac {
    const TYPE: &'static str = "hmac";
    const SUMMARY: &'static str = "each request signed with an HMAC, in the API's own way";
    type Config = HmacConfig;

    fn new(config: HmacConfig) -> Result<Self, Error> {
        config.into_profile()
    }

    fn inputs(&self) -> Inputs {
        let inputs = Inputs::none().callers(&self.reads.callers);
        if self.reads.body { inputs.body() } else { inputs }
    }

    /// What of a request its text reads is not declared: that may depend on conditions.
    fn places(&self) -> Option<Places> {
        Some(self.signature.places())
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        for attribute in &self.reads.callers {
            cx.caller(attribute)?;
        }
        Ok(Credential::signing(cx.callers())?.until_rejected())
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        let nonce = if self.reads.nonce { Nonce::Random(cx.random()?) } else { Nonce::None };
        self.signature.sign(credential.material::<Caller>()?, request, Time::of(cx.now()), nonce)
    }
}

countersign::register_profile!(Hmac);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
