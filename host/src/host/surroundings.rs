use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::ground::Ground;
use crate::acquire::Acquire;
use crate::cache::{Environment, FileStore, MemoryStore, Settings, Store};
use crate::config::{Finding, Findings, HttpConfig, ProfileConfig, StoreConfig};
use crate::drive::Driven;
use crate::endpoint::Endpoints;
use crate::exchange::{Exchange, ExchangeLimits};
use crate::explain::Record;
use crate::needs::{Grants, Needs};
use crate::transport::{Options, Transport, Transports};

/// What all profiles of a configuration share: `[http]` and `[store]`. Makes what the cache asks for credentials.
pub(crate) struct Surroundings {
    http: HttpConfig,
    /// What `ca_file` held.
    roots: Option<Arc<[u8]>>,
    exchange: Arc<Exchange>,
    /// Where the configuration lies.
    folder: Arc<Path>,
    store: StoreConfig,
    /// Where the exchanges of profiles are taken down, if they are.
    record: Option<Arc<Record>>,
    pub(super) environment: Arc<Environment>,
}

impl Surroundings {
    /// Those that the tables ask for; the ones before, wholly or in part, where they ask for the same.
    pub(super) fn of(
        http: HttpConfig,
        store: StoreConfig,
        config: &Path,
        ground: &Ground,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Findings> {
        let roots = http.ca_file.as_deref().map(|file| read_roots(config, file)).transpose()?;
        let same_http = before.filter(|before| before.http == http && before.roots == roots);
        let same_store = before.filter(|before| before.store == store);
        if let (Some(before), Some(_)) = (same_http, same_store) {
            return Ok(Arc::clone(before));
        }
        let exchange = match same_http {
            Some(before) => Arc::clone(&before.exchange),
            None => exchange(&http, roots.clone(), config)?,
        };
        let environment = match same_store {
            Some(before) => Arc::clone(&before.environment),
            None => Arc::new(Environment {
                clock: ground.clock.clone(),
                store: open(&store, config, ground)?,
                jitter: ground.jitter.clone(),
                runtime: ground.runtime.clone(),
            }),
        };
        let folder = config.parent().unwrap_or(Path::new("")).into();
        let record = ground.record.clone();
        Ok(Arc::new(Self { http, roots, exchange, folder, store, record, environment }))
    }

    /// The exchanges of profiles.
    pub(super) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// What the cache needs of a profile.
    pub(crate) fn settings(
        &self,
        config: &ProfileConfig,
        instance: Box<dyn crate::instance::Instance>,
        grants: Grants,
    ) -> Settings {
        let record = self.record.clone().map(|record| (record, Arc::clone(&config.name)));
        let needs =
            Needs { exchange: Arc::clone(&self.exchange), grants, folder: Arc::clone(&self.folder), record };
        let acquire: Arc<dyn Acquire> = Arc::new(Driven::new(
            Arc::clone(&config.name),
            Arc::clone(&config.type_name),
            instance,
            needs,
            Endpoints::written_in(&config.settings),
            self.environment.clock.clone(),
        ));
        // The settings as they are written: what a source holds may be rotated, what the file names is another account.
        let store_as = format!("{} {}", config.name, config.settings.fingerprint());
        Settings { acquire, default_lifetime: config.default_lifetime, store_as }
    }
}

fn exchange(http: &HttpConfig, roots: Option<Arc<[u8]>>, config: &Path) -> Result<Arc<Exchange>, Findings> {
    let options = Options { roots: roots.as_deref(), proxy: http.proxy.as_ref(), identity: None };
    let transport =
        Transport::new(options).map_err(|error| Finding::about(config, format!("[http] {error}")))?;
    let limits = ExchangeLimits { deadline: http.timeout, body: http.max_body, ..ExchangeLimits::default() };
    Ok(Arc::new(Exchange::new(Transports::new(transport, roots, http.proxy.clone().map(Arc::new)), limits)))
}

fn open(store: &StoreConfig, config: &Path, ground: &Ground) -> Result<Arc<dyn Store>, Findings> {
    let Some(dir) = &store.dir else { return Ok(Arc::new(MemoryStore::default())) };
    let store = FileStore::open(dir, ground.runtime.clone())
        .map_err(|error| Finding::about(config, format!("[store] {error}")))?;
    Ok(Arc::new(store))
}

/// The certificate authorities of a `ca_file`.
pub(super) fn read_roots(config: &Path, file: &Path) -> Result<Arc<[u8]>, Findings> {
    fs::read(file).map(Arc::from).map_err(|error| {
        Findings::from(Finding::about(config, format!("cannot read {}: {error}", file.display())))
    })
}
