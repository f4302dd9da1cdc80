//! What profiles need of their host: exchanges, waits, and where the operator allows it, files, variables, programs.
//!
//! Here a need is met, and refused to those who may not have it. Not here: the holding of a conversation, which is
//! `drive`'s; HTTP, which is `exchange`'s.

mod file;
mod grants;
mod program;

use std::path::Path;
use std::sync::Arc;

use countersign::protocol::{Event, Need};
use countersign::{Error, HttpRequest, HttpResponse};

pub(crate) use self::grants::Grants;
use crate::exchange::Exchange;
use crate::explain::{Exchanged, Record, Stopwatch};

/// Meets the needs of one profile.
pub(crate) struct Needs {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) grants: Grants,
    /// The configuration's folder: what relative paths are relative to.
    pub(crate) folder: Arc<Path>,
    /// Where exchanges are taken down, and as whose, if they are.
    pub(crate) record: Option<(Arc<Record>, Arc<str>)>,
}

impl Needs {
    /// Meets a need; what goes wrong is an event, too.
    pub(crate) async fn meet(&self, need: Need) -> Event {
        self.met(need).await.unwrap_or_else(Event::Failed)
    }

    async fn met(&self, need: Need) -> Result<Event, Error> {
        Ok(match need {
            Need::Http(request) => Event::Http(self.exchanged(request).await?),
            Need::Sleep(duration) => {
                tokio::time::sleep(duration).await;
                Event::Slept
            }
            Need::File(path) => {
                let path = self.folder.join(path);
                self.grants.file(&path)?;
                Event::File(blocking(move || file::read(&path)).await?)
            }
            Need::Variable(name) => {
                self.grants.variable(&name)?;
                Event::Variable(variable(&name)?)
            }
            Need::Run(run) => {
                self.grants.program()?;
                let folder = Arc::clone(&self.folder);
                Event::Ran(blocking(move || program::run(&run, &folder)).await?)
            }
            _ => return Err(Error::unsupported("this host does not know what the profile needs; update it")),
        })
    }

    async fn exchanged(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let Some((record, profile)) = &self.record else { return self.exchange.send(request).await };
        let stopwatch = Stopwatch::start();
        let outcome = self.exchange.send_or_trouble(request.clone()).await;
        let answer = match &outcome {
            Ok(answer) => Ok(answer.clone()),
            Err((error, _)) => Err(error.clone()),
        };
        record.exchanged(Exchanged {
            profile: Arc::clone(profile),
            request,
            at: stopwatch.at,
            took: stopwatch.took(),
            outcome,
        });
        answer
    }
}

/// Files and programs may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::unavailable("the host is shutting down")))
}

fn variable(name: &str) -> Result<Option<countersign::Secret>, Error> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value.into())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::config(format!("the environment variable {name} is not UTF-8")))
        }
    }
}
