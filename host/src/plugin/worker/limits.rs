//! What holds for a process whatever it does: limits, no privileges, no core, death with its host.

use std::io;

use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getppid, nice, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use crate::plugin::charter::{Charter, Work};

/// Ends with its host: the kernel kills it. `false` if the host is gone already.
pub(super) fn die_with(host: i32) -> io::Result<bool> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A host that died before that call would not be noticed. In another PID namespace than its own it is nobody's.
    Ok(getppid().map(Pid::as_raw_pid) == Some(host))
}

/// Sets what no later step needs more of.
pub(super) fn apply(charter: &Charter) -> io::Result<()> {
    let rights = &charter.rights;
    let program = charter.work == Work::Program;
    // The host's own work comes first, and its life too.
    let _ = nice(5);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let memory = if program { Resource::Data } else { Resource::As };
    limit(memory, charter.memory)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Memlock, 0)?;
    limit(Resource::Msgqueue, 0)?;
    limit(Resource::Rtprio, 0)?;
    let descriptors = match (program, rights.connect || rights.threads || !rights.read.is_empty()) {
        (true, _) => 256,
        (false, true) => 128,
        (false, false) => 16,
    };
    limit(Resource::Nofile, descriptors)?;
    // Counted are the processes of the user, the host's threads among them; root is never bound.
    match (program, rights.threads) {
        (true, _) => limit(Resource::Nproc, 1024)?,
        (false, true) => {}
        (false, false) => limit(Resource::Nproc, 0)?,
    }
    // A program's own memory is readable again once it is executed; Landlock keeps its neighbours from it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    Ok(())
}

/// Gives up what root may: with `no_new_privs` it does not come back.
pub(super) fn drop_privileges() -> io::Result<()> {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = match rustix::process::getrlimit(resource).maximum {
        Some(already) => already.min(most),
        None => most,
    };
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}
