use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attributes of the one who causes a call (`user`, `tenant`, …): what on-behalf-of tokens are made from.
///
/// # Example
/// ```
/// use countersign::Caller;
///
/// let caller = Caller::from_iter([("user", "ada"), ("tenant", "acme")]);
/// assert_eq!(caller.get("user"), Some("ada"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Caller(BTreeMap<String, String>);

impl Caller {
    /// A caller of whom nothing is known.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// An attribute's value, if the caller has the attribute.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Adds or replaces an attribute.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// All attributes, sorted by name.
    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Caller {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
