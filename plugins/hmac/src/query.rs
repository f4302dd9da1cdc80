//! Parameters of a query, or of a form in a body: `application/x-www-form-urlencoded`.

use countersign::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};
use smallvec::SmallVec;

use crate::sink::{Scratch, Sink};

/// All but what RFC 3986 §2.3 leaves as it is; the host writes what it places in the same way.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Pairs<'t> = SmallVec<[&'t [u8]; 16]>;

/// Writes a text with all but unreserved characters percent-encoded.
pub(crate) fn encode(text: &[u8], sink: &mut dyn Sink) {
    percent_encode(text, RESERVED).for_each(|part| sink.put(part.as_bytes()));
}

/// Sorted as they are written.
pub(crate) fn sorted(text: &[u8]) -> Scratch {
    let mut pairs = pairs(text);
    pairs.sort();
    let mut sorted = Scratch::new();
    joined(pairs.iter().copied(), &mut sorted);
    sorted
}

/// Each in one form (RFC 3986, in capitals), and sorted.
pub(crate) fn canonical(text: &[u8]) -> Scratch {
    let mut canonical: SmallVec<[(Scratch, Scratch); 8]> = SmallVec::new();
    for pair in pairs(text) {
        let (name, value) = split(pair);
        let once_more = |text| {
            let mut encoded = Scratch::new();
            encode(&decoded(text), &mut encoded);
            encoded
        };
        canonical.push((once_more(name), once_more(value)));
    }
    canonical.sort();
    let mut text = Scratch::new();
    for (index, (name, value)) in canonical.iter().enumerate() {
        if index > 0 {
            text.put(b"&");
        }
        text.put(name);
        text.put(b"=");
        text.put(value);
    }
    text
}

/// Names and values as they are meant, sorted by name, without anything between.
pub(crate) fn concatenated(text: &[u8]) -> Scratch {
    let mut meant: SmallVec<[(Scratch, Scratch); 8]> = SmallVec::new();
    for pair in pairs(text) {
        let (name, value) = split(pair);
        meant.push((decoded(name), decoded(value)));
    }
    meant.sort();
    let mut text = Scratch::new();
    for (name, value) in &meant {
        text.put(name);
        text.put(value);
    }
    text
}

/// The value of the first of that name.
///
/// # Errors
/// [`Config`](countersign::ErrorKind::Config) if there is none.
pub(crate) fn field(text: &[u8], name: &str) -> Result<Scratch, Error> {
    pairs(text)
        .into_iter()
        .map(split)
        .find(|(written, _)| decoded(written).as_slice() == name.as_bytes())
        .map(|(_, value)| decoded(value))
        .ok_or_else(|| Error::config(format!("the request has no parameter `{name}`, which is signed")))
}

/// A request's query as it will be when the host has placed `added`: in place of those of the names that `placed` has.
pub(crate) fn with(query: Option<&str>, placed: &[&str], added: &[(&str, &[u8])]) -> Scratch {
    let mut text = Scratch::new();
    let others = pairs(query.unwrap_or_default().as_bytes());
    joined(others.into_iter().filter(|pair| !placed.iter().any(|name| is_called(pair, name))), &mut text);
    for (name, value) in added {
        if !text.is_empty() {
            text.put(b"&");
        }
        encode(name.as_bytes(), &mut text);
        text.put(b"=");
        encode(value, &mut text);
    }
    text
}

fn is_called(pair: &[u8], name: &str) -> bool {
    decoded(split(pair).0).as_slice() == name.as_bytes()
}

fn pairs(text: &[u8]) -> Pairs<'_> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).collect()
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, b""),
    }
}

fn decoded(text: &[u8]) -> Scratch {
    let mut plain = Scratch::from_slice(text);
    plain.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
    if plain.contains(&b'%') { percent_decode(&plain).collect() } else { plain }
}

fn joined<'t>(pairs: impl Iterator<Item = &'t [u8]>, text: &mut Scratch) {
    for (index, pair) in pairs.enumerate() {
        if index > 0 {
            text.put(b"&");
        }
        text.put(pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn parameters_are_sorted_as_written_canonically_or_as_meant() {
        let query = b"b=%7e+x&a=2&&a=1&c&%61=%2f";
        assert_eq!(text(&sorted(query)), "%61=%2f&a=1&a=2&b=%7e+x&c");
        assert_eq!(text(&canonical(query)), "a=%2F&a=1&a=2&b=~%20x&c=");
        assert_eq!(text(&concatenated(query)), "a/a1a2b~ xc");
        assert_eq!(text(&field(query, "b").unwrap()), "~ x");
        assert!(field(query, "d").is_err());
        for none in [&b""[..], b"&"] {
            assert!(sorted(none).is_empty() && canonical(none).is_empty() && concatenated(none).is_empty());
        }
    }

    #[test]
    fn what_is_placed_stands_behind_and_in_place_of_what_was_there() {
        let query = with(Some("a=1&%6bey=old&&b=2&sig=old"), &["key", "sig"], &[("key", "ä v".as_bytes())]);
        assert_eq!(text(&query), "a=1&b=2&key=%C3%A4%20v");
        assert_eq!(text(&with(None, &["key"], &[("key", b"v")])), "key=v");
    }
}
