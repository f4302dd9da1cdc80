//! Panics of a profile are errors of that profile: their payload is forgotten, for it may hold a secret, and only
//! the place is told.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::{AuthProfile, Error};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a profile's code; a panic becomes an [`Internal`](crate::ErrorKind::Internal) error.
pub(crate) fn guard<T>(type_name: &str, what: &str, run: impl FnOnce() -> T) -> Result<T, Error> {
    let outer = GUARDED.replace(true);
    // The profile's state may be torn after a panic; the host makes no further use of that conversation.
    let outcome = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    outcome.map_err(|payload| {
        // Dropping a payload may panic in turn.
        std::mem::forget(payload);
        let place = PLACE.take().map(|place| format!(" at {place}")).unwrap_or_default();
        Error::internal(format!("the type {type_name} panicked in {what}{place}; tell its author"))
    })
}

/// A profile whose drop may panic without harm.
pub(crate) struct Guarded<P: AuthProfile>(Option<P>);

impl<P: AuthProfile> Guarded<P> {
    pub(crate) const fn new(profile: P) -> Self {
        Self(Some(profile))
    }
}

impl<P: AuthProfile> Deref for Guarded<P> {
    type Target = P;

    fn deref(&self) -> &P {
        match &self.0 {
            Some(profile) => profile,
            None => unreachable!("a profile is taken out only by its drop"),
        }
    }
}

impl<P: AuthProfile> Drop for Guarded<P> {
    fn drop(&mut self) {
        let profile = self.0.take();
        if guard(P::TYPE, "drop", || drop(profile)).is_err() {
            tracing::warn!(r#type = P::TYPE, "the profile panicked while it was dropped");
        }
    }
}

/// Makes panics of profiles silent in this library: their message goes nowhere, their place into the error.
///
/// Other panics reach the hook that was there before. The hook belongs to the library that it was installed in, so
/// each plugin file installs its own when it is loaded; the host calls this once. Calling it again does nothing.
pub fn silence_profile_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                PLACE.set(info.location().map(|at| format!("{}:{}", at.file(), at.line())));
            } else {
                before(info);
            }
        }));
    });
}
