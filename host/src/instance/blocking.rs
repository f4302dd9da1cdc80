use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use countersign::protocol::{Resume, Start, Step};
use countersign::{
    Credential, Error, Flow, Inputs, PlaceEdit, Places, Profile, RequestHead, SignContext, Signer,
};
use serde_json::Value;

use super::{AwaySigner, Conversation, Instance, Signing};

/// An instance for those who can wait: as a [`Profile`], whose calls block until its home has answered.
///
/// A scripted host can talk with it, whatever the home.
pub struct Blocking(Box<dyn Instance>);

impl Blocking {
    /// The same instance.
    pub fn new(instance: Box<dyn Instance>) -> Self {
        Self(instance)
    }
}

impl Profile for Blocking {
    fn inputs(&self) -> Inputs {
        self.0.inputs().clone()
    }

    fn places(&self) -> Option<Places> {
        self.0.places()
    }

    fn start(&self, start: Start) -> (Step, Box<dyn Flow>) {
        let (step, conversation) = wait(self.0.start(start));
        (step, Box::new(Talk(conversation)))
    }

    fn signer(&self, credential: Credential) -> Result<Box<dyn Signer>, Error> {
        Ok(match wait(self.0.signer(credential))? {
            Signing::Here(signer) => signer,
            Signing::Away(signer) => Box::new(Waiting(signer)),
        })
    }

    fn public_keys(&self) -> Result<Vec<Value>, Error> {
        wait(self.0.public_keys())
    }
}

struct Talk(Box<dyn Conversation>);

impl Flow for Talk {
    fn resume(&mut self, resume: Resume) -> Step {
        wait(self.0.resume(resume))
    }
}

struct Waiting(Box<dyn AwaySigner>);

impl Signer for Waiting {
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error> {
        for edit in wait(self.0.sign(request, cx))? {
            place(edit.place, &edit.name, edit.value.expose());
        }
        Ok(())
    }
}

/// Blocks the thread until the future is ready.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    // Within one poll of a task of Tokio's, its resources are ready only so often; after that they would be pending for ever here, for
    // that poll does not end before this.
    let mut future = pin!(tokio::task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_waits_often_is_not_held_up_by_its_budget() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let semaphore = tokio::sync::Semaphore::new(1);
            runtime.block_on(async {
                for _ in 0..1000 {
                    drop(wait(semaphore.acquire()));
                }
            });
            ended.send(()).unwrap();
        });
        end.recv_timeout(std::time::Duration::from_secs(20)).expect("it waits for ever");
    }
}
