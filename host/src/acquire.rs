//! What stands between the cache and a profile: one call that obtains a credential, wherever the profile lives.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use countersign::protocol::Start;
use countersign::{Credential, Error, Inputs, Places};

use crate::instance::Signing;

/// A future on the slow path.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Obtains credentials of one profile. The cache calls it; behind it stand a profile's home and the network.
pub trait Acquire: Send + Sync + 'static {
    /// What the profile reads; the cache's key.
    fn inputs(&self) -> &Inputs;

    /// Where the profile places values, if it says so.
    fn places(&self) -> Option<Places> {
        None
    }

    /// Holds one whole conversation with the profile. Dropping the future cancels it.
    fn acquire(self: Arc<Self>, start: Start) -> BoxFuture<'static, Result<Credential, Error>>;

    /// A signer for a credential that signs; an error when the profile's home cannot take it.
    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>>;
}
