use super::chunks::Chunks;
use super::head::{Framing, Judge, WireLimits};
use super::{Fault, Phase};

/// Follows what a client sends from head to body to head, and says how far it is good.
#[derive(Debug)]
pub(super) struct Follower {
    limits: WireLimits,
    place: Place,
    /// Heads that passed, and the one that was refused. Wraps.
    heads: u32,
}

#[derive(Debug)]
enum Place {
    Head(Judge),
    /// So many bytes of a body are still to come.
    Length(u64),
    Chunks(Chunks),
    Trailers(Judge),
    /// After a head that may upgrade: what follows is HTTP or not, as the answer says.
    Fork,
    Stopped(Stop),
}

/// Why nothing more goes through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    /// A head is at fault: the request that it should have been can still be answered.
    Head(Fault),
    /// A body is at fault, after its head went through.
    Body(Fault),
}

impl Follower {
    pub(super) fn new(limits: WireLimits) -> Self {
        Self { limits, place: Place::Head(Judge::of_head()), heads: 0 }
    }

    /// How many of these bytes may go on. The next time they begin after them.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> usize {
        let mut good = 0;
        while let Some(step) = self.step(&bytes[good..]) {
            good += step;
        }
        good
    }

    /// How many bytes of one part may go on; none when there is no whole one, or nothing is left.
    #[inline]
    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        match &mut self.place {
            Place::Head(judge) => match judge.advance(bytes, &self.limits) {
                Ok(verdict) => {
                    let verdict = verdict?;
                    self.heads = self.heads.wrapping_add(1);
                    self.place = match verdict.framing {
                        Framing::None if verdict.may_upgrade => Place::Fork,
                        Framing::None => Place::Head(Judge::of_head()),
                        Framing::Length(length) => Place::Length(length),
                        Framing::Chunked => Place::Chunks(Chunks::new()),
                    };
                    Some(verdict.length)
                }
                Err(fault) => {
                    self.heads = self.heads.wrapping_add(1);
                    self.stop(0, Stop::Head(fault))
                }
            },
            Place::Length(left) => {
                let there = bytes.len() as u64;
                if *left > there {
                    *left -= there;
                    return Some(bytes.len());
                }
                let length = *left as usize;
                self.place = Place::Head(Judge::of_head());
                Some(length)
            }
            Place::Chunks(chunks) => match chunks.advance(bytes) {
                Ok(stride) => {
                    if stride.last {
                        self.place = Place::Trailers(Judge::of_trailers());
                    }
                    Some(stride.length)
                }
                Err((good, fault)) => self.stop(good, Stop::Body(fault)),
            },
            Place::Trailers(judge) => match judge.advance(bytes, &self.limits.of_trailers()) {
                Ok(verdict) => {
                    let verdict = verdict?;
                    self.place = Place::Head(Judge::of_head());
                    Some(verdict.length)
                }
                Err(fault) => self.stop(0, Stop::Body(fault)),
            },
            Place::Fork | Place::Stopped(_) => None,
        }
    }

    fn stop(&mut self, good: usize, stop: Stop) -> Option<usize> {
        self.place = Place::Stopped(stop);
        Some(good)
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        match self.place {
            Place::Stopped(stop) => Some(stop),
            _ => None,
        }
    }

    /// What follows waits for the answer.
    pub(super) fn is_at_fork(&self) -> bool {
        matches!(self.place, Place::Fork)
    }

    /// What follows is HTTP again.
    pub(super) fn leave_fork(&mut self) {
        self.place = Place::Head(Judge::of_head());
    }

    /// Nothing of what was begun is missing.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.place, Place::Head(_) | Place::Fork)
    }

    pub(super) fn heads(&self) -> u32 {
        self.heads
    }

    /// Where the client is, when so many bytes wait to be judged.
    pub(super) fn phase(&self, waiting: usize) -> Phase {
        match self.place {
            Place::Head(_) if waiting > 0 => Phase::Head,
            Place::Length(_) | Place::Chunks(_) | Place::Trailers(_) => Phase::Body,
            Place::Head(_) | Place::Fork | Place::Stopped(_) => Phase::Idle,
        }
    }
}
