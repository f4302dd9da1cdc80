//! A real OAuth 2.0 and OpenID provider, which we did not write: `oidc-provider` from npm.
//!
//! It knows the grants `client_credentials`, `refresh_token` and JWT bearer (RFC 7523 §2.1); the client
//! authentications `client_secret_basic`, `client_secret_post`, `client_secret_jwt`, `private_key_jwt`, `none` and, over
//! TLS, `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705); resource indicators (RFC 8707), for which it issues
//! JWT access tokens; introspection (RFC 7662); certificate-bound tokens; DPoP (RFC 9449). Its userinfo endpoint, `/me`, is
//! an API that verifies what tokens are bound to.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::service::Service;
use crate::tls::Identity;

/// A running provider.
#[derive(Debug)]
pub struct OidcProvider {
    service: Service,
    issuer: String,
}

impl OidcProvider {
    /// Starts it with this configuration; `tests/services/oidc-provider.mjs` says what may stand in it. `None` only
    /// where the tests were told to do without it.
    ///
    /// # Example
    /// ```no_run
    /// use countersign_tests::oidc_provider::OidcProvider;
    /// use serde_json::json;
    ///
    /// let provider = OidcProvider::start(&json!({
    ///     "clients": [{
    ///         "client_id": "erp", "client_secret": "…", "grant_types": ["client_credentials"],
    ///         "token_endpoint_auth_method": "client_secret_basic", "scope": "read",
    ///     }],
    ///     "resources": { "https://orders.example": { "scope": "read" } },
    /// }));
    /// ```
    pub fn start(config: &Value) -> Option<Self> {
        let program = Program::OidcProvider.path()?;
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/oidc-provider.mjs");
        let mut command = Command::new(program);
        command.arg(script).arg(program::node_modules()).arg(file);
        let (service, issuer) = Service::announcing(folder, &command);
        Some(Self { service, issuer: issuer.trim().to_owned() })
    }

    /// The same over TLS. With a client CA (PEM), it asks for client certificates.
    pub fn start_tls(identity: &Identity, client_ca: Option<&str>, mut config: Value) -> Option<Self> {
        config["tls"] = json!({ "certificate": identity.certificate, "key": identity.key, "ca": client_ca });
        Self::start(&config)
    }

    /// The issuer, to which `/.well-known/openid-configuration` is appended.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of a path, which begins with `/`: `/token`, `/token/introspection`, `/jwks`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// A refresh token of this client, as if `account` had logged in and agreed to the scope (space-separated).
    pub async fn refresh_token(
        &self,
        http: &reqwest::Client,
        client_id: &str,
        scope: &str,
        account: &str,
    ) -> String {
        let wish = json!({ "client_id": client_id, "scope": scope, "account": account });
        let answer = http.post(self.url("/test/refresh-token")).json(&wish).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["refresh_token"].as_str().unwrap_or_else(|| panic!("{}", self.errors())).to_owned()
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}
