//! The profile type `digest`: user name and password as HTTP Digest authentication (RFC 7616).
//!
//! ```toml
//! [profiles.camera]
//! type     = "digest"
//! username = "integration"
//! password = "${file:/run/secrets/camera}"
//! ```
//!
//! `acquire` has the API's challenge, from the answer that rejected a request or by asking for one, and makes of it a
//! [`Material`]; `sign` computes the response to it for each request, with the next nonce count, so that no request but the
//! first waits for a challenge. With an answer that went well, an API may name the nonce for the next request; one that
//! gives a nonce up says so by another challenge, and the host begins again.
#![forbid(unsafe_code)]

mod algorithm;
mod ask;
mod challenge;
mod config;
mod count;
mod credentials;
mod follow;
mod material;
mod offer;
mod quoted;
mod response;

use std::time::Duration;

use countersign::{AuthProfile, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext};

pub use config::DigestConfig;
use config::Rules;
use count::Counts;
use credentials::Credentials;
use follow::AUTHENTICATION_INFO;
use material::Material;

/// A nonce is given up after so long, for its count has 32 bits: at 90,000 requests a second it would be used up.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

/// A profile of the type `digest`.
#[derive(Debug)]
pub struct Digest {
    credentials: Credentials,
    rules: Rules,
    counts: Counts,
}

impl AuthProfile for Digest {
    const TYPE: &'static str = "digest";
    const SUMMARY: &'static str = "user name and password as Digest authentication (RFC 7616)";
    type Config = DigestConfig;

    fn new(config: DigestConfig) -> Result<Self, Error> {
        config.into_profile()
    }

    /// A nonce is one server's. A response that another server gets for it would be good at the first one.
    fn inputs(&self) -> Inputs {
        let inputs = Inputs::none().target();
        if self.rules.reads_body() { inputs.body() } else { inputs }
    }

    /// The response covers method, path and query, and no header.
    fn places(&self) -> Option<Places> {
        Some(Places::none().header("authorization").covers_query())
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let target = cx.target()?;
        let given = cx.challenge().map(challenge::of_rejection).unwrap_or_default();
        // A rejection that brings no such challenge tells nothing of Digest.
        let offer = match challenge::of_digest(&given).next() {
            Some(_) => self.rules.choose(&given)?,
            None => self.rules.choose(&ask::challenges(cx, target, &self.rules.path).await?)?,
        };
        let material = Material::new(&self.credentials, offer, cx)?;
        // The API names the next nonce and demands nothing by that word: a challenge brings its own.
        let credential = Credential::signing(&material)?.learning(AUTHENTICATION_INFO, "nextnonce");
        Ok(if self.rules.reuse { credential.valid_for(LONGEST) } else { credential.single_use() })
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        response::sign(credential.material::<Material>()?, &self.counts, request, cx)
    }
}

countersign::register_profile!(Digest);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
