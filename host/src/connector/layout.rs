//! Texts of a base URL, laid out so that each comparison is a handful of instructions and no call. They are for the hot
//! path: where they say no, somebody else has a closer look.

/// The name of a scheme: four bytes and the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    head: u32,
    last: u8,
    length: usize,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        let (head, last) = Self::ends(name).unwrap_or_default();
        // A longer name would not be compared whole.
        Self { head, last, length: if name.len() <= 5 { name.len() } else { usize::MAX } }
    }

    /// Whether it is this name; of longer ones than `https` it is not said.
    #[inline(always)]
    pub(super) fn is(self, name: &str) -> bool {
        name.len() == self.length && Self::ends(name) == Some((self.head, self.last))
    }

    #[inline(always)]
    fn ends(name: &str) -> Option<(u32, u8)> {
        let name = name.as_bytes();
        Some((u32::from_ne_bytes(*name.first_chunk()?), *name.last()?))
    }
}

/// An authority: its first and its last eight bytes, which overlap in a short one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    head: u64,
    tail: u64,
    text: Box<str>,
}

impl Authority {
    pub(super) fn of(text: &str) -> Self {
        let (head, tail) = Self::ends(text).unwrap_or_default();
        Self { head, tail, text: text.into() }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is this authority; of those with less than eight bytes it is not said.
    #[inline(always)]
    pub(super) fn is(&self, text: &str) -> bool {
        let length = self.text.len();
        text.len() == length
            && Self::ends(text) == Some((self.head, self.tail))
            && (length <= 16 || *text == *self.text)
    }

    #[inline(always)]
    fn ends(text: &str) -> Option<(u64, u64)> {
        let text = text.as_bytes();
        Some((u64::from_ne_bytes(*text.first_chunk()?), u64::from_ne_bytes(*text.last_chunk()?)))
    }
}

/// A path prefix and the slash behind it, to be compared in one go with the first 16 bytes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct Beginning {
    bytes: [u8; 16],
    /// The bits that count.
    mask: [u8; 16],
}

impl Beginning {
    pub(super) fn of(prefix: &str) -> Self {
        // No path can be: a byte that counts for nothing is not zero.
        let (mut bytes, mut mask) = ([u8::MAX; 16], [0; 16]);
        if prefix.len() < bytes.len() {
            bytes = [0; 16];
            bytes[..prefix.len()].copy_from_slice(prefix.as_bytes());
            bytes[prefix.len()] = b'/';
            mask[..=prefix.len()].fill(u8::MAX);
        }
        Self { bytes, mask }
    }

    /// Whether a path of up to 32 bytes goes on below the prefix, and holds neither `.` nor `%`; of shorter ones than 16
    /// bytes and of longer prefixes it is not said.
    // Loops over arrays, without a way out and without a truth value for each byte: they become vector instructions.
    #[inline(always)]
    pub(super) fn is_followed_plainly(&self, path: &str) -> bool {
        let path = path.as_bytes();
        let (Some(first), Some(last)) = (path.first_chunk(), path.last_chunk()) else { return false };
        self.begins(first) && !has_dot_or_percent(first, last) && (path.len() <= 32 || is_plain(path))
    }

    #[inline(always)]
    fn begins(&self, first: &[u8; 16]) -> bool {
        let mut different = 0;
        for (at, byte) in first.iter().enumerate() {
            different |= (byte & self.mask[at]) ^ self.bytes[at];
        }
        different == 0
    }
}

#[inline(always)]
fn has_dot_or_percent(first: &[u8; 16], last: &[u8; 16]) -> bool {
    let mut distance = [0; 16];
    for at in 0..16 {
        let of = |byte: u8| (byte ^ b'.').min(byte ^ b'%');
        distance[at] = of(first[at]).min(of(last[at]));
    }
    distance.iter().fold(false, |has, distance| has | (*distance == 0))
}

/// Sixteen bytes at a time, the last ones overlapping.
#[inline(never)]
fn is_plain(path: &[u8]) -> bool {
    let (chunks, _) = path.as_chunks();
    path.last_chunk().is_some_and(|last| chunks.iter().all(|chunk| !has_dot_or_percent(chunk, last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        for name in ["http", "https"] {
            let layout = Name::of(name);
            assert!(layout.is(name));
            assert!(!Name::of("ftps42").is("ftps42"));
            for other in [
                "", "h", "htt", "http", "https", "httpx", "httpss", "xttps", "hxtps", "htxps", "htt!", "HTTP",
            ] {
                assert_eq!(layout.is(other), other == name, "{name} {other}");
            }
        }
    }

    #[test]
    fn authorities_of_every_length_are_compared_whole() {
        for length in 0..40 {
            let text = "https.example".repeat(4)[..length].to_owned();
            let layout = Authority::of(&text);
            assert_eq!(layout.is(&text), length >= 8, "{text}");
            assert!(!layout.is(&format!("{text}x")));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "#");
                assert!(!layout.is(&other), "{other}");
            }
        }
    }

    #[test]
    fn beginnings_are_compared_whole() {
        let rest = "/4711/lines/0815";
        for length in 0..24 {
            let prefix = "/v12-orders".repeat(3)[..length].to_owned();
            let layout = Beginning::of(&prefix);
            assert_eq!(layout.is_followed_plainly(&format!("{prefix}{rest}")), length < 16, "{prefix}");
            assert!(!layout.is_followed_plainly(&format!("{prefix}s{rest}")), "{prefix}");
            for at in 0..length {
                let mut other = prefix.clone();
                other.replace_range(at..=at, "~");
                assert!(!layout.is_followed_plainly(&format!("{other}{rest}")), "{other}");
            }
        }
    }

    #[test]
    fn a_dot_is_seen_at_every_place_of_a_path() {
        let layout = Beginning::of("/a");
        for length in 16..70 {
            let plain = format!("/a/{}", "0a/".repeat(24))[..length].to_owned();
            assert!(layout.is_followed_plainly(&plain), "{plain}");
            for at in 3..length {
                for byte in [".", "%"] {
                    let mut path = plain.clone();
                    path.replace_range(at..=at, byte);
                    assert!(!layout.is_followed_plainly(&path), "{path}");
                }
            }
        }
    }
}
