use std::time::SystemTime;

use countersign::{Context, Error, HttpRequest, HttpResponse, RequestHead, Secret, timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Keys;
use super::environment::variable;
use super::ini::Settings;
use crate::config::Payload;
use crate::key::Material;
use crate::sign::{Form, Scope, Signature};

/// A role to assume.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssumeRole {
    /// The role: `arn:aws:iam::123456789012:role/NAME`.
    pub role_arn: String,
    /// What the session is called in the API's logs.
    #[serde(default = "session_name")]
    pub session_name: String,
    /// The identifier that the role's owner demands of third parties.
    pub external_id: Option<String>,
    /// How long the keys are to live, in seconds: 900 to 43200.
    pub duration_seconds: Option<u32>,
}

fn session_name() -> String {
    "countersign".to_owned()
}

impl AssumeRole {
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config), naming the setting.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.role_arn.starts_with("arn:") {
            let message = "is no role; one is `arn:aws:iam::123456789012:role/NAME`";
            return Err(Error::config(message).at("assume_role.role_arn"));
        }
        let name = &self.session_name;
        let fits = (2..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=,.@_-".contains(&byte));
        if !fits {
            let message = "is 2 to 64 letters, digits and `=,.@_-`";
            return Err(Error::config(message).at("assume_role.session_name"));
        }
        match self.duration_seconds {
            Some(seconds) if !(900..=43_200).contains(&seconds) => {
                Err(Error::config("is 900 to 43200 seconds").at("assume_role.duration_seconds"))
            }
            _ => Ok(()),
        }
    }

    /// As a profile of the AWS configuration files says it.
    pub(super) fn of_profile(profile: &Settings) -> Self {
        let setting =
            |key: &str| profile.get(key).map(Secret::expose).filter(|value| !value.is_empty()).cloned();
        Self {
            role_arn: setting("role_arn").unwrap_or_default(),
            session_name: setting("role_session_name").unwrap_or_else(session_name),
            external_id: setting("external_id"),
            duration_seconds: setting("duration_seconds").and_then(|text| text.parse().ok()),
        }
    }
}

/// The security token service.
#[derive(Debug)]
pub(crate) struct TokenService {
    /// With the path `/`.
    url: String,
    authority: String,
    scheme: &'static str,
    signature: Signature,
}

impl TokenService {
    pub(super) fn new(url: Option<String>, region: &str) -> Result<Self, Error> {
        let url = url.unwrap_or_else(|| match region.starts_with("cn-") {
            true => format!("https://sts.{region}.amazonaws.com.cn"),
            false => format!("https://sts.{region}.amazonaws.com"),
        });
        let broken = || {
            Error::config("is no URL of a server, such as `https://sts.eu-central-1.amazonaws.com`")
                .at("sts_url")
        };
        let (scheme, rest) = match url.split_once("://") {
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            _ => return Err(broken()),
        };
        let authority = rest.trim_end_matches('/').to_ascii_lowercase();
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
            return Err(broken());
        }
        let signature = Signature {
            form: Form::Headers { content_sha256: false },
            payload: Payload::Signed,
            double: true,
            normalize: true,
            signed_headers: Vec::new(),
            scope: Scope { region: region.to_owned(), service: "sts".to_owned() },
        };
        Ok(Self { url: format!("{scheme}://{authority}/"), authority, scheme, signature })
    }

    /// The keys of a role, with other keys.
    pub(super) async fn assume_role(
        &self,
        cx: &Context,
        role: &AssumeRole,
        keys: Keys,
    ) -> Result<Keys, Error> {
        let mut form = vec![
            ("Action", "AssumeRole".to_owned()),
            ("Version", "2011-06-15".to_owned()),
            ("RoleArn", role.role_arn.clone()),
            ("RoleSessionName", role.session_name.clone()),
        ];
        form.extend(role.external_id.clone().map(|id| ("ExternalId", id)));
        form.extend(role.duration_seconds.map(|seconds| ("DurationSeconds", seconds.to_string())));
        let mut request = HttpRequest::new("POST", &self.url).form(form);
        let material = Material::new(keys.access_key_id, keys.secret_access_key, keys.session_token);
        let content_type =
            [countersign::HeaderView::new("content-type", b"application/x-www-form-urlencoded")];
        let head = RequestHead::new("POST", self.scheme, &self.authority, "/")
            .with_headers(&content_type)
            .with_body(Some(request.body.expose()));
        let edits = self.signature.sign(&material, &head, cx.now())?;
        for (_, name, value) in edits.iter() {
            request = request.header(name, value);
        }
        self.answer(cx, request, "AssumeRole").await
    }

    /// The keys of a role, with a token of another identity provider.
    async fn assume_role_with_web_identity(
        &self,
        cx: &Context,
        token: &str,
        role_arn: &str,
        session: &str,
    ) -> Result<Keys, Error> {
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role_arn),
            ("RoleSessionName", session),
            ("WebIdentityToken", token),
        ];
        self.answer(cx, HttpRequest::new("POST", &self.url).form(form), "AssumeRoleWithWebIdentity").await
    }

    async fn answer(&self, cx: &Context, request: HttpRequest, action: &str) -> Result<Keys, Error> {
        let answer = cx.http().send(request).await?;
        if !answer.is_success() {
            let code = element(body(&answer)?, "Code").filter(|code| is_plain(code));
            let answer = answer.success().err();
            let error = answer.unwrap_or_else(|| Error::unavailable("answered with an error"));
            let what = match code {
                Some(code) => format!("{action} at {} ({code})", self.authority),
                None => format!("{action} at {}", self.authority),
            };
            return Err(error.within(&what));
        }
        let text = body(&answer)?;
        let part = |name: &str| {
            element(text, name).ok_or_else(|| {
                Error::unavailable(format!("{action} at {}: the answer has no {name}", self.authority))
            })
        };
        Ok(Keys {
            access_key_id: part("AccessKeyId")?,
            secret_access_key: part("SecretAccessKey")?.into(),
            session_token: Some(part("SessionToken")?.into()),
            expires: Some(expiration(&part("Expiration")?)?),
        })
    }
}

/// Keys by the token file and role that the environment names, if it names them (EKS).
pub(super) async fn web_identity_of_environment(
    cx: &Context,
    sts: &TokenService,
) -> Result<Option<Keys>, Error> {
    let Some(file) = variable(cx, "AWS_WEB_IDENTITY_TOKEN_FILE").await? else { return Ok(None) };
    let Some(role) = variable(cx, "AWS_ROLE_ARN").await? else { return Ok(None) };
    let session = variable(cx, "AWS_ROLE_SESSION_NAME").await?;
    web_identity(cx, sts, &file, &role, session.as_deref()).await.map(Some)
}

/// Keys of a role, with the token in a file.
pub(super) async fn web_identity(
    cx: &Context,
    sts: &TokenService,
    file: &str,
    role: &str,
    session: Option<&str>,
) -> Result<Keys, Error> {
    let content =
        cx.file(file).await?.ok_or_else(|| Error::config(format!("the token file {file} is not there")))?;
    let token = std::str::from_utf8(content.expose())
        .map_err(|_| Error::config(format!("the token file {file} is not UTF-8")))?;
    sts.assume_role_with_web_identity(cx, token.trim(), role, session.unwrap_or("countersign")).await
}

/// The body, which holds keys, as it stands in the answer.
fn body(answer: &HttpResponse) -> Result<&str, Error> {
    std::str::from_utf8(answer.body.expose())
        .map_err(|_| Error::unavailable("the token service answers with something that is not UTF-8"))
}

fn expiration(text: &str) -> Result<SystemTime, Error> {
    timestamp(text).ok_or_else(|| Error::unavailable("the token service's `Expiration` is no instant"))
}

/// The text of the first element of a name. The service's answers nest, but no two elements of interest share a name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = after.split_once(&format!("</{name}>"))?;
    let unescaped = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let unescaped = unescaped.replace("&apos;", "'").replace("&amp;", "&");
    (!unescaped.is_empty()).then(|| unescaped.trim().to_owned())
}

/// Whether an error's code is one: nothing else of an error's body is told.
fn is_plain(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}
