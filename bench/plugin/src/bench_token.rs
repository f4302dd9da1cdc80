//! The profile type `bench-token`: one exchange with a token endpoint, one bearer. The benchmark has this file, too, so
//! that the same code runs in both homes.

use std::time::Duration;

use countersign::{AuthProfile, Context, Credential, Error, HttpRequest, Secret};
use serde::Deserialize;

/// What stands under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The token endpoint.
    token_url: String,
    /// The client's secret.
    client_secret: Secret,
}

/// The profile type `bench-token`.
pub struct BenchToken(Settings);

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: u64,
}

impl AuthProfile for BenchToken {
    const TYPE: &'static str = "bench-token";
    const SUMMARY: &'static str = "A token endpoint in its simplest form";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self(settings))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let fields = [("grant_type", "client_credentials"), ("client_secret", self.0.client_secret.expose())];
        let request = HttpRequest::new("POST", &self.0.token_url).form(fields);
        let answer: Answer = cx.http().send(request).await?.success()?.json()?;
        let value = format!("Bearer {}", answer.access_token.expose());
        Ok(Credential::header("authorization", value).valid_for(Duration::from_secs(answer.expires_in)))
    }
}
