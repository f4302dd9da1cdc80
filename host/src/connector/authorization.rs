use countersign::Caller;

use crate::cache::Generation;

/// What was placed on a request, for [`reject`](super::Connector::reject): it names credentials and holds none.
#[derive(Debug, Clone)]
pub struct Authorization(Placed);

#[derive(Debug, Clone)]
enum Placed {
    /// The hot path: one profile that reads nothing of the caller.
    One(Generation),
    /// Boxed, so that what the hot path returns fits into registers.
    Several(Box<(Caller, Vec<Generation>, u64)>),
}

static NOBODY: Caller = Caller::new();

impl Authorization {
    #[inline]
    pub(super) const fn of_one(generation: Generation) -> Self {
        Self(Placed::One(generation))
    }

    /// `learned` is the version of what was learned by then.
    pub(super) fn of(caller: Caller, generations: Vec<Generation>, learned: u64) -> Self {
        Self(Placed::Several(Box::new((caller, generations, learned))))
    }

    /// The version of what was learned when it was signed; where nothing was signed, nothing can be demanded.
    pub(super) fn learned(&self) -> u64 {
        match &self.0 {
            Placed::One(_) => u64::MAX,
            Placed::Several(several) => several.2,
        }
    }

    pub(super) fn caller(&self) -> &Caller {
        match &self.0 {
            Placed::One(_) => &NOBODY,
            Placed::Several(several) => &several.0,
        }
    }

    /// One per profile of the connector, in order.
    pub(super) fn generations(&self) -> impl Iterator<Item = Generation> {
        match &self.0 {
            Placed::One(generation) => std::slice::from_ref(generation),
            Placed::Several(several) => several.1.as_slice(),
        }
        .iter()
        .copied()
    }
}
