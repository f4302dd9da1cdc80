use std::ffi::OsString;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use countersign::Error;
use socket2::{Domain, SockAddr, Type};

use super::{BACKLOG, Bound, Socket};

/// A unix socket at a path. What stands there is replaced if it is a socket on which nobody listens.
///
/// It is bound under another name in the same folder and renamed when nobody but its owner can connect, so that the
/// path never leads to a socket with another mode, nor to one that does not listen yet.
pub(super) fn bind(path: &Path) -> Result<Bound, Error> {
    let wrong = |what: &str| Error::config(format!("cannot listen on unix:{}: {what}", path.display()));
    let io_wrong = |error: io::Error| wrong(&error.to_string());
    make_way(path).map_err(|what| wrong(&what))?;
    let aside = aside(path).ok_or_else(|| wrong("the path names no file"))?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).map_err(io_wrong)?;
    let address = SockAddr::unix(&aside).map_err(|_| wrong("the path is longer than a socket's can be"))?;
    socket.bind(&address).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("there is no such folder; make it, for this user alone"),
        io::ErrorKind::PermissionDenied => wrong("this user may not make files in that folder"),
        _ => io_wrong(error),
    })?;
    let mut file = SocketFile::at(aside).map_err(io_wrong)?;
    fs::set_permissions(&file.path, Permissions::from_mode(0o600)).map_err(io_wrong)?;
    socket.listen(BACKLOG).map_err(io_wrong)?;
    socket.set_nonblocking(true).map_err(io_wrong)?;
    fs::rename(&file.path, path).map_err(io_wrong)?;
    file.path = path.to_owned();
    Ok(Bound { socket: Socket::Unix(socket.into()), file: Some(file) })
}

/// Whether the path is free, or can be made so.
fn make_way(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !found.file_type().is_socket() {
        return Err("there is a file that is no socket; move it away, or choose another path".into());
    }
    let probe = || {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A full backlog would have us wait.
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    match probe() {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err("there is a socket of another user".into())
        }
        Ok(()) | Err(_) => Err("address in use: another process listens on it".into()),
    }
}

/// A name in the same folder that nobody else has, no longer than most.
fn aside(path: &Path) -> Option<PathBuf> {
    path.file_name()?;
    let mut name = OsString::from(".");
    name.push((0..6).map(|_| fastrand::lowercase()).collect::<String>());
    Some(path.with_file_name(name))
}

/// A socket's file, removed when this is dropped; but not what somebody else has put in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn at(path: PathBuf) -> io::Result<Self> {
        let id = identity(&fs::symlink_metadata(&path)?);
        Ok(Self { path, id })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.id) {
            // What cannot be removed is found to be stale by the next process.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy.sock");
        (folder, path)
    }

    fn fault(path: &Path) -> String {
        bind(path).unwrap_err().to_string()
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn only_the_owner_can_reach_a_socket_and_it_goes_when_it_is_dropped() {
        let (folder, path) = folder();
        let bound = bind(&path).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(bound.to_string(), format!("unix:{}", path.display()));
        UnixStream::connect(&path).unwrap();
        assert_eq!(names(folder.path()), ["proxy.sock"]);
        drop(bound);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn the_path_never_leads_to_a_socket_that_others_can_reach() {
        let (folder, path) = folder();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut seen = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let Ok(found) = fs::symlink_metadata(&path) else { continue };
                    assert_eq!(found.mode() & 0o077, 0, "{:o}", found.mode());
                    seen += 1;
                }
                seen
            });
            for _ in 0..300 {
                drop(bind(&path).unwrap());
            }
            // At least this one is seen.
            let _bound = bind(&path).unwrap();
            std::thread::yield_now();
            while fs::symlink_metadata(folder.path().join("proxy.sock")).is_err() {}
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            watcher.join().unwrap();
        });
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let (_folder, path) = folder();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _bound = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_socket_on_which_somebody_listens_is_left_alone() {
        let (folder, path) = folder();
        let bound = bind(&path).unwrap();
        assert!(fault(&path).ends_with("address in use: another process listens on it"));
        UnixStream::connect(&path).unwrap();
        assert_eq!(names(folder.path()), ["proxy.sock"]);
        drop(bound);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let (_folder, path) = folder();
        fs::write(&path, "precious").unwrap();
        assert!(fault(&path).contains("a file that is no socket"), "{}", fault(&path));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn what_another_process_put_in_its_place_is_not_removed() {
        let (_folder, path) = folder();
        let bound = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(bound);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_to_be_missing() {
        let (folder, _) = folder();
        assert!(fault(&folder.path().join("none/proxy.sock")).contains("there is no such folder"));
    }

    #[test]
    fn a_path_that_is_too_long_is_said_to_be_so() {
        let (folder, _) = folder();
        let deep = folder.path().join("x".repeat(120));
        fs::create_dir(&deep).unwrap();
        assert!(fault(&deep.join("proxy.sock")).contains("longer than a socket's can be"));
    }
}
