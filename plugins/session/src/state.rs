use std::collections::BTreeMap;

use countersign::{Error, Secret, Table};
use serde::{Deserialize, Serialize};

/// What is kept from one acquisition to the next.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct State {
    /// The values of the session that is in use.
    pub(crate) answer: Table,
    /// Sessions that have been replaced and are still to be logged out.
    #[serde(default)]
    pub(crate) replaced: Vec<Table>,
}

#[derive(Serialize)]
struct Written<'a> {
    answer: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<BTreeMap<&'a str, &'a str>>,
}

impl State {
    /// What another version of this type wrote and nobody understands is as good as nothing.
    pub(crate) fn read(text: &Secret) -> Option<Self> {
        serde_json::from_str(text.expose()).ok()
    }

    pub(crate) fn written(&self) -> Result<Secret, Error> {
        let written =
            Written { answer: shown(&self.answer), replaced: self.replaced.iter().map(shown).collect() };
        let text = serde_json::to_string(&written);
        text.map(Secret::new).map_err(|_| Error::internal("the session does not serialize to JSON"))
    }
}

fn shown(table: &Table) -> BTreeMap<&str, &str> {
    table.iter().map(|(name, text)| (name.as_str(), text.expose().as_str())).collect()
}
