//! Where the keys come from: given, or found as the AWS command line finds them, by way of the host.

mod endpoint;
mod environment;
mod files;
mod ini;
mod process;
mod sts;

use std::time::SystemTime;

use countersign::{Context, Error, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use sts::AssumeRole;

use self::sts::TokenService;

/// Keys, and when they end.
pub(crate) struct Keys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
    pub(crate) expires: Option<SystemTime>,
}

/// Where keys are found that are not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The first of the others that has keys, in this order.
    Default,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    Environment,
    /// A token of another identity provider, for a role: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN` (EKS).
    WebIdentity,
    /// The files `~/.aws/credentials` and `~/.aws/config`, with roles, processes and web identities that they name.
    Files,
    /// The endpoint that a container is told of (ECS, EKS Pod Identity).
    Container,
    /// The instance metadata service (EC2), version 2.
    Instance,
}

/// Keys that the settings give.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

impl Given {
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when one is given without the other.
    pub(crate) fn of(
        access_key_id: Option<String>,
        secret_access_key: Option<Secret>,
        session_token: Option<Secret>,
    ) -> Result<Option<Self>, Error> {
        match (access_key_id, secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => {
                let fits = !access_key_id.is_empty()
                    && access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if !fits {
                    return Err(Error::config("is letters and digits only").at("access_key_id"));
                }
                if secret_access_key.expose().is_empty() {
                    return Err(Error::config("is empty").at("secret_access_key"));
                }
                Ok(Some(Self { access_key_id, secret_access_key, session_token }))
            }
            (Some(_), None) => Err(Error::config("needs `secret_access_key`").at("access_key_id")),
            (None, Some(_)) => Err(Error::config("needs `access_key_id`").at("secret_access_key")),
            (None, None) if session_token.is_some() => {
                Err(Error::config("needs `access_key_id` and `secret_access_key`").at("session_token"))
            }
            (None, None) => Ok(None),
        }
    }

    fn keys(&self) -> Keys {
        Keys {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            expires: None,
        }
    }
}

/// Where a profile gets its keys.
#[derive(Debug)]
pub(crate) struct Source {
    first: First,
    aws_profile: Option<String>,
    assume_role: Option<AssumeRole>,
    sts: TokenService,
}

#[derive(Debug)]
enum First {
    Given(Given),
    Found(Place),
}

impl Source {
    pub(crate) fn new(
        given: Option<Given>,
        place: Option<Place>,
        aws_profile: Option<String>,
        assume_role: Option<AssumeRole>,
        sts_url: Option<String>,
        region: &str,
    ) -> Result<Self, Error> {
        let first = match (given, place) {
            (Some(_), Some(_)) => {
                return Err(
                    Error::config("finds keys, but `access_key_id` gives them; keep one").at("credentials")
                );
            }
            (Some(given), None) => First::Given(given),
            (None, Some(place)) => First::Found(place),
            (None, None) => {
                let message = "is missing; give it with `secret_access_key`, or say by `credentials = \"default\"` where keys are found";
                return Err(Error::config(message).at("access_key_id"));
            }
        };
        let reads_files = matches!(first, First::Found(Place::Files | Place::Default));
        if aws_profile.is_some() && !reads_files {
            let message = "is a profile of the AWS configuration files, which are read with `credentials = \"files\"` or `\"default\"`";
            return Err(Error::config(message).at("profile"));
        }
        if let Some(role) = &assume_role {
            role.check()?;
        }
        Ok(Self { first, aws_profile, assume_role, sts: TokenService::new(sts_url, region)? })
    }

    /// Whether there may be a session token: not where lasting keys are given and used as they are.
    pub(crate) const fn may_have_session(&self) -> bool {
        match &self.first {
            First::Given(given) => given.session_token.is_some() || self.assume_role.is_some(),
            First::Found(_) => true,
        }
    }

    /// Whether the settings hold all that there is to know.
    pub(crate) const fn is_given(&self) -> bool {
        matches!(self.first, First::Given(_)) && self.assume_role.is_none()
    }

    /// Keys, by way of the host.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) async fn keys(&self, cx: &Context) -> Result<Keys, Error> {
        let keys = match &self.first {
            First::Given(given) => given.keys(),
            First::Found(place) => self.found(*place, cx).await?,
        };
        match &self.assume_role {
            Some(role) => self.sts.assume_role(cx, role, keys).await,
            None => Ok(keys),
        }
    }

    async fn found(&self, place: Place, cx: &Context) -> Result<Keys, Error> {
        let missing = |what: &str| Error::denied(format!("no keys: {what}"));
        match place {
            Place::Environment => environment::keys(cx)
                .await?
                .ok_or_else(|| missing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")),
            Place::WebIdentity => sts::web_identity_of_environment(cx, &self.sts)
                .await?
                .ok_or_else(|| missing("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set")),
            Place::Files => files::keys(cx, self.aws_profile.as_deref(), &self.sts)
                .await?
                .ok_or_else(|| missing("the AWS configuration files have none for the profile")),
            Place::Container => endpoint::container(cx)
                .await?
                .ok_or_else(|| missing("AWS_CONTAINER_CREDENTIALS_… is not set")),
            Place::Instance => endpoint::instance(cx).await,
            Place::Default => self.first_found(cx).await,
        }
    }

    /// In the order of the AWS SDKs.
    async fn first_found(&self, cx: &Context) -> Result<Keys, Error> {
        // Who names a profile means it.
        if self.aws_profile.is_none() {
            if let Some(keys) = environment::keys(cx).await? {
                return Ok(keys);
            }
            if let Some(keys) = sts::web_identity_of_environment(cx, &self.sts).await? {
                return Ok(keys);
            }
        }
        if let Some(keys) = files::keys(cx, self.aws_profile.as_deref(), &self.sts).await? {
            return Ok(keys);
        }
        if let Some(keys) = endpoint::container(cx).await? {
            return Ok(keys);
        }
        endpoint::instance(cx).await
    }
}
