use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use super::Fault;
use super::guarded::STAND_IN_PATH;

/// What a connection's reader and its service tell each other.
#[derive(Debug, Default)]
pub(crate) struct WireState {
    phase: AtomicU8,
    heads: AtomicU32,
    released: AtomicBool,
    refusal: OnceLock<Fault>,
}

/// Where a client is with what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing of a next request is there. The last one may still be waiting for its answer.
    Idle,
    /// A part of a head is there.
    Head,
    /// A part of a body is still to come.
    Body,
}

impl WireState {
    /// If the request with that path stands in for one that was refused: why. It is the last of its connection.
    ///
    /// Nobody can send that path: it is one that the judge refuses.
    pub(crate) fn refusal(&self, path: &str) -> Option<Fault> {
        if path == STAND_IN_PATH { self.refusal.get().copied() } else { None }
    }

    /// Where the client is now; slow ones are told by how long it stays.
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            HEAD => Phase::Head,
            BODY => Phase::Body,
            _ => Phase::Idle,
        }
    }

    /// Heads that were let through since the beginning, stand-ins included: with more of them than answers, a
    /// request is in flight. Wraps.
    pub(crate) fn heads(&self) -> u32 {
        self.heads.load(Ordering::Relaxed)
    }

    /// Lets everything through unjudged from here on: the service calls it before it answers 101.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::Release);
    }

    pub(super) fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    pub(super) fn refuse(&self, fault: Fault) {
        // Only the first one counts, and there is no second.
        let _ = self.refusal.set(fault);
    }

    pub(super) fn note(&self, phase: Phase, heads: u32) {
        let phase = match phase {
            Phase::Idle => IDLE,
            Phase::Head => HEAD,
            Phase::Body => BODY,
        };
        self.phase.store(phase, Ordering::Relaxed);
        self.heads.store(heads, Ordering::Relaxed);
    }
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BODY: u8 = 2;
