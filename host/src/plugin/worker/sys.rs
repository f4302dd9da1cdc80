//! The system calls of the sandbox that nobody wraps: the one place of the worker with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The version of Landlock's interface that the kernel speaks; 0 where there is none.
pub(in crate::plugin) fn landlock_abi() -> u32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call reads no memory and only returns a number.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION)
    };
    u32::try_from(abi).unwrap_or(0)
}

/// Whether the kernel filters system calls, and knows the action that the filters here use.
pub(in crate::plugin) fn has_filters() -> bool {
    const GET_ACTION_AVAIL: libc::c_uint = 2;
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the call reads one `u32`, which lives until it has returned.
    unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0_u32, &raw const action) == 0 }
}

/// Loads one of the system's own libraries, for good.
pub(super) fn load_system_library(name: &str) -> Result<(), libloading::Error> {
    // SAFETY: the caller names libraries of the C library's family only; that their constructors may run is what every
    // program relies on that needs them.
    std::mem::forget(unsafe { Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) }?);
    Ok(())
}

/// Has the kernel kill this process's group when the host is gone, and with it the other end of this pipe: whatever a
/// plugin started, for the signal at a parent's death reaches the plugin only.
///
/// The process must lead its group.
pub(super) fn die_together_at_the_end_of(lifeline: &OwnedFd) -> io::Result<()> {
    let number = lifeline.as_raw_fd();
    // SAFETY: these set how the kernel tells of events of a descriptor that is ours; no memory is involved. The number
    // of a process is never near the least one.
    let set = unsafe {
        libc::fcntl(number, libc::F_SETOWN, -libc::getpid()) == 0
            && libc::fcntl(number, F_SETSIG, libc::SIGKILL) == 0
            && libc::fcntl(number, libc::F_SETFL, libc::O_ASYNC) == 0
    };
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From `asm-generic/fcntl.h`; `libc` does not have it.
const F_SETSIG: libc::c_int = 10;

/// Closes every descriptor but the standard ones and these, which become numbers 3 and 4 and stay open across `exec`.
pub(super) fn keep_only(judged: OwnedFd, lifeline: OwnedFd) -> io::Result<(OwnedFd, OwnedFd)> {
    const JUDGED: libc::c_int = 3;
    const LIFELINE: libc::c_int = 4;
    // Out of the way of those two numbers.
    let above = |descriptor: OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, LIFELINE + 1);
    let (from_judged, from_lifeline) = (above(judged)?, above(lifeline)?);
    // SAFETY: whatever has these two numbers was inherited, and nothing of this process, which has just begun, knows it.
    let placed = unsafe {
        libc::dup2(from_judged.as_raw_fd(), JUDGED) == JUDGED
            && libc::dup2(from_lifeline.as_raw_fd(), LIFELINE) == LIFELINE
    };
    if !placed {
        return Err(io::Error::last_os_error());
    }
    drop((from_judged, from_lifeline));
    // SAFETY: nothing of this process, which has just begun, holds a descriptor of that number or above.
    if unsafe { libc::syscall(libc::SYS_close_range, LIFELINE + 1, libc::c_uint::MAX, 0_u32) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both are open, as was seen above, and have no other owner.
    Ok(unsafe { (OwnedFd::from_raw_fd(JUDGED), OwnedFd::from_raw_fd(LIFELINE)) })
}
