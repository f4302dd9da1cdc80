use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use crate::config::{ProfileConfig, Sources, Watched};
use crate::connector::BoundProfile;
use crate::host::Maker;
use crate::registry::Registry;
use crate::setup::make;

/// How often the files behind settings are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// A profile whose settings come from files.
pub(crate) struct WatchedProfile {
    pub(crate) profile: Arc<BoundProfile>,
    pub(crate) config: ProfileConfig,
    pub(crate) files: Vec<Watched>,
}

/// A thread that looks at files and re-makes the profiles whose settings came from them; it ends with its value.
///
/// It looks instead of listening: that notices a Kubernetes secret's swapped link and a file on a network, too.
pub(crate) struct Watch {
    /// Hung up to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to look; `None` when there is nothing to look at.
    pub(crate) fn start(
        mut profiles: Vec<WatchedProfile>,
        registry: Arc<Registry>,
        maker: Maker,
    ) -> Option<Self> {
        if profiles.is_empty() {
            return None;
        }
        let (stop, stopped) = mpsc::channel();
        let look = move || {
            let sources = Sources::system();
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                for profile in &mut profiles {
                    profile.look(&registry, &maker, &sources);
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

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl WatchedProfile {
    fn look(&mut self, registry: &Registry, maker: &Maker, sources: &Sources) {
        if !self.files.iter().any(Watched::changed) {
            return;
        }
        // As they are before they are read: what changes from here on is seen the next time.
        let before = self.files.iter().map(|file| Watched::now(file.path())).collect();
        let name = &*self.profile.name;
        match make(registry, &self.config, sources) {
            Ok((instance, files, _)) => {
                self.profile.replace(maker.settings(&self.config, instance));
                self.files = files;
                info!(profile = name, "a file behind its settings has changed; the profile was made anew");
            }
            Err(findings) => {
                // Half-written, or wrong: the profile goes on as it is, and whatever comes next is tried again.
                warn!(
                    profile = name,
                    "a file behind its settings has changed, but it cannot be used: {findings}"
                );
                self.files = before;
            }
        }
    }
}
