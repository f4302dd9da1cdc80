//! The system calls of the sandbox that nobody wraps: the one place of the worker with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

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

/// Closes every descriptor but the standard ones and this, which becomes number 3 and stays open across `exec`.
pub(super) fn keep_only(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    const KEPT: libc::c_int = 3;
    let number = descriptor.as_raw_fd();
    let kept = if number == KEPT {
        // SAFETY: the flags of a descriptor that is ours.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) }
    } else {
        // SAFETY: whatever was number 3 was inherited, and nothing of this process, which has just begun, knows it.
        unsafe { libc::dup2(number, KEPT) }
    };
    if kept < 0 {
        return Err(io::Error::last_os_error());
    }
    // It is closed with all others.
    let _ = std::os::fd::IntoRawFd::into_raw_fd(descriptor);
    // SAFETY: nothing of this process, which has just begun, holds a descriptor of that number or above.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, KEPT + 1, libc::c_uint::MAX, 0_u32) };
    if closed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: number 3 is open, as was seen above, and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(KEPT) })
}
