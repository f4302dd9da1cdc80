use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Context, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext};

/// A profile type: how credentials of one scheme are made from settings.
///
/// The host makes one instance per `[profiles.NAME]` table, asks it for credentials, caches and renews them, and puts
/// them on requests. An instance is shared by all threads and does no I/O: what it needs, it asks its [`Context`] for.
///
/// # Contract
/// * [`new`](AuthProfile::new) checks everything that can be known without a network, so that `countersign check`
///   finds it. It is called at start and again when a source of its settings changes.
/// * [`acquire`](AuthProfile::acquire) is called once per instance and inputs, however many requests wait. It says
///   how long the credential lives and never guesses. Dropped, it leaves nothing behind.
/// * [`sign`](AuthProfile::sign) is called for each request, on the caller's thread, and only for credentials made by
///   [`Credential::signing`]. It is pure, but that it may count, where a scheme counts requests.
/// * No error message and no log holds a secret.
///
/// # Example
/// ```
/// use countersign::{AuthProfile, Context, Credential, Error, HttpRequest, Secret};
/// use std::time::Duration;
///
/// struct Login(Settings);
///
/// /// What the operator writes.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     /// Where to log in.
///     url: String,
///     /// The password.
///     password: Secret,
/// }
///
/// impl AuthProfile for Login {
///     const TYPE: &'static str = "acme-login";
///     const SUMMARY: &'static str = "Acme's login endpoint: a password for a session token";
///     type Config = Settings;
///
///     fn new(config: Settings) -> Result<Self, Error> {
///         Ok(Self(config))
///     }
///
///     async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
///         let login = HttpRequest::new("POST", &self.0.url).form([("password", self.0.password.expose())]);
///         let token: String = cx.http().send(login).await?.success()?.json()?;
///         Ok(Credential::header("x-acme-session", token).valid_for(Duration::from_secs(900)))
///     }
/// }
/// countersign::register_profile!(Login);
/// ```
pub trait AuthProfile: Sized + Send + Sync + 'static {
    /// The type's name in the configuration: lower case, digits and `-`.
    const TYPE: &'static str;

    /// One line that says what the type is for.
    const SUMMARY: &'static str;

    /// The settings: they are parsed by serde, and their JSON Schema makes documentation, completion and checks.
    /// Deny unknown fields, so that a misspelt setting is found.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes an instance.
    ///
    /// # Errors
    /// [`Error::config`] with [`at`](Error::at) naming the setting; the host adds file, line and column.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// What this instance reads of the caller and the target. It must not change over the instance's life.
    fn inputs(&self) -> Inputs {
        Inputs::none()
    }

    /// Where this instance puts values on requests, and what its signature covers: exactly, as its settings decide it.
    /// `None` when that is known only with a credential. It must not change over the instance's life.
    ///
    /// With it `countersign check` finds profiles of one connector that get into each other's way; without it, the first
    /// call does.
    fn places(&self) -> Option<Places> {
        None
    }

    /// Obtains a credential. Slow path: the host caches the result until its lifetime says otherwise.
    ///
    /// # Errors
    /// The kind says who must act and when the host tries again: see [`ErrorKind`](crate::ErrorKind).
    fn acquire(&self, cx: &Context) -> impl Future<Output = Result<Credential, Error>> + Send;

    /// Signs one request. Hot path, only for types whose proof covers the request.
    ///
    /// # Errors
    /// The request is not sent.
    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> Result<Edits, Error> {
        let _ = (credential, request, cx);
        Err(Error::unsupported(format!("the type {} does not sign requests", Self::TYPE)))
    }

    /// The public halves of this instance's keys, as JSON Web Keys (RFC 7517), to hand to the other side.
    fn public_keys(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }
}
