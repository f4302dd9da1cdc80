use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use countersign::protocol::Start;
use countersign::{Challenge, Error, Lifetime};
use tokio::sync::Semaphore;

use super::backoff::{Failure, pause};
use super::clock::Moment;
use super::contain::Contained;
use super::counters::bump;
use super::flight::{Leader, SingleFlight, Turn};
use super::key::Key;
use super::life::Life;
use super::replica::Front;
use super::snapshot::{Generation, Snapshot};
use super::store::StateId;
use super::{Outcome, Settings, Shared};

/// The life of one credential: one key under one set of settings.
pub(crate) struct Slot {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    epoch: u64,
    key: Key,
    front: Arc<Front>,
    current: ArcSwapOption<Snapshot>,
    flight: SingleFlight<Outcome>,
    /// For credentials of single use: bounds the conversations at a time.
    alone: Semaphore,
    /// The last credential was of single use, without renewal state, and no conversation failed since: they may
    /// overlap.
    separate: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failure: Option<Arc<Failure>>,
    /// Failures in a row.
    streak: u32,
    /// What the next conversation is told of the last rejection.
    challenge: Option<Challenge>,
    rejections: Rejections,
    /// The last credential was of single use.
    single_use: bool,
}

/// Keeps an upstream that rejects whatever it gets from sending us to the issuer each time.
#[derive(Default)]
struct Rejections {
    streak: u32,
    /// Before, no rejection invalidates anything.
    deaf_until: u64,
    /// From here on the streak is forgotten.
    calm_from: u64,
}

/// Conversations at a time for credentials of single use.
const ALONE: usize = 16;

impl Slot {
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        epoch: u64,
        key: Key,
        front: Arc<Front>,
    ) -> Self {
        Self {
            shared,
            settings,
            epoch,
            key,
            front,
            current: ArcSwapOption::empty(),
            flight: SingleFlight::new(),
            alone: Semaphore::new(ALONE),
            separate: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// The credential that is current, whether or not it may still be used.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// The failure whose pause holds.
    pub(crate) fn failing(&self, now: u64) -> Option<Arc<Failure>> {
        self.state().failure.clone().filter(|failure| now < failure.until)
    }

    /// A usable credential without waiting; when its renewal is due, this starts it.
    pub(crate) fn usable(self: &Arc<Self>, now: u64) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot().filter(|snapshot| now < snapshot.life().unusable_at)?;
        let attention = self.front.attention();
        if now >= attention && self.front.claim_look(attention, snapshot.life().unusable_at) {
            self.renew();
        }
        Some(snapshot)
    }

    /// A usable credential, or the reason why there is none.
    pub(crate) async fn obtain(self: &Arc<Self>) -> Outcome {
        loop {
            let now = self.shared.clock().tick().effective;
            if let Some(snapshot) = self.usable(now) {
                return Ok(snapshot);
            }
            if let Some(failure) = self.failing(now) {
                return Err(failure);
            }
            if self.separate.load(Ordering::Relaxed) {
                return self.obtain_alone().await;
            }
            let snapshot = self.obtain_together().await?;
            if snapshot.claim() {
                return Ok(snapshot);
            }
        }
    }

    /// Joins the conversation under way, or begins one.
    ///
    /// It runs as a task of its own. A caller that goes away must not end it: the issuer would be asked again for
    /// each impatient caller, and a refresh token that it had just replaced would be lost.
    pub(crate) async fn obtain_together(self: &Arc<Self>) -> Outcome {
        let (mut lead, mut wait) = self.flight.join();
        for _ in 0..3 {
            if let Some(leader) = lead.take() {
                self.shared.spawn(Arc::clone(self).lead(leader));
            }
            match (&mut wait).await {
                Turn::Landed(outcome) => return outcome,
                Turn::Lead(leader) => lead = Some(leader),
            }
        }
        let since = self.shared.clock().tick();
        let (error, until) = (Error::unavailable("the host is shutting down"), since.effective);
        Err(Arc::new(Failure { error, since: since.wall, pause: None, until }))
    }

    async fn lead(self: Arc<Self>, leader: Leader<Outcome>) {
        // The flight before may have landed between this caller's look and its joining.
        let now = self.shared.clock().tick().effective;
        let fresh = self.snapshot().filter(|snapshot| now < snapshot.life().refresh_at);
        let outcome = match (fresh, self.failing(now)) {
            (Some(snapshot), _) => Ok(snapshot),
            (None, Some(failure)) => Err(failure),
            (None, None) => self.acquire().await,
        };
        leader.land(outcome);
    }

    fn renew(self: &Arc<Self>) {
        if let (Some(leader), _) = self.flight.join() {
            tracing::debug!(profile = &*self.shared.name, "renewing the credential ahead of its end");
            bump(&self.shared.counters.renewals);
            self.shared.spawn(Arc::clone(self).lead(leader));
        }
    }

    /// A credential for this caller only, of which a bounded number is obtained at a time.
    async fn obtain_alone(self: &Arc<Self>) -> Outcome {
        let _permit = self.alone.acquire().await;
        match self.failing(self.shared.clock().tick().effective) {
            Some(failure) => Err(failure),
            None => self.acquire().await.inspect(|snapshot| {
                snapshot.claim();
            }),
        }
    }

    /// One conversation, and what follows from it.
    async fn acquire(&self) -> Outcome {
        bump(&self.shared.counters.acquires);
        let asked = self.shared.clock().tick();
        let challenge = self.state().challenge.take();
        match Contained::new(self.converse(asked, challenge.clone())).await {
            Ok(snapshot) => {
                let took = self.shared.clock().tick().effective.saturating_sub(asked.effective);
                tracing::debug!(profile = &*self.shared.name, took_ms = took, "acquired a credential");
                Ok(self.publish(snapshot))
            }
            Err(error) => {
                let mut state = self.state();
                state.challenge = state.challenge.take().or(challenge);
                drop(state);
                Err(self.fail(error))
            }
        }
    }

    async fn converse(&self, asked: Moment, challenge: Option<Challenge>) -> Result<Snapshot, Error> {
        let (acquire, id) = (&self.settings.acquire, StateId::new(&self.settings.store_as, &self.key));
        let previous = self.shared.store().load(id.clone()).await?;
        let start = Start {
            now: asked.wall,
            caller: self.key.caller(acquire.inputs()),
            target: self.key.target().cloned(),
            challenge,
            previous: previous.clone(),
        };
        let credential = Arc::clone(acquire).acquire(start).await?;
        // Before anything else can go wrong: the issuer may have revoked the state before.
        let renewal = credential.renewal();
        let single_use = credential.lifetime() == Lifetime::SingleUse;
        self.separate.store(single_use && renewal.is_none() && previous.is_none(), Ordering::Relaxed);
        if let Some(renewal) = renewal
            && previous.is_none_or(|previous| previous.expose() != renewal.expose())
        {
            self.shared.store().save(id, renewal.clone()).await?;
        }
        let (now, chance) = (self.shared.clock().tick().effective, self.shared.jitter().chance());
        let life = Life::new(credential.lifetime(), asked, now, self.settings.default_lifetime, chance)?;
        Snapshot::new(credential, life, |credential| acquire.signer(credential)).await
    }

    fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut state = self.state();
        (state.failure, state.streak) = (None, 0);
        state.single_use = snapshot.life().single_use;
        if !state.single_use {
            self.current.store(Some(Arc::clone(&snapshot)));
            let replicable = snapshot.is_headers_only().then(|| snapshot.generation());
            self.front.publish(self.epoch, replicable, snapshot.life().refresh_at);
        }
        snapshot
    }

    fn fail(&self, error: Error) -> Arc<Failure> {
        let now = self.shared.clock().tick();
        self.shared.counters.failed(error.kind());
        self.separate.store(false, Ordering::Relaxed);
        let mut state = self.state();
        if let Some(known) = state.failure.as_ref().filter(|known| now.effective < known.until) {
            // Of several at a time the first one counts.
            return Arc::clone(known);
        }
        state.streak = state.streak.saturating_add(1);
        let pause = pause(&error, state.streak, self.shared.jitter().chance());
        let until = pause.map_or(u64::MAX, |pause| now.effective.saturating_add(pause.as_millis() as u64));
        tracing::warn!(
            profile = &*self.shared.name,
            kind = error.kind().as_str(),
            streak = state.streak,
            pause_ms = pause.map(|pause| pause.as_millis() as u64),
            %error,
            "no credential could be acquired"
        );
        let failure = Arc::new(Failure { error, since: now.wall, pause, until });
        state.failure = Some(Arc::clone(&failure));
        if let Some(snapshot) = self.snapshot() {
            self.front.look_again(self.epoch, until.min(snapshot.life().unusable_at));
        }
        failure
    }

    /// An upstream rejected that credential. Returns whether trying again may help: whether the next credential
    /// will be another one.
    pub(crate) fn reject(&self, generation: Generation, challenge: Challenge) -> bool {
        let now = self.shared.clock().tick().effective;
        let mut state = self.state();
        let Some(snapshot) = self.snapshot() else {
            if state.single_use {
                state.challenge = Some(challenge);
            }
            return true;
        };
        if snapshot.generation() != generation {
            return true;
        }
        let profile = &*self.shared.name;
        if now < state.rejections.deaf_until {
            tracing::debug!(profile, %generation, status = challenge.status, "rejected again; kept for a while");
            return false;
        }
        tracing::info!(profile, %generation, status = challenge.status, "the credential was rejected");
        bump(&self.shared.counters.rejections);
        state.rejections.heard(now, self.shared.jitter().chance());
        state.challenge = Some(challenge);
        self.current.store(None);
        self.front.withdraw(self.epoch);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rejections {
    fn heard(&mut self, now: u64, chance: f64) {
        self.streak = if now < self.calm_from { self.streak.saturating_add(1) } else { 1 };
        let deaf =
            pause(&Error::denied("rejected"), self.streak, chance).unwrap_or_default().as_millis() as u64;
        self.deaf_until = now.saturating_add(deaf);
        self.calm_from = self.deaf_until.saturating_add(deaf);
    }
}
