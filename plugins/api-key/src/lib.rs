//! The profile type `api-key`: given keys in headers, query parameters and cookies, one or several.
//!
//! ```toml
//! [profiles.maps]
//! type   = "api-key"
//! key    = "${env:MAPS_KEY}"
//! header = "X-Api-Key"                # or: query = "key", cookie = "sid"
//!
//! [profiles.crm]
//! type    = "api-key"
//! headers = { X-Key = "${env:CRM_KEY}", X-Tenant = "{{ caller.tenant }}" }
//! ```
#![forbid(unsafe_code)]

mod config;
mod value;

use countersign::{AuthProfile, Context, Credential, Error, Inputs, Place, Places};

pub use config::ApiKeyConfig;
use value::Value;

/// A profile of the type `api-key`.
#[derive(Debug)]
pub struct ApiKey {
    keys: Vec<Key>,
}

/// One value to place.
#[derive(Debug)]
struct Key {
    place: Place,
    name: String,
    value: Value,
    /// The setting that it comes from.
    setting: String,
}

impl AuthProfile for ApiKey {
    const TYPE: &'static str = "api-key";
    const SUMMARY: &'static str = "given keys in headers, query parameters and cookies";
    type Config = ApiKeyConfig;

    fn new(config: ApiKeyConfig) -> Result<Self, Error> {
        Ok(Self { keys: config.into_keys()? })
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().callers(self.keys.iter().flat_map(|key| key.value.caller_attributes()))
    }

    fn places(&self) -> Option<Places> {
        Some(self.keys.iter().fold(Places::none(), |places, key| places.and(key.place, &key.name)))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let mut credential = Credential::new();
        for Key { place, name, value, setting } in &self.keys {
            let value = value.render(*place, cx.callers()).map_err(|error| error.at(setting))?;
            credential = credential.and(*place, name, value);
        }
        Ok(credential.until_rejected())
    }
}

countersign::register_profile!(ApiKey);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
