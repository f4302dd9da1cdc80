use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{Caller, Edits, Error, Place, Places, RequestHead, Secret};
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;
use zeroize::Zeroize;

use crate::algorithm::{Algorithm, Key, Output};
use crate::nonce::{Nonce, digits};
use crate::query;
use crate::sink::{Scratch, Sink};
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

/// What was made for a request, and under which name.
type Made<'s> = SmallVec<[(&'s str, Secret); 4]>;

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
        let mut values = Values {
            request,
            query: request.query(),
            headers: &[],
            caller,
            time,
            nonce,
            key: &self.key,
            signature: &[],
        };
        // One after the other, each sees what went before: query, headers, signature.
        let query = made(&self.query, false, &values)?;
        let future;
        if !self.query.is_empty() {
            // The signature's own parameter is not there yet, nor is an older one.
            let placed: SmallVec<[&str; 4]> = query
                .iter()
                .map(|(name, _)| *name)
                .chain(
                    self.query
                        .iter()
                        .filter(|part| part.value.reads().signature)
                        .map(|part| part.name.as_str()),
                )
                .collect();
            let added: SmallVec<[(&str, &[u8]); 4]> =
                query.iter().map(|(name, value)| (*name, value.expose().as_bytes())).collect();
            future = query::with(request.query(), &placed, &added);
            let text = std::str::from_utf8(&future)
                .map_err(|_| Error::unsupported("the request's query is not UTF-8"))?;
            values.query = Some(text).filter(|text| !text.is_empty());
        }
        let headers = made(&self.headers, false, &values)?;
        values.headers = &headers;

        let signature = match &self.derivation {
            None => signature(&self.key, &self.text, &values)?,
            Some(derivation) => signature(&derivation.key(&values)?, &self.text, &values)?,
        };
        values.signature = &signature;
        let query_with_it = made(&self.query, true, &values)?;
        let headers_with_it = made(&self.headers, true, &values)?;

        let mut edits = Edits::with_capacity(self.query.len() + self.headers.len());
        for (name, value) in query.into_iter().chain(query_with_it) {
            edits = edits.and_query(name.to_owned(), value);
        }
        for (name, value) in headers.into_iter().chain(headers_with_it) {
            edits = edits.and_header(name.to_owned(), value);
        }
        Ok(edits)
    }
}

/// What is placed with the signature in it, or without. What comes out empty is left out.
fn made<'s>(parts: &'s [Part], signed: bool, values: &Values<'_>) -> Result<Made<'s>, Error> {
    let mut made = Made::new();
    for part in parts.iter().filter(|part| part.value.reads().signature == signed) {
        let value = part.value.value(values)?;
        if !value.expose().is_empty() {
            made.push((&part.name, value));
        } else if signed {
            return Err(Error::config(format!(
                "`{}` carries the signature and is empty; a `when` must not leave it out",
                part.name
            )));
        }
    }
    Ok(made)
}

fn signature(key: &Key, text: &Template, values: &Values<'_>) -> Result<Output, Error> {
    let mut mac = key.begin();
    text.write(values, &mut mac)?;
    Ok(mac.into_inner().finish())
}

/// How a derived key is used as a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
            let mut mac = key.begin();
            mac.put(with.get(from..end).unwrap_or_default());
            let mut made = mac.into_inner().finish();
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
