//! Watches a plugin's calls while there are any: gives up those that take too long.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use countersign::Error;

use super::call::Answer;
use super::crew::{IDLE, Job, MOST_THREADS, Shared, State};
use super::inside::{self, Inside, Visit};

/// How often it looks. So deadlines are kept to within a tenth of a second, which is close enough for seconds, and no call
/// needs a timer of its own.
const TICK: Duration = Duration::from_millis(100);

/// Nobody watches the signatures.
const UNWATCHED: u8 = 0;
/// Somebody does, and all is well.
const WELL: u8 = 1;
/// A signature has been under way for too long.
const STUCK: u8 = 2;

/// Whether a plugin may sign. A signature runs on the thread of whoever wants it and cannot be cut off; while one is stuck
/// the next ones are refused, lest they take all the host's threads.
#[derive(Debug, Default)]
pub(super) struct SignWatch {
    state: AtomicU8,
    refused: AtomicU64,
}

impl SignWatch {
    /// Whether a signature is stuck.
    pub(super) fn is_stuck(&self) -> bool {
        self.state.load(Ordering::Relaxed) == STUCK
    }

    /// How many signatures were refused because one was stuck.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// This thread goes in to sign: one load and one store, unless something is out of the ordinary.
    #[inline]
    pub(super) fn enter_to_sign(self: &Arc<Self>) -> Result<Inside, Error> {
        if self.signs.state.load(Ordering::Relaxed) != WELL {
            self.look_before_signing()?;
        }
        Ok(self.id.enter_to_sign())
    }

    #[cold]
    fn look_before_signing(self: &Arc<Self>) -> Result<(), Error> {
        if self.signs.state.load(Ordering::Relaxed) == STUCK {
            self.signs.refused.fetch_add(1, Ordering::Relaxed);
            let limit = self.limits.call;
            return Err(self.unavailable(format!(
                "signs nothing for now: a signature of it has been under way for more than {}",
                seconds(limit)
            )));
        }
        let mut state = self.lock();
        self.see_to_oversight(&mut state);
        let watched = if state.overseen { WELL } else { UNWATCHED };
        // Stuck stays stuck, if that was found out just now.
        let _ = self.signs.state.compare_exchange(UNWATCHED, watched, Ordering::Relaxed, Ordering::Relaxed);
        Ok(())
    }

    /// Starts to watch, unless somebody does.
    pub(super) fn see_to_oversight(self: &Arc<Self>, state: &mut State) {
        if state.overseen || state.closed {
            return;
        }
        let shared = Arc::clone(self);
        let name = format!("watch {}", self.name);
        state.overseen = thread::Builder::new().name(name).spawn(move || oversee(&shared)).is_ok();
    }
}

fn oversee(shared: &Arc<Shared>) {
    let mut signatures = Signatures::default();
    let (mut quiet_since, mut turns) = (Instant::now(), inside::turns());
    let mut state = shared.lock();
    loop {
        (state, _) = shared.oversight.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let quiet = state.waiting.is_empty() && state.busy().all(|busy| busy.stuck);
        state = give_up(shared, state, now);
        state = signatures.look(shared, state, now);
        let before = std::mem::replace(&mut turns, inside::turns());
        if !quiet || turns != before || !signatures.0.is_empty() {
            quiet_since = now;
        }
        if state.closed || now.duration_since(quiet_since) > IDLE {
            // Who signs from now on sees to it that somebody watches.
            shared.signs.state.store(UNWATCHED, Ordering::Relaxed);
            state.overseen = false;
            return;
        }
    }
}

/// Answers those who have waited long enough, and gives up the threads that are stuck.
fn give_up<'s>(shared: &'s Shared, mut state: MutexGuard<'s, State>, now: Instant) -> MutexGuard<'s, State> {
    let mut late: Vec<(Option<Arc<dyn Answer>>, Error)> = Vec::new();
    let is_late = |job: &Job| now.duration_since(job.posted) >= job.limit;
    let mut given_back = Vec::new();
    if state.waiting.iter().any(is_late) {
        let (late, in_time): (VecDeque<Job>, _) =
            std::mem::take(&mut state.waiting).into_iter().partition(is_late);
        (given_back, state.waiting) = (late.into(), in_time);
    }
    for job in &mut given_back {
        let words = format!("had no free thread for `{}` within {}", job.what, seconds(job.limit));
        late.push((job.answer.take(), shared.unavailable(words)));
    }
    let mut stuck = Vec::new();
    for busy in state.posts.iter_mut().flatten().filter_map(|post| post.busy.as_mut()) {
        if now.duration_since(busy.posted) < busy.limit || busy.stuck {
            continue;
        }
        let words = format!("has not answered `{}` within {}", busy.what, seconds(busy.limit));
        late.push((busy.answer.take(), shared.unavailable(&words)));
        if now.duration_since(busy.since) >= busy.limit {
            busy.stuck = true;
            stuck.push(words);
        }
    }
    if late.is_empty() && stuck.is_empty() {
        return state;
    }
    state.given_up += stuck.len() as u64;
    if let Some(words) = stuck.last() {
        state.last = Some((now, words.clone()));
    }
    let number = state.stuck();
    if number == MOST_THREADS {
        // Nobody would come to them.
        let error = shared.in_quarantine(&state);
        given_back.extend(state.waiting.drain(..));
        late.extend(given_back.iter_mut().map(|job| (job.answer.take(), error.clone())));
    }
    drop(state);
    report(shared, &stuck, number);
    for (answer, error) in late {
        if let Some(answer) = answer {
            answer.fail(error);
        }
    }
    // Outside of the lock: they may hold what is to be discarded.
    drop(given_back);
    shared.lock()
}

fn report(shared: &Shared, stuck: &[String], number: usize) {
    let plugin = &*shared.name;
    for words in stuck {
        tracing::warn!(
            target: "countersign::plugin", plugin, stuck = number,
            "the plugin {words}; the call is given up, and its thread is lost until it returns"
        );
    }
    if !stuck.is_empty() && number == MOST_THREADS {
        tracing::error!(
            target: "countersign::plugin", plugin,
            "the plugin is in quarantine: all its {MOST_THREADS} threads are stuck in its calls, which fail at once from now on"
        );
    }
}

/// The signatures that are being made, with the moment when each was first seen.
#[derive(Default)]
struct Signatures(Vec<(Visit, Instant)>);

impl Signatures {
    fn look<'s>(
        &mut self,
        shared: &'s Shared,
        mut state: MutexGuard<'s, State>,
        now: Instant,
    ) -> MutexGuard<'s, State> {
        let seen = shared.id.signatures();
        self.0.retain(|(visit, _)| seen.contains(visit));
        for visit in seen {
            if self.0.iter().all(|(known, _)| *known != visit) {
                self.0.push((visit, now));
            }
        }
        let limit = shared.limits.call;
        let stuck = self.0.iter().any(|(_, since)| now.duration_since(*since) >= limit);
        let is = if stuck { STUCK } else { WELL };
        let was = shared.signs.state.swap(is, Ordering::Relaxed);
        let plugin = &*shared.name;
        if stuck == (was == STUCK) {
            return state;
        }
        let words = format!("has not ended a signature within {}", seconds(limit));
        if stuck {
            state.given_up += 1;
            state.last = Some((now, words.clone()));
        }
        drop(state);
        if stuck {
            tracing::error!(
                target: "countersign::plugin", plugin,
                "the plugin {words}; until it ends, the plugin signs nothing"
            );
        } else {
            tracing::info!(target: "countersign::plugin", plugin, "the plugin signs again");
        }
        shared.lock()
    }
}

/// A limit, in words.
pub(super) fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}
