use std::time::Duration;

use countersign::{Error, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AwsSigV4;
use crate::credentials::{AssumeRole, Given, Place, Source};
use crate::sign::{Form, Scope, Signature};

/// Signs each request with AWS Signature Version 4.
///
/// The keys are given, or found where `credentials` says, as the AWS command line finds them. `assume_role` exchanges them
/// for those of a role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsSigV4Config {
    /// The region that the API is in: `eu-central-1`.
    pub region: String,
    /// The service's name in signatures: `s3`, `execute-api`, `es`, …
    pub service: String,
    /// The access key's identifier.
    pub access_key_id: Option<String>,
    /// The access key's secret.
    pub secret_access_key: Option<Secret>,
    /// The token that belongs to temporary keys.
    pub session_token: Option<Secret>,
    /// Where the keys are found that are not given.
    pub credentials: Option<Place>,
    /// The profile in the AWS configuration files; without it the one that `AWS_PROFILE` names, else `default`.
    pub profile: Option<String>,
    /// A role whose keys are obtained with those above.
    pub assume_role: Option<AssumeRole>,
    /// The token service, in place of `https://sts.REGION.amazonaws.com`.
    pub sts_url: Option<String>,
    /// Whether the signature covers the body: `signed` (the default; the body is then held in memory until it is sent) or
    /// `unsigned`, which S3 accepts over TLS.
    #[serde(default)]
    pub payload: Payload,
    /// Where the signature goes: `headers` (the default) or `query` (a presigned URL).
    #[serde(default)]
    pub place: SignaturePlace,
    /// How long a signature in the query is valid: `"15m"` by default, at most `"7d"`.
    #[schemars(extend("default" = "15m"))]
    pub expires: Option<String>,
    /// Headers that are signed besides `host`, `content-type`, `content-md5` and `x-amz-…`, where a request has them.
    #[serde(default)]
    pub signed_headers: Vec<String>,
    /// Whether the path is signed as it is (`single`, for S3) or encoded once more (`double`, for all other services). It
    /// follows from `service`.
    pub path_encoding: Option<PathEncoding>,
    /// Whether `.`, `..` and repeated `/` are resolved in the path that is signed. By default they are, except for S3.
    pub normalize_path: Option<bool>,
}

/// Whether the body is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// It is.
    #[default]
    Signed,
    /// It is not.
    Unsigned,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignaturePlace {
    /// Into `Authorization` and `x-amz-…` headers.
    #[default]
    Headers,
    /// Into `X-Amz-…` query parameters.
    Query,
}

/// How often the path is percent-encoded for the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathEncoding {
    /// Once.
    Single,
    /// Twice.
    Double,
}

const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

impl AwsSigV4Config {
    pub(crate) fn into_profile(self) -> Result<AwsSigV4, Error> {
        word(&self.region, "region")?;
        word(&self.service, "service")?;
        let s3 = self.service == "s3";
        let form = match self.place {
            SignaturePlace::Headers => match self.expires {
                Some(_) => {
                    let message =
                        "goes with `place = \"query\"`; a signature in headers is valid for minutes";
                    return Err(Error::config(message).at("expires"));
                }
                None => Form::Headers { content_sha256: s3 },
            },
            SignaturePlace::Query => {
                let expires = match &self.expires {
                    None => Duration::from_secs(900),
                    Some(text) => expires(text)?,
                };
                Form::Query { seconds: expires.as_secs() }
            }
        };
        let mut signed_headers = Vec::with_capacity(self.signed_headers.len());
        for (index, name) in self.signed_headers.iter().enumerate() {
            let setting = format!("signed_headers[{index}]");
            countersign::Place::Header.check_name(name).map_err(|error| error.at(&setting))?;
            signed_headers.push(name.to_ascii_lowercase());
        }
        let signature = Signature {
            form,
            payload: self.payload,
            double: self.path_encoding.map_or(!s3, |encoding| encoding == PathEncoding::Double),
            normalize: self.normalize_path.unwrap_or(!s3),
            signed_headers,
            scope: Scope { region: self.region, service: self.service },
        };
        let given = Given::of(self.access_key_id, self.secret_access_key, self.session_token)?;
        let source = Source::new(
            given,
            self.credentials,
            self.profile,
            self.assume_role,
            self.sts_url,
            &signature.scope.region,
        )?;
        Ok(AwsSigV4 { source, signature })
    }
}

/// What stands between slashes in a credential's scope.
fn word(text: &str, setting: &str) -> Result<(), Error> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
    if fits { Ok(()) } else { Err(Error::config("is lower case letters, digits and `-`").at(setting)) }
}

fn expires(text: &str) -> Result<Duration, Error> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => 0,
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).unwrap_or(0);
    match seconds {
        1.. if Duration::from_secs(seconds) <= LONGEST => Ok(Duration::from_secs(seconds)),
        0 => Err(Error::config("is not a period such as \"15m\"").at("expires")),
        _ => Err(Error::config("is more than the 7 days that AWS allows").at("expires")),
    }
}
