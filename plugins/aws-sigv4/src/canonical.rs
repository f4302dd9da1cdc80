//! The canonical request, of which a signature is made.

use std::ops::Range;

use countersign::{Error, RequestHead, Secret};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::encode::{Sink, encode, is_unreserved, recode};
use crate::sign::text;

/// Room for a request's parts without going to the heap.
type Few<T> = SmallVec<[T; 24]>;

/// The header fields that are signed, sorted by name; those of one name in the order of the request.
pub(crate) struct Fields<'a>(Few<(&'a str, &'a [u8])>);

impl<'a> Fields<'a> {
    /// Those of a request that are wanted, with `host` and the `added` ones in place of those of their names.
    pub(crate) fn of(
        request: &RequestHead<'a>,
        added: &[(&'a str, &'a str)],
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let mut fields = Self(Few::new());
        fields.insert("host", request.authority().as_bytes());
        added.iter().for_each(|(name, value)| fields.insert(name, value.as_bytes()));
        let is_ours = |name| name == "host" || added.iter().any(|(ours, _)| *ours == name);
        for header in request.headers() {
            let name = header.name();
            if wanted(name) && !is_ours(name) {
                fields.insert(name, header.value());
            }
        }
        fields
    }

    /// Several of a name stay in their order.
    fn insert(&mut self, name: &'a str, value: &'a [u8]) {
        // Names differ in their first letters mostly, and to call for a comparison costs more than that.
        let key = |name: &'a str| (name.bytes().next(), name);
        let place = self.0.iter().rposition(|(before, _)| key(before) <= key(name));
        self.0.insert(place.map_or(0, |before| before + 1), (name, value));
    }

    /// Bytes of names and values, with what stands between them.
    fn length(&self) -> usize {
        self.0.iter().map(|(name, value)| 2 * (name.len() + 1) + value.len() + 1).sum()
    }

    /// `host;x-amz-date`
    pub(crate) fn names(&self, sink: &mut Vec<u8>) {
        let mut last = "";
        for (name, _) in &self.0 {
            if *name != last {
                if !last.is_empty() {
                    sink.put(b";");
                }
                sink.put(name.as_bytes());
                last = name;
            }
        }
    }

    /// `name:value` a line; several values of a name are joined by commas.
    fn lines(&self, sink: &mut Vec<u8>) {
        let mut last = "";
        for (name, value) in &self.0 {
            if *name == last {
                sink.put(b",");
            } else {
                if !last.is_empty() {
                    sink.put(b"\n");
                }
                sink.put(name.as_bytes());
                sink.put(b":");
                last = name;
            }
            squeezed(value, sink);
        }
        sink.put(b"\n");
    }
}

/// A field's value without spaces around it, and with one for each run of them within.
fn squeezed(value: &[u8], sink: &mut Vec<u8>) {
    if !value.contains(&b' ') {
        return sink.put(value);
    }
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            sink.put(b" ");
        }
        sink.put(word);
    }
}

/// How the path is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathForm {
    /// Encoded once more than it is.
    pub(crate) double: bool,
    /// With `.`, `..` and repeated `/` resolved.
    pub(crate) normalize: bool,
}

/// The canonical request, and where in it the names of the signed fields stand.
pub(crate) struct Canonical {
    /// There may be a session token among the fields.
    text: Secret<Vec<u8>>,
    names: Range<usize>,
}

impl Canonical {
    pub(crate) fn of(
        request: &RequestHead<'_>,
        form: PathForm,
        added: &[(&str, &str)],
        fields: &Fields<'_>,
        payload: &[u8],
    ) -> Self {
        let query = request.query().unwrap_or_default();
        let added_length: usize = added.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        // All that there can be, for what grows leaves a copy behind: a byte becomes three when it is encoded.
        let room = 3 * (request.path().len() + query.len() + added_length) + fields.length();
        let mut text = Vec::with_capacity(request.method().len() + payload.len() + room + 16);
        text.put(request.method().as_bytes());
        text.put(b"\n");
        path(request.path().as_bytes(), form, &mut text);
        text.put(b"\n");
        match query.as_bytes() {
            query if added.is_empty() && is_canonical(query) => text.put(query),
            query => query_sorted(query, added, &mut text),
        }
        text.put(b"\n");
        fields.lines(&mut text);
        text.put(b"\n");
        let begin = text.len();
        fields.names(&mut text);
        let names = begin..text.len();
        text.put(b"\n");
        text.put(payload);
        Self { text: Secret::new(text), names }
    }

    /// `host;x-amz-date`
    ///
    /// # Errors
    /// [`Unsupported`](countersign::ErrorKind::Unsupported) when a name is not UTF-8.
    pub(crate) fn names(&self) -> Result<&str, Error> {
        text(self.text.expose().get(self.names.clone()).unwrap_or_default())
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.text.expose()).into()
    }
}

fn path(path: &[u8], form: PathForm, sink: &mut Vec<u8>) {
    if is_plain_path(path) {
        return sink.put(path);
    }
    let write = |segment: &[u8], sink: &mut _| match form.double {
        true => encode(segment, sink),
        false => recode(segment, false, sink),
    };
    // Bytes: to look for a character in a few of them costs more than all of this.
    let split = |path| <[u8]>::split(path, |byte: &u8| *byte == b'/');
    if !form.normalize {
        for segment in split(path.strip_prefix(b"/").unwrap_or(path)) {
            sink.put(b"/");
            write(segment, sink);
        }
        return;
    }
    let mut segments: Few<&[u8]> = Few::new();
    for segment in split(path) {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        sink.put(b"/");
        write(segment, sink);
    }
    let folder = [&b"/"[..], b"/.", b"/.."].iter().any(|end| path.ends_with(end));
    if segments.is_empty() || folder {
        sink.put(b"/");
    }
}

/// Whether a path is the same in every form, as most are: segments that begin with neither a dot nor a slash, and have
/// nothing to encode.
fn is_plain_path(path: &[u8]) -> bool {
    let mut begins = false;
    for (index, byte) in path.iter().enumerate() {
        let plain = match byte {
            b'/' => !begins,
            b'.' => !begins && index > 0,
            byte => is_unreserved(*byte) && index > 0,
        };
        if !plain {
            return false;
        }
        begins = *byte == b'/';
    }
    !path.is_empty()
}

/// Whether a query is in its canonical form already: each parameter with a value, nothing to encode, in order.
fn is_canonical(query: &[u8]) -> bool {
    if query.is_empty() {
        return true;
    }
    let mut last: (&[u8], &[u8]) = (b"", b"");
    for pair in query.split(|byte| *byte == b'&') {
        let Some(at) = pair.iter().position(|byte| !is_unreserved(*byte)) else { return false };
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        if pair[at] != b'=' || !value.iter().all(|byte| is_unreserved(*byte)) || (name, value) < last {
            return false;
        }
        last = (name, value);
    }
    true
}

/// The query's parameters and those that are added, each in one canonical form, sorted by name and value.
fn query_sorted(query: &[u8], added: &[(&str, &str)], sink: &mut Vec<u8>) {
    type Text = SmallVec<[u8; 64]>;
    let mut pairs: Few<(Text, Text)> = Few::new();
    for pair in query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (&pair[..end], pair.get(end + 1..).unwrap_or_default());
        let (mut canonical_name, mut canonical_value) = (Text::new(), Text::new());
        recode(name, true, &mut canonical_name);
        recode(value, true, &mut canonical_value);
        pairs.push((canonical_name, canonical_value));
    }
    for (name, value) in added {
        let (mut canonical_name, mut canonical_value) = (Text::new(), Text::new());
        encode(name.as_bytes(), &mut canonical_name);
        encode(value.as_bytes(), &mut canonical_value);
        pairs.push((canonical_name, canonical_value));
    }
    pairs.sort();
    for (index, (name, value)) in pairs.iter().enumerate() {
        if index > 0 {
            sink.put(b"&");
        }
        sink.put(name);
        sink.put(b"=");
        sink.put(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical_path(text: &str, double: bool, normalize: bool) -> String {
        let mut bytes = Vec::new();
        path(text.as_bytes(), PathForm { double, normalize }, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn paths_are_encoded_once_for_s3_and_twice_for_others() {
        for (text, single, double) in [
            ("/", "/", "/"),
            ("/a%20b", "/a%20b", "/a%2520b"),
            ("/a%2fb", "/a%2Fb", "/a%252fb"),
            ("/a+b@c", "/a%2Bb%40c", "/a%2Bb%40c"),
            ("//a/./b/../c/", "//a/./b/../c/", "/a/c/"),
            ("/%", "/%25", "/%25"),
            // The cases `double-encode-path` and `double-url-encode` of the test suite.
            ("/test/@connections/JB%3D", "/test/%40connections/JB%3D", "/test/%40connections/JB%253D"),
            (
                "/functions/arn%3Aaws/invocations",
                "/functions/arn%3Aaws/invocations",
                "/functions/arn%253Aaws/invocations",
            ),
        ] {
            assert_eq!(canonical_path(text, false, false), single, "{text}");
            assert_eq!(canonical_path(text, true, true), double, "{text}");
        }
    }

    #[test]
    fn a_query_that_is_canonical_stays_as_it_is_and_no_other_does() {
        for (query, canonical) in [
            ("", ""),
            ("a=", "a="),
            ("a=1&a=1&a=2&ab=1", "a=1&a=1&a=2&ab=1"),
            ("a", "a="),
            ("a&b", "a=&b="),
            ("a=1=2", "a=1%3D2"),
            ("b=1&a=1", "a=1&b=1"),
            ("a=2&a=1", "a=1&a=2"),
            ("a-=1&a=1", "a=1&a-=1"),
            ("a=%7e", "a=~"),
            ("a=+", "a=%20"),
            ("a=1&", "a=1"),
            ("&a=1", "a=1"),
            ("a=/", "a=%2F"),
        ] {
            let mut sorted = Vec::new();
            query_sorted(query.as_bytes(), &[], &mut sorted);
            assert_eq!(String::from_utf8(sorted).unwrap(), canonical);
            assert_eq!(is_canonical(query.as_bytes()), query == canonical, "{query}");
        }
    }

    #[test]
    fn a_path_that_is_plain_is_the_same_in_every_form_and_no_other_is_taken_for_one() {
        for path in ["", "a", ".", "//", "/a//b", "/.", "/a/./b", "/a/..", "/%41", "/a b", "/a+b"] {
            assert!(!is_plain_path(path.as_bytes()), "{path}");
        }
        for path in ["/", "/a", "/a/b/", "/a.b/c..", "/~a_b-c/1"] {
            assert!(is_plain_path(path.as_bytes()), "{path}");
            for (double, normalize) in [(false, false), (false, true), (true, false), (true, true)] {
                // With an escape behind it, it is not plain.
                let encoded = canonical_path(&format!("{path}/%20"), double, normalize);
                let end = if double { "%2520" } else { "%20" };
                let rest = encoded.strip_suffix(end).unwrap();
                assert_eq!(rest.trim_end_matches('/'), path.trim_end_matches('/'), "{path}");
            }
        }
    }
}
