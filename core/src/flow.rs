//! Turns a profile's `async fn` into a machine of steps: it is polled with a waker that does nothing, and what it
//! awaits becomes a [`Step::Need`] for the host.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::panic::{Guarded, guard};
use crate::protocol::{Resume, Start, Step};
use crate::{AuthProfile, Context, Credential, Error};

/// One conversation of a profile with its host. Dropping it cancels it.
pub trait Flow: Send {
    /// Goes on with the host's answer to the last need.
    fn resume(&mut self, resume: Resume) -> Step;
}

type Acquiring = Pin<Box<dyn Future<Output = Result<Credential, Error>> + Send>>;

/// A profile's `acquire`, halfway.
pub(crate) struct AsyncFlow {
    type_name: &'static str,
    context: Context,
    /// `None` once it has ended; a guard stands around its drop as around its polls.
    acquiring: Option<Acquiring>,
}

impl AsyncFlow {
    /// Begins a conversation and takes it to its first step.
    pub(crate) fn start<P: AuthProfile>(profile: Arc<Guarded<P>>, start: Start) -> (Step, Self) {
        let mut flow = match guard(P::TYPE, "inputs", || profile.inputs()) {
            Ok(inputs) => {
                let context = Context::new(start, inputs);
                let lent = context.clone();
                let acquiring: Acquiring = Box::pin(async move { profile.acquire(&lent).await });
                Self { type_name: P::TYPE, context, acquiring: Some(acquiring) }
            }
            Err(error) => {
                let context = Context::new(start, crate::Inputs::none());
                return (Step::Failed(error), Self { type_name: P::TYPE, context, acquiring: None });
            }
        };
        (flow.poll(), flow)
    }

    fn poll(&mut self) -> Step {
        let Some(acquiring) = &mut self.acquiring else {
            return Step::Failed(Error::internal("the conversation is over"));
        };
        let mut task = TaskContext::from_waker(Waker::noop());
        let step = match guard(self.type_name, "acquire", || acquiring.as_mut().poll(&mut task)) {
            Ok(Poll::Ready(Ok(credential))) => Step::Done(credential),
            Ok(Poll::Ready(Err(error))) | Err(error) => Step::Failed(error),
            Ok(Poll::Pending) => match self.context.next_need() {
                Some(need) => return Step::Need(need),
                None => Step::Failed(Error::internal(format!(
                    "the type {} awaits something other than its context; a profile does no I/O of its own",
                    self.type_name
                ))),
            },
        };
        match self.end() {
            Ok(()) => step,
            Err(error) => Step::Failed(error),
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        let acquiring = self.acquiring.take();
        guard(self.type_name, "drop", || drop(acquiring))
    }
}

impl Flow for AsyncFlow {
    fn resume(&mut self, resume: Resume) -> Step {
        self.context.answer(resume.now, resume.event);
        self.poll()
    }
}

impl Drop for AsyncFlow {
    fn drop(&mut self) {
        if self.acquiring.is_some() {
            let _ = self.end();
        }
    }
}
