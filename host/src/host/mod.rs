//! A running configuration, and how another one follows it. Not here: what a configuration says, a credential's life,
//! the authorizing of requests.

mod assembly;
mod file;
mod ground;
mod profile;
mod surroundings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use countersign::ErrorKind;
use tokio::runtime::Handle;
use tokio::task::JoinError;

use self::assembly::assemble;
use self::file::ConfigFile;
use self::ground::Ground;
use self::surroundings::Surroundings;
use crate::Error;
use crate::cache::Status;
use crate::config::{Finding, Findings, ServeConfig};
use crate::connector::Connector;
use crate::exchange::Exchange;
use crate::explain::Record;
use crate::registry::{Home, Registry};
use crate::setup::Setup;

pub(crate) use profile::RunningProfile;

/// A running configuration: its connectors, their credentials, and what keeps both fresh.
///
/// Cloning gives the same host again. When the last one is dropped, everything that it runs ends.
///
/// # Example
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use countersign_host::Host;
///
/// let host = Host::start("countersign.toml".as_ref()).await?;
/// let orders = host.connector("orders")?;
/// let request = http::Request::get("https://orders.example/api/42").body(())?;
/// let (mut parts, ()) = request.into_parts();
/// orders.authorize(&mut parts).await?;
/// // Send it with any client.
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host(Arc<Running>);

struct Running {
    connectors: HashMap<Arc<str>, Arc<Connector>>,
    profiles: BTreeMap<Arc<str>, Arc<RunningProfile>>,
    registry: Arc<Registry>,
    serve: Option<ServeConfig>,
    warnings: Findings,
    file: ConfigFile,
    surroundings: Arc<Surroundings>,
    ground: Arc<Ground>,
}

/// A profile of a running host, and how it is doing.
#[derive(Debug, Clone)]
pub struct ProfileStatus<'h> {
    /// Its name.
    pub name: &'h str,
    /// Its type.
    pub type_name: &'h str,
    /// Where the type's code comes from.
    pub home: Home<'h>,
    /// Its credentials: how many, how old, what happened since the start.
    pub status: Status,
}

impl Host {
    /// Reads a configuration file and starts what it says. Credentials are obtained when the first call needs them.
    ///
    /// It has to be called within a Tokio runtime, on which renewals then run.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, in one go.
    pub async fn start(path: &Path) -> Result<Self, Findings> {
        Self::start_recorded(path, None).await
    }

    /// The same, of which what profiles exchange with their issuers is taken down.
    pub(crate) async fn start_recorded(path: &Path, record: Option<Arc<Record>>) -> Result<Self, Findings> {
        let (file, runtime) = (path.to_owned(), Handle::current());
        // Sources are files and programs: they may block.
        let started = tokio::task::spawn_blocking(move || {
            let setup = Setup::read_with(&file, Arc::default(), record.as_deref())?;
            countersign::silence_profile_panics();
            let ground = Ground::new(runtime, Arc::clone(&setup.shelf), record)
                .map_err(|error| Finding::about(&file, error.to_string()))?;
            assemble(setup, &file, Arc::new(ground), None)
        });
        Ok(Self(Arc::new(finished(started.await, path)?)))
    }

    /// Reads a configuration file anew and starts what it says now: another host, in which everything goes on that did
    /// not change. This one stays as it is, until it is dropped.
    ///
    /// * A profile with the same type, settings, values of its sources, `default_lifetime` and plugin file keeps its
    ///   credentials, unless `[http]` or `[store]` changed. Else it begins anew, and only its counters go on.
    /// * A connector of which nothing changed, nor of its profiles, is the very same [`Arc`].
    /// * A plugin file with the same bytes as one that was ever loaded is not loaded again.
    /// * Renewal state, the clock, and the look at files are shared.
    ///
    /// It may be called on any runtime; what the host runs stays on the one that it was started on.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, in one go. Nothing of this host has changed then.
    pub async fn reload(&self, path: &Path) -> Result<Self, Findings> {
        let (file, before) = (path.to_owned(), Arc::clone(&self.0));
        let reloaded = self.0.ground.runtime.spawn_blocking(move || {
            let seen = before.file.now(&file);
            let ground = &before.ground;
            let assembled = Setup::read_with(&file, Arc::clone(&ground.shelf), ground.record.as_deref())
                .and_then(|setup| assemble(setup, &file, Arc::clone(ground), Some(&before)));
            if assembled.is_err() {
                before.file.failed(seen, ground.clock.tick().effective);
            }
            assembled
        });
        Ok(Self(Arc::new(finished(reloaded.await, path)?)))
    }

    /// Whether it is time to [`reload`](Host::reload): the file, the lock file of the plugins or a file with a key of
    /// theirs is another than when it was read last, or it could not
    /// be used then and ten seconds have passed; what was missing may be there by now. One call to the system.
    pub fn config_changed(&self) -> bool {
        self.0.file.is_due(self.0.ground.clock.tick().effective)
    }

    /// What the file says now was read, and could not be served: it is left alone for a while.
    pub(crate) fn refuse(&self, path: &Path) {
        self.0.file.failed(self.0.file.now(path), self.0.ground.clock.tick().effective);
    }

    /// A connector.
    ///
    /// # Errors
    /// When the configuration has none of that name.
    pub fn connector(&self, name: &str) -> Result<Arc<Connector>, Error> {
        self.0.connectors.get(name).cloned().ok_or_else(|| {
            let mut known: Vec<&str> = self.0.connectors.keys().map(Arc::as_ref).collect();
            known.sort_unstable();
            let hint = match crate::config::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "there are none; add `[connectors.NAME]`".to_owned(),
                None => format!("there are {}", known.join(", ")),
            };
            let message = format!("the configuration has no connector of this name; {hint}");
            Error::of_connector(name, countersign::Error::new(ErrorKind::Config, message))
        })
    }

    /// The connectors' names, sorted.
    pub fn connectors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.connectors.keys().map(Arc::as_ref).collect();
        names.sort_unstable();
        names
    }

    /// The profiles and how they are doing, sorted by name.
    pub fn profiles(&self) -> impl ExactSizeIterator<Item = ProfileStatus<'_>> {
        self.0.profiles.iter().map(|(name, profile)| ProfileStatus {
            name,
            type_name: &profile.type_name,
            // A type that a profile has is there.
            home: self.0.registry.home(&profile.type_name).unwrap_or(Home::BuiltIn),
            status: profile.bound.cache.status(),
        })
    }

    /// What profiles send their requests with, for whoever looks into something on their behalf.
    pub(crate) fn exchange(&self) -> &Exchange {
        self.0.surroundings.exchange()
    }

    /// A profile that runs.
    pub(crate) fn profile(&self, name: &str) -> Option<&RunningProfile> {
        self.0.profiles.get(name).map(Arc::as_ref)
    }

    /// What the proxy is to do; `None` when the configuration has no `[serve]`.
    pub fn serve(&self) -> Option<&ServeConfig> {
        self.0.serve.as_ref()
    }

    /// The profile types.
    pub fn types(&self) -> &Registry {
        &self.0.registry
    }

    /// What works and should be looked at.
    pub fn warnings(&self) -> &Findings {
        &self.0.warnings
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("connectors", &self.connectors()).finish_non_exhaustive()
    }
}

fn finished<T>(outcome: Result<Result<T, Findings>, JoinError>, path: &Path) -> Result<T, Findings> {
    match outcome.map_err(JoinError::try_into_panic) {
        Ok(finished) => finished,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(Finding::about(path, "was not read: the host is shutting down").into()),
    }
}
