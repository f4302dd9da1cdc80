//! The binary interface of a plugin file: what the host loads and what a plugin exports.
//!
//! Here live the layout ([`PluginModule`] and the objects it hands out), the plugin's side of it, and the ELF note by
//! which a file is judged before it runs. Not here: the judging and the loading, which are the host's.
//!
//! The slow path crosses as [messages](crate::protocol), JSON in bytes, so that new optional fields break nobody. The
//! hot path crosses as borrowed views ([`RequestHead`]). Every entry is guarded in the plugin: a panic becomes an
//! error reply. The interface has its own version, [`VERSION`], apart from the crates' versions.

// The layout's derives write `unsafe` code and names like `PluginModule_Ref`; ours is in `export`, with its reason.
#![allow(unsafe_code, non_camel_case_types, non_local_definitions)]

mod export;
pub mod note;

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RSlice, RStr, RVec};

use crate::RequestHead;

pub use crate::protocol::frame::LogRecord;
pub use abi_stable::library::LibHeader;
pub use export::HEADER;

/// The interface's version: a plugin of the same major version loads.
pub const VERSION: &str = "1.0.0";

/// The symbol by which a plugin exports its [`LibHeader`].
pub const SYMBOL: &str = "countersign_plugin";

/// A message, or an [`Error`](crate::Error), as JSON.
pub type Message = RVec<u8>;

/// What a plugin file exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModule_Ref)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// Called once, before anything else: takes what the host lends.
    pub open: extern "C" fn(HostObject) -> RResult<(), Message>,
    /// The types that the file brings: a list of [`Manifest`](crate::Manifest)s.
    pub manifest: extern "C" fn() -> RResult<Message, Message>,
    /// Makes an instance of a type from its settings.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(RStr<'_>, RSlice<'_, u8>) -> RResult<ProfileObject, Message>,
}

impl RootModule for PluginModule_Ref {
    abi_stable::declare_root_module_statics! {PluginModule_Ref}
    const BASE_NAME: &'static str = "countersign_plugin";
    const NAME: &'static str = "countersign plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new(VERSION);
}

/// What the host lends a plugin file for its whole life; each file gets its own, so that the host knows who speaks.
///
/// Time is not among it: it comes with every message, so that a test's clock reaches into plugins too.
#[sabi_trait]
pub trait AbiHost: Send + Sync + 'static {
    /// The most verbose level that the host wants: 0 nothing, 1 error … 5 trace.
    fn log_level(&self) -> u8;
    /// Takes a [`LogRecord`].
    #[sabi(last_prefix_field)]
    fn log(&self, record: RSlice<'_, u8>);
}

/// The host, owned by the plugin.
pub type HostObject = AbiHost_TO<RBox<()>>;
/// A profile instance, owned by the host, living in the plugin.
pub type ProfileObject = AbiProfile_TO<RBox<()>>;
/// A conversation, likewise.
pub type FlowObject = AbiFlow_TO<RBox<()>>;
/// A signer, likewise.
pub type SignerObject = AbiSigner_TO<RBox<()>>;

/// [`Profile`](crate::Profile) across the boundary.
#[sabi_trait]
pub trait AbiProfile: Send + Sync + 'static {
    /// What it [declares](crate::protocol::Declared): the inputs and, since `places` is known, what it places.
    fn inputs(&self) -> RResult<Message, Message>;
    /// Takes a [`Start`](crate::protocol::Start).
    fn start(&self, start: RSlice<'_, u8>) -> RResult<Started, Message>;
    /// Takes a [`Credential`](crate::Credential) that signs.
    fn signer(&self, credential: RSlice<'_, u8>) -> RResult<SignerObject, Message>;
    /// The public keys, a list.
    #[sabi(last_prefix_field)]
    fn public_keys(&self) -> RResult<Message, Message>;
}

/// A conversation that has begun.
#[repr(C)]
#[derive(StableAbi)]
pub struct Started {
    /// The first [`Step`](crate::protocol::Step).
    pub step: Message,
    /// The conversation; dropping it cancels it.
    pub flow: FlowObject,
}

/// [`Flow`](crate::Flow) across the boundary.
#[sabi_trait]
pub trait AbiFlow: Send + 'static {
    /// Takes a [`Resume`](crate::protocol::Resume), returns a [`Step`](crate::protocol::Step).
    #[sabi(last_prefix_field)]
    fn resume(&mut self, resume: RSlice<'_, u8>) -> RResult<Message, Message>;
}

/// [`Signer`](crate::Signer) across the boundary.
#[sabi_trait]
pub trait AbiSigner: Send + Sync + 'static {
    /// Signs a request as of a wall time in nanoseconds since the epoch.
    #[sabi(last_prefix_field)]
    fn sign(&self, request: &RequestHead<'_>, now: u64, edits: EditsObject<'_>) -> RResult<(), Message>;
}

/// Takes a signature's edits, one by one.
pub type EditsObject<'a> = AbiEdits_TO<'a, abi_stable::sabi_types::RMut<'a, ()>>;

/// [`PlaceEdit`](crate::PlaceEdit) across the boundary.
#[sabi_trait]
pub trait AbiEdits {
    /// One edit; the place as 0 header, 1 query parameter, 2 cookie.
    #[sabi(last_prefix_field)]
    fn place(&mut self, place: u8, name: RStr<'_>, value: RStr<'_>);
}
