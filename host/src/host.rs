use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use countersign::ErrorKind;
use tokio::runtime::Handle;

use crate::Error;
use crate::acquire::Acquire;
use crate::cache::{
    Clock, Environment, FileStore, Jitter, MemoryStore, ProfileCache, Settings, Store, Ticker,
};
use crate::config::{Finding, Findings, ProfileConfig};
use crate::connector::{BoundProfile, Connector, Transports};
use crate::drive::LocalProfile;
use crate::exchange::{Exchange, ExchangeLimits};
use crate::registry::Registry;
use crate::setup::{ReadyProfile, Setup};
use crate::transport::{Options, Transport};
use crate::watch::{Watch, WatchedProfile};

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
    connectors: HashMap<String, Arc<Connector>>,
    registry: Arc<Registry>,
    warnings: Findings,
    /// They run as long as they are held.
    _ticker: Ticker,
    _watch: Option<Watch>,
}

impl Host {
    /// Reads a configuration file and starts what it says. Credentials are obtained when the first call needs them.
    ///
    /// It has to be called within a Tokio runtime, on which renewals then run.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, in one go.
    pub async fn start(path: &Path) -> Result<Self, Findings> {
        let (path, runtime) = (path.to_owned(), Handle::current());
        // Sources are files and programs: they may block.
        let started =
            tokio::task::spawn_blocking(move || Self::of(Setup::read(&path)?, &path, runtime)).await;
        started.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn of(setup: Setup, path: &Path, runtime: Handle) -> Result<Self, Findings> {
        countersign::silence_profile_panics();
        let about = |message: String| Findings::from(Finding::about(path, message));
        let clock = Clock::system();
        let ticker = Ticker::start(&clock).map_err(|error| about(error.to_string()))?;
        let store: Arc<dyn Store> = match &setup.store.dir {
            Some(dir) => Arc::new(
                FileStore::open(dir, runtime.clone()).map_err(|error| about(format!("[store] {error}")))?,
            ),
            None => Arc::new(MemoryStore::default()),
        };
        let environment = Environment { clock: clock.clone(), store, jitter: Jitter::random(), runtime };
        let roots = setup.http.ca_file.as_deref().map(|file| read_roots(path, file)).transpose()?;
        let options = Options { roots: roots.as_deref(), proxy: setup.http.proxy.as_ref(), identity: None };
        let transport = Transport::new(options).map_err(|error| about(format!("[http] {error}")))?;
        let limits = ExchangeLimits {
            deadline: setup.http.timeout,
            body: setup.http.max_body,
            ..ExchangeLimits::default()
        };
        let maker = Maker { exchange: Arc::new(Exchange::new(transport, limits)), clock: clock.clone() };

        let plain = Transport::new(Options::default()).map_err(|error| about(error.to_string()))?;
        let mut profiles = HashMap::with_capacity(setup.profiles.len());
        let mut watched = Vec::new();
        for ReadyProfile { config, instance, watched: files } in setup.profiles {
            let settings = maker.settings(&config, instance);
            let name: Arc<str> = config.name.as_str().into();
            let reads_body = settings.acquire.inputs().reads_body();
            let cache = ProfileCache::new(Arc::clone(&name), settings, environment.clone());
            let profile = Arc::new(BoundProfile::new(Arc::clone(&name), cache, reads_body));
            if !files.is_empty() {
                watched.push(WatchedProfile { profile: Arc::clone(&profile), config, files });
            }
            profiles.insert(name, profile);
        }
        let mut authorities: HashMap<PathBuf, (Transport, Arc<[u8]>)> = HashMap::new();
        let mut connectors = HashMap::with_capacity(setup.connectors.len());
        for config in setup.connectors {
            let (plain, roots) = match &config.ca_file {
                None => (plain.clone(), None),
                Some(file) => {
                    let (transport, roots) = match authorities.get(file) {
                        Some(known) => known.clone(),
                        None => {
                            let roots = read_roots(path, file)?;
                            let transport =
                                Transport::new(Options { roots: Some(&roots), ..Options::default() })
                                    .map_err(|error| {
                                        Findings::from(config.site.finding_at("ca_file", error.message()))
                                    })?;
                            authorities.entry(file.clone()).or_insert((transport, roots)).clone()
                        }
                    };
                    (transport, Some(roots))
                }
            };
            let transports = Transports { plain, roots, with_certificate: Mutex::default() };
            let used =
                config.profiles.iter().filter_map(|name| profiles.get(name.as_str()).cloned()).collect();
            let connector = Connector::new(
                config.name.clone(),
                config.base_url,
                used,
                config.rejection,
                config.timeout,
                clock.clone(),
                transports,
            );
            connectors.insert(config.name, Arc::new(connector));
        }
        let watch = Watch::start(watched, Arc::clone(&setup.registry), maker);
        Ok(Self(Arc::new(Running {
            connectors,
            registry: setup.registry,
            warnings: setup.warnings,
            _ticker: ticker,
            _watch: watch,
        })))
    }

    /// A connector.
    ///
    /// # Errors
    /// When the configuration has none of that name.
    pub fn connector(&self, name: &str) -> Result<Arc<Connector>, Error> {
        self.0.connectors.get(name).cloned().ok_or_else(|| {
            let mut known: Vec<&str> = self.0.connectors.keys().map(String::as_str).collect();
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
        let mut names: Vec<&str> = self.0.connectors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
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

/// Makes what the cache asks for credentials.
#[derive(Debug, Clone)]
pub(crate) struct Maker {
    exchange: Arc<Exchange>,
    clock: Clock,
}

impl Maker {
    pub(crate) fn settings(
        &self,
        config: &ProfileConfig,
        instance: Box<dyn countersign::Profile>,
    ) -> Settings {
        let acquire: Arc<dyn Acquire> = Arc::new(LocalProfile::new(
            config.name.as_str().into(),
            Arc::clone(&config.type_name),
            instance,
            Arc::clone(&self.exchange),
            self.clock.clone(),
        ));
        // The settings as they are written: what a source holds may be rotated, what the file names is another account.
        let store_as = format!("{} {}", config.name, config.settings.fingerprint());
        Settings { acquire, default_lifetime: config.default_lifetime, store_as }
    }
}

fn read_roots(config: &Path, file: &Path) -> Result<Arc<[u8]>, Findings> {
    fs::read(file).map(Arc::from).map_err(|error| {
        Findings::from(Finding::about(config, format!("cannot read {}: {error}", file.display())))
    })
}
