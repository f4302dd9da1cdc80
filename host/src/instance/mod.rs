//! An instance of a profile type as the host talks with it, wherever the type lives.
//!
//! Each home makes its own [`Instance`]s: linked in ([`Linked`]), a library of this process, another process. Above the
//! registry nothing can tell them apart. Not here: the homes of plugin files, which are [`plugin`](crate::plugin)'s; the
//! holding of a conversation, which is `drive`'s.

mod blocking;
mod linked;

use countersign::protocol::{Resume, Start, Step};
use countersign::{Credential, Error, Inputs, Placement, Places, RequestHead, SignContext, Signer};
use serde_json::Value;

pub use self::blocking::Blocking;
pub(crate) use self::blocking::wait;
pub(crate) use self::linked::Linked;
pub use crate::acquire::BoxFuture;

/// One configured instance of a profile type. Dropping it gives it up in its home.
///
/// No future of it needs a certain runtime, and each ends within a deadline of its home's, whatever the type does.
pub trait Instance: Send + Sync + 'static {
    /// What it reads of the caller and the target.
    fn inputs(&self) -> &Inputs;

    /// Where it places values and what its signature covers, if it says so.
    fn places(&self) -> Option<Places>;

    /// Begins to acquire a credential. Dropping the future or the conversation cancels it.
    fn start(&self, start: Start) -> BoxFuture<'_, (Step, Box<dyn Conversation>)>;

    /// A signer for a credential that [signs](Credential::signs).
    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>>;

    /// The public halves of its keys, as JSON Web Keys.
    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<Value>, Error>>;
}

/// A conversation with an instance that has begun.
pub trait Conversation: Send {
    /// Goes on with the host's answer to the last need.
    fn resume(&mut self, resume: Resume) -> BoxFuture<'_, Step>;
}

/// Where a credential's requests are signed.
pub enum Signing {
    /// On the thread that asks.
    Here(Box<dyn Signer>),
    /// Somewhere else: it takes waiting.
    Away(Box<dyn AwaySigner>),
}

/// Signs requests with one credential of one instance that lives elsewhere.
pub trait AwaySigner: Send + Sync {
    /// What is to be placed on the request, in order. The request is read before this returns.
    ///
    /// On an error of the future the request must not be sent.
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> BoxFuture<'_, Result<Vec<Placement>, Error>>;
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Away(_) => "Away",
        })
    }
}
