use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// The conversations under way. They end when their owner [closes](Tasks::close) this.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<Running>);

#[derive(Default)]
enum Running {
    /// Not one was ever begun.
    #[default]
    None,
    Some(JoinSet<()>),
    Closed,
}

impl Tasks {
    /// Runs a task to its end, whatever becomes of the caller; once closed, drops it.
    pub(crate) fn spawn(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*running, Running::None) {
            *running = Running::Some(JoinSet::new());
        }
        if let Running::Some(running) = &mut *running {
            while running.try_join_next().is_some() {}
            running.spawn_on(task, runtime);
        }
    }

    pub(crate) fn close(&self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::replace(&mut *running, Running::Closed);
        drop(running);
        drop(ended);
    }
}
