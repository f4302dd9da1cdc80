//! Makes the call that is to be tried.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::Error;
use http::{Request, StatusCode};
use http_body_util::BodyExt;

use super::evidence::Evidence;
use super::record::{Pages, Record, Recorded};
use super::secrets::redactor;
use super::seen::Seen;
use super::value::value;
use super::{Trial, keys};
use crate::config::Probe;
use crate::connector::{Connector, MOST_BODY};
use crate::{Client, Host};

/// Makes the call that is to be tried, and tells what was seen.
pub(crate) async fn gather(
    host: &Host,
    connector: &Connector,
    record: &Arc<Record>,
    trial: &Trial,
) -> Evidence {
    let probe = trial.probe.as_ref().unwrap_or(connector.probe());
    let (body, failure) = match request(connector, record, probe, trial) {
        Ok(request) => match Client::new().send(connector, request).await {
            Ok(answer) => (read(answer.into_body()).await, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
        Err(error) => (Vec::new(), Some(error.message().to_owned())),
    };
    let pages = std::mem::take(&mut *record.pages());
    let redactor = redactor(&pages);
    let issuer_keys = match token_to_verify(&pages).filter(|_| !trial.offline) {
        Some(token) => keys::of_issuer(host.exchange(), &token, &redactor).await,
        None => None,
    };
    let as_expected = is_as_expected(connector, probe, &pages, &body);
    Seen { host, connector, pages: &pages, redactor: &redactor, body: &body }.evidence(
        probe,
        trial,
        failure,
        issuer_keys,
        as_expected,
    )
}

fn request(
    connector: &Connector,
    record: &Arc<Record>,
    probe: &Probe,
    trial: &Trial,
) -> Result<Request<Bytes>, Error> {
    let uri = connector.base_url().join(&probe.path)?;
    let mut request = Request::builder().method(probe.method.clone()).uri(uri);
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    request
        .extension(trial.caller.clone())
        .extension(Recorded(Arc::clone(record)))
        .body(Bytes::from(probe.body.clone()))
        .map_err(|_| Error::config("the probe makes no valid request"))
}

/// The beginning of a body.
async fn read(mut body: reqwest::Body) -> Vec<u8> {
    let mut seen = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            seen.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
            if seen.len() >= MOST_BODY {
                break;
            }
        }
    };
    // What comes too late is not needed.
    let _ = tokio::time::timeout(Duration::from_secs(10), reading).await;
    seen.truncate(MOST_BODY);
    seen
}

fn is_as_expected(connector: &Connector, probe: &Probe, pages: &Pages, body: &[u8]) -> bool {
    let Some(Some(Ok(head))) = pages.attempts.last().map(|attempt| &attempt.outcome) else { return false };
    if !probe.statuses.is_empty() {
        return probe.statuses.contains(&head.status);
    }
    head.status.is_success() && !connector.rejection().matches(head.status, &head.headers, body)
}

/// The JWT of an answer that was no success.
fn token_to_verify(pages: &Pages) -> Option<String> {
    let attempt = pages.attempts.last()?;
    let refused = matches!(&attempt.outcome, Some(Ok(head)) if head.status == StatusCode::UNAUTHORIZED);
    let values = attempt.placed.iter().filter_map(|(place, name, _)| value(&attempt.after, *place, name));
    let mut tokens = values.map(|value| value.rsplit(' ').next().unwrap_or_default().to_owned());
    tokens.find(|token| super::token::jwt(token).is_some()).filter(|_| refused)
}
