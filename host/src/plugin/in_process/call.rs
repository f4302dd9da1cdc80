use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use countersign::Error;

/// How long an answer is looked for before the thread that wants it sleeps: waking it again takes as long.
const LOOK: Duration = Duration::from_micros(30);

/// A call under way, as the one sees it who waits for its answer. Dropping it gives the answer up.
pub(super) struct Call<T> {
    slot: Arc<Slot<T>>,
    looks: bool,
}

/// Where a call's answer is left.
pub(super) struct Slot<T> {
    /// Whether there is something to be had, for those who look.
    done: AtomicBool,
    state: Mutex<State<T>>,
}

struct State<T> {
    answer: Option<Result<T, Error>>,
    waker: Option<Waker>,
    /// Nobody wants another answer: there is one, or the one who waited is gone.
    over: bool,
}

/// A slot, whatever its answer is.
pub(super) trait Answer: Send + Sync {
    /// Whether somebody waits for it.
    fn is_wanted(&self) -> bool;
    /// The answer is an error, unless there is one.
    fn fail(&self, error: Error);
    /// Tells the one who waits that there is an answer.
    fn publish(&self);
}

impl<T> Slot<T> {
    pub(super) fn new() -> Arc<Self> {
        let state = State { answer: None, waker: None, over: false };
        Arc::new(Self { done: AtomicBool::new(false), state: Mutex::new(state) })
    }

    /// Leaves an answer, without a word about it. What nobody wants comes back.
    pub(super) fn leave(&self, answer: Result<T, Error>) -> Option<Result<T, Error>> {
        let mut state = self.lock();
        if state.over {
            return Some(answer);
        }
        state.over = true;
        state.answer = Some(answer);
        None
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Answer for Slot<T> {
    fn is_wanted(&self) -> bool {
        !self.lock().over
    }

    fn fail(&self, error: Error) {
        if self.leave(Err(error)).is_none() {
            self.publish();
        }
    }

    fn publish(&self) {
        self.done.store(true, Ordering::Release);
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Call<T> {
    /// `looks`: whether it makes sense to look for the answer before sleeping.
    pub(super) fn of(slot: Arc<Slot<T>>, looks: bool) -> Self {
        Self { slot, looks }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.looks) {
            look_for(&self.slot.done, LOOK);
        }
        let mut state = self.slot.lock();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        let mut state = self.slot.lock();
        state.over = true;
        let unwanted = (state.answer.take(), state.waker.take());
        drop(state);
        drop(unwanted);
    }
}

/// Looks whether something is true, again and again for some time. Others may have the processor in between: it may be the
/// one on which the thread has to run that makes it true.
pub(super) fn look_for(flag: &AtomicBool, time: Duration) -> bool {
    let begun = Instant::now();
    loop {
        for _ in 0..16 {
            if flag.load(Ordering::Acquire) {
                return true;
            }
            std::hint::spin_loop();
        }
        if begun.elapsed() > time {
            return false;
        }
        std::thread::yield_now();
    }
}
