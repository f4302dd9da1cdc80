//! Acme's request signature: an HMAC-SHA256 over method, path and query, time and body.
#![forbid(unsafe_code)]

use std::time::UNIX_EPOCH;

use countersign::{AuthProfile, Context, Credential, Edits, Error, Inputs, RequestHead, Secret, SignContext};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

countersign::export_plugin!();
countersign::register_profile!(AcmeHmac);

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The secret that Acme gave out; at least 32 bytes (RFC 2104 §3).
    secret: Secret,
}

/// The profile type `acme-hmac`.
pub struct AcmeHmac {
    keyed: Hmac<Sha256>,
}

impl AuthProfile for AcmeHmac {
    const TYPE: &'static str = "acme-hmac";
    const SUMMARY: &'static str = "Acme's request signature: an HMAC-SHA256 over each request";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        let secret = settings.secret.expose().as_bytes();
        let keyed = Hmac::new_from_slice(secret).ok().filter(|_| secret.len() >= 32);
        let weak = || Error::config("is shorter than the hash; use at least 32 bytes").at("secret");
        Ok(Self { keyed: keyed.ok_or_else(weak)? })
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().body()
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::signing(&())?.until_rejected())
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        let time =
            cx.now().duration_since(UNIX_EPOCH).map_err(|_| Error::internal("the clock is before 1970"))?;
        let time = time.as_secs().to_string();
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        let body = hex(&Sha256::digest(request.body().unwrap_or_default()));
        let text = format!("{}\n{}{query}\n{time}\n{body}", request.method(), request.path());
        let signature = self.keyed.clone().chain_update(text).finalize().into_bytes();
        Ok(Edits::header("x-acme-timestamp", time).and_header("x-acme-signature", hex(&signature)))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
