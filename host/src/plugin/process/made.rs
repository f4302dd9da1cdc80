use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What a process has been told of: instances and signers by number, each made once.
#[derive(Default)]
pub(super) struct Made(Mutex<HashMap<u64, Arc<OnceCell<()>>>>);

impl Made {
    /// Makes what has that number, unless that was done; whoever comes meanwhile waits. What failed is tried again.
    pub(super) async fn once<E>(
        &self,
        number: u64,
        make: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let cell =
            Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default());
        if cell.initialized() { Ok(()) } else { cell.get_or_try_init(|| make).await.copied() }
    }

    /// Forgets it; returns whether it may have been made.
    pub(super) fn forget(&self, number: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number).is_some()
    }
}
