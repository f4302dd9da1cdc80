//! Texts with holes that a request fills: `{{ timestamp }}.{{ body | sha256 | hex }}`.
//!
//! Here live the template, its compiler, what holes are filled with and what is made of that. What is signed and where
//! the parts go does not: see `sign`.

mod compile;
mod filter;
mod source;

use std::collections::BTreeSet;
use std::fmt;

use countersign::{Caller, Edits, Error, RequestHead, Secret};

use crate::algorithm::Key;
use crate::nonce::Nonce;
use crate::sink::{Scratch, Sink, Wiped};
use crate::time::Time;

pub(crate) use compile::{Scope, is_name};
use filter::{Condition, Filter};
use source::Source;

/// A text with holes, read once: names are known ones, and every hole has a form in which it can stand there.
pub(crate) struct Template {
    pieces: Vec<Piece>,
    reads: Reads,
}

enum Piece {
    /// It may hold a setting that is secret.
    Text(Secret),
    Hole(Hole),
}

struct Hole {
    source: Source,
    conditions: Vec<Condition>,
    filters: Vec<Filter>,
}

/// What a template reads that has a price, or has to be declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    pub(crate) body: bool,
    pub(crate) nonce: bool,
    pub(crate) signature: bool,
    pub(crate) callers: BTreeSet<String>,
}

impl Reads {
    pub(crate) fn add(&mut self, other: &Self) {
        self.body |= other.body;
        self.nonce |= other.nonce;
        self.signature |= other.signature;
        self.callers.extend(other.callers.iter().cloned());
    }
}

/// What fills the holes.
#[derive(Clone, Copy)]
pub(crate) struct Values<'v> {
    pub(crate) request: &'v RequestHead<'v>,
    /// The query as it will be sent.
    pub(crate) query: Option<&'v str>,
    /// What this profile places, as far as it is made: its header fields stand for those of the request.
    pub(crate) placed: &'v Edits,
    pub(crate) caller: &'v Caller,
    pub(crate) time: Time,
    pub(crate) nonce: Nonce,
    pub(crate) key: &'v Key,
    pub(crate) signature: &'v [u8],
}

impl Template {
    /// Writes the text.
    ///
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config) when the request lacks what is named.
    pub(crate) fn write(&self, values: &Values<'_>, sink: &mut dyn Sink) -> Result<(), Error> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sink.put(text.expose().as_bytes()),
                Piece::Hole(hole) => hole.write(values, sink)?,
            }
        }
        Ok(())
    }

    /// The text as a value to place, written into `room`.
    ///
    /// # Errors
    /// As [`write`](Self::write); when the request has something that is not UTF-8.
    pub(crate) fn value<'r>(&self, values: &Values<'_>, room: &'r mut Wiped) -> Result<&'r str, Error> {
        self.write(values, &mut room.0)?;
        std::str::from_utf8(&room.0)
            .map_err(|_| Error::unsupported("a header that goes into it is not UTF-8"))
    }

    pub(crate) const fn reads(&self) -> &Reads {
        &self.reads
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}

impl Hole {
    fn write(&self, values: &Values<'_>, sink: &mut dyn Sink) -> Result<(), Error> {
        if !self.conditions.iter().all(|condition| condition.holds(values.request)) {
            return Ok(());
        }
        let Some((last, others)) = self.filters.split_last() else {
            return self.source.write(values, sink);
        };
        let Some((first, others)) = others.split_first() else {
            return last.fill(&self.source, values, sink);
        };
        let mut text = Scratch::new();
        first.fill(&self.source, values, &mut text)?;
        for filter in others {
            let mut next = Scratch::new();
            filter.write(&text, values, &mut next)?;
            text = next;
        }
        last.write(&text, values, sink)
    }
}

/// What it reads, and nothing of its text, for that may be secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("reads", &self.reads).finish_non_exhaustive()
    }
}
