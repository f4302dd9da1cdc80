use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use countersign::{Error, Secret};

use super::key::Key;
use crate::acquire::BoxFuture;

/// Keeps renewal state (refresh tokens) between conversations.
pub trait Store: Send + Sync + 'static {
    /// The state saved last.
    ///
    /// # Errors
    /// When it cannot be known whether there is any: the acquire fails.
    fn load(&self, id: StateId) -> BoxFuture<'_, Result<Option<Secret>, Error>>;

    /// Saves a state in place of the one before. When it returns, the state is as durable as this store makes it.
    ///
    /// # Errors
    /// The state is not safe: the credential that came with it is not used.
    fn save(&self, id: StateId, state: Secret) -> BoxFuture<'_, Result<(), Error>>;
}

/// What a state is stored under: a digest, for the inputs that it is made from may name persons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateId(String);

impl StateId {
    pub(crate) fn new(store_as: &str, key: &Key) -> Self {
        let digest = digest::digest(&digest::SHA256, format!("{store_as:?} {}", key.canonical()).as_bytes());
        Self(hex(digest.as_ref()))
    }

    /// 64 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Keeps states as long as the process lives.
#[derive(Default)]
pub struct MemoryStore(Mutex<HashMap<StateId, Secret>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn load(&self, id: StateId) -> BoxFuture<'_, Result<Option<Secret>, Error>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        Box::pin(std::future::ready(Ok(state)))
    }

    fn save(&self, id: StateId, state: Secret) -> BoxFuture<'_, Result<(), Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, state);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
