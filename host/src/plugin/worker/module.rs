//! A library as a worker's source of types.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use abi_stable::erased_types::TD_Opaque;
use countersign::abi::{AbiHost_TO, PluginModule_Ref};
use countersign::respondent::TypeSource;
use countersign::{Error, Manifest, Profile};
use serde_json::Value;

use super::log::{Lent, Output};
use super::sandbox;
use crate::plugin::charter::Charter;
use crate::plugin::in_process;
use crate::plugin::refusal::Reason;

/// Where a worker's types come from.
pub(super) enum Source {
    /// The library that it loaded.
    Library(PluginModule_Ref),
    /// There are none, and why.
    None(Reason),
}

/// Loads a judged library, and closes the sandbox.
pub(super) fn load(charter: &Charter, judged: OwnedFd, output: &Arc<Output>) -> Result<Source, Reason> {
    let lent = AbiHost_TO::from_value(Lent(Arc::clone(output)), TD_Opaque);
    let module = in_process::load_sealed(judged, lent)?;
    sandbox::close(charter)?;
    Ok(Source::Library(module))
}

impl TypeSource for Source {
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        match self {
            Self::Library(module) => {
                in_process::manifests(*module).map_err(|reason| Error::internal(reason.into_owned()))
            }
            Self::None(reason) => Err(Error::unsupported(reason.clone().into_owned())),
        }
    }

    fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        match self {
            Self::Library(module) => in_process::create(*module, type_name, settings),
            Self::None(reason) => Err(Error::unsupported(format!("the plugin {reason}"))),
        }
    }
}
