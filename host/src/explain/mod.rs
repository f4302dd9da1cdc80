//! Tries a connector out and says what came of it, and why.
//!
//! One call is made, as any other, while a [`Record`] takes down what happens: exchanges with issuers, credentials, requests,
//! answers. From that comes the [`Evidence`], in which no secret is left ([`Redactor`]); from the evidence, by rules that do not
//! know each other, the [`Cause`]s, the likeliest first. Not here: how that is printed (`cli`), and the making of calls
//! (`client`).

mod body;
mod cause;
mod challenge;
mod clocks;
mod evidence;
mod gather;
mod keys;
mod record;
mod redact;
mod rules;
mod secrets;
mod seen;
mod signature;
mod token;
mod told_url;
mod value;
mod words;

use std::path::Path;
use std::sync::Arc;

use countersign::Caller;
use serde::Serialize;

use crate::config::{Findings, Probe};
use crate::{Error, Host};

pub use body::Said;
pub use cause::{Cause, CauseId};
pub use challenge::ApiChallenge;
pub use evidence::{
    Answer, Asked, Evidence, Exchange, FoundKeys, IssuerKeys, Obtained as ObtainedEvidence,
    Placed as PlacedEvidence, Problem, ProfileEvidence, RedirectTo, Sent, Skew,
};
pub use signature::{Difference, Signed};
pub use token::Token;

pub(crate) use record::{Attempt, Exchanged, Had, Head, Obtained, Ownership, Record, Stopwatch};
pub(crate) use redact::secrets_of;
pub(crate) use told_url::quiet_path;

/// What came of trying a connector out. It holds no secret, and can be shown to anybody who may know the configuration.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// What was seen.
    pub evidence: Evidence,
    /// What may be the matter, the likeliest first; empty if all is well.
    pub causes: Vec<Cause>,
    /// What was looked at and is well.
    pub well: Vec<String>,
}

/// How a connector is tried out.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// The connector.
    pub connector: String,
    /// The call, in place of the one that the configuration names.
    pub probe: Option<Probe>,
    /// On whose behalf.
    pub caller: Caller,
    /// Whether issuers are not asked for their keys: then only the connector's own calls are made.
    pub offline: bool,
}

/// Starts a configuration and tries one of its connectors out.
///
/// # Errors
/// What is wrong with the configuration, or that there is no such connector. What goes wrong with the call is no error, but what
/// is explained.
pub async fn explain(config: &Path, trial: &Trial) -> Result<Explanation, ExplainError> {
    let record = Arc::new(Record::default());
    let host =
        Host::start_recorded(config, Some(Arc::clone(&record))).await.map_err(ExplainError::Configuration)?;
    let connector = host.connector(&trial.connector).map_err(ExplainError::Connector)?;
    let evidence = gather::gather(&host, &connector, &record, trial).await;
    let causes = rules::causes(&evidence);
    let well =
        rules::alibis(&evidence).into_iter().map(|(_, words)| words).fold(Vec::new(), |mut well, words| {
            if !well.contains(&words) {
                well.push(words);
            }
            well
        });
    Ok(Explanation { evidence, causes, well })
}

/// Why nothing could be tried.
#[derive(Debug)]
pub enum ExplainError {
    /// The configuration is wrong.
    Configuration(Findings),
    /// There is no such connector.
    Connector(Error),
}

impl std::fmt::Display for ExplainError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Configuration(findings) => findings.fmt(f),
            Self::Connector(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExplainError {}
