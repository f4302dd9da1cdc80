use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The largest file with a key or a signature, in bytes.
pub(super) const MAX_SIZE: usize = 16 << 10;
const UNTRUSTED: &str = "untrusted comment: ";

/// Why a text is no key or no signature, as words whose subject is the text. Nothing of the text is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadText(pub(super) &'static str);

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadText {}

/// The lines of a text after its untrusted comment; as many as are wanted, and nothing but empty lines behind them.
pub(super) fn lines<const N: usize>(text: &str) -> Option<[&str; N]> {
    if text.len() > MAX_SIZE {
        return None;
    }
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.next()?.strip_prefix(UNTRUSTED)?;
    let mut wanted = [""; N];
    for line in &mut wanted {
        *line = lines.next()?;
    }
    lines.all(str::is_empty).then_some(wanted)
}

/// As many bytes as are wanted, from base64.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Splits bytes of which the caller knows how many there are.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    if let Some((first, rest)) = bytes.split_first_chunk::<N>() {
        taken = *first;
        *bytes = rest;
    }
    taken
}
