use countersign::{Context, Error, HttpRequest, Origin};

use crate::challenge::{Challenge, of_digest, of_fields};

/// The challenges with which the API answers a request without credentials.
///
/// # Errors
/// What kept it from answering; or that the answer asks for no Digest authentication, and what to do.
pub(crate) async fn challenges(cx: &Context, target: &Origin, path: &str) -> Result<Vec<Challenge>, Error> {
    let answer = cx.http().send(HttpRequest::new("GET", format!("{target}{path}"))).await?;
    let fields = answer.headers.iter().filter(|field| field.name == "www-authenticate");
    let challenges = of_fields(fields.map(|field| field.value.expose().as_str()));
    match answer.status {
        401 if of_digest(&challenges).next().is_some() => Ok(challenges),
        401 => Err(Error::denied(format!(
            "{target} answered with status 401, and asks for another scheme than Digest"
        ))),
        _ if answer.is_success() => Err(Error::denied(format!(
            "{target} asked for no credentials; set `challenge_path` to a path that needs them"
        ))),
        _ => match answer.success() {
            Ok(_) => Err(Error::internal("an answer is a success and none")),
            Err(error) => Err(error.within(&format!("{target}, asked for a Digest challenge"))),
        },
    }
}
