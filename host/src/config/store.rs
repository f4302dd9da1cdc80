use std::path::PathBuf;

use super::reader::Reader;
use super::{Findings, Site};
use crate::cache::FileStore;

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
        let mut reader = Reader::new(site, &KEYS, findings);
        let dir = reader.path("dir");
        if let Some((dir, fault)) = dir.as_ref().and_then(|dir| Some((dir, FileStore::fault(dir)?))) {
            reader.fault("dir", format!("the state directory {} {fault}", dir.display()), None);
        }
        Self { dir }
    }
}
