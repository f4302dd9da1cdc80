//! The profile type `jwt-bearer`: a self-signed JWT as the bearer token.
//!
//! ```toml
//! [profiles.orders-jwt]
//! type     = "jwt-bearer"
//! issuer   = "https://erp.example"
//! audience = "orders-api"
//! subject  = "{{ caller.user }}"                # claims may be templates over the caller
//! key      = "${file:/run/keys/orders.pem}"
//! lifetime = "5m"
//! ```
#![forbid(unsafe_code)]

mod config;

use countersign::{
    AuthProfile, Caller, Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext,
    TokenPlace,
};
use countersign_jose::{SigningKey, TokenSigner};

pub use config::JwtBearerConfig;

/// A profile of the type `jwt-bearer`.
#[derive(Debug)]
pub struct JwtBearer {
    signer: TokenSigner,
    place: TokenPlace,
    reuse: bool,
}

impl AuthProfile for JwtBearer {
    const TYPE: &'static str = "jwt-bearer";
    const SUMMARY: &'static str = "a self-signed JWT as the bearer token (RFC 7519)";
    type Config = JwtBearerConfig;

    fn new(config: JwtBearerConfig) -> Result<Self, Error> {
        let place = config.place()?;
        let key = SigningKey::new(config.algorithm, &config.key).map_err(|error| error.at("key"))?;
        let reuse = config.reuse;
        let (header, claims) = config.into_token();
        Ok(Self { signer: TokenSigner::new(key, &header, &claims)?, place, reuse })
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().callers(self.signer.caller_attributes())
    }

    fn places(&self) -> Option<Places> {
        Some(self.place.places())
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let token = self.signer.mint(cx.callers(), cx.now(), cx.random()?)?;
        if self.reuse {
            return Ok(self.place.credential(token.text.expose()).valid_until(token.expires_at));
        }
        // That one only showed that this caller can have tokens; each request gets its own.
        Ok(Credential::signing(cx.callers())?.until_rejected())
    }

    fn sign(&self, credential: &Credential, _: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        let caller: &Caller = credential.material()?;
        let token = self.signer.mint(caller, cx.now(), cx.random()?)?;
        Ok(self.place.edits(token.text.expose()))
    }

    fn public_keys(&self) -> Vec<serde_json::Value> {
        // A shared secret has none.
        let keys = self.signer.jwks().map(|set| set.keys).unwrap_or_default();
        keys.iter().filter_map(|key| serde_json::to_value(key).ok()).collect()
    }
}

countersign::register_profile!(JwtBearer);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
