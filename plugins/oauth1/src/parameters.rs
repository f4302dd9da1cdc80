use std::ops::Range;

use countersign::Error;

use crate::encode::{encode, recode};

/// The parameters of a request, encoded (RFC 5849 §3.4.1.3), all in one piece of memory.
pub(crate) struct Parameters {
    text: Vec<u8>,
    /// Names and values.
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

/// The parameters that a signature brings itself: they stand on a request once (§3.5).
const OURS: [&[u8]; 8] = [
    b"oauth_body_hash",
    b"oauth_consumer_key",
    b"oauth_nonce",
    b"oauth_signature",
    b"oauth_signature_method",
    b"oauth_timestamp",
    b"oauth_token",
    b"oauth_version",
];

impl Parameters {
    pub(crate) fn new() -> Self {
        Self { text: Vec::with_capacity(512), pairs: Vec::with_capacity(16) }
    }

    /// Adds one of the protocol's own.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        let name = self.put(|text| encode(name.as_bytes(), text));
        let value = self.put(|text| encode(value.as_bytes(), text));
        self.pairs.push((name, value));
    }

    /// Adds those of a query or of a form.
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when one of them is for the signature to set.
    pub(crate) fn read(&mut self, pairs: &[u8]) -> Result<(), Error> {
        for pair in pairs.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let name = self.put(|text| recode(name, text));
            if OURS.contains(&self.text(&name)) {
                return Err(Error::unsupported(
                    "the request has OAuth parameters (`oauth_…`) of its own; leave them to the profile",
                ));
            }
            let value = self.put(|text| recode(value, text));
            self.pairs.push((name, value));
        }
        Ok(())
    }

    /// All of them, sorted and joined (§3.4.1.3.2).
    pub(crate) fn normalized(mut self) -> Vec<u8> {
        let (text, pairs) = (&self.text, &mut self.pairs);
        let of = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        pairs.sort_unstable_by(|(name, value), (other, another)| {
            (of(name), of(value)).cmp(&(of(other), of(another)))
        });
        let mut normalized = Vec::with_capacity(text.len() + 2 * pairs.len());
        for (name, value) in pairs.iter() {
            if !normalized.is_empty() {
                normalized.push(b'&');
            }
            normalized.extend_from_slice(of(name));
            normalized.push(b'=');
            normalized.extend_from_slice(of(value));
        }
        normalized
    }

    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.text.len();
        write(&mut self.text);
        start..self.text.len()
    }

    fn text(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}
