#![doc = include_str!("../README.md")]

#[allow(missing_docs)] // what the derives write; what we write is documented
pub mod abi;
mod caller;
mod challenge;
mod config;
mod context;
mod credential;
mod edits;
mod error;
mod exchange;
mod fixed_lifetime;
mod flow;
mod hex;
mod inputs;
mod log;
mod macros;
mod origin;
mod panic;
mod period;
mod place;
#[cfg(feature = "template")]
mod placements;
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
mod timestamp;
mod token_place;
mod withheld;

pub use caller::Caller;
pub use challenge::Challenge;
pub use context::{Context, Http, SignContext};
pub use credential::{ClientCertificate, Credential, Learns, Lifetime, Placement};
pub use edits::Edits;
pub use error::{Error, ErrorKind};
pub use exchange::{HttpHeader, HttpRequest, HttpResponse};
pub use fixed_lifetime::FixedLifetime;
pub use flow::Flow;
pub use hex::hex;
pub use inputs::Inputs;
pub use origin::Origin;
pub use panic::silence_profile_panics;
pub use period::Period;
pub use place::Place;
#[cfg(feature = "template")]
pub use placements::Placements;
pub use places::Places;
pub use profile::AuthProfile;
pub use register::{Manifest, PlaceEdit, Profile, ProfileType, Signer};
pub use request::{HeaderView, RequestHead};
pub use secret::Secret;
#[cfg(feature = "template")]
pub use template::{Table, Template};
pub use timestamp::{civil_date, timestamp};
pub use token_place::TokenPlace;
pub use withheld::Withheld;

/// The version of this crate, as plugin files name it.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
