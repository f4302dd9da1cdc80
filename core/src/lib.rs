#![doc = include_str!("../README.md")]

#[allow(missing_docs)] // what the derives write; what we write is documented
pub mod abi;
mod caller;
mod challenge;
mod config;
mod context;
mod credential;
mod error;
mod exchange;
mod flow;
mod inputs;
mod log;
mod macros;
mod origin;
mod panic;
mod place;
mod places;
mod profile;
pub mod protocol;
mod register;
mod request;
pub mod respondent;
mod secret;
#[cfg(feature = "template")]
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod token_place;

pub use caller::Caller;
pub use challenge::Challenge;
pub use context::{Context, Http, SignContext};
pub use credential::{ClientCertificate, Credential, Lifetime, Placement};
pub use error::{Error, ErrorKind};
pub use exchange::{HttpHeader, HttpRequest, HttpResponse};
pub use flow::Flow;
pub use inputs::Inputs;
pub use origin::Origin;
pub use panic::silence_profile_panics;
pub use place::Place;
pub use places::Places;
pub use profile::AuthProfile;
pub use register::{Manifest, PlaceEdit, Profile, ProfileType, Signer};
pub use request::{Edits, HeaderView, RequestHead};
pub use secret::Secret;
#[cfg(feature = "template")]
pub use template::Template;
pub use token_place::TokenPlace;

/// The version of this crate, as plugin files name it.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
