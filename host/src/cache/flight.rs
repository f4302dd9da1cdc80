use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::sync::{Arc, Mutex, PoisonError};

/// One works, the others wait for what it brings.
///
/// Whoever [joins](SingleFlight::join) waits; the first one is given the lead as well. A lead that is dropped before
/// it [landed](Leader::land) passes to one who waits.
pub(crate) struct SingleFlight<T>(Arc<Mutex<Option<Arc<Flight<T>>>>>);

/// The duty to bring an outcome.
pub(crate) struct Leader<T> {
    current: SingleFlight<T>,
    flight: Arc<Flight<T>>,
}

/// Waits for the outcome; after a [`Turn::Lead`] it may be awaited again.
pub(crate) struct Wait<T> {
    current: SingleFlight<T>,
    flight: Arc<Flight<T>>,
    seat: Option<(u32, usize)>,
}

/// What waiting comes to.
pub(crate) enum Turn<T> {
    /// The outcome, the same for all who waited.
    Landed(T),
    /// The leader went away; the duty is now the waiter's.
    Lead(Leader<T>),
}

struct Flight<T>(Mutex<State<T>>);

struct State<T> {
    landed: Option<T>,
    led: bool,
    /// How often all were woken; tells which seats are of old.
    round: u32,
    waiting: Vec<Waker>,
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Joins the flight under way, or begins one.
    pub(crate) fn join(&self) -> (Option<Leader<T>>, Wait<T>) {
        let flight = Arc::clone(lock(&self.0).get_or_insert_with(|| Arc::new(Flight::new())));
        let wait = Wait { current: self.clone(), flight, seat: None };
        let mut state = lock(&wait.flight.0);
        let leads = state.landed.is_none() && !std::mem::replace(&mut state.led, true);
        drop(state);
        (leads.then(|| wait.leader()), wait)
    }
}

impl<T> Leader<T> {
    /// Brings the outcome to all who wait. What it stands for must be published before, for who joins after this
    /// begins a flight of its own.
    pub(crate) fn land(self, outcome: T) {
        lock(&self.current.0).take_if(|flight| Arc::ptr_eq(flight, &self.flight));
        lock(&self.flight.0).landed = Some(outcome);
    }
}

impl<T> Drop for Leader<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.0);
        state.led = false;
        state.round += 1;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        // All, not one: the one might be on its way out.
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<T> Wait<T> {
    fn leader(&self) -> Leader<T> {
        Leader { current: self.current.clone(), flight: Arc::clone(&self.flight) }
    }
}

impl<T: Clone> Future for Wait<T> {
    type Output = Turn<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<T>> {
        let flight = Arc::clone(&self.flight);
        let mut state = lock(&flight.0);
        if let Some(outcome) = &state.landed {
            return Poll::Ready(Turn::Landed(outcome.clone()));
        }
        if !std::mem::replace(&mut state.led, true) {
            return Poll::Ready(Turn::Lead(self.leader()));
        }
        match self.seat {
            Some((round, seat)) if round == state.round => state.waiting[seat].clone_from(cx.waker()),
            _ => {
                self.seat = Some((state.round, state.waiting.len()));
                state.waiting.push(cx.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl<T> Flight<T> {
    fn new() -> Self {
        Self(Mutex::new(State { landed: None, led: false, round: 0, waiting: Vec::new() }))
    }
}

impl<T> Clone for SingleFlight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
