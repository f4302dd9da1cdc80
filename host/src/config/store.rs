use std::path::PathBuf;

use super::reader::Reader;
use super::{Findings, Site};

/// `[store]`: where renewal state (refresh tokens) is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder that holds it; `None`: it is kept in memory and lost with the process.
    pub dir: Option<PathBuf>,
}

pub(crate) const KEYS: [&str; 1] = ["dir"];

impl StoreConfig {
    pub(crate) fn of(section: Option<&Site>, findings: &mut Findings) -> Self {
        let Some(site) = section else { return Self::default() };
        Self { dir: Reader::new(site, &KEYS, findings).path("dir") }
    }
}
