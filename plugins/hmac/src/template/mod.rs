//! Texts with holes that a request fills: `{{ timestamp }}.{{ body | sha256 | hex }}`.
//!
//! Here live the template, its compiler, what holes are filled with and what is made of that. What is signed and where
//! the parts go does not: see `sign`.

mod compile;
mod filter;
mod source;

use std::collections::BTreeSet;
use std::fmt;

use countersign::{Caller, Error, RequestHead, Secret};

use crate::algorithm::Key;
use crate::nonce::Nonce;
use crate::sink::{Scratch, Sink};
use crate::time::Time;

pub(crate) use compile::{Scope, is_name};
use filter::{Condition, Filter};
use source::Source;

/// A text with holes, read once: names are known ones, and every hole has a form in which it can stand there.
pub(crate) struct Template {
    pieces: Vec<Piece>,
    reads: Reads,
    /// Of what it comes to, roughly.
    length: usize,
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
    /// Header fields that this profile sets, in place of the request's; names in lower case.
    pub(crate) headers: &'v [(&'v str, Secret)],
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

    /// The text as a value to place.
    ///
    /// # Errors
    /// As [`write`](Self::write); when the request has something that is not UTF-8.
    pub(crate) fn value(&self, values: &Values<'_>) -> Result<Secret, Error> {
        let mut text = Vec::with_capacity(self.length);
        self.write(values, &mut text)?;
        String::from_utf8(text)
            .map(Secret::new)
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
        let Some((first, others)) = self.filters.split_first() else {
            return self.source.write(values, sink);
        };
        let mut text: Scratch = match first {
            Filter::Hash(hash) => {
                let mut hashing = hash.begin();
                self.source.write(values, &mut hashing)?;
                hashing.into_inner().finish().into_iter().collect()
            }
            Filter::Hmac => {
                let mut mac = values.key.begin();
                self.source.write(values, &mut mac)?;
                mac.into_inner().finish().into_iter().collect()
            }
            filter => {
                let mut text = Scratch::new();
                self.source.write(values, &mut text)?;
                filter.apply(&text, values)?
            }
        };
        for filter in others {
            text = filter.apply(&text, values)?;
        }
        sink.put(&text);
        Ok(())
    }
}

/// What it reads, and nothing of its text, for that may be secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("reads", &self.reads).finish_non_exhaustive()
    }
}
