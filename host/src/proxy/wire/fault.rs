use std::fmt;

/// Why a request is refused before anything reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The status to answer with: 400, 405, 414, 417, 431, 501 or 505.
    pub(crate) status: u16,
    /// What is wrong, and what to send instead. Nothing of the request is in it.
    pub(crate) what: &'static str,
}

impl Fault {
    pub(super) const fn new(status: u16, what: &'static str) -> Self {
        Self { status, what }
    }

    /// A request that is not well-formed.
    pub(super) const fn bad(what: &'static str) -> Self {
        Self::new(400, what)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Fault {}
