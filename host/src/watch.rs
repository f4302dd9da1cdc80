use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::warn;

use crate::config::Sources;
use crate::host::RunningProfile;

/// How often the files behind settings are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Looks at the files behind settings, for as long as this and the profiles that it was given are there; in a thread
/// that is started for the first of them.
///
/// It looks instead of listening: that notices a Kubernetes secret's swapped link and a file on a network, too.
#[derive(Default)]
pub(crate) struct Watch {
    profiles: Arc<Mutex<Vec<Weak<RunningProfile>>>>,
    thread: Mutex<Option<Looking>>,
}

/// The thread; it ends with its value.
struct Looking {
    /// Hung up to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks at these from now on, too.
    pub(crate) fn add<'p>(&self, profiles: impl Iterator<Item = &'p Arc<RunningProfile>>) {
        let mut known = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(profiles.map(Arc::downgrade));
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_empty() && thread.is_none() {
            *thread = Looking::start(Arc::clone(&self.profiles));
        }
    }
}

#[cfg(test)]
impl Watch {
    /// How many profiles are looked at.
    pub(crate) fn len(&self) -> usize {
        self.profiles.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Looking {
    fn start(profiles: Arc<Mutex<Vec<Weak<RunningProfile>>>>) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let look = move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let sources = Sources::system();
                let known = {
                    let mut known = profiles.lock().unwrap_or_else(PoisonError::into_inner);
                    known.retain(|profile| profile.strong_count() > 0);
                    known.clone()
                };
                // One at a time: making one anew may take long, and those that go meanwhile are not held up.
                for profile in known {
                    if let Some(profile) = profile.upgrade() {
                        profile.look(&sources);
                    }
                }
            }
        };
        match std::thread::Builder::new().name("countersign-watch".into()).spawn(look) {
            Ok(thread) => Some(Self { stop: Some(stop), thread: Some(thread) }),
            Err(error) => {
                warn!(%error, "changes of files will not be noticed: no thread can be started");
                None
            }
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was told where it happened.
            let _ = thread.join();
        }
    }
}
