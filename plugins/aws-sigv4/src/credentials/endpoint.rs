//! Endpoints on this machine or its link that hand out keys: a container's and an instance's.

use countersign::{Context, Error, HttpRequest, HttpResponse, Secret, timestamp};
use serde::Deserialize;

use super::Keys;
use super::environment::variable;

/// What such an endpoint answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: Secret,
    token: Option<Secret>,
    expiration: Option<String>,
}

impl Answer {
    fn keys(self) -> Result<Keys, Error> {
        let expires = match &self.expiration {
            None => None,
            Some(text) => Some(
                timestamp(text)
                    .ok_or_else(|| Error::unavailable("the endpoint's `Expiration` is no instant"))?,
            ),
        };
        Ok(Keys {
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            session_token: self.token,
            expires,
        })
    }
}

/// Keys from the endpoint that the environment names, if it names one (ECS, EKS Pod Identity).
pub(super) async fn container(cx: &Context) -> Result<Option<Keys>, Error> {
    let url = match variable(cx, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").await? {
        Some(path) => format!("http://169.254.170.2{path}"),
        None => match variable(cx, "AWS_CONTAINER_CREDENTIALS_FULL_URI").await? {
            Some(url) => url,
            None => return Ok(None),
        },
    };
    let mut request = HttpRequest::new("GET", url);
    // The file is renewed; the variable is what older agents set.
    let token = match variable(cx, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").await? {
        Some(file) => {
            let content =
                cx.file(&file).await?.ok_or_else(|| Error::config(format!("{file} is not there")))?;
            let text = std::str::from_utf8(content.expose())
                .map_err(|_| Error::config(format!("{file} is not UTF-8")))?;
            Some(Secret::new(text.trim().to_owned()))
        }
        None => variable(cx, "AWS_CONTAINER_AUTHORIZATION_TOKEN").await?.map(Secret::new),
    };
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let answer = cx.http().send(request).await.and_then(HttpResponse::success);
    let answer = answer.map_err(|error| error.within("the container's credential endpoint"))?;
    answer.json::<Answer>()?.keys().map(Some)
}

/// Keys of the instance's role (EC2), by version 2 of the metadata service.
pub(super) async fn instance(cx: &Context) -> Result<Keys, Error> {
    if variable(cx, "AWS_EC2_METADATA_DISABLED")
        .await?
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(Error::denied("no keys: the instance metadata service is the last place, and disabled"));
    }
    let base = variable(cx, "AWS_EC2_METADATA_SERVICE_ENDPOINT").await?;
    let base = base.as_deref().unwrap_or("http://169.254.169.254").trim_end_matches('/').to_owned();
    let what = "the instance metadata service";
    let ask = |request: HttpRequest| async move {
        let answer = cx.http().send(request).await.and_then(HttpResponse::success);
        answer.map_err(|error| error.within(what))
    };
    let token = HttpRequest::new("PUT", format!("{base}/latest/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
    let token = ask(token).await?;
    let token = text(&token)?;
    let get = |path: &str| {
        HttpRequest::new("GET", format!("{base}/latest/meta-data/iam/security-credentials/{path}"))
            .header("x-aws-ec2-metadata-token", token.as_str())
    };
    let role = ask(get("")).await?;
    let role = text(&role)?;
    let role = role.lines().next().unwrap_or_default();
    if role.is_empty() || !role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
    {
        return Err(Error::denied("the instance has no role"));
    }
    ask(get(role)).await?.json::<Answer>()?.keys()
}

fn text(answer: &HttpResponse) -> Result<String, Error> {
    std::str::from_utf8(answer.body.expose()).map(|text| text.trim().to_owned()).map_err(|_| {
        Error::unavailable("the instance metadata service answers with something that is not UTF-8")
    })
}
