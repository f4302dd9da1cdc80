//! Settings, from JSON to a type's own `Config`, with errors that name the setting and never its value.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Parses a profile's settings.
///
/// # Errors
/// [`Config`](crate::ErrorKind::Config), with the path of the setting at fault.
pub(crate) fn parse<C: DeserializeOwned>(settings: &Value) -> Result<C, Error> {
    serde_path_to_error::deserialize(settings).map_err(|error| {
        let path = error.path().to_string();
        let error = Error::config(without_value(&error.into_inner().to_string()));
        if path == "." { error } else { error.at(path) }
    })
}

/// serde's message without the value that it quotes: ``invalid type: string "s3cr3t", expected u64`` becomes
/// `invalid type: string, expected u64`.
fn without_value(message: &str) -> String {
    const QUOTING: [&str; 3] = ["invalid type: ", "invalid value: ", "unknown variant "];
    let Some(start) = QUOTING.iter().find(|start| message.starts_with(**start)) else {
        return message.to_owned();
    };
    let Some(expected) = message.rfind(", expected ") else {
        return start.trim_end_matches([' ', ':']).to_owned();
    };
    let kind: String =
        message[start.len()..expected].chars().take_while(|c| c.is_ascii_alphabetic() || *c == ' ').collect();
    format!("{start}{}{}", kind.trim_end(), &message[expected..]).replace(" ,", ",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Settings {
        port: Option<u16>,
        mode: Option<Mode>,
        inner: Option<Vec<Settings>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        On,
    }

    fn error(settings: Value) -> Error {
        parse::<Settings>(&settings).unwrap_err()
    }

    #[test]
    fn errors_name_the_setting_and_not_its_value() {
        for settings in [
            json!({"port": "canary, expected canary"}),
            json!({"mode": "canary"}),
            json!({"mode": {"canary": 1}}),
            json!({"inner": [{"port": "canary"}]}),
        ] {
            let error = error(settings);
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let error = error(json!({"inner": [{"port": "x"}]}));
        assert_eq!(error.to_string(), "inner[0].port: invalid type: string, expected u16");
    }

    #[test]
    fn unknown_fields_are_named() {
        let error = error(json!({"prot": 1}));
        assert!(error.message().starts_with("unknown field `prot`"), "{error}");
    }
}
