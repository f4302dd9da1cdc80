//! The profile type `oauth2`: access tokens from a token endpoint.
//!
//! ```toml
//! [profiles.crm]
//! type          = "oauth2"
//! token_url     = "https://login.example/token"     # or: issuer = "https://login.example"
//! client_id     = "erp"
//! client_secret = "${env:CRM_SECRET}"
//! scope         = "orders.read orders.write"
//! ```
//!
//! The grants are `client_credentials` (RFC 6749 §4.4), `refresh_token` (§6) and `jwt-bearer` (RFC 7523 §2.1). With
//! `client_key` instead of `client_secret` the client proves itself by an assertion (`private_key_jwt`).
#![forbid(unsafe_code)]

mod answer;
mod assertion;
mod client;
mod config;
mod discovery;
mod endpoint;
mod grant;
mod refusal;
mod words;

use countersign::{
    AuthProfile, Context, Credential, Error, ErrorKind, HttpRequest, Inputs, Places, Secret, TokenPlace,
};
use countersign_jose::TokenSigner;

use answer::Answer;
pub use assertion::{AssertionConfig, ClientAssertionConfig};
use client::Client;
pub use config::{ClientAuth, Grant, OAuth2Config};
use discovery::TokenEndpoint;
use grant::{Attempt, Grants};
pub use words::Words;

/// A profile of the type `oauth2`.
#[derive(Debug)]
pub struct OAuth2 {
    endpoint: TokenEndpoint,
    client: Client,
    grants: Grants,
    /// Scope, audience, resources and what else is the same in every request.
    parameters: Vec<(String, Secret)>,
    headers: Vec<(String, Secret)>,
    place: TokenPlace,
}

impl AuthProfile for OAuth2 {
    const TYPE: &'static str = "oauth2";
    const SUMMARY: &'static str = "access tokens from a token endpoint (OAuth 2.0: RFC 6749)";
    type Config = OAuth2Config;

    fn new(config: OAuth2Config) -> Result<Self, Error> {
        Ok(Self {
            place: TokenPlace::header(&config.header, &config.scheme)?,
            parameters: config.parameters()?,
            headers: config.headers()?,
            endpoint: TokenEndpoint::new(config.token_url.as_deref(), config.issuer.as_deref())?,
            grants: Grants::new(&config)?,
            client: Client::new(&config)?,
        })
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().callers(self.grants.signer().into_iter().flat_map(TokenSigner::caller_attributes))
    }

    fn places(&self) -> Option<Places> {
        Some(self.place.places())
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let mut attempts = self.grants.attempts(cx)?.into_iter().peekable();
        loop {
            let attempt = attempts.next().ok_or_else(|| Error::internal("the grant makes no attempt"))?;
            match self.exchange(cx, &attempt).await {
                Ok(answer) => {
                    let credential = answer.place(&self.place);
                    return Ok(match attempt.renewal(answer.refresh_token()) {
                        Some(state) => credential.renewed_by(state),
                        None => credential,
                    });
                }
                // A refresh token that was rotated or revoked; the one in the settings may be good (again).
                Err(error) if error.kind() == ErrorKind::LoginRequired && attempts.peek().is_some() => {}
                Err(error) => {
                    self.endpoint.forget();
                    return Err(error);
                }
            }
        }
    }

    fn public_keys(&self) -> Vec<serde_json::Value> {
        let signers = [self.client.signer(), self.grants.signer()];
        // A shared secret has no public key.
        let sets = signers.into_iter().flatten().filter_map(|signer| signer.jwks().ok());
        let mut keys: Vec<_> =
            sets.flat_map(|set| set.keys).filter_map(|key| serde_json::to_value(key).ok()).collect();
        keys.dedup();
        keys
    }
}

impl OAuth2 {
    async fn exchange(&self, cx: &Context, attempt: &Attempt) -> Result<Answer, Error> {
        let endpoint = self.endpoint.find(cx).await?;
        let mut request = HttpRequest::new("POST", endpoint.url()).header("accept", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value.clone());
        }
        let (request, client) = self.client.authenticate(request, cx)?;
        let fields = attempt.fields.iter().chain(&self.parameters).chain(&client);
        let request = request.form(fields.map(|(name, value)| (name, value.expose())));
        let answer = cx.http().send(request).await;
        answer
            .and_then(|answer| Answer::read(answer, attempt.refreshes()))
            .map_err(|error| endpoint.named(error))
    }
}

countersign::register_profile!(OAuth2);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
