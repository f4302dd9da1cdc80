use std::time::Duration;

use countersign::{AuthProfile, Context, Credential, Error, HttpRequest, Inputs, Secret};
use serde::Deserialize;

countersign::register_profile!(OnBehalf);

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where tokens for users are exchanged.
    token_url: String,
    /// The secret of this application.
    client_secret: Secret,
}

/// The profile type `acme-on-behalf`.
pub struct OnBehalf(Settings);

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: Option<u64>,
}

// ANCHOR: type
impl AuthProfile for OnBehalf {
    const TYPE: &'static str = "acme-on-behalf";
    const SUMMARY: &'static str = "a token for the user who causes the call";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self(settings))
    }

    // A credential for each user: what is declared here is the key under which it is kept.
    fn inputs(&self) -> Inputs {
        Inputs::none().caller("user")
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let form = [("subject", cx.caller("user")?), ("client_secret", self.0.client_secret.expose())];
        let ask = HttpRequest::new("POST", &self.0.token_url).form(form);
        let token: Token = cx.http().send(ask).await?.success()?.json()?;
        let credential = Credential::bearer(&token.access_token);
        Ok(match token.expires_in {
            Some(seconds) => credential.valid_for(Duration::from_secs(seconds)),
            None => credential, // not said, not guessed: the operator's `default_lifetime`
        })
    }
}
// ANCHOR_END: type
