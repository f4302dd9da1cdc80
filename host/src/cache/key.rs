use std::hash::{Hash, Hasher};

use countersign::{Caller, Inputs, Origin};
use moka::Equivalent;

/// What a credential was made from besides the settings: the values of the inputs that its profile declared, and
/// nothing else. Two calls share a credential exactly when their keys are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// In the order of the declared attributes.
    attributes: Box<[Option<Box<str>>]>,
    target: Option<Origin>,
}

impl Key {
    /// The key of profiles that declare no inputs.
    pub(crate) fn sole() -> Self {
        Self { attributes: Box::new([]), target: None }
    }

    /// The declared attributes that the caller has.
    pub(crate) fn caller(&self, inputs: &Inputs) -> Caller {
        let named = inputs.caller_attributes().zip(&self.attributes);
        named.filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// The target's origin, if declared.
    pub(crate) const fn target(&self) -> Option<&Origin> {
        self.target.as_ref()
    }

    /// An unambiguous rendering, as long as the declared inputs stay the same.
    pub(crate) fn canonical(&self) -> String {
        format!("{:?} {}", self.attributes, self.target.as_ref().map(Origin::to_string).unwrap_or_default())
    }
}

/// A key before anything is copied: looks up without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct KeyView<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) caller: &'a Caller,
    pub(crate) target: &'a Origin,
}

impl KeyView<'_> {
    fn attributes(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.inputs.caller_attributes().map(|name| self.caller.get(name))
    }

    fn target(&self) -> Option<&Origin> {
        self.inputs.reads_target().then_some(self.target)
    }

    pub(crate) fn to_key(self) -> Key {
        let attributes = self.attributes().map(|value| value.map(Box::from)).collect();
        Key { attributes, target: self.target().cloned() }
    }
}

/// The same sequence for a key and its view, so that both fall into one place of a hash table.
fn hash<'a, H: Hasher>(
    attributes: impl Iterator<Item = Option<&'a str>>,
    target: Option<&Origin>,
    state: &mut H,
) {
    attributes.for_each(|value| value.hash(state));
    target.hash(state);
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.attributes.iter().map(Option::as_deref), self.target.as_ref(), state);
    }
}

impl Hash for KeyView<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.attributes(), self.target(), state);
    }
}

impl Equivalent<Key> for KeyView<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.attributes().eq(key.attributes.iter().map(Option::as_deref)) && self.target() == key.target()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_view_equals_its_key_and_only_it(
            mine in proptest::collection::btree_map("[abc]", "[xy]?", 0..3),
            other in proptest::collection::btree_map("[abc]", "[xy]?", 0..3),
            declared in proptest::collection::btree_set("[abc]", 0..3),
            reads_target: bool,
        ) {
            let mut inputs = Inputs::none().callers(declared.iter().cloned());
            if reads_target {
                inputs = inputs.target();
            }
            let (mine, other): (Caller, Caller) = (mine.into_iter().collect(), other.into_iter().collect());
            let target: Origin = "https://a.example".parse().unwrap();
            let view = KeyView { inputs: &inputs, caller: &mine, target: &target };
            let key = view.to_key();
            let hasher = std::hash::RandomState::new();
            prop_assert_eq!(hasher.hash_one(view), hasher.hash_one(&key));
            prop_assert!(view.equivalent(&key));

            let same = declared.iter().all(|name| mine.get(name) == other.get(name));
            let theirs = KeyView { inputs: &inputs, caller: &other, target: &target };
            prop_assert_eq!(theirs.equivalent(&key), same);
            prop_assert_eq!(theirs.to_key().canonical() == key.canonical(), same);

            let elsewhere: Origin = "https://b.example".parse().unwrap();
            let there = KeyView { target: &elsewhere, ..view };
            prop_assert_eq!(there.equivalent(&key), !reads_target);

            let told = key.caller(&inputs);
            prop_assert!(told.as_map().keys().all(|name| inputs.reads_caller(name)));
        }
    }
}
