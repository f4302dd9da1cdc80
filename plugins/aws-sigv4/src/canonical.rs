//! The canonical request, of which a signature is made. It goes into the hash as it is written, never into memory whole.

use countersign::RequestHead;
use sha2::digest::Update;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::encode::{Sink, encode, recode};

/// Room for a request's parts without going to the heap.
type Few<T> = SmallVec<[T; 24]>;

/// A hash, or one with a key, that is written to in small pieces.
pub(crate) struct Hashing<H> {
    hash: H,
    buffer: [u8; 256],
    filled: usize,
}

impl<H: Update> Hashing<H> {
    pub(crate) const fn with(hash: H) -> Self {
        Self { hash, buffer: [0; 256], filled: 0 }
    }

    /// The hash, with all that was written.
    pub(crate) fn finish(mut self) -> H {
        self.hash.update(&self.buffer[..self.filled]);
        self.hash
    }

    #[cold]
    #[inline(never)]
    fn put_anew(&mut self, bytes: &[u8]) {
        self.hash.update(&self.buffer[..self.filled]);
        self.filled = 0;
        match self.buffer.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled = bytes.len();
            }
            None => self.hash.update(bytes),
        }
    }
}

impl<H: Update> Sink for Hashing<H> {
    // Most pieces are a byte or two that are known when this is compiled.
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        match self.buffer.get_mut(self.filled..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled = end;
            }
            None => self.put_anew(bytes),
        }
    }
}

/// The header fields that are signed, sorted by name; those of one name in the order of the request.
pub(crate) struct Fields<'a>(Few<(&'a str, &'a [u8])>);

impl<'a> Fields<'a> {
    /// Those of a request that are wanted, with `host` and the `added` ones in place of those of their names.
    pub(crate) fn of(
        request: &RequestHead<'a>,
        added: &[(&'a str, &'a [u8])],
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let mut fields = Few::new();
        fields.push(("host", request.authority().as_bytes()));
        fields.extend_from_slice(added);
        let given = fields.len();
        for header in request.headers() {
            let name = header.name();
            if wanted(name) && !fields[..given].iter().any(|(ours, _)| *ours == name) {
                fields.push((name, header.value()));
            }
        }
        // Stable: several of a name stay in their order.
        fields.sort_by(|one, other| one.0.cmp(other.0));
        Self(fields)
    }

    /// `host;x-amz-date`
    pub(crate) fn names(&self) -> SmallVec<[u8; 128]> {
        let mut sink = SmallVec::new();
        for (index, (name, _)) in self.0.iter().enumerate() {
            if index == 0 {
                sink.put(name.as_bytes());
            } else if self.0[index - 1].0 != *name {
                sink.put(b";");
                sink.put(name.as_bytes());
            }
        }
        sink
    }

    /// `name:value` a line; several values of a name are joined by commas.
    fn lines(&self, sink: &mut impl Sink) {
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 && self.0[index - 1].0 == *name {
                sink.put(b",");
            } else {
                if index > 0 {
                    sink.put(b"\n");
                }
                sink.put(name.as_bytes());
                sink.put(b":");
            }
            squeezed(value, sink);
        }
        sink.put(b"\n");
    }
}

/// A field's value without spaces around it, and with one for each run of them within.
fn squeezed(value: &[u8], sink: &mut impl Sink) {
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

/// Hashes the canonical request.
pub(crate) fn hash(
    request: &RequestHead<'_>,
    form: PathForm,
    added: &[(&str, &str)],
    fields: &Fields<'_>,
    names: &[u8],
    payload: &[u8],
) -> [u8; 32] {
    let mut sink = Hashing::with(Sha256::new());
    sink.put(request.method().as_bytes());
    sink.put(b"\n");
    path(request.path(), form, &mut sink);
    sink.put(b"\n");
    query(request.query().unwrap_or_default(), added, &mut sink);
    sink.put(b"\n");
    fields.lines(&mut sink);
    sink.put(b"\n");
    sink.put(names);
    sink.put(b"\n");
    sink.put(payload);
    sink.finish().finalize().into()
}

fn path(path: &str, form: PathForm, sink: &mut impl Sink) {
    let write = |segment: &[u8], sink: &mut _| match form.double {
        true => encode(segment, sink),
        false => recode(segment, false, sink),
    };
    // Bytes: to look for a character in a few of them costs more than all of this.
    let path = path.as_bytes();
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

/// The query's parameters, each in one canonical form, sorted by name and value.
fn query(query: &str, added: &[(&str, &str)], sink: &mut impl Sink) {
    if query.is_empty() && added.is_empty() {
        return;
    }
    type Text = SmallVec<[u8; 64]>;
    let mut pairs: Few<(Text, Text)> = Few::new();
    for pair in query.as_bytes().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
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
        path(text, PathForm { double, normalize }, &mut bytes);
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
    fn small_and_large_pieces_give_the_same_hash() {
        let text = b"abcdefghijklmnopqrstuvwxyz".repeat(100);
        for size in [1, 3, 255, 256, 257, 1000] {
            let mut sink = Hashing::with(Sha256::new());
            text.chunks(size).for_each(|chunk| sink.put(chunk));
            assert_eq!(sink.finish().finalize(), Sha256::digest(&text), "{size}");
        }
    }
}
