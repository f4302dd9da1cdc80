use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one instance of a profile reads besides its settings; what is not declared here is invisible to it.
///
/// The declared inputs *are* the key under which the host caches the credential. So one user's token can never
/// serve another by an oversight: reading an undeclared attribute is an error.
///
/// # Example
/// ```
/// use countersign::Inputs;
///
/// let inputs = Inputs::none().caller("user").target();
/// assert!(inputs.reads_caller("user") && !inputs.reads_caller("tenant"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Inputs {
    /// The caller attributes that are read.
    #[serde(default)]
    caller: BTreeSet<String>,
    /// Whether the target's origin is read.
    #[serde(default)]
    target: bool,
    /// Whether signing reads the body.
    #[serde(default)]
    body: bool,
}

impl Inputs {
    /// Settings only: one credential for everybody.
    pub const fn none() -> Self {
        Self { caller: BTreeSet::new(), target: false, body: false }
    }

    /// Reads the caller's attribute of that name: a credential per value.
    #[must_use]
    pub fn caller(mut self, attribute: impl Into<String>) -> Self {
        self.caller.insert(attribute.into());
        self
    }

    /// Reads several of the caller's attributes.
    #[must_use]
    pub fn callers<I: IntoIterator<Item: Into<String>>>(mut self, attributes: I) -> Self {
        self.caller.extend(attributes.into_iter().map(Into::into));
        self
    }

    /// Reads the origin that the call goes to: a credential per origin.
    #[must_use]
    pub const fn target(mut self) -> Self {
        self.target = true;
        self
    }

    /// Reads the request's body when signing; the host then holds it in memory (bounded) before it is sent.
    #[must_use]
    pub const fn body(mut self) -> Self {
        self.body = true;
        self
    }

    /// The caller attributes that are read, sorted.
    pub fn caller_attributes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.caller.iter().map(String::as_str)
    }

    /// Whether that attribute of the caller is read.
    pub fn reads_caller(&self, attribute: &str) -> bool {
        self.caller.contains(attribute)
    }

    /// Whether the target's origin is read.
    pub const fn reads_target(&self) -> bool {
        self.target
    }

    /// Whether signing reads the body.
    pub const fn reads_body(&self) -> bool {
        self.body
    }
}
