use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::config::Watched;

/// How long a configuration that could not be used is left alone, in milliseconds.
const RETRY_MS: u64 = 10_000;

/// The configuration's files (it, and what it reads of plugins): whether it is time to read it again.
pub(super) struct ConfigFile(Mutex<Tried>);

struct Tried {
    /// The files as they were when they were read last.
    seen: Vec<Watched>,
    /// Since when what was read then could not be used.
    failed: Option<u64>,
}

impl ConfigFile {
    /// One that was read and is in use.
    pub(super) const fn used(seen: Vec<Watched>) -> Self {
        Self(Mutex::new(Tried { seen, failed: None }))
    }

    /// It was read again, and cannot be used.
    pub(super) fn failed(&self, seen: Vec<Watched>, now: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Tried { seen, failed: Some(now) };
    }

    /// The files as they are now, if that is the configuration's.
    pub(super) fn now(&self, config: &Path) -> Vec<Watched> {
        let tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paths: Vec<&Path> =
            tried.seen.iter().map(Watched::path).filter(|path| *path != config).collect();
        paths.push(config);
        paths.into_iter().map(Watched::now).collect()
    }

    /// Whether it has changed since it was read last; or it could not be used then, which may have been for something
    /// that is mended outside of it: a key that was not there yet.
    pub(super) fn is_due(&self, now: u64) -> bool {
        let tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.failed.is_some_and(|since| now.saturating_sub(since) >= RETRY_MS)
            || tried.seen.iter().any(Watched::changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_when_it_has_changed_and_when_it_failed_a_while_ago() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "a").unwrap();
        let file = ConfigFile::used(vec![Watched::now(&path)]);
        assert!(!file.is_due(u64::MAX));
        std::fs::write(&path, "ab").unwrap();
        assert!(file.is_due(0));
        file.failed(file.now(&path), 5);
        assert!(!file.is_due(5) && !file.is_due(5 + RETRY_MS - 1));
        assert!(file.is_due(5 + RETRY_MS));
        std::fs::remove_file(&path).unwrap();
        assert!(file.is_due(5));
    }
}
