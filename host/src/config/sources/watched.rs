use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file as it was when it was read, to notice that it changed.
///
/// Links are followed, so that a Kubernetes secret, whose folder is swapped behind a link, is noticed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    path: PathBuf,
    /// `None` while there is no such file, or none that can be looked at.
    fingerprint: Option<Fingerprint>,
}

/// What changes when a file does: identity, size, and times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// A file as it is now; that it is not there is a state, too, which changes when it comes.
    pub fn now(path: &Path) -> Self {
        let fingerprint = std::fs::metadata(path).ok().map(|metadata| Fingerprint::of(&metadata));
        Self { path: path.to_owned(), fingerprint }
    }

    pub(super) fn of(path: &Path, metadata: &Metadata) -> Self {
        Self { path: path.to_owned(), fingerprint: Some(Fingerprint::of(metadata)) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is another than it was, or gone, or back. One call to the system.
    pub fn changed(&self) -> bool {
        Self::now(&self.path) != *self
    }
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "a").unwrap();
        let watched = Watched::now(&path);
        assert!(!watched.changed());

        fs::write(&path, "bc").unwrap();
        assert!(watched.changed());

        let watched = Watched::now(&path);
        let other = folder.path().join("other");
        fs::write(&other, "de").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(watched.changed());

        let watched = Watched::now(&path);
        fs::remove_file(&path).unwrap();
        assert!(watched.changed());
    }

    #[test]
    fn a_file_that_was_gone_and_is_back_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let gone = Watched::now(&path);
        assert!(!gone.changed());
        fs::write(&path, "a").unwrap();
        assert!(gone.changed());
    }

    #[test]
    fn a_file_that_is_written_anew_at_the_same_length_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "one").unwrap();
        fs::File::options().append(true).open(&path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        let watched = Watched::now(&path);
        fs::write(&path, "two").unwrap();
        assert!(watched.changed());
    }

    #[test]
    fn a_swapped_link_on_the_way_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("key"), "same").unwrap();
        }
        symlink("v1", at("current")).unwrap();
        symlink("current/key", at("key")).unwrap();
        let watched = Watched::now(&at("key"));
        assert!(!watched.changed());
        symlink("v2", at("next")).unwrap();
        fs::rename(at("next"), at("current")).unwrap();
        assert!(watched.changed());
    }
}
