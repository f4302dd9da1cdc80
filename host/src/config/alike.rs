use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Values that several tables have in common, each kept once: of ten thousand connectors, most say the same.
pub(crate) struct Alike<T>(HashSet<Arc<T>>);

impl<T: Eq + Hash> Alike<T> {
    /// The value, shared with all who said the same.
    pub(crate) fn of(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.0.get(&value) {
            return Arc::clone(known);
        }
        let value = Arc::new(value);
        self.0.insert(Arc::clone(&value));
        value
    }
}

impl<T> Default for Alike<T> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}
