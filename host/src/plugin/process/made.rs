use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What a process has been told of: instances and signers by the host's key, and the numbers that they have there.
#[derive(Default)]
pub(super) struct Made(Mutex<HashMap<u64, Arc<OnceCell<u64>>>>);

impl Made {
    /// The number of what has that key; it is made if it is not there, and whoever comes meanwhile waits. What failed is
    /// tried again.
    pub(super) async fn once<E>(
        &self,
        key: u64,
        make: impl Future<Output = Result<u64, E>>,
    ) -> Result<u64, E> {
        let cell = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        match cell.get() {
            Some(number) => Ok(*number),
            None => cell.get_or_try_init(|| make).await.copied(),
        }
    }

    /// Forgets it; returns its number, if it was made.
    pub(super) fn forget(&self, key: u64) -> Option<u64> {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        cell.and_then(|cell| cell.get().copied())
    }
}
