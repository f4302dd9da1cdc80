//! A whole plugin that is a program: one type, and the line that speaks the protocol for it.

use countersign::{AuthProfile, Context, Credential, Error, Secret};
use serde::Deserialize;

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The badge that Acme gave out.
    badge: Secret,
}

struct AcmeBadge(Settings);

impl AuthProfile for AcmeBadge {
    const TYPE: &'static str = "acme-badge";
    const SUMMARY: &'static str = "Acme's badge in a header";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self(settings))
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        tracing::info!(length = self.0.badge.expose().len(), "the badge is shown");
        Ok(Credential::header("x-acme-badge", self.0.badge.clone()).until_rejected())
    }
}

countersign::register_profile!(AcmeBadge);
countersign::plugin_main!();
