use std::sync::Arc;

use countersign::protocol::{Declared, Resume, Start, Step};
use countersign::{
    Credential, Error, Flow, Inputs, PlaceEdit, Places, Profile, RequestHead, SignContext, Signer,
};
use serde_json::Value;

use super::crew::Crew;
use crate::instance::{BoxFuture, Conversation, Instance, Signing, wait};

/// An instance whose code runs on its plugin's own threads; only signatures are made on the thread that wants them.
pub(super) struct Hosted {
    crew: Arc<Crew>,
    declared: Declared,
    profile: Arc<Owned<Box<dyn Profile>>>,
}

impl Hosted {
    /// Makes one by `create`, on the plugin's threads.
    ///
    /// # Errors
    /// The type's own; [`Unavailable`](countersign::ErrorKind::Unavailable) when it takes too long.
    pub(super) fn make(
        crew: &Arc<Crew>,
        create: impl FnOnce() -> Result<Box<dyn Profile>, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let theirs = Arc::clone(crew);
        let made = crew.call("create", crew.limits().create, move || {
            create().map(|profile| {
                let declared = Declared { inputs: profile.inputs(), places: profile.places() };
                (declared, Owned::new(profile, theirs))
            })
        });
        let (declared, profile) = wait(made)??;
        Ok(Self { crew: Arc::clone(crew), declared, profile: Arc::new(profile) })
    }
}

impl Instance for Hosted {
    fn inputs(&self) -> &Inputs {
        &self.declared.inputs
    }

    fn places(&self) -> Option<Places> {
        self.declared.places.clone()
    }

    fn start(&self, start: Start) -> BoxFuture<'_, (Step, Box<dyn Conversation>)> {
        Box::pin(async move {
            let (crew, profile) = (Arc::clone(&self.crew), Arc::clone(&self.profile));
            let begun = self.crew.call("start", self.crew.limits().call, move || {
                let (step, flow) = profile.get()?.start(start);
                let flow = Owned::new(flow, crew);
                Ok((matches!(step, Step::Need(_)).then_some(flow), step))
            });
            let (flow, step) = begun.await.flatten().unwrap_or_else(|error| (None, Step::Failed(error)));
            let talk = Talk { crew: Arc::clone(&self.crew), flow };
            (step, Box::new(talk) as Box<dyn Conversation>)
        })
    }

    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        Box::pin(async move {
            let (crew, profile) = (Arc::clone(&self.crew), Arc::clone(&self.profile));
            let made = self.crew.call("signer", self.crew.limits().call, move || {
                let signer = profile.get()?.signer(credential)?;
                Ok(Watched { signer: Owned::new(signer, Arc::clone(&crew)) })
            });
            Ok(Signing::Here(Box::new(made.await.flatten()?)))
        })
    }

    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<Value>, Error>> {
        Box::pin(async move {
            let profile = Arc::clone(&self.profile);
            let keys =
                self.crew.call("public_keys", self.crew.limits().call, move || profile.get()?.public_keys());
            keys.await.flatten()
        })
    }
}

/// A conversation. While a call of it is under way, the flow is with the plugin's thread, where what is over is dropped.
struct Talk {
    crew: Arc<Crew>,
    flow: Option<Owned<Box<dyn Flow>>>,
}

impl Conversation for Talk {
    fn resume(&mut self, resume: Resume) -> BoxFuture<'_, Step> {
        Box::pin(async move {
            let Some(mut flow) = self.flow.take() else {
                return Step::Failed(Error::internal("the conversation is over"));
            };
            let resumed = self.crew.call("resume", self.crew.limits().call, move || {
                let step = flow.get_mut()?.resume(resume);
                Ok((matches!(step, Step::Need(_)).then_some(flow), step))
            });
            let (flow, step) = resumed.await.flatten().unwrap_or_else(|error| (None, Step::Failed(error)));
            self.flow = flow;
            step
        })
    }
}

/// A signer that is watched: while a signature of its plugin is stuck, it makes none.
struct Watched {
    signer: Owned<Box<dyn Signer>>,
}

impl Signer for Watched {
    #[inline]
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error> {
        let _inside = self.signer.crew.shared().enter_to_sign()?;
        self.signer.get()?.sign(request, cx, place)
    }
}

/// Something that lives in the plugin: its destructor runs on the plugin's threads.
struct Owned<T: Send + 'static> {
    value: Option<T>,
    crew: Arc<Crew>,
}

impl<T: Send + 'static> Owned<T> {
    const fn new(value: T, crew: Arc<Crew>) -> Self {
        Self { value: Some(value), crew }
    }

    fn get(&self) -> Result<&T, Error> {
        self.value.as_ref().ok_or_else(gone)
    }

    fn get_mut(&mut self) -> Result<&mut T, Error> {
        self.value.as_mut().ok_or_else(gone)
    }
}

#[cold]
fn gone() -> Error {
    Error::internal("what the plugin made is gone already")
}

impl<T: Send + 'static> Drop for Owned<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.crew.discard(value);
        }
    }
}
