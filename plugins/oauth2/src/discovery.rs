use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use countersign::{Context, Error, HttpRequest};
use serde::Deserialize;

use crate::endpoint::Endpoint;

/// Where tokens come from: given, or discovered from the issuer's metadata (RFC 8414, OpenID Connect Discovery).
#[derive(Debug)]
pub(crate) enum TokenEndpoint {
    Given(Endpoint),
    Discovered(Box<Discovery>),
}

impl TokenEndpoint {
    /// `presents` says that a client certificate is presented there.
    pub(crate) fn new(token_url: Option<&str>, issuer: Option<&str>, presents: bool) -> Result<Self, Error> {
        let issuer = issuer
            .map(|issuer| Discovery::new(issuer, presents))
            .transpose()
            .map_err(|error| error.at("issuer"))?;
        match (token_url, issuer) {
            (Some(url), _) => {
                let endpoint = Endpoint::new(url).map_err(|error| error.at("token_url"))?;
                if presents && !endpoint.origin().is_https() {
                    let message = "is plain http, where no client certificate can be presented; use https://";
                    return Err(Error::config(message).at("token_url"));
                }
                Ok(Self::Given(endpoint))
            }
            (None, Some(discovery)) => Ok(Self::Discovered(Box::new(discovery))),
            (None, None) => {
                let message = "is missing; set it, or `issuer` to have it discovered";
                Err(Error::config(message).at("token_url"))
            }
        }
    }

    pub(crate) async fn find(&self, cx: &Context) -> Result<Endpoint, Error> {
        match self {
            Self::Given(endpoint) => Ok(endpoint.clone()),
            Self::Discovered(discovery) => discovery.find(cx).await,
        }
    }

    /// After a failure: the issuer may have moved its endpoint.
    pub(crate) fn forget(&self) {
        if let Self::Discovered(discovery) = self {
            *discovery.found() = None;
        }
    }
}

/// An issuer, and the token endpoint that its metadata named last.
#[derive(Debug)]
pub(crate) struct Discovery {
    issuer: Endpoint,
    /// The endpoint is wanted at which client certificates are asked for (RFC 8705 §5).
    presents: bool,
    found: Mutex<Option<(SystemTime, Endpoint)>>,
}

/// The part of the metadata that matters here (RFC 8414 §2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: Option<String>,
    mtls_endpoint_aliases: Option<Aliases>,
}

/// Where client certificates are asked for (RFC 8705 §5).
#[derive(Deserialize)]
struct Aliases {
    token_endpoint: Option<String>,
}

impl Discovery {
    /// For how long what was found is believed.
    const FRESH: Duration = Duration::from_secs(3600);

    fn new(issuer: &str, presents: bool) -> Result<Self, Error> {
        let issuer = Endpoint::new(issuer)?;
        if issuer.url().contains('?') {
            return Err(Error::config("has a query, which no issuer has (RFC 8414 §2); cut it off at ?"));
        }
        Ok(Self { issuer, presents, found: Mutex::default() })
    }

    async fn find(&self, cx: &Context) -> Result<Endpoint, Error> {
        let fresh = |since: SystemTime| cx.now().duration_since(since).is_ok_and(|age| age < Self::FRESH);
        if let Some((since, endpoint)) = &*self.found()
            && fresh(*since)
        {
            return Ok(endpoint.clone());
        }
        let endpoint = self.discover(cx).await?;
        *self.found() = Some((cx.now(), endpoint.clone()));
        Ok(endpoint)
    }

    /// Asks for the metadata at both well-known places; an issuer that is not well is not asked twice.
    async fn discover(&self, cx: &Context) -> Result<Endpoint, Error> {
        let about = |error| self.issuer.named_as("metadata of the issuer", error);
        let mut failed = Error::internal("no place to look at");
        for url in self.places() {
            let request = HttpRequest::new("GET", url).header("accept", "application/json");
            let response = cx.http().send(request).await.map_err(about)?;
            let missing = response.status < 500 && response.status != 429;
            match response.success().and_then(|response| response.json::<Metadata>()) {
                Ok(metadata) => return self.judge(metadata),
                Err(error) => failed = about(error),
            }
            if !missing {
                break;
            }
        }
        Err(failed)
    }

    /// RFC 8414 §3.1 puts the well-known part before the issuer's path, OpenID Connect Discovery §4.1 after it.
    fn places(&self) -> [String; 2] {
        let issuer = self.issuer.url().trim_end_matches('/');
        let after_scheme = issuer.find("://").map_or(0, |at| at + 3);
        let path = issuer[after_scheme..].find('/').map_or(issuer.len(), |at| after_scheme + at);
        let (host, path) = issuer.split_at(path);
        [
            format!("{host}/.well-known/oauth-authorization-server{path}"),
            format!("{issuer}/.well-known/openid-configuration"),
        ]
    }

    fn judge(&self, metadata: Metadata) -> Result<Endpoint, Error> {
        let bad = |message: &str| self.issuer.named_as("metadata of the issuer", Error::denied(message));
        if metadata.issuer != self.issuer.url() {
            return Err(bad(
                "names another issuer (RFC 8414 §3.3); set `issuer` to exactly what it says, or give `token_url`",
            ));
        }
        let alias = metadata.mtls_endpoint_aliases.and_then(|aliases| aliases.token_endpoint);
        let url = alias.filter(|_| self.presents).or(metadata.token_endpoint);
        let url = url.ok_or_else(|| bad("names no token_endpoint; give `token_url`"))?;
        let endpoint = Endpoint::published(&url)
            .map_err(|error| bad(&format!("names a token_endpoint that {}", error.message())))?;
        if endpoint.origin().is_loopback() && !self.issuer.origin().is_loopback() {
            return Err(bad("names a token_endpoint on this machine's loopback; give `token_url`"));
        }
        Ok(endpoint)
    }

    /// A panic while the lock is held leaves a plain value behind, so a poisoned lock is as good as another.
    fn found(&self) -> MutexGuard<'_, Option<(SystemTime, Endpoint)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
