//! The order in which the sandbox closes.

use super::filter::{Outside, Phase};
use super::{files, filter, limits, sys};
use crate::plugin::charter::{Charter, Work};
use crate::plugin::refusal::Reason;

/// Closes it around this process, before a byte of the plugin runs.
///
/// What constructors may do is what the phase of loading allows: they could keep the second phase from ever beginning,
/// so that the first one is the sandbox, and the second a further hurdle.
pub(super) fn enter(charter: &Charter) -> Result<(), Reason> {
    limits::apply(charter).map_err(|error| cannot("its limits", &error))?;
    if charter.landlock && !files::restrict(charter).map_err(|error| cannot("Landlock", &error))? {
        return Err("cannot be sandboxed: Landlock is not enforced".into());
    }
    limits::drop_privileges().map_err(|error| cannot("its privileges", &error))?;
    match charter.work {
        Work::Library { .. } => filter(charter, Phase::Loading),
        Work::Program => filter(charter, Phase::Program),
    }
}

/// Closes it further once the library is loaded.
pub(super) fn close(charter: &Charter) -> Result<(), Reason> {
    filter(charter, Phase::Answering)
}

fn filter(charter: &Charter, phase: Phase) -> Result<(), Reason> {
    if !charter.filter {
        return Ok(());
    }
    let outside =
        if charter.landlock && sys::landlock_abi() >= 6 { Outside::OutOfReach } else { Outside::InReach };
    filter::apply(phase, &charter.rights, outside)
        .map_err(|error| cannot("its filter of system calls", &error))
}

fn cannot(what: &str, error: &dyn std::fmt::Display) -> Reason {
    format!("cannot be sandboxed: {what} cannot be set: {error}").into()
}
