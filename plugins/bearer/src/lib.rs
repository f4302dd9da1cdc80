//! The profile type `bearer`: a token that is already there, sent as it is (RFC 6750 §2.1).
//!
//! ```toml
//! [profiles.metrics]
//! type  = "bearer"
//! token = "${file:/var/run/secrets/tokens/metrics}"   # a file that changes is noticed
//! ```
#![forbid(unsafe_code)]

use countersign::{AuthProfile, Context, Credential, Error, Place, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Sends a given token as `Authorization: Bearer …` (RFC 6750).
///
/// When the token comes from a file and the file changes, the new token is used from then on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BearerConfig {
    /// The token, without the word `Bearer`; a line end at its end is not part of it.
    pub token: Secret,
    /// The word before the token, for APIs that want another (`Token`, `GenieKey`). Empty: the token stands alone.
    #[serde(default = "bearer")]
    pub scheme: String,
    /// The header that carries it.
    #[serde(default = "authorization")]
    pub header: String,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

fn authorization() -> String {
    "Authorization".to_owned()
}

/// A profile of the type `bearer`.
#[derive(Debug)]
pub struct Bearer {
    header: String,
    value: Secret,
}

impl AuthProfile for Bearer {
    const TYPE: &'static str = "bearer";
    const SUMMARY: &'static str = "a token that is already there, sent as it is (RFC 6750)";
    type Config = BearerConfig;

    fn new(config: BearerConfig) -> Result<Self, Error> {
        Place::Header.check_name(&config.header).map_err(|error| error.at("header"))?;
        if !config.scheme.is_empty() && !config.scheme.bytes().all(is_token_char) {
            return Err(Error::config("is no scheme name; a single word like Bearer makes one").at("scheme"));
        }
        let token = config.token.without_line_end();
        check(token.expose()).map_err(|error| error.at("token"))?;
        let value = match config.scheme.as_str() {
            "" => token,
            scheme => Secret::new(format!("{scheme} {}", token.expose())),
        };
        Ok(Self { header: config.header.to_ascii_lowercase(), value })
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::header(&self.header, self.value.clone()).until_rejected())
    }
}

countersign::register_profile!(Bearer);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

/// `b64token` of RFC 6750 §2.1: letters, digits, `-._~+/`, then any number of `=`.
fn check(token: &str) -> Result<(), Error> {
    let body = token.trim_end_matches('=');
    if token.is_empty() {
        return Err(Error::config("is empty; has its source been written yet?"));
    }
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(Error::config(
            "begins with the word Bearer; give the token alone, `scheme` stands before it",
        ));
    }
    if body.is_empty() || !body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)) {
        return Err(Error::config(
            "is no bearer token (RFC 6750 §2.1: letters, digits, -._~+/ and = at its end); for other values use the type api-key",
        ));
    }
    Ok(())
}

/// `tchar` of RFC 9110 §5.6.2, of which a scheme's name consists.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::testing::{ScriptedHost, profile};
    use countersign::{ErrorKind, Lifetime};
    use serde_json::{Value, json};

    fn placed(settings: Value) -> (String, String) {
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*profile::<Bearer>(settings).unwrap()).unwrap();
        assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
        let placed = host.placed(&credential);
        assert_eq!((placed.len(), placed[0].0), (1, "header"));
        (placed[0].1.to_owned(), placed[0].2.to_owned())
    }

    fn refused(settings: Value) -> Error {
        let error = profile::<Bearer>(settings).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("canary"), "{error}");
        error
    }

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let (header, value) = placed(json!({ "token": "mF_9.B5f-4.1JqM" }));
        assert_eq!((header.as_str(), value.as_str()), ("authorization", "Bearer mF_9.B5f-4.1JqM"));
    }

    #[test]
    fn scheme_and_header_can_be_others() {
        let (header, value) = placed(json!({ "token": "t", "scheme": "Token", "header": "X-Auth" }));
        assert_eq!((header.as_str(), value.as_str()), ("x-auth", "Token t"));
        assert_eq!(placed(json!({ "token": "t", "scheme": "" })).1, "t");
    }

    #[test]
    fn the_line_end_of_a_token_file_is_not_part_of_the_token() {
        assert_eq!(placed(json!({ "token": "abc==\n" })).1, "Bearer abc==");
        assert_eq!(placed(json!({ "token": "abc\r\n" })).1, "Bearer abc");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for token in
            ["", "\n", "=", "canary x", "canary\r\nx: y", "canary\n\n", "ca=nary", "canary\0", "canaryé"]
        {
            assert_eq!(refused(json!({ "token": token })).field(), Some("token"), "{token:?}");
        }
    }

    #[test]
    fn a_token_that_brings_its_scheme_is_told_so() {
        let error = refused(json!({ "token": "bearer canary" }));
        assert!(error.message().contains("give the token alone"), "{error}");
    }

    #[test]
    fn schemes_and_headers_that_would_break_the_message_are_refused() {
        assert_eq!(refused(json!({ "token": "t", "scheme": "a\r\nb" })).field(), Some("scheme"));
        assert_eq!(refused(json!({ "token": "t", "scheme": "two words" })).field(), Some("scheme"));
        assert_eq!(refused(json!({ "token": "t", "header": "Host" })).field(), Some("header"));
        assert_eq!(refused(json!({ "token": "t", "header": "a b" })).field(), Some("header"));
    }

    #[test]
    fn debug_is_blind() {
        let config: BearerConfig = serde_json::from_value(json!({ "token": "canary" })).unwrap();
        assert_eq!(config.token.expose(), "canary");
        assert!(!format!("{config:?}").contains("canary"));
        assert!(!format!("{:?}", Bearer::new(config).unwrap()).contains("canary"));
    }
}
