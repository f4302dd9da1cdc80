use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::{Caller, Error, Origin};
use http::request::Parts;

use super::BodyBytes;
use crate::cache::{Environment, ProfileCache, Settings, Snapshot};

/// A profile as connectors use it: its credentials, and what signing reads.
pub(crate) struct BoundProfile {
    pub(crate) name: Arc<str>,
    pub(crate) cache: ProfileCache,
    reads_body: AtomicBool,
}

impl BoundProfile {
    pub(crate) fn new(name: Arc<str>, settings: Settings, environment: Arc<Environment>) -> Self {
        let reads_body = settings.acquire.inputs().reads_body();
        let cache = ProfileCache::new(Arc::clone(&name), settings, environment);
        Self { name, cache, reads_body: AtomicBool::new(reads_body) }
    }

    /// The profile that comes after it under its name. It has no credential yet, and counts on.
    pub(crate) fn successor(&self, settings: Settings, environment: Arc<Environment>) -> Self {
        let reads_body = settings.acquire.inputs().reads_body();
        let cache = self.cache.successor(settings, environment);
        Self { name: Arc::clone(&self.name), cache, reads_body: AtomicBool::new(reads_body) }
    }

    /// New settings win at once.
    pub(crate) fn replace(&self, settings: Settings) {
        self.reads_body.store(settings.acquire.inputs().reads_body(), Ordering::Relaxed);
        self.cache.replace(settings);
    }

    /// A usable credential, if need be after waiting for it.
    pub(super) async fn credential(&self, caller: &Caller, target: &Origin) -> Result<Arc<Snapshot>, Error> {
        if let Some(snapshot) = self.cache.try_current(caller, target) {
            return Ok(snapshot);
        }
        self.cache.current(caller, target).await.map_err(|failure| failure.error.clone())
    }

    /// Whether it declared that it reads the body.
    pub(super) fn reads_body(&self) -> bool {
        self.reads_body.load(Ordering::Relaxed)
    }

    /// The body, if the profile declared that it reads it.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when it does and there is none in memory.
    pub(super) fn body_to_sign<'p>(&self, parts: &'p Parts) -> Result<Option<&'p BodyBytes>, Error> {
        if !self.reads_body() {
            return Ok(None);
        }
        let body = parts.extensions.get::<BodyBytes>();
        body.map(Some).ok_or_else(|| {
            Error::unsupported("signs the body, and this request's is not in memory; give it as `BodyBytes`")
        })
    }
}

/// One is equal to itself only: another may have the same settings, but has other credentials.
impl PartialEq for BoundProfile {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
