use countersign::{Error, Secret};
use countersign_jose::KeyConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::method::{SignatureMethod, Signer};
use crate::sign::Signature;

/// Signs each request with OAuth 1.0 (RFC 5849).
///
/// The consumer is the client that the API's owner registered; the token stands for the user who allowed it, and is left
/// out where an API knows consumers only.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth1Config {
    /// The consumer's identifier (`oauth_consumer_key`).
    pub consumer_key: String,
    /// The consumer's secret; for the methods HMAC-… and PLAINTEXT. A line end at its end is not part of it.
    pub consumer_secret: Option<Secret>,
    /// The token (`oauth_token`), as it was issued.
    pub token: Option<Secret>,
    /// The token's secret; for the methods HMAC-… and PLAINTEXT. A line end at its end is not part of it.
    pub token_secret: Option<Secret>,
    /// How requests are signed; by default `HMAC-SHA1`.
    #[serde(default)]
    pub signature_method: SignatureMethod,
    /// The consumer's RSA key; for the methods RSA-….
    pub key: Option<KeyConfig>,
    /// The `realm` of the header, for APIs that look at it. It is not signed.
    pub realm: Option<String>,
    /// Where the parameters go: `header` (`Authorization`, the default) or `query`. URLs end up in logs.
    #[serde(default)]
    pub place: ParameterPlace,
    /// Whether the fields of form bodies are signed, as the RFC wants it; by default they are, and every body is held in
    /// memory until it is sent. Without it, forms are refused and other bodies may be streams.
    pub form_body: Option<bool>,
    /// Whether bodies that are no forms are signed by `oauth_body_hash`, an extension; by default they are not.
    #[serde(default)]
    pub body_hash: bool,
    /// Whether `oauth_version` is sent; by default it is.
    #[serde(default = "yes")]
    pub version: bool,
    /// Whether PLAINTEXT may send the secrets over plain http to other machines; by default it may not.
    #[serde(default)]
    pub plaintext_over_http: bool,
}

/// Where OAuth's parameters go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterPlace {
    /// Into the header `Authorization` (RFC 5849 §3.5.1).
    #[default]
    Header,
    /// Into the query (RFC 5849 §3.5.3).
    Query,
}

const fn yes() -> bool {
    true
}

impl OAuth1Config {
    pub(crate) fn into_signature(self) -> Result<Signature, Error> {
        word(&self.consumer_key, "consumer_key")?;
        self.token.as_ref().map_or(Ok(()), |token| word(token.expose(), "token"))?;
        let method = self.signature_method;
        let (signer, public_key) = if method.is_rsa() {
            self.key_signer().map(|(signer, public)| (signer, Some(public)))?
        } else {
            (self.secret_signer()?, None)
        };
        let plaintext = method == SignatureMethod::Plaintext;
        if self.plaintext_over_http && !plaintext {
            let message = "goes with `signature_method = \"PLAINTEXT\"`; other methods send no secret";
            return Err(Error::config(message).at("plaintext_over_http"));
        }
        if plaintext && self.body_hash {
            let message = "cannot be with the method PLAINTEXT, which signs nothing";
            return Err(Error::config(message).at("body_hash"));
        }
        if plaintext && self.form_body.is_some() {
            let message = "has no meaning with the method PLAINTEXT, which signs nothing";
            return Err(Error::config(message).at("form_body"));
        }
        if let Some(realm) = &self.realm {
            if self.place == ParameterPlace::Query {
                let message = "stands in the header, and `place = \"query\"` makes none";
                return Err(Error::config(message).at("realm"));
            }
            if !realm.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte)) {
                let message = "is printable ASCII without `\"` and `\\`";
                return Err(Error::config(message).at("realm"));
            }
        }
        Ok(Signature {
            consumer_key: self.consumer_key,
            token: self.token,
            method,
            signer,
            public_key,
            realm: self.realm,
            in_query: self.place == ParameterPlace::Query,
            form_body: self.form_body.unwrap_or(!plaintext),
            body_hash: self.body_hash,
            version: self.version,
            plaintext_over_http: self.plaintext_over_http,
        })
    }

    fn key_signer(&self) -> Result<(Signer, Value), Error> {
        let method = self.signature_method;
        for (given, setting) in [
            (self.consumer_secret.is_some(), "consumer_secret"),
            (self.token_secret.is_some(), "token_secret"),
        ] {
            if given {
                let message =
                    format!("is not used by the method {}, which signs with `key`", method.as_str());
                return Err(Error::config(message).at(setting));
            }
        }
        let missing =
            || Error::config(format!("is missing: {} signs with an RSA key", method.as_str())).at("key");
        Signer::of_key(method, self.key.as_ref().ok_or_else(missing)?).map_err(|error| error.at("key"))
    }

    fn secret_signer(&self) -> Result<Signer, Error> {
        let method = self.signature_method;
        if self.key.is_some() {
            let message = format!(
                "is not used by the method {}, which signs with secrets; for a key set `signature_method`",
                method.as_str()
            );
            return Err(Error::config(message).at("key"));
        }
        let missing =
            || Error::config(format!("is missing: {} signs with it", method.as_str())).at("consumer_secret");
        let consumer = secret(self.consumer_secret.as_ref(), "consumer_secret")?.ok_or_else(missing)?;
        let token = secret(self.token_secret.as_ref(), "token_secret")?;
        match (&self.token, &token) {
            (Some(_), None) => {
                Err(Error::config("is missing: the token has one, be it an empty one").at("token_secret"))
            }
            (None, Some(_)) => Err(Error::config("is missing, and its secret is given").at("token")),
            _ => Signer::of_secrets(method, &consumer, token.as_ref()),
        }
    }
}

/// A secret as it is used; an empty one is one.
fn secret(given: Option<&Secret>, setting: &str) -> Result<Option<Secret>, Error> {
    let Some(given) = given else { return Ok(None) };
    let secret = given.clone().without_line_end();
    if secret.expose().chars().any(char::is_control) {
        return Err(Error::config("holds a control character; is it cut from a larger text?").at(setting));
    }
    Ok(Some(secret))
}

/// An identifier as servers issue them.
fn word(text: &str, setting: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::config("is empty; a source that gives nothing?").at(setting));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(
            Error::config("holds white space or a control character; a line end from a file?").at(setting)
        );
    }
    Ok(())
}
