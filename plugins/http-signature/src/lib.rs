//! The profile type `http-signature`: each request is signed with an HTTP Message Signature (RFC 9421), its body by way of
//! a Content-Digest (RFC 9530).
//!
//! ```toml
//! [profiles.orders]
//! type   = "http-signature"
//! key    = "${file:/run/keys/orders.pem}"
//! key_id = "erp-2026"
//! ```
//!
//! # What holds, and where
//!
//! | demand | RFC 9421 | held by |
//! |---|---|---|
//! | each component identifier once, in the order of the parameters | §2.5 | `Coverage` |
//! | a covered component that is not there fails the signature | §2.5 | `Component`, unless it is an optional one |
//! | values are one line of ASCII | §2.1, §2.5 | checked as they are written; `;bs` for others |
//! | a query parameter that occurs twice is not covered by its name | §2.2.8 | refused when signing |
//! | structured fields are serialized strictly | §2.1.1, §2.1.2 | `sfv` |
//! | the algorithm is known from the key and the settings, not from the message | §3.3, §7.3.6 | one key, one algorithm |
//! | nothing covered is no signature of a request | §7.2.1 | an empty list is refused |
#![forbid(unsafe_code)]

mod algorithm;
mod component;
mod config;
mod digest;
mod query;
mod sign;

use countersign::{AuthProfile, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext};

pub use algorithm::SignatureAlgorithm;
pub use component::FieldType;
pub use config::HttpSignatureConfig;
pub use digest::ContentDigest;
use sign::Signature;

/// A profile of the type `http-signature`.
#[derive(Debug)]
pub struct HttpSignature {
    signature: Signature,
}

impl AuthProfile for HttpSignature {
    const TYPE: &'static str = "http-signature";
    const SUMMARY: &'static str = "each request signed with an HTTP Message Signature (RFC 9421)";
    type Config = HttpSignatureConfig;

    fn new(config: HttpSignatureConfig) -> Result<Self, Error> {
        Ok(Self { signature: config.into_signature()? })
    }

    fn inputs(&self) -> Inputs {
        if self.signature.reads_body() { Inputs::none().body() } else { Inputs::none() }
    }

    fn places(&self) -> Option<Places> {
        Some(self.signature.places())
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::signing(&())?.until_rejected())
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        let nonce = if self.signature.has_nonce() { Some(cx.random()?) } else { None };
        self.signature.sign(request, cx.now(), nonce)
    }

    fn public_keys(&self) -> Vec<serde_json::Value> {
        self.signature.public_key().into_iter().collect()
    }
}

countersign::register_profile!(HttpSignature);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
