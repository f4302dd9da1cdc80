//! Holds a profile's conversations: what it needs is done here, step by step, under one deadline.

use std::sync::Arc;
use std::time::Duration;

use countersign::protocol::{Need, Resume, Start, Step};
use countersign::{Credential, Error, Inputs, Places};
use tracing::Instrument;

use crate::acquire::{Acquire, BoxFuture};
use crate::cache::Clock;
use crate::endpoint::Endpoints;
use crate::instance::{Instance, Signing};
use crate::needs::Needs;

/// How long a whole conversation may last.
const DEADLINE: Duration = Duration::from_secs(60);
/// How many needs a conversation may have; a profile that asks for ever is stopped here.
const MOST_NEEDS: usize = 64;

/// An instance of a profile, as the cache sees it.
pub(crate) struct Driven {
    name: Arc<str>,
    type_name: Arc<str>,
    instance: Box<dyn Instance>,
    needs: Needs,
    /// Whose paths errors may name.
    endpoints: Endpoints,
    clock: Clock,
}

impl Driven {
    pub(crate) fn new(
        name: Arc<str>,
        type_name: Arc<str>,
        instance: Box<dyn Instance>,
        needs: Needs,
        endpoints: Endpoints,
        clock: Clock,
    ) -> Self {
        Self { name, type_name, instance, needs, endpoints, clock }
    }

    async fn converse(&self, start: Start) -> Result<Credential, Error> {
        let (mut step, mut conversation) = self.instance.start(start).await;
        // Whom the step before asked.
        let mut asked = None;
        for _ in 0..MOST_NEEDS {
            let event = match step {
                Step::Done(credential) => return Ok(credential),
                Step::Failed(error) => return Err(self.named(asked.as_deref(), error)),
                Step::Need(need) => {
                    asked = match &need {
                        Need::Http(request) => Some(request.url.clone()),
                        _ => None,
                    };
                    self.needs.meet(need).await
                }
            };
            step = conversation.resume(Resume { now: self.clock.tick().wall, event }).await;
        }
        match step {
            Step::Done(credential) => Ok(credential),
            Step::Failed(error) => Err(self.named(asked.as_deref(), error)),
            Step::Need(_) => Err(Error::internal(format!(
                "the type {} asks its host for more than {MOST_NEEDS} things in one conversation",
                self.type_name
            ))),
        }
    }

    /// An error with the endpoint in it that it is about.
    fn named(&self, asked: Option<&str>, error: Error) -> Error {
        match asked {
            Some(url) => self.endpoints.name(url, error),
            None => error,
        }
    }
}

impl Acquire for Driven {
    fn inputs(&self) -> &Inputs {
        self.instance.inputs()
    }

    fn places(&self) -> Option<Places> {
        self.instance.places()
    }

    fn acquire(self: Arc<Self>, start: Start) -> BoxFuture<'static, Result<Credential, Error>> {
        let span = tracing::debug_span!("acquire", profile = %self.name, r#type = %self.type_name);
        let conversation = async move {
            tokio::time::timeout(DEADLINE, self.converse(start)).await.unwrap_or_else(|_| {
                Err(Error::unavailable(format!("no credential within {} s", DEADLINE.as_secs())))
            })
        };
        Box::pin(conversation.instrument(span))
    }

    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        self.instance.signer(credential)
    }
}
