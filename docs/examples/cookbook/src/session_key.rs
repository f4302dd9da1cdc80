use std::time::Duration;

use countersign::{
    AuthProfile, Context, Credential, Edits, Error, HttpRequest, RequestHead, Secret, SignContext,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::hex;

countersign::register_profile!(SessionKey);

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where sessions begin.
    login_url: String,
    /// The password of this application.
    password: Secret,
}

/// The profile type `acme-session-key`.
pub struct SessionKey(Settings);

#[derive(Deserialize)]
struct Session {
    session: String,
    key: String,
    ttl_seconds: u64,
}

// ANCHOR: type
/// What `sign` needs beyond the settings. It travels in the credential, is kept with it and ends with it.
#[derive(Serialize, Deserialize)]
struct Material {
    session: String,
    key: String,
}

impl AuthProfile for SessionKey {
    const TYPE: &'static str = "acme-session-key";
    const SUMMARY: &'static str = "signs each request with a key that a login gives out";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self(settings))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let login = HttpRequest::new("POST", &self.0.login_url).body(self.0.password.expose().as_str());
        let Session { session, key, ttl_seconds } = cx.http().send(login).await?.success()?.json()?;
        Ok(Credential::signing(&Material { session, key })?.valid_for(Duration::from_secs(ttl_seconds)))
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        _: &SignContext,
    ) -> Result<Edits, Error> {
        let Material { session, key } = credential.material()?; // parsed once, not for each request
        let keyed = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(|_| Error::internal("no key"))?;
        let signature = keyed.chain_update(request.path()).finalize().into_bytes();
        Ok(Edits::header("x-acme-session", session.as_str()).and_header("x-acme-proof", hex(&signature)))
    }
}
// ANCHOR_END: type
