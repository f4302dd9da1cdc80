use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::supervisor::Supervisor;
use crate::plugin::judge::Judged;
use crate::plugin::settings::PluginSettings;

/// The plugins that have a process: one that is loaded again as it was keeps it, and its health with it.
#[derive(Default)]
pub(in crate::plugin) struct Kept(Mutex<Vec<One>>);

struct One {
    file: PathBuf,
    sha256: [u8; 32],
    settings: PluginSettings,
    supervisor: Weak<Supervisor>,
}

impl Kept {
    /// The plugin of that file, with those bytes, whose process may do the same.
    pub(super) fn find(&self, judged: &Judged, settings: &PluginSettings) -> Option<Arc<Supervisor>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.supervisor.strong_count() > 0);
        let found = kept.iter().find(|one| {
            one.file == judged.file.path()
                && one.sha256 == *judged.file.sha256()
                && process_is_same(&one.settings, settings)
        });
        found.and_then(|one| one.supervisor.upgrade())
    }

    pub(super) fn keep(&self, judged: &Judged, settings: &PluginSettings, supervisor: &Arc<Supervisor>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(One {
            file: judged.file.path().to_owned(),
            sha256: *judged.file.sha256(),
            settings: settings.clone(),
            supervisor: Arc::downgrade(supervisor),
        });
    }
}

fn process_is_same(one: &PluginSettings, other: &PluginSettings) -> bool {
    let relevant =
        |it: &PluginSettings| (it.isolation, it.memory, it.allow.clone(), it.allow_libraries.clone());
    relevant(one) == relevant(other)
}
