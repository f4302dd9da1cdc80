use countersign::{Context, Error};

use super::Keys;

/// Keys of the environment, if it has them.
pub(super) async fn keys(cx: &Context) -> Result<Option<Keys>, Error> {
    let Some(id) = variable(cx, "AWS_ACCESS_KEY_ID").await? else { return Ok(None) };
    let Some(secret) = variable(cx, "AWS_SECRET_ACCESS_KEY").await? else { return Ok(None) };
    let session_token = variable(cx, "AWS_SESSION_TOKEN").await?.map(Into::into);
    Ok(Some(Keys { access_key_id: id, secret_access_key: secret.into(), session_token, expires: None }))
}

/// A variable that is set to something.
pub(super) async fn variable(cx: &Context, name: &str) -> Result<Option<String>, Error> {
    let value = cx.variable(name).await?;
    Ok(value.map(|value| value.expose().trim().to_owned()).filter(|value| !value.is_empty()))
}
