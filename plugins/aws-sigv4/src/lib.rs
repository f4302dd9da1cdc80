//! The profile type `aws-sigv4`: each request is signed with AWS Signature Version 4, in headers or in the query.
//!
//! ```toml
//! [profiles.bucket]
//! type    = "aws-sigv4"
//! region  = "eu-central-1"
//! service = "s3"
//! access_key_id     = "AKIDEXAMPLE"
//! secret_access_key = "${env:BUCKET_SECRET}"
//! ```
//!
//! Source: "Signature Version 4 for API requests" in the AWS Identity and Access Management user guide; the test suite that
//! the AWS SDKs share.
#![forbid(unsafe_code)]

mod canonical;
mod config;
mod credentials;
mod date;
mod encode;
mod key;
mod sign;

use countersign::{AuthProfile, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext};

pub use config::AwsSigV4Config;
use credentials::{Keys, Source};
use key::Material;
use sign::Signature;

/// A profile of the type `aws-sigv4`.
#[derive(Debug)]
pub struct AwsSigV4 {
    source: Source,
    signature: Signature,
}

impl AuthProfile for AwsSigV4 {
    const TYPE: &'static str = "aws-sigv4";
    const SUMMARY: &'static str = "each request signed with AWS Signature Version 4";
    type Config = AwsSigV4Config;

    fn new(config: AwsSigV4Config) -> Result<Self, Error> {
        config.into_profile()
    }

    fn inputs(&self) -> Inputs {
        if self.signature.signs_payload() { Inputs::none().body() } else { Inputs::none() }
    }

    fn places(&self) -> Option<Places> {
        Some(self.signature.places(self.source.may_have_session()))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let Keys { access_key_id, secret_access_key, session_token, expires } = self.source.keys(cx).await?;
        let material = Material::new(access_key_id, secret_access_key, session_token);
        let credential = Credential::signing(&material)?;
        Ok(match (expires, self.source.is_given()) {
            (Some(at), _) => credential.valid_until(at),
            (None, true) => credential.until_rejected(),
            // What was found may be found changed later.
            (None, false) => credential,
        })
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        self.signature.sign(credential.material::<Material>()?, request, cx.now())
    }
}

countersign::register_profile!(AwsSigV4);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
