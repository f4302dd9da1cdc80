//! The profile type `bearer`: a token that is already there, sent as it is (RFC 6750 §2.1).
//!
//! ```toml
//! [profiles.metrics]
//! type  = "bearer"
//! token = "${file:/var/run/secrets/tokens/metrics}"   # a file that changes is noticed
//! ```
#![forbid(unsafe_code)]

use countersign::{AuthProfile, Context, Credential, Error, Places, Secret, TokenPlace};
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
    place: TokenPlace,
    token: Secret,
}

impl AuthProfile for Bearer {
    const TYPE: &'static str = "bearer";
    const SUMMARY: &'static str = "a token that is already there, sent as it is (RFC 6750)";
    type Config = BearerConfig;

    fn new(config: BearerConfig) -> Result<Self, Error> {
        let place = TokenPlace::header(&config.header, &config.scheme)?;
        let token = config.token.without_line_end();
        check(token.expose()).map_err(|error| error.at("token"))?;
        Ok(Self { place, token })
    }

    fn places(&self) -> Option<Places> {
        Some(self.place.places())
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(self.place.credential(self.token.expose()).until_rejected())
    }
}

countersign::register_profile!(Bearer);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

/// Visible ASCII (`VSCHAR` of RFC 6749 §A.12 but the space). RFC 6750 §2.1 allows less, `b64token`; issuers in the
/// field do not keep to it (`!` and `|` occur), and no API refuses its own tokens.
fn check(token: &str) -> Result<(), Error> {
    let starts_with = |start: &str| token.get(..start.len()).is_some_and(|t| t.eq_ignore_ascii_case(start));
    Err(Error::config(if token.is_empty() {
        "is empty; has its source been written yet?"
    } else if starts_with("bearer ") {
        "begins with the word Bearer; give the token alone, `scheme` stands before it"
    } else if starts_with("\"") || starts_with("'") {
        "begins with a quote, which is no part of a token"
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        "is no token: it holds white space, a line end or a character beyond ASCII"
    } else {
        return Ok(());
    }))
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
        for token in [
            "",
            "\n",
            "canary x",
            "canary\r\nx: y",
            "canary\n\n",
            " canary",
            "\"canary\"",
            "canary\0",
            "canaryé",
        ] {
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
