use countersign::{Error, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::printed::{Aws, ExecCredential, Own, Printed};

/// What a program prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON, in whichever of the next three shapes it is.
    #[default]
    Auto,
    /// An `ExecCredential` of Kubernetes (`client.authentication.k8s.io`, `v1` or `v1beta1`).
    ExecCredential,
    /// What AWS calls a `credential_process`, version 1.
    CredentialProcess,
    /// Countersign's own shape.
    Countersign,
    /// No JSON: the token, and nothing else.
    Text,
}

/// A version of `client.authentication.k8s.io`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiVersion {
    /// `v1`.
    #[default]
    V1,
    /// `v1beta1`.
    V1beta1,
}

/// What `apiVersion` begins with in an `ExecCredential`.
const GROUP: &str = "client.authentication.k8s.io/";

impl ApiVersion {
    const fn word(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V1beta1 => "v1beta1",
        }
    }

    /// What Kubernetes puts into the variable `KUBERNETES_EXEC_INFO`, for a program that nobody sits in front of.
    pub(crate) fn exec_info(self) -> String {
        let version = self.word();
        format!(
            r#"{{"apiVersion":"{GROUP}{version}","kind":"ExecCredential","spec":{{"interactive":false}}}}"#
        )
    }
}

impl Format {
    /// The names that are printed; `None` where that is seen only then.
    pub(crate) const fn names(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Auto | Self::Countersign => None,
            Self::ExecCredential | Self::Text => Some(&["token"]),
            Self::CredentialProcess => {
                Some(&["access_key_id", "account_id", "secret_access_key", "session_token"])
            }
        }
    }

    /// Reads what was printed. No error quotes it.
    ///
    /// # Errors
    /// [`Denied`](countersign::ErrorKind::Denied), when it is something else.
    pub(crate) fn read(self, output: &[u8], wanted: Option<ApiVersion>) -> Result<Printed, Error> {
        let text =
            std::str::from_utf8(output).map_err(|_| Error::denied("printed what is no text (UTF-8)"))?;
        if text.trim().is_empty() {
            return Err(Error::denied("printed nothing, and ended as if all were well"));
        }
        if self == Self::Text {
            return token(text.trim());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::denied(format!(
                "printed what is not JSON (line {line} column {column}); `format = \"text\"` is for a bare token"
            ))
        })?;
        if !value.is_object() {
            return Err(Error::denied("printed JSON that is no object"));
        }
        let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let is_exec =
            version.starts_with(GROUP) || value.get("kind").and_then(Value::as_str) == Some("ExecCredential");
        let is_aws = value.get("AccessKeyId").is_some() || value.get("Version").is_some();
        match self {
            Self::ExecCredential => exec_credential(&value, wanted),
            Self::CredentialProcess => Aws::read(&value),
            Self::Countersign => Own::read(&value),
            _ if is_exec => exec_credential(&value, None),
            _ if is_aws => Aws::read(&value),
            _ => Own::read(&value),
        }
    }
}

fn exec_credential(value: &Value, wanted: Option<ApiVersion>) -> Result<Printed, Error> {
    let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let known = [ApiVersion::V1, ApiVersion::V1beta1];
    let printed = known.into_iter().find(|known| version.strip_prefix(GROUP) == Some(known.word()));
    match (printed, wanted) {
        (Some(printed), Some(wanted)) if printed != wanted => Err(Error::denied(format!(
            "printed an ExecCredential of {GROUP}{}, but was asked for {}; `api_version` chooses",
            printed.word(),
            wanted.word()
        ))),
        (Some(_), _) => ExecCredential::read(value),
        (None, _) => Err(Error::denied(format!(
            "printed no ExecCredential of {GROUP}v1 or v1beta1: `apiVersion` is another, or missing"
        ))),
    }
}

fn token(text: &str) -> Result<Printed, Error> {
    if text.contains(char::is_whitespace) {
        return Err(Error::denied("printed more than one word, which is no token"));
    }
    Ok(Printed::token(Secret::from(text)))
}
