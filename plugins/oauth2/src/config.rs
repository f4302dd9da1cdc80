use std::collections::BTreeMap;

use countersign::{Error, Place, Secret};
use countersign_jose::{IdentityConfig, KeyConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::assertion::{AssertionConfig, ClientAssertionConfig};
use crate::dpop::DpopSetting;
use crate::words::Words;

/// Gets access tokens from an OAuth 2.0 token endpoint and sends them as `Authorization: Bearer …`.
///
/// The endpoint is `token_url`, or is discovered from `issuer`. Tokens are kept for as long as the answer says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Config {
    /// What is exchanged for the token.
    #[serde(default)]
    pub grant: Grant,
    /// The token endpoint: `https://…`; plain `http` only on loopback. Redirects are not followed.
    pub token_url: Option<String>,
    /// The issuer, exactly as its metadata names it. Without `token_url` the endpoint is read from
    /// `/.well-known/oauth-authorization-server` (RFC 8414) or `/.well-known/openid-configuration`.
    pub issuer: Option<String>,
    /// The client's identifier, as it was registered.
    pub client_id: Option<String>,
    /// The client's secret; a line end at its end is not part of it.
    pub client_secret: Option<Secret>,
    /// The client's private key, whose public half the issuer knows.
    pub client_key: Option<KeyConfig>,
    /// How the client proves who it is. By default `client_secret_basic` with a secret and `private_key_jwt` with a
    /// key; the grant `jwt-bearer` goes without, too.
    pub client_auth: Option<ClientAuth>,
    /// The client's certificate. It is presented to the token endpoint and, as the tokens are mostly bound to it (RFC 8705
    /// §3), to the API.
    pub client_certificate: Option<IdentityConfig>,
    /// Whether tokens are bound to `client_certificate` (RFC 8705 §3). By default the API is shown the certificate, and a
    /// token that says that it is bound to another one is refused. `true`: a JWT that is not bound is refused, too.
    /// `false`: only the token endpoint is shown the certificate.
    pub certificate_bound: Option<bool>,
    /// Binds tokens to a key, of which each request brings a proof of its own (DPoP, RFC 9449): `true`, or a table with
    /// the key.
    pub dpop: Option<DpopSetting>,
    /// Details of the assertions by which `private_key_jwt` and `client_secret_jwt` prove the client.
    pub client_assertion: Option<ClientAssertionConfig>,
    /// The scopes to ask for: a text with spaces between them, or a list.
    pub scope: Option<Words>,
    /// `audience`, for issuers that want it: one or several.
    pub audience: Option<Words>,
    /// The API's URI as `resource` (RFC 8707), for issuers that want it: one or several.
    pub resource: Option<Words>,
    /// With `grant = "refresh_token"`: the refresh token to begin with. Where the issuer rotates refresh tokens, the
    /// latest is kept with the credential; this one is tried again when that one is refused.
    pub refresh_token: Option<Secret>,
    /// With `grant = "jwt-bearer"`: the JWT that is exchanged for the token.
    pub assertion: Option<AssertionConfig>,
    /// Further parameters for the token endpoint.
    #[serde(default)]
    pub extra_parameters: BTreeMap<String, Secret>,
    /// Further headers for the token endpoint.
    #[serde(default)]
    pub extra_headers: BTreeMap<String, Secret>,
    /// The header that carries the token to the API.
    #[serde(default = "authorization")]
    pub header: String,
    /// The word before the token: by default `Bearer`, with `dpop` `DPoP`. Empty: the token stands alone.
    pub scheme: Option<String>,
}

/// What is exchanged for an access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The client's own authority (RFC 6749 §4.4).
    #[default]
    ClientCredentials,
    /// A refresh token that someone obtained before (RFC 6749 §6).
    RefreshToken,
    /// A JWT that says on whose behalf the call is made (RFC 7523 §2.1), in `assertion`.
    #[serde(rename = "jwt-bearer")]
    JwtBearer,
}

/// How the client proves who it is (the registered names: RFC 7591 §2, OpenID Connect Core §9, RFC 8705 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Id and secret as Basic authentication, form-encoded first (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Id and secret in the body.
    ClientSecretPost,
    /// A JWT signed with the client's private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A JWT signed with the client's secret (HMAC).
    ClientSecretJwt,
    /// The client's certificate, of an authority that the issuer trusts (RFC 8705 §2.1).
    TlsClientAuth,
    /// The client's certificate, which was registered with the issuer (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
    /// It does not: the id alone, in the body, if there is one.
    None,
}

fn authorization() -> String {
    "Authorization".to_owned()
}

/// Parameters that other settings make, and those settings.
const OWN_PARAMETERS: [(&str, &str); 10] = [
    ("assertion", "assertion"),
    ("audience", "audience"),
    ("client_assertion", "client_key"),
    ("client_assertion_type", "client_auth"),
    ("client_id", "client_id"),
    ("client_secret", "client_secret"),
    ("grant_type", "grant"),
    ("refresh_token", "refresh_token"),
    ("resource", "resource"),
    ("scope", "scope"),
];

impl OAuth2Config {
    /// What is the same in every request, whatever the grant.
    pub(crate) fn parameters(&self) -> Result<Vec<(String, Secret)>, Error> {
        let mut parameters = Vec::new();
        if let Some(scope) = &self.scope {
            parameters.push(("scope".to_owned(), Secret::new(joined(scope).map_err(|e| e.at("scope"))?)));
        }
        for (name, words, check) in [
            ("audience", &self.audience, not_empty as fn(&str) -> Result<(), Error>),
            ("resource", &self.resource, absolute),
        ] {
            for (index, word) in words.iter().flat_map(Words::iter).enumerate() {
                let at = |error: Error| if index == 0 { error } else { error.at(format!("[{index}]")) };
                check(word).map_err(|error| at(error).at(name))?;
                parameters.push((name.to_owned(), word.into()));
            }
        }
        for (name, value) in &self.extra_parameters {
            let at = |error: Error| error.at(name.as_str()).at("extra_parameters");
            if let Some((_, setting)) = OWN_PARAMETERS.iter().find(|(own, _)| own == name) {
                return Err(at(Error::config(format!("has a setting of its own; set `{setting}` instead"))));
            }
            Place::Query.check_name(name).map_err(at)?;
            parameters.push((name.clone(), value.clone().without_line_end()));
        }
        Ok(parameters)
    }

    pub(crate) fn headers(&self) -> Result<Vec<(String, Secret)>, Error> {
        let mut headers = Vec::new();
        for (name, value) in &self.extra_headers {
            let at = |error: Error| error.at(name.as_str()).at("extra_headers");
            let value = value.clone().without_line_end();
            Place::Header.check_name(name).map_err(at)?;
            Place::Header.check_value(value.expose()).map_err(at)?;
            let name = name.to_ascii_lowercase();
            if ["accept", "authorization", "content-type", "dpop"].contains(&name.as_str()) {
                return Err(at(Error::config(
                    "is made by the type itself; `client_auth` says how the client proves itself",
                )));
            }
            headers.push((name, value));
        }
        Ok(headers)
    }
}

/// The scopes with spaces between them (RFC 6749 §3.3).
fn joined(scope: &Words) -> Result<String, Error> {
    let joined = scope.iter().flat_map(str::split_ascii_whitespace).collect::<Vec<_>>().join(" ");
    not_empty(&joined)?;
    if !joined.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E)) {
        return Err(Error::config(
            "holds a character that no scope has (RFC 6749 §3.3: visible ASCII but \" and \\)",
        ));
    }
    Ok(joined)
}

fn not_empty(word: &str) -> Result<(), Error> {
    if word.is_empty() {
        return Err(Error::config("is empty; leave it out to send none"));
    }
    Ok(())
}

fn absolute(uri: &str) -> Result<(), Error> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let has_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !has_scheme || uri.contains('#') || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::config(
            "is no absolute URI without fragment (RFC 8707 §2), like https://api.example",
        ));
    }
    Ok(())
}
