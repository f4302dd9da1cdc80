//! Seccomp: which system calls a plugin's process has.
//!
//! What is not allowed fails with `EPERM`, so that a harmless probe of an author's library goes on; calls of another
//! architecture (32-bit ones) end the process, and those of x32 are not allowed. `clone3` does not exist, for its
//! arguments cannot be looked at: the C library then takes `clone`.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as If,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::calls;
use crate::plugin::charter::Rights;

/// A process's life, as far as its filter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The loader reads and maps the library, and its constructors run.
    Loading,
    /// The library answers.
    Answering,
    /// A program that was executed.
    Program,
}

/// The rules for each call by its number; without a rule it is always allowed.
type Allowed = BTreeMap<i64, Vec<SeccompRule>>;

const PERM: SeccompAction = SeccompAction::Errno(libc::EPERM as u32);
const NOSYS: SeccompAction = SeccompAction::Errno(libc::ENOSYS as u32);

/// Filters this process's system calls from now on, for good: no later filter can allow more.
pub(super) fn apply(phase: Phase, rights: &Rights, outside: Outside) -> Result<(), Error> {
    if phase != Phase::Answering {
        let clone3 = [(libc::SYS_clone3, Vec::new())].into();
        seccompiler::apply_filter_all_threads(&compile(clone3, SeccompAction::Allow, NOSYS)?)?;
    }
    let main = compile(allowed(phase, rights, outside)?, PERM, SeccompAction::Allow)?;
    seccompiler::apply_filter_all_threads(&main)
}

/// Whether something else keeps signals from the processes outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// Landlock does (version 6).
    OutOfReach,
    /// Nothing does.
    InReach,
}

fn compile(
    rules: Allowed,
    otherwise: SeccompAction,
    then: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, then, arch)?.try_into()
}

fn allowed(phase: Phase, rights: &Rights, outside: Outside) -> Result<Allowed, seccompiler::BackendError> {
    let mut allowed = Allowed::new();
    let mut allow = |numbers: &[c_long]| allowed.extend(numbers.iter().map(|number| (*number, Vec::new())));
    allow(calls::COMPUTE);
    allow(calls::STREAM);
    let reads = phase != Phase::Answering || !rights.read.is_empty() || rights.connect;
    if reads {
        allow(calls::READ);
    }
    if rights.connect {
        allow(calls::CONNECT);
    }
    if rights.connect || rights.threads {
        allow(calls::EVENTS);
    }
    if phase == Phase::Loading {
        // For the filter of the next phase.
        allow(&[libc::SYS_seccomp]);
    }
    if phase == Phase::Program {
        allow(calls::EVENTS);
        allow(calls::PROGRAM);
    }
    let mut only = |number: c_long, rules: Vec<SeccompRule>| allowed.insert(number, rules);
    let me = u64::from(std::process::id());
    match (phase, outside) {
        (Phase::Program, Outside::OutOfReach) => {
            for number in [libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill] {
                only(number, Vec::new());
            }
        }
        // For `abort`.
        _ => {
            only(libc::SYS_kill, vec![rule([is(0, me)?])?]);
            only(libc::SYS_tgkill, vec![rule([is(0, me)?])?]);
        }
    }
    if reads {
        only(libc::SYS_openat, vec![rule([none_of(2, libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC)?])?]);
    }
    let private = libc::MAP_SHARED;
    let (exec, anonymous) = (libc::PROT_EXEC, libc::MAP_ANONYMOUS);
    match phase {
        Phase::Program => {
            // Memory that is shared is not counted as its own.
            let shared_memory = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            only(
                libc::SYS_mmap,
                vec![
                    rule([none_of(3, libc::MAP_SHARED)?])?,
                    rule([masked(3, shared_memory, libc::MAP_SHARED)?])?,
                ],
            );
            only(libc::SYS_mprotect, Vec::new());
            only(libc::SYS_openat, Vec::new());
        }
        Phase::Loading => {
            let file = rule([none_of(3, private | anonymous)?])?;
            only(libc::SYS_mmap, vec![file, rule([none_of(3, private)?, none_of(2, exec)?])?]);
            only(libc::SYS_mprotect, vec![rule([none_of(2, exec)?])?]);
        }
        Phase::Answering => {
            only(libc::SYS_mmap, vec![rule([none_of(3, private)?, none_of(2, exec)?])?]);
            only(libc::SYS_mprotect, vec![rule([none_of(2, exec)?])?]);
        }
    }
    // A name for a thread or for memory, nothing else.
    let mut names = vec![rule([is(0, libc::PR_SET_NAME as u64)?])?, rule([is(0, libc::PR_SET_VMA as u64)?])?];
    if phase != Phase::Answering {
        names.push(rule([is(0, libc::PR_SET_NO_NEW_PRIVS as u64)?])?);
    }
    if phase == Phase::Program {
        names.push(rule([is(0, libc::PR_GET_NAME as u64)?])?);
        names.push(rule([is(0, libc::PR_CAPBSET_READ as u64)?])?);
        names.push(rule([is(0, libc::PR_GET_DUMPABLE as u64)?])?);
    }
    only(libc::SYS_prctl, names);
    // No owner of a descriptor: its events would be signals to any process of the user.
    only(
        libc::SYS_fcntl,
        [
            libc::F_DUPFD,
            libc::F_DUPFD_CLOEXEC,
            libc::F_GETFD,
            libc::F_SETFD,
            libc::F_GETFL,
            libc::F_SETFL,
            libc::F_GETLK,
            libc::F_SETLK,
            libc::F_SETLKW,
            libc::F_GET_SEALS,
        ]
        .map(|command| rule([equals(1, Len::Dword, command as u64)?]))
        .into_iter()
        .collect::<Result<_, _>>()?,
    );
    // Reading a limit of its own, not setting one.
    only(libc::SYS_prlimit64, vec![rule([is(2, 0)?])?]);
    only(
        libc::SYS_ioctl,
        [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO, libc::FIOCLEX, libc::FIONCLEX]
            .map(|request| rule([equals(1, Len::Dword, request & 0xffff_ffff)?]))
            .into_iter()
            .collect::<Result<_, _>>()?,
    );
    if rights.connect {
        let family = |family: i32| equals(0, Len::Dword, family as u64);
        let kind = |kind: i32| masked(1, 0xf, kind);
        let mut sockets = Vec::new();
        for inet in [libc::AF_INET, libc::AF_INET6] {
            for stream in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
                sockets.push(rule([family(inet)?, kind(stream)?])?);
            }
        }
        only(libc::SYS_socket, sockets);
    }
    let namespaces = 0x7e02_0080;
    let thread = masked(0, libc::CLONE_THREAD | namespaces, libc::CLONE_THREAD)?;
    match phase {
        Phase::Program => {
            only(libc::SYS_clone, vec![rule([none_of(0, namespaces)?])?]);
            only(libc::SYS_clone3, Vec::new());
            only(libc::SYS_socketpair, vec![rule([equals(0, Len::Dword, libc::AF_UNIX as u64)?])?]);
        }
        _ if rights.threads => {
            only(libc::SYS_clone, vec![rule([thread])?]);
            only(libc::SYS_clone3, Vec::new());
        }
        _ => {}
    }
    Ok(allowed)
}

fn rule<const N: usize>(conditions: [If; N]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into())
}

fn is(argument: u8, value: u64) -> Result<If, seccompiler::BackendError> {
    equals(argument, Len::Qword, value)
}

fn equals(argument: u8, len: Len, value: u64) -> Result<If, seccompiler::BackendError> {
    If::new(argument, len, Op::Eq, value)
}

fn none_of(argument: u8, bits: i32) -> Result<If, seccompiler::BackendError> {
    masked(argument, bits, 0)
}

fn masked(argument: u8, mask: i32, value: i32) -> Result<If, seccompiler::BackendError> {
    let (mask, value) = (mask.cast_unsigned(), value.cast_unsigned());
    If::new(argument, Len::Dword, Op::MaskedEq(mask.into()), value.into())
}
