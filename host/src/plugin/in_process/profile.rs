//! A profile that lives in a library of this process, as a [`Profile`] like any other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::UNIX_EPOCH;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RErr, ROk, RResult, RSlice, RStr};
use countersign::abi::{
    AbiEdits, AbiEdits_TO, FlowObject, HostObject, Message, PluginModule_Ref, ProfileObject, SignerObject,
};
use countersign::protocol::{Declared, Resume, Start, Step};
use countersign::{
    Credential, Error, Flow, Inputs, Manifest, Place, PlaceEdit, Places, Profile, RequestHead, Secret,
    SignContext, Signer,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::plugin::refusal::Reason;

/// The longest message that is taken from a plugin, in bytes.
const MAX_MESSAGE: usize = 4 << 20;

/// Hands over what the host lends.
pub(super) fn open(module: PluginModule_Ref, host: HostObject) -> Result<(), Reason> {
    result(module.open()(host)).map_err(|error| format!("refuses to work: {}", error.message()).into())
}

/// What the library's types say of themselves, sorted by name.
pub(in crate::plugin) fn manifests(module: PluginModule_Ref) -> Result<Vec<Manifest>, Reason> {
    let mut manifests: Vec<Manifest> = result(module.manifest()())
        .and_then(decode)
        .map_err(|error| format!("does not describe its types: {}", error.message()))?;
    manifests.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(manifests)
}

/// Makes an instance.
pub(in crate::plugin) fn create(
    module: PluginModule_Ref,
    name: &str,
    settings: &Value,
) -> Result<Box<dyn Profile>, Error> {
    create_from(module, name, &encode(settings)?)
}

/// Makes an instance from settings that are a message already.
pub(super) fn create_from(
    module: PluginModule_Ref,
    name: &str,
    settings: &Secret<Vec<u8>>,
) -> Result<Box<dyn Profile>, Error> {
    let profile = result(module.create()(name.into(), slice(settings)))?;
    let declared = result(profile.inputs()).and_then(decode)?;
    Ok(Box::new(InProcess { profile, declared }))
}

struct InProcess {
    profile: ProfileObject,
    declared: Declared,
}

impl Profile for InProcess {
    fn inputs(&self) -> Inputs {
        self.declared.inputs.clone()
    }

    fn places(&self) -> Option<Places> {
        self.declared.places.clone()
    }

    fn start(&self, start: Start) -> (Step, Box<dyn Flow>) {
        let started = encode(&start).and_then(|start| result(self.profile.start(slice(&start))));
        match started {
            Ok(started) => (step(Ok(started.step)), Box::new(Conversation(started.flow))),
            Err(error) => (Step::Failed(error), Box::new(Over)),
        }
    }

    fn signer(&self, credential: Credential) -> Result<Box<dyn Signer>, Error> {
        let credential = encode(&credential)?;
        Ok(Box::new(Signing(result(self.profile.signer(slice(&credential)))?)))
    }

    fn public_keys(&self) -> Result<Vec<Value>, Error> {
        result(self.profile.public_keys()).and_then(decode)
    }
}

struct Conversation(FlowObject);

impl Flow for Conversation {
    fn resume(&mut self, resume: Resume) -> Step {
        step(encode(&resume).and_then(|resume| result(self.0.resume(slice(&resume)))))
    }
}

/// A conversation that failed at its start.
struct Over;

impl Flow for Over {
    fn resume(&mut self, _: Resume) -> Step {
        Step::Failed(Error::internal("the conversation is over"))
    }
}

struct Signing(SignerObject);

impl Signer for Signing {
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error> {
        let now = cx.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut edits = Edits { place, broken: false };
        result(self.0.sign(request, now, AbiEdits_TO::from_ptr(&mut edits, TD_Opaque)))?;
        if edits.broken {
            Err(Error::internal("the plugin places its signature nowhere that is known"))
        } else {
            Ok(())
        }
    }
}

struct Edits<'a, 'p> {
    place: &'a mut PlaceEdit<'p>,
    broken: bool,
}

impl AbiEdits for Edits<'_, '_> {
    fn place(&mut self, place: u8, name: RStr<'_>, value: RStr<'_>) {
        let place = match place {
            0 => Place::Header,
            1 => Place::Query,
            2 => Place::Cookie,
            _ => return self.broken = true,
        };
        // A panic of the host's own that reached the boundary would end the process.
        let placed = catch_unwind(AssertUnwindSafe(|| (self.place)(place, name.as_str(), value.as_str())));
        self.broken |= placed.is_err();
    }
}

fn step(message: Result<Message, Error>) -> Step {
    message.and_then(decode).unwrap_or_else(Step::Failed)
}

/// The error reply as the error that it is.
fn result<T>(reply: RResult<T, Message>) -> Result<T, Error> {
    match reply {
        ROk(value) => Ok(value),
        RErr(error) => Err(decode(error).unwrap_or_else(|broken| broken)),
    }
}

/// A message of the host; it may hold secrets.
pub(super) fn encode(message: &impl Serialize) -> Result<Secret<Vec<u8>>, Error> {
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, message)
        .map_err(|_| Error::internal("a message to the plugin does not serialize to JSON"))?;
    Ok(Secret::new(bytes))
}

fn slice(message: &Secret<Vec<u8>>) -> RSlice<'_, u8> {
    RSlice::from_slice(message.expose())
}

/// A plugin's message; its bytes may hold secrets and are wiped.
fn decode<T: DeserializeOwned>(mut message: Message) -> Result<T, Error> {
    let broken = || Error::internal("the plugin's reply is not a message of the protocol; tell its author");
    if message.len() > MAX_MESSAGE {
        return Err(broken());
    }
    let decoded = serde_json::from_slice(message.as_slice()).map_err(|_| broken());
    zeroize::Zeroize::zeroize(message.as_mut_slice());
    decoded
}
