use std::future::ready;

use countersign::protocol::{Resume, Start, Step};
use countersign::{Credential, Error, Flow, Inputs, Places, Profile};
use serde_json::Value;

use super::{BoxFuture, Conversation, Instance, Signing};

/// An instance of a type that is linked into the host: it runs on the thread that asks, and answers at once.
pub(crate) struct Linked {
    inputs: Inputs,
    profile: Box<dyn Profile>,
}

impl Linked {
    pub(crate) fn new(profile: Box<dyn Profile>) -> Self {
        Self { inputs: profile.inputs(), profile }
    }
}

impl Instance for Linked {
    fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn places(&self) -> Option<Places> {
        self.profile.places()
    }

    fn start(&self, start: Start) -> BoxFuture<'_, (Step, Box<dyn Conversation>)> {
        Box::pin(async move {
            let (step, flow) = self.profile.start(start);
            (step, Box::new(Talk(flow)) as Box<dyn Conversation>)
        })
    }

    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        Box::pin(ready(self.profile.signer(credential).map(Signing::Here)))
    }

    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<Value>, Error>> {
        Box::pin(ready(self.profile.public_keys()))
    }
}

struct Talk(Box<dyn Flow>);

impl Conversation for Talk {
    fn resume(&mut self, resume: Resume) -> BoxFuture<'_, Step> {
        Box::pin(async move { self.0.resume(resume) })
    }
}
