//! The profile type `basic`: user name and password as Basic authentication (RFC 7617).
//!
//! ```toml
//! [profiles.erp]
//! type     = "basic"
//! username = "integration"
//! password = "${file:/run/secrets/erp}"
//! ```
#![forbid(unsafe_code)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{AuthProfile, Context, Credential, Error, Places, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Sends `Authorization: Basic …` with a user name and a password (RFC 7617), both as UTF-8.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The user name. It cannot hold a colon, for that is what ends it on the wire.
    pub username: String,
    /// The password; a line end at its end is not part of it. It may be empty, as some APIs that take a key for a
    /// user name want it.
    pub password: Secret,
}

/// A profile of the type `basic`.
#[derive(Debug)]
pub struct Basic {
    authorization: Secret,
}

impl AuthProfile for Basic {
    const TYPE: &'static str = "basic";
    const SUMMARY: &'static str = "user name and password as Basic authentication (RFC 7617)";
    type Config = BasicConfig;

    fn new(config: BasicConfig) -> Result<Self, Error> {
        let username = config.username.as_str();
        if username.is_empty() {
            return Err(Error::config("is empty; a source that gives nothing?").at("username"));
        }
        if username.contains(':') {
            let message =
                "holds a colon, which Basic authentication cannot carry in a user name (RFC 7617 §2)";
            return Err(Error::config(message).at("username"));
        }
        without_control(username).map_err(|error| error.at("username"))?;
        let password = config.password.without_line_end();
        without_control(password.expose()).map_err(|error| error.at("password"))?;
        let pair = Secret::new(format!("{username}:{}", password.expose()));
        Ok(Self { authorization: Secret::new(format!("Basic {}", STANDARD.encode(pair.expose()))) })
    }

    fn places(&self) -> Option<Places> {
        Some(Places::none().header("authorization"))
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::header("authorization", self.authorization.clone()).until_rejected())
    }
}

countersign::register_profile!(Basic);
#[cfg(feature = "plugin")]
countersign::export_plugin!();

fn without_control(text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::config(
            "holds a control character, which Basic authentication cannot carry (RFC 7617 §2)",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::testing::{ScriptedHost, profile};
    use countersign::{ErrorKind, Lifetime};
    use serde_json::{Value, json};

    fn placed(settings: Value) -> String {
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*profile::<Basic>(settings).unwrap()).unwrap();
        assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
        let placed = host.placed(&credential);
        assert_eq!((placed.len(), placed[0].0, placed[0].1), (1, "header", "authorization"));
        placed[0].2.to_owned()
    }

    fn refused(settings: Value) -> Error {
        let error = profile::<Basic>(settings).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("canary"), "{error}");
        error
    }

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let first = placed(json!({ "username": "Aladdin", "password": "open sesame" }));
        assert_eq!(first, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let utf8 = placed(json!({ "username": "test", "password": "123£" }));
        assert_eq!(utf8, "Basic dGVzdDoxMjPCow==");
    }

    #[test]
    fn a_password_may_hold_colons_and_may_be_empty() {
        assert_eq!(placed(json!({ "username": "u", "password": ":a:b" })), "Basic dTo6YTpi");
        assert_eq!(placed(json!({ "username": "u", "password": "" })), "Basic dTo=");
    }

    #[test]
    fn the_line_end_of_a_password_file_is_not_part_of_the_password() {
        let without = placed(json!({ "username": "u", "password": "p" }));
        assert_eq!(placed(json!({ "username": "u", "password": "p\n" })), without);
        assert_eq!(placed(json!({ "username": "u", "password": "p\r\n" })), without);
    }

    #[test]
    fn a_colon_in_the_user_name_is_refused() {
        assert_eq!(refused(json!({ "username": "can:ary", "password": "" })).field(), Some("username"));
    }

    #[test]
    fn control_characters_and_an_empty_user_are_refused_where_they_stand() {
        for username in ["", "canary\n", "canary\0", "canary\u{7f}", "canary\u{9b}"] {
            assert_eq!(refused(json!({ "username": username, "password": "" })).field(), Some("username"));
        }
        for password in ["canary\r", "canary\n\n", "canary\0x"] {
            assert_eq!(refused(json!({ "username": "u", "password": password })).field(), Some("password"));
        }
    }

    #[test]
    fn unknown_and_missing_settings_are_named() {
        let error = refused(json!({ "username": "u", "pasword": "canary" }));
        assert!(error.message().contains("unknown field `pasword`"), "{error}");
        assert!(refused(json!({ "username": "u" })).message().contains("`password`"));
    }

    #[test]
    fn debug_is_blind() {
        let config: BasicConfig =
            serde_json::from_value(json!({ "username": "u", "password": "canary" })).unwrap();
        assert_eq!(config.password.expose(), "canary");
        assert!(!format!("{config:?}").contains("canary"));
        let basic = Basic::new(config).unwrap();
        assert!(!format!("{basic:?}").contains(&STANDARD.encode("u:canary")));
    }
}
