//! Which threads are in a plugin's code at this moment: told by each thread with one store when it goes in and one when
//! it comes out, read by those who watch.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A number for a plugin that was loaded into this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PluginId(u64);

/// What a thread does there, by its mark.
const WHO: u64 = (1 << 24) - 1;
/// The mark of signatures; other calls have deadlines of their own.
const SIGNS: u64 = 1 << 24;
/// One turn: each going in and coming out is one, so that two visits are never the same.
const TURN: u64 = 1 << 25;

/// The names by number. Plugins are never unloaded, and so their names are not forgotten.
static NAMES: Mutex<Vec<Arc<str>>> = Mutex::new(Vec::new());
/// The desk of every thread that ever went in; those of threads that ended are taken by others.
static DESKS: Mutex<Vec<&'static Desk>> = Mutex::new(Vec::new());

thread_local! {
    // Without a destructor: it is read after those have run, when the process ends.
    static MINE: Cell<Option<&'static Desk>> = const { Cell::new(None) };
    static GIVE_BACK: GiveBack = const { GiveBack };
}

/// Where one thread notes where it is.
pub(super) struct Desk {
    mark: AtomicU64,
    taken: AtomicBool,
}

/// A thread's stay in a plugin's code; it ends when this is dropped.
pub(super) struct Inside {
    desk: &'static Desk,
    before: u64,
}

/// One signature that is being made: the same for as long as it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    desk: usize,
    mark: u64,
}

impl PluginId {
    pub(super) fn new(name: &str) -> Self {
        let mut names = lock(&NAMES);
        names.push(name.into());
        Self(names.len() as u64 & WHO)
    }

    /// This thread goes in, for a call that is not a signature.
    pub(super) fn enter(self) -> Inside {
        Inside::begin(self.0)
    }

    /// This thread goes in, to sign.
    #[inline]
    pub(super) fn enter_to_sign(self) -> Inside {
        Inside::begin(self.0 | SIGNS)
    }

    /// Whether this thread is in its code.
    pub(super) fn is_here(self) -> bool {
        MINE.get().is_some_and(|desk| desk.mark.load(Ordering::Relaxed) & WHO == self.0)
    }

    /// The signatures of this plugin that are being made.
    pub(super) fn signatures(self) -> Vec<Visit> {
        let desks = lock(&DESKS);
        let marks = desks.iter().map(|desk| desk.mark.load(Ordering::Acquire)).enumerate();
        let signing = marks.filter(|(_, mark)| mark & (TURN - 1) == self.0 | SIGNS);
        signing.map(|(desk, mark)| Visit { desk, mark }).collect()
    }
}

/// A number that is another one when any thread went in or out meanwhile.
pub(super) fn turns() -> u64 {
    let marks = lock(&DESKS).iter().map(|desk| desk.mark.load(Ordering::Relaxed) / TURN).collect::<Vec<_>>();
    marks.into_iter().fold(0, u64::wrapping_add)
}

/// The name of the plugin in whose code this thread is. It waits for nobody, for it is asked when the process ends.
pub(super) fn here() -> Option<Arc<str>> {
    let who = MINE.get()?.mark.load(Ordering::Relaxed) & WHO;
    let index = usize::try_from(who.checked_sub(1)?).ok()?;
    let name = NAMES.try_lock().ok().and_then(|names| names.get(index).cloned());
    Some(name.unwrap_or_else(|| "(unknown)".into()))
}

impl Inside {
    #[inline]
    fn begin(low: u64) -> Self {
        let desk = MINE.get().unwrap_or_else(take_desk);
        let before = desk.mark.load(Ordering::Relaxed);
        desk.mark.store((before & !(TURN - 1)).wrapping_add(TURN) | low, Ordering::Release);
        Self { desk, before: before & (TURN - 1) }
    }
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        let now = self.desk.mark.load(Ordering::Relaxed);
        self.desk.mark.store((now & !(TURN - 1)).wrapping_add(TURN) | self.before, Ordering::Release);
    }
}

#[cold]
fn take_desk() -> &'static Desk {
    let mut desks = lock(&DESKS);
    let free = desks.iter().copied().find(|desk| !desk.taken.load(Ordering::Acquire));
    let desk = free.unwrap_or_else(|| {
        let desk: &'static Desk = Box::leak(Box::new(Desk { mark: AtomicU64::new(0), taken: false.into() }));
        desks.push(desk);
        desk
    });
    desk.taken.store(true, Ordering::Release);
    drop(desks);
    MINE.set(Some(desk));
    // A thread that ends already keeps its desk.
    let _ = GIVE_BACK.try_with(|_| {});
    desk
}

/// At the end of a thread its desk becomes free, unless it ends in a plugin's code: then the process ends.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(desk) = MINE.get()
            && desk.mark.load(Ordering::Relaxed) & WHO == 0
        {
            MINE.set(None);
            desk.taken.store(false, Ordering::Release);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_seen_where_it_is_and_each_visit_is_another_one() {
        let (one, other) = (PluginId::new("one"), PluginId::new("other"));
        assert_eq!((here(), one.signatures()), (None, Vec::new()));
        let inside = one.enter_to_sign();
        assert_eq!(here().as_deref(), Some("one"));
        let first = one.signatures();
        assert_eq!((first.len(), other.signatures().len()), (1, 0));
        let nested = other.enter();
        assert_eq!((here().as_deref(), one.signatures().len()), (Some("other"), 0));
        drop(nested);
        assert_eq!(here().as_deref(), Some("one"));
        drop(inside);
        assert_eq!((here(), one.signatures()), (None, Vec::new()));
        let _again = one.enter_to_sign();
        assert_ne!(one.signatures(), first);
    }

    #[test]
    fn threads_that_ended_leave_their_desks_to_others() {
        let plugin = PluginId::new("desks");
        for _ in 0..100 {
            std::thread::spawn(move || drop(plugin.enter())).join().unwrap();
        }
        // Other tests have threads too.
        assert!(lock(&DESKS).len() < 50);
    }
}
