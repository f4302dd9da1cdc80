use std::time::Duration;

use countersign::{AuthProfile, Context, Credential, Error, HttpRequest, Secret};
use serde::Deserialize;

countersign::register_profile!(StepUp);

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Acme's token endpoint.
    token_url: String,
    /// The secret of this application.
    client_secret: Secret,
}

/// The profile type `acme-step-up`.
pub struct StepUp(Settings);

#[derive(Deserialize)]
struct Token {
    token: String,
    expires_in: Option<u64>,
}

// ANCHOR: type
impl AuthProfile for StepUp {
    const TYPE: &'static str = "acme-step-up";
    const SUMMARY: &'static str = "a token of the scope that the API asked for";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self(settings))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        // There is a challenge when the API has rejected the credential before: `WWW-Authenticate: Acme scope="orders:write"`.
        let scope = cx.challenge().and_then(|challenge| {
            let values =
                challenge.header("www-authenticate").filter_map(|value| value.split_once("scope=\""));
            values.filter_map(|(_, rest)| rest.split_once('"')).map(|(scope, _)| scope).next()
        });
        let form = [("scope", scope.unwrap_or("basic")), ("client_secret", self.0.client_secret.expose())];
        let ask = HttpRequest::new("POST", &self.0.token_url).form(form);
        let token: Token = cx.http().send(ask).await?.success()?.json()?;
        let credential = Credential::header("authorization", format!("Acme {}", token.token));
        Ok(match token.expires_in {
            Some(seconds) => credential.valid_for(Duration::from_secs(seconds)),
            None => credential,
        })
    }
}
// ANCHOR_END: type
