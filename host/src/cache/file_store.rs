use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use countersign::{Error, Secret};
use tokio::runtime::Handle;

use super::store::{StateId, Store, hex};
use crate::acquire::BoxFuture;

/// Keeps each state in a file of its own, in a directory that only this user can enter.
///
/// A file holds one line, `countersign-state 1 SHA-256`, and then the state. It is written beside, synced and renamed,
/// so that after a crash there is the state before or the state after.
#[derive(Debug)]
pub struct FileStore {
    folder: Arc<Folder>,
    /// Where files are read and written.
    runtime: Handle,
}

impl FileStore {
    /// Opens the directory; makes it, with mode 0700, if there is none.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when it cannot be made or others than this user can enter it.
    pub fn open(path: impl Into<PathBuf>, runtime: Handle) -> Result<Self, Error> {
        let path = path.into();
        let wrong = |what: &str| Error::config(format!("the state directory {} {what}", path.display()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| wrong(&format!("cannot be made: {error}")))?;
        let found = fs::metadata(&path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(wrong("belongs to another user"));
        }
        if is_open(&found) {
            return Err(wrong(OPEN));
        }
        Ok(Self { folder: Arc::new(Folder { path, writing: Mutex::new(()) }), runtime })
    }

    /// What is wrong with a directory that is there already, whoever is to open it.
    pub(crate) fn fault(path: &Path) -> Option<&'static str> {
        fs::metadata(path).is_ok_and(|found| is_open(&found)).then_some(OPEN)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = Arc::clone(&self.folder);
        let worker = self.runtime.spawn_blocking(move || work(&folder));
        worker.await.unwrap_or_else(|_| Err(Error::unavailable("the host is shutting down")))
    }
}

const OPEN: &str = "is open to others; run `chmod 0700` on it";

fn is_open(found: &fs::Metadata) -> bool {
    found.mode() & 0o077 != 0
}

impl Store for FileStore {
    fn load(&self, id: StateId) -> BoxFuture<'_, Result<Option<Secret>, Error>> {
        Box::pin(self.run(move |folder| folder.read(&id)))
    }

    fn save(&self, id: StateId, state: Secret) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.run(move |folder| folder.write(&id, &state)))
    }
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    writing: Mutex<()>,
}

const MAGIC: &str = "countersign-state 1 ";

impl Folder {
    fn read(&self, id: &StateId) -> Result<Option<Secret>, Error> {
        let path = self.path.join(id.as_str());
        let content = match fs::read(&path) {
            Ok(content) => Secret::new(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let path = path.display();
                return Err(Error::unavailable(format!("the renewal state {path} cannot be read: {error}")));
            }
        };
        let text = std::str::from_utf8(content.expose()).unwrap_or_default();
        match text.strip_prefix(MAGIC).and_then(|rest| rest.split_once('\n')) {
            Some((sum, state)) if sum == sha256(state) => Ok(Some(state.into())),
            _ => {
                let path = path.display();
                tracing::warn!(%path, "the renewal state is damaged and ignored; a new login may be needed");
                Ok(None)
            }
        }
    }

    fn write(&self, id: &StateId, state: &Secret) -> Result<(), Error> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.join(id.as_str());
        let beside = self.path.join(format!("{}.{}.tmp", id.as_str(), std::process::id()));
        let written = write_synced(&beside, state)
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| File::open(&self.path)?.sync_all());
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            Error::unavailable(format!(
                "the renewal state could not be written to {}, so the new credential is not used: {error}; \
                 see that the directory is writable and the disk has room",
                self.path.display()
            ))
        })
    }
}

fn write_synced(path: &Path, state: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    write!(file, "{MAGIC}{}\n{}", sha256(state.expose()), state.expose())?;
    file.sync_all()
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cache::key::Key;

    fn id() -> StateId {
        StateId::new("crm", &Key::sole())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn what_was_saved_last_is_loaded_by_the_next_process() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/state");
        let store = FileStore::open(&path, Handle::current()).unwrap();
        assert!(store.load(id()).await.unwrap().is_none());
        store.save(id(), "first".into()).await.unwrap();
        store.save(id(), "second\nline".into()).await.unwrap();
        let again = FileStore::open(&path, Handle::current()).unwrap();
        assert_eq!(again.load(id()).await.unwrap().unwrap().expose(), "second\nline");

        let files: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files, [path.join(id().as_str())], "nothing is left beside");
        assert_eq!((mode(&path), mode(&files[0])), (0o700, 0o600));
    }

    #[tokio::test]
    async fn a_damaged_state_is_ignored() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        let store = FileStore::open(&path, Handle::current()).unwrap();
        store.save(id(), "token".into()).await.unwrap();
        let file = path.join(id().as_str());
        let whole = fs::read(&file).unwrap();
        for cut in [0, 10, whole.len() - 1] {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(store.load(id()).await.unwrap().is_none(), "{cut}");
        }
        fs::write(&file, [0xff; 100]).unwrap();
        assert!(store.load(id()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_directory_open_to_others_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for open in [0o755, 0o710, 0o701] {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(open)).unwrap();
            let error = FileStore::open(home.path(), Handle::current()).unwrap_err();
            assert!(error.message().contains("chmod 0700"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_state_that_cannot_be_written_is_an_error_without_the_state() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        let store = FileStore::open(&path, Handle::current()).unwrap();
        fs::remove_dir(&path).unwrap();
        let error = store.save(id(), "canary".into()).await.unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn ids_tell_profiles_apart_and_nobody_by_name() {
        let other = StateId::new("orders", &Key::sole());
        assert_ne!(id(), other);
        assert_eq!(id().as_str().len(), 64);
    }
}
