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
//! `client_key` instead of `client_secret` the client proves itself by an assertion (`private_key_jwt`), with
//! `client_certificate` by the TLS connection (RFC 8705), which tokens can be bound to. `dpop` binds them to a key of which
//! each request brings a proof (RFC 9449).
#![forbid(unsafe_code)]

mod answer;
mod assertion;
mod certificate;
mod client;
mod config;
mod confirmation;
mod discovery;
mod dpop;
mod endpoint;
mod grant;
mod refusal;
mod words;

use countersign::{
    AuthProfile, Context, Credential, Edits, Error, ErrorKind, HttpRequest, HttpResponse, Inputs, Places,
    RequestHead, Secret, SignContext, TokenPlace,
};
use countersign_jose::TokenSigner;

use answer::{Answer, Wanted};
pub use assertion::{AssertionConfig, ClientAssertionConfig};
use certificate::Certificate;
use client::Client;
pub use config::{ClientAuth, Grant, OAuth2Config};
use confirmation::Confirmation;
use discovery::TokenEndpoint;
use dpop::Dpop;
pub use dpop::{DpopConfig, DpopSetting};
use endpoint::Endpoint;
use grant::{Attempt, Grants};
pub use words::Words;

/// A profile of the type `oauth2`.
#[derive(Debug)]
pub struct OAuth2 {
    endpoint: TokenEndpoint,
    client: Client,
    certificate: Option<Box<Certificate>>,
    dpop: Option<Box<Dpop>>,
    grants: Grants,
    /// Scope, audience, resources and what else is the same in every request.
    parameters: Vec<(String, Secret)>,
    headers: Vec<(String, Secret)>,
    /// Where tokens go that whoever has them can use.
    bearer: TokenPlace,
    /// Where tokens go that are of use with a proof only.
    bound: TokenPlace,
}

impl AuthProfile for OAuth2 {
    const TYPE: &'static str = "oauth2";
    const SUMMARY: &'static str = "access tokens from a token endpoint (OAuth 2.0: RFC 6749)";
    type Config = OAuth2Config;

    fn new(config: OAuth2Config) -> Result<Self, Error> {
        let place =
            |scheme: &str| TokenPlace::header(&config.header, config.scheme.as_deref().unwrap_or(scheme));
        let certificate = Certificate::new(&config)?.map(Box::new);
        let (token_url, issuer) = (config.token_url.as_deref(), config.issuer.as_deref());
        Ok(Self {
            bearer: place("Bearer")?,
            bound: place("DPoP")?,
            parameters: config.parameters()?,
            headers: config.headers()?,
            endpoint: TokenEndpoint::new(token_url, issuer, certificate.is_some())?,
            grants: Grants::new(&config)?,
            client: Client::new(&config)?,
            dpop: Dpop::new(&config)?.map(Box::new),
            certificate,
        })
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().callers(self.grants.signer().into_iter().flat_map(TokenSigner::caller_attributes))
    }

    fn places(&self) -> Option<Places> {
        // Whatever their kind, tokens go into the same header.
        let places = self.bearer.places();
        let presents = self.certificate.as_ref().is_some_and(|certificate| certificate.is_for_the_api());
        let places = if presents { places.client_certificate() } else { places };
        // Of a proof method and path are part (RFC 9449 §4.2), which no profile changes.
        let proof = |places: Places| places.header("dpop").covers_headers([""; 0]);
        Some(if self.dpop.is_some() { proof(places) } else { places })
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        let mut attempts = self.grants.attempts(cx)?.into_iter().peekable();
        loop {
            let attempt = attempts.next().ok_or_else(|| Error::internal("the grant makes no attempt"))?;
            match self.exchange(cx, &attempt).await {
                Ok(answer) => {
                    let credential = self.credential(cx, &answer)?;
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

    /// The proof that the token's holder has the key that the token is bound to (RFC 9449 §7).
    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        let dpop = self.dpop.as_ref().ok_or_else(|| Error::internal("signs without `dpop`"))?;
        dpop.sign(credential, request, cx)
    }

    fn public_keys(&self) -> Vec<serde_json::Value> {
        let signers = [self.client.signer(), self.grants.signer()];
        // A shared secret has no public key.
        let sets = signers.into_iter().flatten().filter_map(|signer| signer.jwks().ok());
        let mut keys: Vec<_> =
            sets.flat_map(|set| set.keys).filter_map(|key| serde_json::to_value(key).ok()).collect();
        keys.extend(self.certificate.as_ref().and_then(|certificate| certificate.registered()).cloned());
        keys.dedup();
        keys
    }
}

impl OAuth2 {
    async fn exchange(&self, cx: &Context, attempt: &Attempt) -> Result<Answer, Error> {
        let endpoint = self.endpoint.find(cx).await?;
        let named = |error| endpoint.named(error);
        let mut answer = self.ask(cx, &endpoint, attempt).await.map_err(named)?;
        let wanted = match &self.dpop {
            None => Wanted::Bearer,
            Some(dpop) => {
                // RFC 9449 §8: the nonce is in the refusal, and the request is made once more with it.
                if dpop.is_demand(&endpoint, &answer) {
                    answer = self.ask(cx, &endpoint, attempt).await.map_err(named)?;
                    if dpop.is_demand(&endpoint, &answer) {
                        let again = "refused (use_dpop_nonce) the very nonce that it had asked for";
                        return Err(named(Error::unavailable(again)));
                    }
                }
                dpop.wanted()
            }
        };
        Answer::read(answer, wanted, attempt.refreshes()).map_err(named)
    }

    /// One request to the token endpoint.
    async fn ask(&self, cx: &Context, endpoint: &Endpoint, attempt: &Attempt) -> Result<HttpResponse, Error> {
        let mut request = HttpRequest::new("POST", endpoint.url()).header("accept", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value.clone());
        }
        if let Some(certificate) = &self.certificate {
            request = certificate.present(request, cx.now())?;
        }
        if let Some(dpop) = &self.dpop {
            request = request.header("dpop", dpop.prove(endpoint, cx)?);
        }
        let (request, client) = self.client.authenticate(request, cx)?;
        let fields = attempt.fields.iter().chain(&self.parameters).chain(&client);
        let request = request.form(fields.map(|(name, value)| (name, value.expose())));
        let answer = cx.http().send(request).await?;
        if let Some(dpop) = &self.dpop {
            dpop.hear(endpoint, &answer);
        }
        Ok(answer)
    }

    /// The token as it goes to the API, with what it is bound to.
    fn credential(&self, cx: &Context, answer: &Answer) -> Result<Credential, Error> {
        let confirmation = Confirmation::of(answer.token());
        let credential = match &self.dpop {
            Some(dpop) if answer.is_dpop => {
                let signing = dpop.credential(answer.token(), &confirmation)?;
                answer.place(&self.bound, signing)
            }
            _ => answer.place(&self.bearer, Credential::new()),
        };
        match &self.certificate {
            Some(certificate) => certificate.bind(credential, &confirmation, cx.now()),
            None => Ok(credential),
        }
    }
}

countersign::register_profile!(OAuth2);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

#[cfg(test)]
mod tests;
