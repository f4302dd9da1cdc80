use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use countersign::{ClientCertificate, Error, HttpRequest, HttpResponse, Place, Secret};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::cache::Life;
use crate::transport::Trouble;

/// Takes down what happens while a connector's call is made. It holds secrets, and nothing leaves it but by way of the
/// redactor.
///
/// Exchanges of profiles come from their conversations; all else from the call, which carries the record among its
/// extensions as [`Recorded`].
#[derive(Default)]
pub(crate) struct Record(Mutex<Pages>);

/// What was taken down.
#[derive(Default)]
pub(crate) struct Pages {
    /// What must not be told: the strings of settings that are secret.
    pub(crate) secrets: Vec<Secret>,
    /// What profiles asked of their issuers, in order.
    pub(crate) exchanges: Vec<Exchanged>,
    /// The credentials that were obtained, by profile, in order.
    pub(crate) obtained: Vec<Obtained>,
    /// The requests that were made, in order: one, or two where the first was rejected.
    pub(crate) attempts: Vec<Attempt>,
}

/// One exchange of a profile with its issuer.
pub(crate) struct Exchanged {
    pub(crate) profile: Arc<str>,
    pub(crate) request: HttpRequest,
    pub(crate) at: SystemTime,
    pub(crate) took: Duration,
    pub(crate) outcome: Result<HttpResponse, (Error, Option<Trouble>)>,
}

/// What came of asking a profile for its credential.
pub(crate) struct Obtained {
    pub(crate) profile: Arc<str>,
    pub(crate) took: Duration,
    pub(crate) outcome: Result<Had, Error>,
}

/// A credential that was had, without what it holds.
#[derive(Clone, Copy)]
pub(crate) struct Had {
    pub(crate) life: Life,
    pub(crate) signs: bool,
    pub(crate) certificate: bool,
}

/// One request to the API.
pub(crate) struct Attempt {
    /// As the application made it.
    pub(crate) before: Parts,
    /// As it was sent.
    pub(crate) after: Parts,
    /// Whether a client certificate was presented.
    pub(crate) certificate: bool,
    /// The body that was sent.
    pub(crate) body: bytes::Bytes,
    /// What was placed, and whose it is.
    pub(crate) placed: Vec<(Place, String, Arc<str>)>,
    pub(crate) at: SystemTime,
    pub(crate) took: Duration,
    pub(crate) outcome: Option<Result<Head, (Error, Option<Trouble>)>>,
}

impl Attempt {
    /// A request that is about to be sent.
    pub(crate) fn of(before: &Parts, after: &Parts, body: &bytes::Bytes) -> Self {
        let Ownership(placed) = after.extensions.get::<Ownership>().cloned().unwrap_or_default();
        let certificate = after.extensions.get::<ClientCertificate>().is_some();
        let (mut before, mut after) = (before.clone(), after.clone());
        // The record is among them: it would hold itself.
        before.extensions.clear();
        after.extensions.clear();
        Self {
            before,
            after,
            certificate,
            body: body.clone(),
            placed,
            at: SystemTime::now(),
            took: Duration::ZERO,
            outcome: None,
        }
    }
}

/// The head of an answer.
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

/// The mark of a call that is taken down, among its extensions.
#[derive(Clone)]
pub(crate) struct Recorded(pub(crate) Arc<Record>);

/// What was placed on a request, and by which profile, among its extensions.
#[derive(Clone, Default)]
pub(crate) struct Ownership(pub(crate) Vec<(Place, String, Arc<str>)>);

/// The clock by which something is timed that is taken down.
pub(crate) struct Stopwatch {
    pub(crate) at: SystemTime,
    since: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { at: SystemTime::now(), since: Instant::now() }
    }

    pub(crate) fn took(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Record {
    /// The record of a call, if it is taken down.
    pub(crate) fn of(parts: &Parts) -> Option<Arc<Self>> {
        parts.extensions.get::<Recorded>().map(|recorded| Arc::clone(&recorded.0))
    }

    pub(crate) fn keep_secrets(&self, secrets: impl IntoIterator<Item = Secret>) {
        self.pages().secrets.extend(secrets);
    }

    pub(crate) fn exchanged(&self, exchanged: Exchanged) {
        self.pages().exchanges.push(exchanged);
    }

    pub(crate) fn obtained(&self, obtained: Obtained) {
        self.pages().obtained.push(obtained);
    }

    /// Takes down a request that is about to be sent.
    pub(crate) fn sending(&self, attempt: Attempt) {
        self.pages().attempts.push(attempt);
    }

    /// Takes down what came of the last request.
    pub(crate) fn answered(&self, took: Duration, outcome: Result<Head, (Error, Option<Trouble>)>) {
        if let Some(attempt) = self.pages().attempts.last_mut() {
            attempt.took = took;
            attempt.outcome = Some(outcome);
        }
    }

    /// All that was taken down.
    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blind: it holds secrets.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").finish_non_exhaustive()
    }
}
