//! Profile types by name, whatever their home.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use countersign::{Error, Manifest, Profile, ProfileType};
use serde_json::Value;

use crate::config::Types;
use crate::instance::{Blocking, Instance, Linked};
use crate::needs::Grants;
use crate::plugin::Plugin;

/// All profile types that this host knows.
#[derive(Debug, Default)]
pub struct Registry {
    types: BTreeMap<String, Entry>,
    plugins: Vec<Arc<Plugin>>,
}

#[derive(Debug)]
struct Entry {
    /// Made when somebody asks: the schema of a type that nobody uses is not made at all.
    manifest: OnceLock<Manifest>,
    code: Code,
}

#[derive(Debug)]
enum Code {
    BuiltIn(ProfileType),
    Plugin(Arc<Plugin>),
}

/// Which code a type has: equal when it is the very same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeId {
    BuiltIn,
    /// The digest of the plugin file.
    Plugin([u8; 32]),
}

/// Where a type's code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home<'a> {
    /// It is linked into the host.
    BuiltIn,
    /// A plugin file brings it.
    Plugin(&'a Path),
}

impl Registry {
    /// The types that are linked in.
    pub fn built_in() -> Self {
        let types = ProfileType::all().into_iter().map(|built_in| {
            let entry = Entry { manifest: OnceLock::new(), code: Code::BuiltIn(built_in) };
            (built_in.name().to_owned(), entry)
        });
        Self { types: types.collect(), plugins: Vec::new() }
    }

    /// With the types of a plugin. A name that is taken stays what it was; [`load_folder`](crate::plugin::load_folder)
    /// refuses such files before.
    #[must_use]
    pub fn with_plugin(mut self, plugin: Plugin) -> Self {
        let plugin = Arc::new(plugin);
        for manifest in plugin.manifests() {
            let (known, code) = (OnceLock::from(manifest.clone()), Code::Plugin(Arc::clone(&plugin)));
            let entry = Entry { manifest: known, code };
            self.types.entry(manifest.name.clone()).or_insert(entry);
        }
        self.plugins.push(plugin);
        self
    }

    /// The plugins, in the order in which they came.
    pub fn plugins(&self) -> impl ExactSizeIterator<Item = &Plugin> {
        self.plugins.iter().map(Arc::as_ref)
    }

    /// The types' names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// What a type says of itself.
    pub fn manifest(&self, name: &str) -> Option<&Manifest> {
        let Entry { manifest, code } = self.types.get(name)?;
        match code {
            Code::BuiltIn(built_in) => Some(manifest.get_or_init(|| built_in.manifest())),
            Code::Plugin(_) => manifest.get(),
        }
    }

    /// Where a type comes from.
    pub fn home(&self, name: &str) -> Option<Home<'_>> {
        self.types.get(name).map(|entry| match &entry.code {
            Code::BuiltIn(_) => Home::BuiltIn,
            Code::Plugin(plugin) => Home::Plugin(plugin.file()),
        })
    }

    /// Which code a type has.
    pub(crate) fn code(&self, name: &str) -> Option<CodeId> {
        self.types.get(name).map(|entry| match &entry.code {
            Code::BuiltIn(_) => CodeId::BuiltIn,
            Code::Plugin(plugin) => CodeId::Plugin(*plugin.sha256()),
        })
    }

    /// What instances of a type may need of the host beyond exchanges and waits.
    pub(crate) fn grants(&self, name: &str) -> Grants {
        match self.types.get(name).map(|entry| &entry.code) {
            Some(Code::BuiltIn(_)) => Grants::All,
            Some(Code::Plugin(plugin)) => Grants::Rights(plugin.rights().to_vec()),
            None => Grants::Rights(Vec::new()),
        }
    }

    /// Makes an instance of a type from its settings, without the keys that belong to the host. It may block, within a
    /// deadline.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when there is no such type; else the type's own.
    pub fn instance(&self, name: &str, settings: &Value) -> Result<Box<dyn Instance>, Error> {
        match self.types.get(name).map(|entry| &entry.code) {
            Some(Code::BuiltIn(built_in)) => Ok(Box::new(Linked::new(built_in.create(settings)?))),
            Some(Code::Plugin(plugin)) => plugin.instance(name, settings),
            None => Err(Error::unsupported(format!("there is no profile type `{name}`"))),
        }
    }

    /// As [`instance`](Registry::instance), for those who can wait.
    ///
    /// # Errors
    /// As [`instance`](Registry::instance).
    pub fn create(&self, name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        Ok(Box::new(Blocking::new(self.instance(name, settings)?)))
    }
}

impl Types for Registry {
    fn names(&self) -> Vec<&str> {
        self.names().collect()
    }

    fn schema(&self, name: &str) -> Option<&Value> {
        self.manifest(name).map(|manifest| &manifest.schema)
    }
}

impl fmt::Display for Home<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Plugin(file) => write!(f, "{}", file.display()),
        }
    }
}
