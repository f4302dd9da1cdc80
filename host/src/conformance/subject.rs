use std::fmt;

use countersign::{Error, Manifest, Profile};
use serde_json::Value;

type Make<'a> = dyn Fn(&str, &Value) -> Result<Box<dyn Profile>, Error> + Sync + 'a;

/// A plugin in one home, as the checks see it.
pub struct Subject<'a> {
    /// What its types say of themselves.
    pub manifests: Vec<Manifest>,
    make: Box<Make<'a>>,
}

impl<'a> Subject<'a> {
    /// Types, and how an instance of one is made: by the type's name and settings.
    pub fn new(
        manifests: Vec<Manifest>,
        make: impl Fn(&str, &Value) -> Result<Box<dyn Profile>, Error> + Sync + 'a,
    ) -> Self {
        Self { manifests, make: Box::new(make) }
    }

    pub(super) fn make(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        (self.make)(type_name, settings)
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("manifests", &self.manifests).finish_non_exhaustive()
    }
}

/// Settings of a type that are good.
#[derive(Clone)]
pub struct Case {
    /// What it is called in the report: the profile's name.
    pub name: String,
    /// The type.
    pub type_name: String,
    /// The settings, secrets included.
    pub settings: Value,
}

/// Blind: settings may be secret.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, type_name, .. } = self;
        f.debug_struct("Case").field("name", name).field("type_name", type_name).finish_non_exhaustive()
    }
}
