//! Whose files the operator trusts: digests, the lock file, and signatures in the format of minisign.
//!
//! Not here: place, owner and mode of files, which come first and are the judgement's.

mod evidence;
mod key;
mod lock;
mod secret_key;
mod signature;
mod text;

#[cfg(test)]
mod tests;

pub(super) use self::evidence::examine;
pub use self::evidence::{Evidence, Pin, Trust};
pub use self::key::{KeyId, PublicKey};
pub use self::lock::{Change, Lock, Locked};
pub use self::secret_key::{Protection, SecretKey};
pub use self::signature::{Signature, SignatureError};
pub use self::text::BadText;
