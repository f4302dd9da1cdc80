//! The threads on which a plugin's calls run, so that no call of it can hold up whoever makes it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use countersign::Error;
use tracing::{Dispatch, Span, dispatcher};

use super::call::{Answer, Call, Slot, look_for};
use super::inside::PluginId;
use super::overseer::SignWatch;
use crate::plugin::health::{Cause, Condition, LastFailure, PluginStatus};

/// How many threads a plugin may have. Those in which its calls are stuck are among them.
pub(super) const MOST_THREADS: usize = 4;
/// How many calls may wait for a thread.
const MOST_WAITING: usize = 1024;
/// How long a thread without work stays.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// How long a thread looks for the next call before it sleeps. The calls of one conversation follow each other within
/// microseconds; to wake a thread takes 20 to 50.
const LOOK: Duration = Duration::from_micros(50);

/// How long calls of a plugin may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Loading it, and making an instance: constructors, the parsing of keys.
    pub(super) create: Duration,
    /// Any other call. A profile does no I/O, so that a second is long.
    pub(super) call: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { create: Duration::from_secs(10), call: Duration::from_secs(2) }
    }
}

/// A plugin's own threads: few, started when there is something to do, ended when there is not or when this is dropped.
///
/// A call that takes too long is answered in the plugin's place, and its thread is given up until the call returns, if
/// ever: it cannot be ended. When all threads are in that state the plugin is in *quarantine*: calls fail at once.
pub(super) struct Crew(Arc<Shared>);

pub(super) struct Shared {
    pub(super) name: Arc<str>,
    pub(super) id: PluginId,
    pub(super) limits: Limits,
    pub(super) signs: SignWatch,
    /// Whether the machine has a processor to spare for looking.
    looks: bool,
    /// Whether a call waits for a thread; for the one that looks.
    pending: AtomicBool,
    state: Mutex<State>,
    work: Condvar,
    pub(super) oversight: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) waiting: VecDeque<Job>,
    pub(super) posts: [Option<Post>; MOST_THREADS],
    /// Whether one of the threads looks for work; it needs no waking.
    looking: bool,
    /// How many sleep.
    asleep: usize,
    pub(super) overseen: bool,
    pub(super) closed: bool,
    /// How many calls were given up.
    pub(super) given_up: u64,
    /// How many calls failed at once.
    pub(super) refused: u64,
    /// The last call that was given up.
    pub(super) last: Option<(Instant, String)>,
}

/// A thread, by what it does.
#[derive(Default)]
pub(super) struct Post {
    pub(super) busy: Option<Busy>,
}

pub(super) struct Busy {
    pub(super) what: &'static str,
    pub(super) since: Instant,
    pub(super) posted: Instant,
    pub(super) limit: Duration,
    pub(super) answer: Option<Arc<dyn Answer>>,
    pub(super) stuck: bool,
}

/// A call that waits for a thread.
pub(super) struct Job {
    pub(super) what: &'static str,
    pub(super) posted: Instant,
    pub(super) limit: Duration,
    /// `None` when nobody waits for the end.
    pub(super) answer: Option<Arc<dyn Answer>>,
    run: Box<dyn FnOnce() + Send>,
}

impl Crew {
    pub(super) fn new(plugin: &str) -> Self {
        Self::with_limits(plugin, Limits::default())
    }

    pub(super) fn with_limits(plugin: &str, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            name: plugin.into(),
            id: PluginId::new(plugin),
            limits,
            signs: SignWatch::default(),
            looks: thread::available_parallelism().is_ok_and(|processors| processors.get() > 1),
            pending: AtomicBool::new(false),
            state: Mutex::default(),
            work: Condvar::new(),
            oversight: Condvar::new(),
        }))
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// How the plugin is. Without a process of its own it backs off from nothing: while some of its calls are stuck, the
    /// others go on.
    pub(super) fn status(&self, now: Instant) -> PluginStatus {
        let state = self.0.lock();
        let stuck = state.stuck();
        let signing_stuck = self.0.signs.is_stuck();
        let mut status = PluginStatus::well();
        if signing_stuck || stuck == MOST_THREADS {
            status.condition = Condition::Quarantined;
        }
        status.stuck = stuck + usize::from(signing_stuck);
        status.refused = state.refused + self.0.signs.refused();
        status.failures =
            [(Cause::Stuck, state.given_up)].into_iter().filter(|(_, count)| *count > 0).collect();
        status.last_failure = state.last.as_ref().map(|(at, words)| LastFailure {
            cause: Cause::Stuck,
            words: words.clone(),
            ago: now.saturating_duration_since(*at),
        });
        status
    }

    /// Runs something of the plugin's on one of its threads, in the caller's span.
    pub(super) fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        limit: Duration,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> Call<T> {
        let slot = Slot::new();
        let (theirs, span) = (Arc::clone(&slot), Span::current());
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let run = move || {
            let answer =
                dispatcher::with_default(&dispatch, || span.in_scope(|| catch_unwind(AssertUnwindSafe(run))));
            let answer = answer
                .map_err(|_| Error::internal("the host panicked in a call of a plugin; tell its author"));
            // What nobody wants ends here, on the plugin's thread.
            drop(theirs.leave(answer));
        };
        let answer: Arc<dyn Answer> = slot.clone();
        let job = Job { what, posted: Instant::now(), limit, answer: Some(answer), run: Box::new(run) };
        if let Err(error) = self.0.post(job) {
            slot.fail(error);
        }
        Call::of(slot, self.0.looks)
    }

    /// Drops something of the plugin's on one of its threads; nobody waits for it. A plugin in quarantine keeps it.
    ///
    /// On a thread that is in the plugin's code already, it is dropped at once.
    pub(super) fn discard(&self, value: impl Send + 'static) {
        if self.0.id.is_here() {
            return drop(value);
        }
        let (posted, limit) = (Instant::now(), self.0.limits.call);
        let value = std::mem::ManuallyDrop::new(value);
        let run = Box::new(move || drop(std::mem::ManuallyDrop::into_inner(value)));
        // A job that is refused, or given up in the queue, forgets the value instead of running its destructor.
        let _ = self.0.post(Job { what: "drop", posted, limit, answer: None, run });
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.work.notify_all();
        self.0.oversight.notify_all();
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(self: &Arc<Self>, job: Job) -> Result<(), Error> {
        let mut state = self.lock();
        if state.stuck() == MOST_THREADS {
            state.refused += 1;
            return Err(self.in_quarantine(&state));
        }
        if state.waiting.len() >= MOST_WAITING {
            state.refused += 1;
            return Err(self.unavailable("has too many calls that wait for its threads"));
        }
        state.waiting.push_back(job);
        self.pending.store(true, Ordering::Release);
        let needed = state.waiting.len().saturating_sub(usize::from(state.looking));
        let free = state.posts.iter().position(Option::is_none).filter(|_| needed > state.asleep);
        if let Some(index) = free
            && let Err(error) = self.hire(&mut state, index)
        {
            let refused = state.waiting.pop_back();
            drop(state);
            // Outside of the lock: it may hold what is to be discarded.
            drop(refused);
            return Err(error);
        } else if free.is_none() && needed > 0 {
            self.work.notify_one();
        }
        self.see_to_oversight(&mut state);
        Ok(())
    }

    fn hire(self: &Arc<Self>, state: &mut State, index: usize) -> Result<(), Error> {
        let crew = Arc::clone(self);
        let name = format!("plugin {}", self.name);
        match thread::Builder::new().name(name).spawn(move || crew.work(index)) {
            Ok(_) => state.posts[index] = Some(Post::default()),
            // Another thread of it will come to the call.
            Err(_) if state.posts.iter().any(Option::is_some) => {}
            Err(error) => {
                return Err(self.unavailable(format!("gets no thread to run on: {}", error.kind())));
            }
        }
        Ok(())
    }

    /// A thread's life.
    fn work(self: Arc<Self>, index: usize) {
        let mut state = self.lock();
        loop {
            if let Some(job) = self.next(&mut state) {
                state.begin(index, &job);
                drop(state);
                let Job { answer, run, .. } = job;
                let inside = self.id.enter();
                let wanted = answer.as_ref().is_none_or(|answer| answer.is_wanted());
                // What nobody wants any more is only dropped.
                let _ = catch_unwind(AssertUnwindSafe(|| if wanted { run() } else { drop(run) }));
                drop(inside);
                state = self.lock();
                if let Some(busy) = state.end(index) {
                    self.recovered(state, &busy);
                    state = self.lock();
                }
                // Whoever hears the answer may ask again at once, and shall find this thread looking for it.
                let looks = self.looks && !std::mem::replace(&mut state.looking, true);
                drop(state);
                if let Some(answer) = answer {
                    answer.publish();
                }
                if looks {
                    look_for(&self.pending, LOOK);
                }
                state = self.lock();
                if looks {
                    state.looking = false;
                }
                continue;
            }
            if state.closed {
                state.posts[index] = None;
                return;
            }
            state.asleep += 1;
            let (woken, waited) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.asleep -= 1;
            if waited.timed_out() && state.waiting.is_empty() {
                state.posts[index] = None;
                return;
            }
        }
    }

    fn next(&self, state: &mut State) -> Option<Job> {
        let job = state.waiting.pop_front();
        self.pending.store(!state.waiting.is_empty(), Ordering::Release);
        job
    }

    /// A call that was given up has come back.
    fn recovered(&self, state: MutexGuard<'_, State>, busy: &Busy) {
        let was_in_quarantine = state.stuck() + 1 == MOST_THREADS;
        drop(state);
        tracing::warn!(
            target: "countersign::plugin", plugin = &*self.name, call = busy.what,
            seconds = busy.since.elapsed().as_secs(), "a call of the plugin that was given up has returned"
        );
        if was_in_quarantine {
            tracing::info!(
                target: "countersign::plugin", plugin = &*self.name,
                "the plugin has a free thread again, and is no more in quarantine"
            );
        }
    }

    pub(super) fn in_quarantine(&self, state: &State) -> Error {
        let last = state.last.as_ref().map_or("", |(_, words)| words.as_str());
        self.unavailable(format!(
            "is in quarantine: all its {MOST_THREADS} threads are stuck in its calls; the last one {last}"
        ))
    }

    pub(super) fn unavailable(&self, words: impl std::fmt::Display) -> Error {
        Error::unavailable(format!("the plugin {} {words}", self.name))
    }
}

impl State {
    /// How many threads are given up.
    pub(super) fn stuck(&self) -> usize {
        self.busy().filter(|busy| busy.stuck).count()
    }

    pub(super) fn busy(&self) -> impl Iterator<Item = &Busy> {
        self.posts.iter().flatten().filter_map(|post| post.busy.as_ref())
    }

    fn begin(&mut self, index: usize, job: &Job) {
        let answer = job.answer.clone();
        let Job { what, posted, limit, .. } = *job;
        let busy = Busy { what, since: Instant::now(), posted, limit, answer, stuck: false };
        self.posts[index] = Some(Post { busy: Some(busy) });
    }

    /// What it did, if it had been given up.
    fn end(&mut self, index: usize) -> Option<Busy> {
        let busy = self.posts[index].as_mut().and_then(|post| post.busy.take());
        busy.filter(|busy| busy.stuck)
    }
}
