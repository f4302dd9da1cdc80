//! The plugin's side: the registry of this library, behind the interface.

use std::time::{Duration, UNIX_EPOCH};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::library::{CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::{RErr, ROk, RResult, RSlice, RStr};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    AbiFlow, AbiFlow_TO, AbiHost_TO, AbiProfile, AbiProfile_TO, AbiSigner, AbiSigner_TO, EditsObject,
    FlowObject, HostObject, Message, PluginModule, PluginModule_Ref, ProfileObject, SignerObject, Started,
};
use crate::log::{self, Sink};
use crate::panic::guard;
use crate::protocol::Declared;
use crate::protocol::frame::LogRecord;
use crate::{Credential, Error, Flow, Place, Profile, ProfileType, RequestHead, SignContext, Signer};

const MODULE: PluginModule = PluginModule { open, manifest, create };

impl PluginModule {
    const WITH_METADATA: &'static WithMetadata<Self> = &WithMetadata::new(MODULE);
}

extern "C" fn module() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(|| -> PluginModule_Ref {
        PluginModule_Ref(PluginModule::WITH_METADATA.static_as_prefix())
    })
}

/// The header that [`export_plugin!`](crate::export_plugin) exports.
// SAFETY: `module` makes a `PluginModule_Ref`, and the layout that is checked is that type's own.
#[allow(unsafe_code, clippy::declare_interior_mutable_const)]
pub const HEADER: LibHeader =
    unsafe { LibHeader::from_constructor::<PluginModule_Ref>(module, CheckTypeLayout::Yes) };

extern "C" fn open(host: HostObject) -> RResult<(), Message> {
    entry(|| {
        crate::silence_profile_panics();
        log::forward_to(host);
        Ok(())
    })
}

impl Sink for HostObject {
    fn log_level(&self) -> u8 {
        AbiHost_TO::log_level(self)
    }

    fn log(&self, record: &LogRecord) {
        if let Ok(json) = serde_json::to_vec(record) {
            AbiHost_TO::log(self, RSlice::from_slice(&json));
        }
    }
}

extern "C" fn manifest() -> RResult<Message, Message> {
    entry(|| encode(&ProfileType::all().iter().map(ProfileType::manifest).collect::<Vec<_>>()))
}

extern "C" fn create(name: RStr<'_>, settings: RSlice<'_, u8>) -> RResult<ProfileObject, Message> {
    entry(|| {
        let name = name.as_str();
        let profile_type = ProfileType::all()
            .into_iter()
            .find(|profile_type| profile_type.name() == name)
            .ok_or_else(|| Error::unsupported(format!("this plugin has no type {name}")))?;
        let profile = profile_type.create(&decode(settings)?)?;
        Ok(AbiProfile_TO::from_value(Exported(profile), TD_Opaque))
    })
}

struct Exported<T>(T);

impl AbiProfile for Exported<Box<dyn Profile>> {
    fn inputs(&self) -> RResult<Message, Message> {
        entry(|| encode(&Declared { inputs: self.0.inputs(), places: self.0.places() }))
    }

    fn start(&self, start: RSlice<'_, u8>) -> RResult<Started, Message> {
        entry(|| {
            let (step, flow) = self.0.start(decode(start)?);
            let flow: FlowObject = AbiFlow_TO::from_value(Exported(flow), TD_Opaque);
            Ok(Started { step: encode(&step)?, flow })
        })
    }

    fn signer(&self, credential: RSlice<'_, u8>) -> RResult<SignerObject, Message> {
        entry(|| {
            let credential: Credential = decode(credential)?;
            Ok(AbiSigner_TO::from_value(Exported(self.0.signer(credential)?), TD_Opaque))
        })
    }

    fn public_keys(&self) -> RResult<Message, Message> {
        entry(|| encode(&self.0.public_keys()?))
    }
}

impl AbiFlow for Exported<Box<dyn Flow>> {
    fn resume(&mut self, resume: RSlice<'_, u8>) -> RResult<Message, Message> {
        entry(|| encode(&self.0.resume(decode(resume)?)))
    }
}

impl AbiSigner for Exported<Box<dyn Signer>> {
    fn sign(&self, request: &RequestHead<'_>, now: u64, mut edits: EditsObject<'_>) -> RResult<(), Message> {
        entry(|| {
            let cx = SignContext::at(UNIX_EPOCH + Duration::from_nanos(now));
            self.0.sign(request, &cx, &mut |place, name, value| {
                let place = match place {
                    Place::Header => 0,
                    Place::Query => 1,
                    Place::Cookie => 2,
                };
                edits.place(place, name.into(), value.into());
            })
        })
    }
}

/// The guard around every entry: no panic crosses the boundary.
fn entry<T>(run: impl FnOnce() -> Result<T, Error>) -> RResult<T, Message> {
    match guard("of this plugin", "an entry", run) {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) | Err(error) => RErr(encode(&error).unwrap_or_default()),
    }
}

fn encode(message: &impl Serialize) -> Result<Message, Error> {
    serde_json::to_vec(message)
        .map(Into::into)
        .map_err(|_| Error::internal("a message of the plugin does not serialize to JSON"))
}

fn decode<T: DeserializeOwned>(message: RSlice<'_, u8>) -> Result<T, Error> {
    serde_json::from_slice(message.as_slice())
        .map_err(|_| Error::internal("the plugin does not understand the host's message"))
}
