//! The life of credentials against a scripted issuer, on a clock that is moved by hand.

mod hot;
mod keys;
mod rejection;
mod renewal;
mod state;
mod together;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::protocol::Start;
use countersign::{Caller, Challenge, Credential, Error, Inputs, Origin};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::*;
use crate::acquire::{Acquire, BoxFuture};
use crate::instance::Signing;

type Answer = dyn Fn(usize, &Start) -> Result<Credential, Error> + Send + Sync;

/// A profile that answers from a closure, which is given the number of the call (from 1).
struct Issuer {
    inputs: Inputs,
    answer: Box<Answer>,
    starts: Mutex<Vec<Start>>,
    /// Answers that may be given; more than anyone takes, unless held.
    gate: Semaphore,
}

impl Issuer {
    fn new(answer: impl Fn(usize, &Start) -> Result<Credential, Error> + Send + Sync + 'static) -> Self {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Self { inputs: Inputs::none(), answer: Box::new(answer), starts: Mutex::default(), gate }
    }

    /// Gives `token-N` for an hour.
    fn hourly() -> Self {
        Self::new(|call, _| Ok(token(call).valid_for(HOUR)))
    }

    /// Always fails so.
    fn failing(error: Error) -> Self {
        Self::new(move |_, _| Err(error.clone()))
    }

    fn reading(self, inputs: Inputs) -> Self {
        Self { inputs, ..self }
    }

    /// Answers only when told to.
    fn held(self) -> Self {
        Self { gate: Semaphore::new(0), ..self }
    }

    fn release(&self) {
        self.gate.add_permits(1);
    }

    fn calls(&self) -> usize {
        self.starts.lock().unwrap().len()
    }

    fn last_start(&self) -> Start {
        self.starts.lock().unwrap().last().unwrap().clone()
    }
}

impl Acquire for Issuer {
    fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    fn acquire(self: Arc<Self>, start: Start) -> BoxFuture<'static, Result<Credential, Error>> {
        Box::pin(async move {
            let call = {
                let mut starts = self.starts.lock().unwrap();
                starts.push(start.clone());
                starts.len()
            };
            self.gate.acquire().await.unwrap().forget();
            (self.answer)(call, &start)
        })
    }

    fn signer(&self, _: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        Box::pin(async { Err(Error::unsupported("this issuer does not sign")) })
    }
}

/// A cache before its issuer.
struct Rig {
    cache: Arc<ProfileCache>,
    issuer: Arc<Issuer>,
    clock: ManualClock,
}

impl Rig {
    fn new(issuer: Issuer) -> Self {
        Self::with_store(issuer, Arc::new(MemoryStore::new()))
    }

    fn with_store(issuer: Issuer, store: Arc<dyn Store>) -> Self {
        let (issuer, clock) = (Arc::new(issuer), Clock::manual(at(1_000_000)));
        let environment = environment(&clock, store);
        let cache = Arc::new(ProfileCache::new("crm", settings(&issuer), environment));
        Self { cache, issuer, clock }
    }

    async fn current(&self) -> Outcome {
        self.cache.current(&Caller::new(), &target()).await
    }

    async fn token(&self) -> String {
        shown(&self.current().await.unwrap())
    }

    async fn error(&self) -> String {
        self.current().await.unwrap_err().to_string()
    }

    fn reject(&self, generation: Generation) -> bool {
        let challenge = Challenge { status: 401, headers: Vec::new() };
        self.cache.reject(&Caller::new(), &target(), generation, challenge)
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn settings(issuer: &Arc<Issuer>) -> Settings {
    let acquire = Arc::clone(issuer) as Arc<dyn Acquire>;
    Settings { acquire, default_lifetime: 5 * MINUTE, store_as: "crm".to_owned() }
}

fn environment(clock: &ManualClock, store: Arc<dyn Store>) -> Arc<Environment> {
    let (clock, jitter, runtime) = (clock.clock(), Jitter::seeded(7), Handle::current());
    Arc::new(Environment { clock, store, jitter, runtime })
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn target() -> Origin {
    "https://orders.example".parse().unwrap()
}

fn token(call: usize) -> Credential {
    Credential::header("x-token", format!("token-{call}"))
}

fn shown(snapshot: &Snapshot) -> String {
    snapshot.headers()[0].1.to_str().unwrap().to_owned()
}

/// Lets every task go as far as it can.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
