//! Acme's login endpoint: a user and a password for a session, which each request carries.
#![forbid(unsafe_code)]

use std::time::Duration;

use countersign::{AuthProfile, Context, Credential, Error, HttpRequest, Origin, Secret};
use serde::Deserialize;
use serde_json::json;

countersign::export_plugin!();
countersign::register_profile!(AcmeLogin);

/// What the operator writes under `[profiles.NAME]`.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Acme's login endpoint.
    login_url: String,
    /// The technical user.
    user: String,
    /// Its password.
    password: Secret,
}

/// The profile type `acme-login`.
pub struct AcmeLogin(Settings);

#[derive(Deserialize)]
struct Session {
    session: String,
    ttl_seconds: u64,
}

impl AuthProfile for AcmeLogin {
    const TYPE: &'static str = "acme-login";
    const SUMMARY: &'static str = "Acme's login endpoint: a user and a password for a session";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        if settings.user.is_empty() {
            return Err(Error::config("is empty; name Acme's technical user").at("user"));
        }
        let url: Origin = settings.login_url.parse().map_err(|error: Error| error.at("login_url"))?;
        if !url.is_https() && !url.is_loopback() {
            let message = "is not https, so the password would travel in clear; plain http is for loopback";
            return Err(Error::config(message).at("login_url"));
        }
        Ok(Self(settings))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        // A session that is about to end is prolonged; only if Acme refuses that, the password is sent again.
        if let Some(previous) = cx.previous() {
            let prolong =
                HttpRequest::new("PUT", &self.0.login_url).header("x-acme-session", previous.clone());
            let answer = cx.http().send(prolong).await?;
            if answer.is_success() {
                return Ok(credential(answer.json()?));
            }
        }
        let login = json!({ "user": self.0.user, "password": self.0.password.expose() });
        let login = HttpRequest::new("POST", &self.0.login_url).json(&login);
        Ok(credential(cx.http().send(login).await?.success()?.json()?))
    }
}

fn credential(Session { session, ttl_seconds }: Session) -> Credential {
    Credential::header("x-acme-session", session.as_str())
        .valid_for(Duration::from_secs(ttl_seconds))
        .renewed_by(session)
}

#[cfg(test)]
mod tests;
