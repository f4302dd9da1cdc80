//! stub
mod caller;
mod error;
mod secret;
#[cfg(feature = "template")]
mod template;

pub use caller::Caller;
pub use error::{Error, ErrorKind};
pub use secret::Secret;
#[cfg(feature = "template")]
pub use template::Template;
