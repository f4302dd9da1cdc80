use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The conversations under way. They end when their owner [closes](Tasks::close) this.
pub(crate) struct Tasks {
    runtime: Handle,
    /// `None` once closed.
    running: Mutex<Option<JoinSet<()>>>,
}

impl Tasks {
    pub(crate) fn on(runtime: Handle) -> Self {
        Self { runtime, running: Mutex::new(Some(JoinSet::new())) }
    }

    /// Runs a task to its end, whatever becomes of the caller; once closed, drops it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_mut() {
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &self.runtime);
        }
    }

    pub(crate) fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(running);
    }
}
