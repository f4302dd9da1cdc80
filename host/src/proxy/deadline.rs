use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::Notify;

/// How often limits are looked at: they are kept to within so long.
const PERIOD: Duration = Duration::from_millis(200);

/// The time limits of one thread, looked at together now and then. So setting one, which every call does, costs neither a
/// look at the clock nor a place in a timer's queue; and while there are none, nothing ticks.
#[derive(Debug)]
pub(crate) struct Deadlines {
    start: Instant,
    /// Periods since the start, as the last look saw it.
    now: Cell<u64>,
    limits: RefCell<Slab<Entry>>,
    first: Notify,
}

#[derive(Debug)]
struct Entry {
    due: u64,
    waker: Option<Waker>,
}

impl Deadlines {
    pub(crate) fn new() -> Rc<Self> {
        let (now, limits, first) = (Cell::new(0), RefCell::default(), Notify::new());
        Rc::new(Self { start: Instant::now(), now, limits, first })
    }

    /// Looks at the limits as long as it is polled; one for each thread.
    pub(crate) async fn run(&self) {
        loop {
            if self.limits.borrow().is_empty() {
                self.first.notified().await;
            }
            tokio::time::sleep(PERIOD).await;
            let now = self.read();
            for (_, entry) in self.limits.borrow_mut().iter_mut().filter(|(_, entry)| entry.due <= now) {
                if let Some(waker) = entry.waker.take() {
                    waker.wake();
                }
            }
        }
    }

    /// A limit that is reached after so long.
    pub(crate) fn limit(self: &Rc<Self>, after: Duration) -> Limit {
        if self.limits.borrow().is_empty() {
            self.read();
            self.first.notify_one();
        }
        let key = self.limits.borrow_mut().insert(Entry { due: self.due(after), waker: None });
        Limit { deadlines: Rc::clone(self), key, after: Cell::new(after) }
    }

    fn read(&self) -> u64 {
        let periods = self.start.elapsed().as_millis() / PERIOD.as_millis();
        self.now.set(u64::try_from(periods).unwrap_or(u64::MAX));
        self.now.get()
    }

    fn due(&self, after: Duration) -> u64 {
        let periods = after.as_millis().div_ceil(PERIOD.as_millis()) + 1;
        self.now.get().saturating_add(u64::try_from(periods).unwrap_or(u64::MAX))
    }
}

/// One time limit. Dropping it lifts it.
#[derive(Debug)]
pub(crate) struct Limit {
    deadlines: Rc<Deadlines>,
    key: usize,
    after: Cell<Duration>,
}

impl Limit {
    /// Begins anew, for as long as it was given last.
    pub(crate) fn begin_anew(&self) {
        self.restart(self.after.get());
    }

    /// Begins anew.
    pub(crate) fn restart(&self, after: Duration) {
        self.after.set(after);
        let due = self.deadlines.due(after);
        if let Some(entry) = self.deadlines.limits.borrow_mut().get_mut(self.key) {
            entry.due = due;
        }
    }

    /// Whether the time is over.
    pub(crate) fn is_reached(&self) -> bool {
        let limits = self.deadlines.limits.borrow();
        limits.get(self.key).is_none_or(|entry| entry.due <= self.deadlines.now.get())
    }

    /// Ready when the time is over.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut limits = self.deadlines.limits.borrow_mut();
        let Some(entry) = limits.get_mut(self.key) else { return Poll::Ready(()) };
        if entry.due <= self.deadlines.now.get() {
            return Poll::Ready(());
        }
        match &mut entry.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// What a future gives, if it does so in time.
    pub(crate) async fn bound<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| match Pin::new(&mut future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(cx).map(|()| None),
        })
        .await
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        self.deadlines.limits.borrow_mut().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(test: impl AsyncFnOnce(Rc<Deadlines>) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let deadlines = Deadlines::new();
        runtime.block_on(async {
            tokio::select! {
                biased;
                output = test(Rc::clone(&deadlines)) => output,
                () = deadlines.run() => unreachable!(),
            }
        })
    }

    #[test]
    fn a_limit_ends_what_takes_longer_and_nothing_else() {
        run(async |deadlines| {
            let limit = deadlines.limit(Duration::from_millis(1));
            assert_eq!(limit.bound(std::future::ready(7)).await, Some(7));
            assert_eq!(limit.bound(std::future::pending::<()>()).await, None);
            let other = deadlines.limit(Duration::from_secs(60));
            assert_eq!(other.bound(tokio::task::yield_now()).await, Some(()));
        });
    }

    #[test]
    fn a_limit_that_begins_anew_is_reached_later() {
        run(async |deadlines| {
            let limit = deadlines.limit(Duration::from_millis(1));
            limit.restart(Duration::from_secs(60));
            let sleep = tokio::time::sleep(PERIOD * 4);
            assert_eq!(limit.bound(sleep).await, Some(()));
        });
    }

    #[test]
    fn a_limit_that_begins_anew_has_as_long_as_it_was_given_last() {
        let deadlines = Deadlines::new();
        let limit = deadlines.limit(Duration::from_secs(1));
        let due = || deadlines.limits.borrow().iter().next().map(|(_, entry)| entry.due);
        limit.restart(Duration::from_secs(60));
        let long = due();
        limit.begin_anew();
        assert_eq!(due(), long);
    }

    #[test]
    fn nothing_is_kept_of_limits_that_are_gone() {
        let deadlines = Deadlines::new();
        drop(deadlines.limit(Duration::from_secs(1)));
        assert!(deadlines.limits.borrow().is_empty());
    }
}
