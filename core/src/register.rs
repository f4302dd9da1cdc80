//! The registry: where profile types are found by name, linked in or in a plugin.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::{AsyncFlow, Flow};
use crate::panic::{Guarded, guard};
use crate::protocol::{Start, Step};
use crate::{AuthProfile, Credential, Edits, Error, Inputs, Places, RequestHead, SignContext, config};

/// One configured instance of a profile type, whatever its home.
pub trait Profile: Send + Sync {
    /// What it reads of the caller and the target.
    fn inputs(&self) -> Inputs;

    /// Where it puts values on requests, and what its signature covers, if it says so.
    fn places(&self) -> Option<Places> {
        None
    }

    /// Begins to acquire a credential.
    fn start(&self, start: Start) -> (Step, Box<dyn Flow>);

    /// A signer for a credential that [signs](Credential::signs).
    ///
    /// # Errors
    /// When the profile's home cannot take the credential.
    fn signer(&self, credential: Credential) -> Result<Box<dyn Signer>, Error>;

    /// The public halves of its keys, as JSON Web Keys.
    ///
    /// # Errors
    /// When the profile panicked.
    fn public_keys(&self) -> Result<Vec<serde_json::Value>, Error>;
}

/// Signs requests with one credential of one profile.
pub trait Signer: Send + Sync {
    /// Gives each edit for a request to `place`, in order.
    ///
    /// # Errors
    /// The request must not be sent.
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error>;
}

/// Takes one edit: where, name, value.
pub type PlaceEdit<'a> = dyn FnMut(crate::Place, &str, &str) + 'a;

/// What a type says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Its name in the configuration.
    #[serde(rename = "type")]
    pub name: String,
    /// One line that says what it is for.
    pub summary: String,
    /// The JSON Schema (draft 2020-12) of its settings.
    pub schema: serde_json::Value,
}

/// A profile type in the registry of this library. Made by [`register_profile!`](crate::register_profile).
#[derive(Debug, Clone, Copy)]
pub struct ProfileType {
    name: &'static str,
    summary: &'static str,
    schema: fn() -> schemars::Schema,
    create: fn(&serde_json::Value) -> Result<Box<dyn Profile>, Error>,
}

inventory::collect!(ProfileType);

impl ProfileType {
    /// The entry for a type.
    pub const fn of<P: AuthProfile>() -> Self {
        Self {
            name: P::TYPE,
            summary: P::SUMMARY,
            schema: || schemars::SchemaGenerator::default().into_root_schema_for::<P::Config>(),
            create: |settings| Ok(Box::new(Registered::<P>::new(settings)?)),
        }
    }

    /// All types registered in this library, sorted by name.
    pub fn all() -> Vec<Self> {
        let mut types: Vec<Self> = inventory::iter::<Self>().copied().collect();
        types.sort_by_key(|profile_type| profile_type.name);
        types
    }

    /// The type's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the type says of itself.
    pub fn manifest(&self) -> Manifest {
        let schema = (self.schema)().to_value();
        Manifest { name: self.name.to_owned(), summary: self.summary.to_owned(), schema }
    }

    /// Makes an instance from its settings, without the keys that belong to the host (`type`, …).
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the setting; [`Internal`](crate::ErrorKind::Internal) when the
    /// type panicked.
    pub fn create(&self, settings: &serde_json::Value) -> Result<Box<dyn Profile>, Error> {
        (self.create)(settings)
    }
}

/// An instance of `P`, with a guard around every entry.
struct Registered<P: AuthProfile> {
    profile: Arc<Guarded<P>>,
    inputs: Inputs,
}

impl<P: AuthProfile> Registered<P> {
    fn new(settings: &serde_json::Value) -> Result<Self, Error> {
        let config: P::Config = config::parse(settings)?;
        let profile = guard(P::TYPE, "new", || P::new(config))??;
        let inputs = guard(P::TYPE, "inputs", || profile.inputs())?;
        // Asked for when somebody wants to know; that it can be said is known from here on.
        guard(P::TYPE, "places", || profile.places())?;
        Ok(Self { profile: Arc::new(Guarded::new(profile)), inputs })
    }
}

impl<P: AuthProfile> Profile for Registered<P> {
    fn inputs(&self) -> Inputs {
        self.inputs.clone()
    }

    fn places(&self) -> Option<Places> {
        guard(P::TYPE, "places", || self.profile.places()).unwrap_or_default()
    }

    fn start(&self, start: Start) -> (Step, Box<dyn Flow>) {
        let (step, flow) = AsyncFlow::start(Arc::clone(&self.profile), start);
        (step, Box::new(flow))
    }

    fn signer(&self, credential: Credential) -> Result<Box<dyn Signer>, Error> {
        Ok(Box::new(Signing { profile: Arc::clone(&self.profile), credential }))
    }

    fn public_keys(&self) -> Result<Vec<serde_json::Value>, Error> {
        guard(P::TYPE, "public_keys", || self.profile.public_keys())
    }
}

struct Signing<P: AuthProfile> {
    profile: Arc<Guarded<P>>,
    credential: Credential,
}

impl<P: AuthProfile> Signer for Signing<P> {
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error> {
        let edits: Edits = guard(P::TYPE, "sign", || self.profile.sign(&self.credential, request, cx))??;
        for (at, name, value) in edits.iter() {
            place(at, name, value);
        }
        Ok(())
    }
}
