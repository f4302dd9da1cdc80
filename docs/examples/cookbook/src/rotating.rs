use countersign::{AuthProfile, Context, Credential, Edits, Error, RequestHead, Secret, SignContext};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::hex;

countersign::register_profile!(Rotating);

// ANCHOR: settings
/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The keys, the one to sign with first; the others are still known to Acme, or will be.
    keys: Vec<Key>,
}

/// A key that Acme knows.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name at Acme.
    id: String,
    /// Its secret; `${file:…}` is read again when the file changes.
    secret: Secret,
}
// ANCHOR_END: settings

/// The profile type `acme-rotating`.
pub struct Rotating {
    id: String,
    keyed: Hmac<Sha256>,
}

// ANCHOR: type
impl AuthProfile for Rotating {
    const TYPE: &'static str = "acme-rotating";
    const SUMMARY: &'static str = "signs with the first of several keys";
    type Config = Settings;

    // Called again when a source of the settings changes: a new key in the file is a new instance, and no restart.
    fn new(settings: Settings) -> Result<Self, Error> {
        let mut keys = settings.keys.into_iter();
        let key = keys.next().ok_or_else(|| Error::config("is empty; give at least one key").at("keys"))?;
        let keyed = Hmac::new_from_slice(key.secret.expose().as_bytes());
        let keyed = keyed.map_err(|_| Error::config("is no key").at("secret").at("[0]").at("keys"))?;
        Ok(Self { id: key.id, keyed })
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::signing(&())?.until_rejected())
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, _: &SignContext) -> Result<Edits, Error> {
        let text = format!("{} {}", request.method(), request.path());
        let signature = self.keyed.clone().chain_update(text).finalize().into_bytes();
        Ok(Edits::header("x-acme-key", self.id.as_str()).and_header("x-acme-signature", hex(&signature)))
    }
}
// ANCHOR_END: type
