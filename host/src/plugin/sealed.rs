//! Judged bytes in a file in memory that nobody can change or cut off: what runs is what was judged.

use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

use super::refusal::Reason;

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// They are mapped into a process.
    Library,
    /// A process executes them.
    Program,
}

/// A sealed file in memory with these bytes.
pub(super) fn sealed(bytes: &[u8], what_for: Use) -> Result<OwnedFd, Reason> {
    seal(bytes, what_for).map_err(|errno| match (errno, what_for) {
        (Errno::ACCESS, Use::Program) => {
            "cannot be executed from memory: the sysctl `vm.memfd_noexec` forbids it; set it to 0 or 1".into()
        }
        _ => format!("cannot be copied into memory: {}", std::io::Error::from(errno).kind()).into(),
    })
}

fn seal(bytes: &[u8], what_for: Use) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let executable = match what_for {
        Use::Library => MemfdFlags::NOEXEC_SEAL,
        Use::Program => MemfdFlags::EXEC,
    };
    let name = "countersign-plugin";
    let file = match rustix::fs::memfd_create(name, flags | executable) {
        // A kernel before 6.3.
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        created => created?,
    };
    let mut file = std::fs::File::from(file);
    file.write_all(bytes).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_judged_cannot_be_changed_before_it_runs() {
        for what_for in [Use::Library, Use::Program] {
            let file = std::fs::File::from(sealed(b"judged", what_for).unwrap());
            assert!((&file).write_all(b"more").is_err());
            assert!(rustix::io::pwrite(&file, b"J", 0).is_err());
            assert!(file.set_len(0).is_err() && file.set_len(100).is_err());
            assert!(
                rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE).is_err(),
                "the seals are sealed too"
            );
        }
    }
}
