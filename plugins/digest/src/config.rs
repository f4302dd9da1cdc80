use countersign::{Error, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::algorithm::Hash;
use crate::count::Counts;
use crate::credentials::Credentials;

/// Answers Digest challenges with a user name and a password (RFC 7616; RFC 2617 and RFC 2069 where a server is that old).
///
/// The password itself never leaves the host. The challenge is asked for once; then each request carries its own response.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestConfig {
    /// The user name.
    pub username: String,
    /// The password; a line end at its end is not part of it.
    pub password: Secret,
    /// The path that is asked for the first challenge, at the origin of the API; by default `/`. It has to be one that needs
    /// the user and password.
    #[schemars(extend("default" = "/"))]
    pub challenge_path: Option<String>,
    /// The algorithms that may be used, of which the strongest that the API offers is taken, `-sess` or not; by default all
    /// three. MD5 is among them because many servers have nothing else.
    #[schemars(extend("default" = ["MD5", "SHA-256", "SHA-512-256"]))]
    pub algorithms: Option<Vec<Hash>>,
    /// What may be protected: `auth` (method and address), `auth-int` (the body, too; it is then held in memory until it is
    /// sent), `none` (servers as of RFC 2069, whose nonces have no counts). By default `auth` and `none`.
    #[schemars(extend("default" = ["none", "auth"]))]
    pub qop: Option<Vec<Protection>>,
    /// The realm that alone is answered; by default any.
    pub realm: Option<String>,
    /// How the password is encoded where the challenge does not say; by default `UTF-8`.
    #[serde(default)]
    pub charset: Charset,
    /// Whether a nonce serves many requests. Without reuse each request is preceded by one that asks for a challenge, for
    /// servers that take a nonce only once.
    #[serde(default = "yes")]
    pub reuse: bool,
}

/// What a response protects (`qop`, RFC 7616 §3.3), the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Method and address, without count and nonce of the client's (RFC 2069).
    None,
    /// Method and address.
    Auth,
    /// The body, too.
    AuthInt,
}

impl Protection {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// How text becomes bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Charset {
    /// UTF-8, in the normal form NFC.
    #[default]
    #[serde(rename = "UTF-8")]
    Utf8,
    /// ISO-8859-1, as servers of old have it.
    #[serde(rename = "ISO-8859-1")]
    Latin1,
}

const fn yes() -> bool {
    true
}

/// Which challenges are answered, and where the first one comes from.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) path: String,
    pub(crate) algorithms: Vec<Hash>,
    pub(crate) protections: Vec<Protection>,
    pub(crate) realm: Option<String>,
    pub(crate) reuse: bool,
}

impl Rules {
    pub(crate) fn reads_body(&self) -> bool {
        self.protections.contains(&Protection::AuthInt)
    }
}

impl DigestConfig {
    pub(crate) fn into_profile(self) -> Result<Digest, Error> {
        let path = self.challenge_path.unwrap_or_else(|| "/".to_owned());
        if !path.starts_with('/') || path.starts_with("//") {
            let message = "is not a path; it begins with one `/`, and its host is that of the API";
            return Err(Error::config(message).at("challenge_path"));
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>^`{|}#".contains(&byte)) {
            let message = "holds a character that a path has in percent-encoding only, such as %20";
            return Err(Error::config(message).at("challenge_path"));
        }
        let rules = Rules {
            path,
            algorithms: some(self.algorithms, &Hash::ALL, "algorithms")?,
            protections: some(self.qop, &[Protection::Auth, Protection::None], "qop")?,
            realm: self.realm,
            reuse: self.reuse,
        };
        let credentials = Credentials::new(self.username, self.password, self.charset)?;
        Ok(Digest { credentials, rules, counts: Counts::default() })
    }
}

/// What is listed, or what is meant by default.
fn some<T: Copy>(listed: Option<Vec<T>>, default: &[T], setting: &str) -> Result<Vec<T>, Error> {
    match listed {
        None => Ok(default.to_vec()),
        Some(listed) if listed.is_empty() => {
            Err(Error::config("allows nothing; leave it out for the default").at(setting))
        }
        Some(listed) => Ok(listed),
    }
}
