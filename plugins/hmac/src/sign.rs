use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Caller, Edits, Error, Place, Places, RequestHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use zeroize::Zeroize;

use crate::algorithm::{Algorithm, Key, Output};
use crate::nonce::{Nonce, digits};
use crate::query;
use crate::sink::{Scratch, Sink, Wiped};
use crate::template::{Template, Values};
use crate::time::Time;

/// How requests are signed.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) key: Key,
    pub(crate) derivation: Option<Derivation>,
    /// What is signed.
    pub(crate) text: Template,
    /// What is placed; in each list, what has the signature in it comes last.
    pub(crate) query: Vec<Part>,
    pub(crate) headers: Vec<Part>,
}

/// What is placed under a name.
#[derive(Debug)]
pub(crate) struct Part {
    /// Of a header, in lower case.
    pub(crate) name: String,
    pub(crate) value: Template,
}

impl Signature {
    /// Where its parts go.
    pub(crate) fn places(&self) -> Places {
        let parts = [(Place::Query, &self.query), (Place::Header, &self.headers)];
        let parts = parts.into_iter().flat_map(|(place, parts)| parts.iter().map(move |part| (place, part)));
        parts.fold(Places::none(), |places, (place, part)| places.and(place, &part.name))
    }

    /// What a request gets.
    pub(crate) fn sign(
        &self,
        caller: &Caller,
        request: &RequestHead<'_>,
        time: Time,
        nonce: Nonce,
    ) -> Result<Edits, Error> {
        let none = Edits::none();
        let mut values = Values {
            request,
            query: request.query(),
            placed: &none,
            caller,
            time,
            nonce,
            key: &self.key,
            signature: &[],
        };
        let mut edits = Edits::with_capacity(self.query.len() + self.headers.len());
        // One after the other, each sees what went before: query, headers, signature.
        make(Place::Query, &self.query, false, &values, &mut edits)?;
        let future;
        if !self.query.is_empty() {
            future = self.query(request, &edits);
            let text = std::str::from_utf8(&future)
                .map_err(|_| Error::unsupported("the request's query is not UTF-8"))?;
            values.query = Some(text).filter(|text| !text.is_empty());
        }
        make(Place::Header, &self.headers, false, &values, &mut edits)?;

        let seen = Values { placed: &edits, ..values };
        let key = self.derivation.as_ref().map(|derivation| derivation.key(&seen)).transpose()?;
        let signature = key.as_ref().unwrap_or(&self.key).sign(|sink| self.text.write(&seen, sink))?;
        values.signature = &signature;
        make(Place::Query, &self.query, true, &values, &mut edits)?;
        make(Place::Header, &self.headers, true, &values, &mut edits)?;
        Ok(edits)
    }

    /// The query as it will be sent, as far as it is made.
    fn query(&self, request: &RequestHead<'_>, edits: &Edits) -> Scratch {
        let made = || edits.iter().map(|(_, name, value)| (name, value.as_bytes()));
        // The signature's own parameter is not there yet, nor is an older one.
        let signed = self.query.iter().filter(|part| part.value.reads().signature);
        let placed = made().map(|(name, _)| name).chain(signed.map(|part| part.name.as_str()));
        let (placed, added): (SmallVec<[&str; 4]>, SmallVec<[_; 4]>) = (placed.collect(), made().collect());
        query::with(request.query(), &placed, &added)
    }
}

/// Makes what is placed with the signature in it, or without. What comes out empty is left out.
fn make(
    place: Place,
    parts: &[Part],
    signed: bool,
    values: &Values<'_>,
    edits: &mut Edits,
) -> Result<(), Error> {
    for part in parts.iter().filter(|part| part.value.reads().signature == signed) {
        let mut room = Wiped::default();
        let value = part.value.value(&Values { placed: edits, ..*values }, &mut room)?;
        if !value.is_empty() {
            edits.add(place, &part.name, &[value]);
        } else if signed {
            return Err(Error::config(format!(
                "`{}` carries the signature and is empty; a `when` must not leave it out",
                part.name
            )));
        }
    }
    Ok(())
}

/// How a derived key is used as a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DerivedEncoding {
    /// Its bytes.
    #[default]
    Bytes,
    /// Its hexadecimal digits, in lower case.
    Hex,
    /// It in base64.
    Base64,
}

/// A key that is made of the secret.
pub(crate) struct Derivation {
    steps: Vec<Template>,
    algorithm: Algorithm,
    encoding: DerivedEncoding,
    /// The last one, and what it was derived with: mostly a day and some words, so that it serves for long.
    last: Mutex<Option<(Scratch, Key)>>,
}

impl Derivation {
    pub(crate) fn new(steps: Vec<Template>, algorithm: Algorithm, encoding: DerivedEncoding) -> Option<Self> {
        (!steps.is_empty()).then(|| Self { steps, algorithm, encoding, last: Mutex::default() })
    }

    fn key(&self, values: &Values<'_>) -> Result<Key, Error> {
        let (mut with, mut ends) = (Scratch::new(), SmallVec::<[usize; 6]>::new());
        for step in &self.steps {
            step.write(values, &mut with)?;
            ends.push(with.len());
        }
        // Where each text ends tells `a`, `bc` from `ab`, `c`.
        let mut name = with.clone();
        ends.iter().for_each(|end| name.put(&end.to_le_bytes()));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = last.as_ref().filter(|(known, _)| *known == name) {
            return Ok(key.clone());
        }
        let mut key = values.key.clone();
        let mut from = 0;
        for end in ends {
            let mut made = key.sign(|sink| {
                sink.put(with.get(from..end).unwrap_or_default());
                Ok(())
            })?;
            key = self.next(&made)?;
            made.zeroize();
            from = end;
        }
        *last = Some((name, key.clone()));
        Ok(key)
    }

    fn next(&self, made: &Output) -> Result<Key, Error> {
        let mut text = Scratch::new();
        match self.encoding {
            DerivedEncoding::Bytes => return Key::new(self.algorithm, made),
            DerivedEncoding::Hex => digits(made, &mut text),
            DerivedEncoding::Base64 => {
                text.resize(made.len().div_ceil(3) * 4, 0);
                let length = STANDARD.encode_slice(made, &mut text).unwrap_or_default();
                text.truncate(length);
            }
        }
        let key = Key::new(self.algorithm, &text);
        text.zeroize();
        key
    }
}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derivation").field("steps", &self.steps).finish_non_exhaustive()
    }
}
