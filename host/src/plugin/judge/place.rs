//! Where a plugin file lies, whose it is, and its bytes, read once from the very file that was looked at.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::plugin::refusal::Reason;

/// The largest plugin file, in bytes.
pub(super) const MAX_SIZE: u64 = 64 << 20;

/// A FIFO without a writer must not hold us up.
const READ_ONLY: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// An open plugins folder.
#[derive(Debug)]
pub(in crate::plugin) struct Place {
    path: PathBuf,
    folder: OwnedFd,
}

impl Place {
    /// Opens a folder whose owner is trusted and into which nobody else can write.
    pub(in crate::plugin) fn open(path: &Path) -> Result<Self, Reason> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT => "does not exist; make the folder, or take `plugins.dir` out".into(),
            Errno::NOTDIR => "is not a folder".into(),
            errno => cannot("be opened", errno),
        })?;
        let stat = fs::fstat(&folder).map_err(|errno| cannot("be looked at", errno))?;
        trusted(&stat, rustix::process::geteuid().as_raw())?;
        Ok(Self { path: path.to_owned(), folder })
    }

    /// The names of the files in it, sorted; whatever is no UTF-8 included.
    pub(in crate::plugin) fn names(&self) -> Result<Vec<std::ffi::OsString>, Reason> {
        use std::os::unix::ffi::OsStrExt;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.folder).map_err(|errno| cannot("be listed", errno))? {
            let entry = entry.map_err(|errno| cannot("be listed", errno))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The path of a file in it, for messages.
    pub(in crate::plugin) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Whether a file in it is an ordinary one that somebody may execute.
    pub(in crate::plugin) fn is_executable(&self, name: &OsStr) -> bool {
        let stat = self.open_beneath(name).and_then(|file| ordinary(&file));
        stat.is_ok_and(|stat| stat.st_mode & 0o111 != 0)
    }

    /// Whether a file in it is an ordinary one that begins as scripts do.
    pub(in crate::plugin) fn is_script(&self, name: &OsStr) -> bool {
        let mut beginning = [0; 2];
        let read = self.open_beneath(name).and_then(|file| {
            ordinary(&file)?;
            rustix::io::read(&file, &mut beginning).map_err(|errno| cannot("be read", errno))
        });
        read.is_ok() && beginning == *b"#!"
    }

    /// Reads a file that lies in the folder (a link must not lead out of it), is an ordinary file, belongs to a
    /// trusted owner, and cannot be written by anybody else.
    pub(super) fn read(&self, name: &OsStr) -> Result<Vec<u8>, Reason> {
        read_judged(self.open_beneath(name)?, MAX_SIZE)
    }

    /// As [`read`](Place::read), for a small file beside a plugin; `None` if there is none.
    pub(in crate::plugin) fn read_beside(&self, name: &OsStr, most: u64) -> Result<Option<Vec<u8>>, Reason> {
        match self.try_open_beneath(name) {
            Err(Errno::NOENT) => Ok(None),
            opened => read_judged(opened.map_err(cannot_open)?, most).map(Some),
        }
    }

    fn open_beneath(&self, name: &OsStr) -> Result<OwnedFd, Reason> {
        self.try_open_beneath(name).map_err(cannot_open)
    }

    fn try_open_beneath(&self, name: &OsStr) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&self.folder, name, READ_ONLY, Mode::empty(), resolve) {
            // A kernel before 5.6, or a sandbox that does not know the call: no links at all, then.
            Err(Errno::NOSYS | Errno::PERM) => {
                fs::openat(&self.folder, name, READ_ONLY | OFlags::NOFOLLOW, Mode::empty())
            }
            opened => opened,
        }
    }
}

fn cannot_open(errno: Errno) -> Reason {
    match errno {
        Errno::XDEV => "is a link that leads out of the plugins folder; copy the file itself there".into(),
        Errno::LOOP => "is a link that cannot be followed; copy the file itself there".into(),
        Errno::NOENT => "is a link to nothing".into(),
        // What open(2) says of a socket.
        Errno::NXIO => "is not an ordinary file".into(),
        errno => cannot("be opened", errno),
    }
}

/// Reads a file that says whom to trust, wherever it lies, if it is an ordinary one, belongs to a trusted owner and cannot be
/// written by anybody else; `None` if there is none.
pub(crate) fn read_trusted(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Reason> {
    match fs::open(path, READ_ONLY, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        opened => read_judged(opened.map_err(|errno| cannot("be opened", errno))?, most).map(Some),
    }
}

/// Reads any ordinary file, wherever it lies and whosever it is.
pub(super) fn read_anywhere(path: &Path) -> Result<Vec<u8>, Reason> {
    let file = fs::open(path, READ_ONLY, Mode::empty()).map_err(|errno| cannot("be opened", errno))?;
    let stat = ordinary(&file)?;
    read_whole(file, &stat, MAX_SIZE)
}

fn read_judged(file: OwnedFd, most: u64) -> Result<Vec<u8>, Reason> {
    let stat = ordinary(&file)?;
    trusted(&stat, rustix::process::geteuid().as_raw())?;
    read_whole(file, &stat, most)
}

fn ordinary(file: impl AsFd) -> Result<Stat, Reason> {
    let stat = fs::fstat(file).map_err(|errno| cannot("be looked at", errno))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(stat),
        FileType::Directory => Err("is a folder; a plugin is a single file".into()),
        _ => Err("is not an ordinary file".into()),
    }
}

/// Whoever may write a plugin, or what says which to trust, is as mighty as the host itself: only root and the host's own user may.
fn trusted(stat: &Stat, me: u32) -> Result<(), Reason> {
    if stat.st_uid != 0 && stat.st_uid != me {
        let owner = stat.st_uid;
        return Err(format!(
            "belongs to user {owner}, who is neither root nor the host's user ({me}); chown it"
        )
        .into());
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if !is_folder && mode.intersects(Mode::SUID | Mode::SGID) {
        return Err("has the set-user-ID or set-group-ID bit; chmod ug-s it".into());
    }
    for (bit, who, way_out) in [(Mode::WOTH, "everybody", "o-w"), (Mode::WGRP, "its group", "g-w")] {
        if mode.contains(bit) {
            return Err(format!("can be written by {who}; chmod {way_out} it").into());
        }
    }
    Ok(())
}

fn read_whole(file: OwnedFd, stat: &Stat, most: u64) -> Result<Vec<u8>, Reason> {
    let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if size > most {
        return Err(if most == MAX_SIZE {
            format!("has more than {} MiB; a plugin has less than 1", MAX_SIZE >> 20).into()
        } else {
            format!("has more than {} KiB", most >> 10).into()
        });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    File::from(file)
        .take(size + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Reason::from(format!("cannot be read: {}", error.kind())))?;
    if bytes.len() as u64 != size {
        return Err("changed while it was read; put files in place by renaming them".into());
    }
    Ok(bytes)
}

fn cannot(what: &str, errno: Errno) -> Reason {
    format!("cannot {what}: {}", std::io::Error::from(errno).kind()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_the_hosts_user_are_trusted_and_only_if_nobody_else_can_write() {
        let mut stat = fs::stat("/").unwrap();
        for (owner, mode, verdict) in [
            (0, 0o644, None),
            (7, 0o755, None),
            (8, 0o644, Some("belongs to user 8")),
            (0, 0o646, Some("written by everybody")),
            (7, 0o664, Some("written by its group")),
            (7, 0o1777, Some("written by everybody")),
        ] {
            (stat.st_uid, stat.st_mode) = (owner, mode);
            let reason = trusted(&stat, 7).err();
            assert_eq!(reason.is_some(), verdict.is_some(), "{owner} {mode:o}");
            assert!(reason.unwrap_or_default().contains(verdict.unwrap_or_default()));
        }
    }
}
