use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::{Place, Secret};

/// What a signature adds to a request. The host validates all of it before it places any.
///
/// # Example
/// ```
/// use countersign::Edits;
///
/// let edits = Edits::header("x-signature", "c2ln").and_header("x-date", "20261123T120000Z");
/// ```
#[derive(Default)]
pub struct Edits {
    /// Names and values, one behind the other: to allocate each of them takes longer than to sign half a page.
    text: Secret<String>,
    edits: SmallVec<[Edit; 4]>,
}

/// Its name begins where the edit before it ends.
struct Edit {
    place: Place,
    name_end: usize,
    value_end: usize,
}

/// Bytes of the names and values of a request, mostly.
const USUAL: usize = 512;

impl Edits {
    /// Nothing to add.
    pub fn none() -> Self {
        Self::default()
    }

    /// Nothing to add yet, with room for some.
    pub fn with_capacity(edits: usize) -> Self {
        Self { text: Secret::default(), edits: SmallVec::with_capacity(edits) }
    }

    /// Adds a header, in place of one of that name.
    pub fn header(name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        Self::none().and(Place::Header, name, value)
    }

    /// Adds a query parameter.
    pub fn query(name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        Self::none().and(Place::Query, name, value)
    }

    /// One more header.
    #[must_use]
    pub fn and_header(self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.and(Place::Header, name, value)
    }

    /// One more query parameter.
    #[must_use]
    pub fn and_query(self, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.and(Place::Query, name, value)
    }

    /// One more value at a place that settings decide.
    #[must_use]
    pub fn and(mut self, place: Place, name: impl Into<Cow<'static, str>>, value: impl Into<Secret>) -> Self {
        self.add(place, &name.into(), &[value.into().expose()]);
        self
    }

    /// One more value, made of these pieces. It is copied once, into memory that is wiped: the way for a type that
    /// counts nanoseconds.
    pub fn add(&mut self, place: Place, name: &str, value: &[&str]) {
        self.reserve(name.len() + value.iter().map(|piece| piece.len()).sum::<usize>());
        let text = self.text.expose_mut();
        text.push_str(name);
        let name_end = text.len();
        value.iter().for_each(|piece| text.push_str(piece));
        let value_end = text.len();
        self.edits.push(Edit { place, name_end, value_end });
    }

    /// What is added, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Place, &str, &str)> {
        let (text, mut begin) = (self.text.expose().as_str(), 0);
        self.edits.iter().map(move |edit| {
            let part = |from, to| text.get(from..to).unwrap_or_default();
            let (name, value) = (part(begin, edit.name_end), part(edit.name_end, edit.value_end));
            begin = edit.value_end;
            (edit.place, name, value)
        })
    }

    /// Makes room. What grows by itself would leave a copy behind that nobody wipes.
    fn reserve(&mut self, more: usize) {
        let text = self.text.expose();
        if text.capacity() - text.len() < more {
            let mut larger = String::with_capacity((text.len() + more).max(2 * text.len()).max(USUAL));
            larger.push_str(text);
            self.text = Secret::new(larger);
        }
    }
}

/// Names what is added, never a value.
impl fmt::Debug for Edits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(place, name, _)| (place, name))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_come_back_in_order_however_many_and_long_they_are() {
        let long = "v".repeat(1000);
        let mut edits =
            Edits::header("x-a", "canary").and_query("q", "").and(Place::Cookie, "c", long.as_str());
        for index in 0..10 {
            edits.add(Place::Header, &format!("x-{index}"), &["Key ", "ü", &long]);
        }
        let all: Vec<_> = edits.iter().collect();
        assert_eq!((edits.iter().len(), all.len()), (13, 13));
        assert_eq!(all[0], (Place::Header, "x-a", "canary"));
        assert_eq!(all[1], (Place::Query, "q", ""));
        assert_eq!(all[2], (Place::Cookie, "c", long.as_str()));
        for (index, edit) in all[3..].iter().enumerate() {
            let (name, value) = (format!("x-{index}"), format!("Key ü{long}"));
            assert_eq!(*edit, (Place::Header, name.as_str(), value.as_str()));
        }
        let shown = format!("{edits:?}");
        assert!(shown.contains("x-a") && !shown.contains("canary"), "{shown}");
    }
}
