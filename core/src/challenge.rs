use serde::{Deserialize, Serialize};

/// How an upstream rejected a credential: an input of the next `acquire` (RFC 9110 §11.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The status of the rejecting answer, mostly 401.
    pub status: u16,
    /// The values of its `WWW-Authenticate` fields (and `DPoP-Nonce` and kin, by name), names in lower case.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

impl Challenge {
    /// The values of a field; the name in lower case.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}
