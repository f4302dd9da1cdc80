//! From judged bytes to a running library: the one place of the host's plugin code with `unsafe`.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use abi_stable::StableAbi;
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use countersign::Manifest;
use countersign::abi::{self, HostObject, PluginModule_Ref};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::crew::Crew;
use super::shelf::{Loaded, Opened, Shelf};
use super::{layout, lent, profile};
use crate::instance::wait;
use crate::plugin::judge::{Judged, PluginNote};
use crate::plugin::refusal::Reason;
use crate::plugin::sealed::{Use, sealed};

/// Executes a judged library, unless its bytes are on the shelf: its constructors, then its module, on threads of its own.
pub(super) fn load(
    judged: &Judged,
    note: &PluginNote,
    shelf: &Shelf,
) -> Result<(Arc<Loaded>, Vec<Manifest>), Reason> {
    let loaded =
        shelf.library(judged.file.sha256(), || open(sealed(&judged.bytes, Use::Library)?, &note.name))?;
    let module = loaded.module;
    let manifests =
        loaded.crew.call("manifest", loaded.crew.limits().call, move || profile::manifests(module));
    let manifests = wait(manifests).map_err(|error| too_long(&error))??;
    agree(note, &manifests)?;
    Ok((loaded, manifests))
}

/// Executes a judged library from a sealed file in memory: its constructors, then its module, which gets what is lent.
pub(in crate::plugin) fn load_sealed(file: OwnedFd, host: HostObject) -> Result<PluginModule_Ref, Reason> {
    let module = module(map(file)?)?;
    profile::open(module, host)?;
    Ok(module)
}

/// What fails before the constructors have run is an error by itself.
fn open(file: OwnedFd, name: &str) -> Result<Opened, Reason> {
    let crew = Arc::new(Crew::new(name));
    let limit = crew.limits().create;
    let library = match wait(crew.call("load", limit, move || map(file))) {
        Ok(library) => library?,
        // A second try would hang at the first one's lock.
        Err(error) => return Ok(Err(too_long(&error))),
    };
    let name = name.to_owned();
    let opened = wait(crew.call("open", limit, move || {
        let module = module(library)?;
        profile::open(module, lent::lend(&name))?;
        Ok(module)
    }));
    Ok(opened.unwrap_or_else(|error| Err(too_long(&error))).map(|module| Arc::new(Loaded { module, crew })))
}

fn too_long(error: &countersign::Error) -> Reason {
    format!("does not get ready: {error}").into()
}

/// Maps a sealed file and runs its constructors.
///
/// So what runs is what was judged: nobody can change or cut off a sealed file.
fn map(file: OwnedFd) -> Result<&'static Library, Reason> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: constructors run here. They are code of a file whose place, owner and digest were judged, and the
    // operator trusts whoever may write there; what they do cannot be checked.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| Reason::from(format!("cannot be loaded: {}", without_path(&error, &path))))?;
    // The loader knows libraries by name: a closed descriptor's number would come back with the next file's bytes.
    let _ = file.into_raw_fd();
    Ok(Box::leak(Box::new(library)))
}

fn without_path(error: &libloading::Error, path: &str) -> String {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = source.to_string();
    }
    text.replace(&format!("{path}: "), "")
}

/// The library's module, if host and plugin mean the same by it.
fn module(library: &'static Library) -> Result<PluginModule_Ref, Reason> {
    // SAFETY: the symbol is a `LibHeader`: the judgement found a data object of that size under that name, and the
    // file's note says that it was made by `export_plugin!`. The library is never unloaded.
    let header: AbiHeaderRef = unsafe { library.get::<AbiHeaderRef>(abi::SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|_| "does not export its module; its crate must call `export_plugin!`")?;
    let header: &'static LibHeader = header.upgrade().map_err(|error| match error {
        LibraryError::InvalidAbiHeader(_) => {
            Reason::from("was built with another `abi_stable`; build it with this host's SDK")
        }
        _ => Reason::from("calls functions in another way than this host; build it for this machine"),
    })?;
    let theirs = header.layout().ok_or("hides its layout; build it with an unpatched SDK")?;
    layout::check(PluginModule_Ref::LAYOUT, theirs).map_err(|what| {
        format!("was built with an incompatible plugin interface: {what}; build it with this host's SDK")
    })?;
    // SAFETY: the layouts were compared just above.
    unsafe { header.init_root_module_with_unchecked_layout::<PluginModule_Ref>() }.map_err(
        |error| match error {
            LibraryError::IncompatibleVersionNumber { actual_version, .. } => format!(
                "speaks version {actual_version} of the plugin interface; this host speaks {}",
                abi::VERSION
            )
            .into(),
            _ => Reason::from("fails to initialize its module"),
        },
    )
}

/// What was judged by the note must be what runs.
pub(in crate::plugin) fn agree(note: &PluginNote, manifests: &[Manifest]) -> Result<(), Reason> {
    let noted = note.types.iter().map(|noted| (&noted.name, &noted.summary));
    if noted.eq(manifests.iter().map(|manifest| (&manifest.name, &manifest.summary))) {
        return Ok(());
    }
    Err("brings other types than its note says; register types only by `register_profile!`".into())
}
