//! `countersign test` and `countersign explain`: a connector tried out. Not here: the trying, which is the library's.

mod report;

use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use super::Failure;
use super::args::{ExplainArguments, ProbeArguments, TestArguments};
use super::call::{API_ERROR, data, header};
use super::output::{Paint, print};
use crate::Setup;
use crate::config::Probe;
use crate::explain::{ExplainError, Explanation, Trial};

/// Says step by step what came of the call.
pub(super) async fn test(config: &Path, arguments: TestArguments) -> Result<(), Failure> {
    let TestArguments { connector, probe, json } = arguments;
    // Whoever only wants to know whether it works asks nobody else.
    let explanation = tried(config, trial(config, connector, &probe, true)?).await?;
    if json {
        print(format_args!("{:#}\n", serde_json::json!(explanation.evidence)))?;
    } else {
        print(report::steps(&explanation, Paint::stdout()))?;
    }
    outcome(&explanation)
}

/// Says what may be the matter.
pub(super) async fn explain(config: &Path, arguments: ExplainArguments) -> Result<(), Failure> {
    let ExplainArguments { connector, probe, offline, json } = arguments;
    let explanation = tried(config, trial(config, connector, &probe, offline)?).await?;
    if json {
        print(format_args!("{:#}\n", serde_json::json!(explanation)))?;
    } else {
        print(report::whole(&explanation, Paint::stdout()))?;
    }
    outcome(&explanation)
}

async fn tried(config: &Path, trial: Trial) -> Result<Explanation, Failure> {
    crate::explain::explain(config, &trial).await.map_err(|error| match error {
        ExplainError::Configuration(findings) => Failure::Findings(findings),
        ExplainError::Connector(error) => Failure::Words(error.to_string()),
    })
}

fn outcome(explanation: &Explanation) -> Result<(), Failure> {
    let evidence = &explanation.evidence;
    match evidence.answer() {
        _ if evidence.as_expected => Ok(()),
        Some(_) => Err(Failure::Status(API_ERROR)),
        None => Err(Failure::Status(1)),
    }
}

/// What the options say, before what the configuration says.
fn trial(
    config: &Path,
    connector: String,
    arguments: &ProbeArguments,
    offline: bool,
) -> Result<Trial, Failure> {
    let mut trial = Trial { connector, probe: None, caller: arguments.caller.caller(), offline };
    let ProbeArguments { path, method, headers, data: body, status, .. } = arguments;
    if path.is_none() && method.is_none() && headers.is_empty() && body.is_none() && status.is_empty() {
        return Ok(trial);
    }
    let configured = configured(config, &trial.connector)?;
    let mut probe = configured.unwrap_or_default();
    if let Some(path) = path {
        probe.path.clone_from(path);
    }
    for field in headers {
        let (name, value): (HeaderName, HeaderValue) = header(field)?;
        probe.headers.retain(|(known, _)| *known != name);
        probe.headers.push((name, value));
    }
    if let Some(body) = body {
        let bytes: Bytes = data(body)?;
        probe.body = String::from_utf8(bytes.into())
            .map_err(|_| Failure::Words("--data: a probe's body is UTF-8".to_owned()))?;
        probe.method = Method::POST;
    }
    if let Some(method) = method {
        probe.method = method.clone();
    }
    if !status.is_empty() {
        probe.statuses.clone_from(status);
    }
    trial.probe = Some(probe);
    Ok(trial)
}

/// The probe of the configuration.
fn configured(config: &Path, connector: &str) -> Result<Option<Probe>, Failure> {
    let setup = Setup::read(config)?;
    Ok(setup
        .connectors()
        .iter()
        .find(|known| &*known.name == connector)
        .map(|known| Probe::clone(&known.probe)))
}
