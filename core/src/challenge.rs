use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an upstream rejected a credential: an input of the next `acquire` (RFC 9110 §11.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// The status of the rejecting answer, mostly 401.
    pub status: u16,
    /// The values of its `WWW-Authenticate` fields (and `DPoP-Nonce` and kin, by name), names in lower case.
    ///
    /// In a message each is an object with `name` and `value`, like all header fields there.
    #[serde(default, with = "fields")]
    #[schemars(with = "Vec<Field>")]
    pub headers: Vec<(String, String)>,
}

impl Challenge {
    /// The values of a field; the name in lower case.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// A header field in a message.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Field {
    name: String,
    value: String,
}

mod fields {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Field;

    pub(super) fn serialize<S: Serializer>(
        fields: &[(String, String)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let field = |(name, value): &(String, String)| Field { name: name.clone(), value: value.clone() };
        serializer.collect_seq(fields.iter().map(field))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, String)>, D::Error> {
        let fields = Vec::<Field>::deserialize(deserializer)?;
        Ok(fields.into_iter().map(|field| (field.name, field.value)).collect())
    }
}
