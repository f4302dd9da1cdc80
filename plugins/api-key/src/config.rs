use std::collections::BTreeMap;

use countersign::{Error, Place, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Key;
use crate::value::Value;

/// Sends keys that the API's owner gave out, in headers, query parameters or cookies.
///
/// For one key, set `key` and where it goes: `header`, `query` or `cookie`. For several, or for values that depend on
/// the caller, use the tables `headers`, `query_parameters` and `cookies`; both ways go together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The key, taken as it is; a line end at its end is not part of it. A word before it is written with it:
    /// `key = "Token ${env:KEY}"`.
    pub key: Option<Secret>,
    /// The header that carries `key`.
    pub header: Option<String>,
    /// The query parameter that carries `key`. URLs end up in logs: prefer a header where the API has the choice.
    pub query: Option<String>,
    /// The cookie that carries `key`.
    pub cookie: Option<String>,
    /// Headers by name. Values may be templates over the caller: `X-Tenant = "{{ caller.tenant }}"`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Query parameters by name; values as in `headers`.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, Secret>,
    /// Cookies by name; values as in `headers`.
    #[serde(default)]
    pub cookies: BTreeMap<String, Secret>,
}

impl ApiKeyConfig {
    pub(crate) fn into_keys(self) -> Result<Vec<Key>, Error> {
        let mut keys = Keys(Vec::new());
        let singles = [
            ("header", Place::Header, self.header),
            ("query", Place::Query, self.query),
            ("cookie", Place::Cookie, self.cookie),
        ];
        let mut single =
            singles.into_iter().filter_map(|(setting, place, name)| Some((setting, place, name?)));
        match (self.key, single.next()) {
            (Some(key), Some((setting, place, name))) => {
                let value = Value::literal(place, key).map_err(|error| error.at("key"))?;
                keys.add(setting, place, name, value).map_err(|error| error.at(setting))?;
            }
            (Some(_), None) => {
                return Err(Error::config("goes nowhere yet; set `header`, `query` or `cookie`").at("key"));
            }
            (None, Some((setting, ..))) => {
                return Err(Error::config("needs `key`, the value that goes there").at(setting));
            }
            (None, None) => {}
        }
        if let Some((setting, ..)) = single.next() {
            let message =
                "`key` goes to one place; for several use `headers`, `query_parameters` and `cookies`";
            return Err(Error::config(message).at(setting));
        }
        keys.add_all("headers", Place::Header, self.headers)?;
        keys.add_all("query_parameters", Place::Query, self.query_parameters)?;
        keys.add_all("cookies", Place::Cookie, self.cookies)?;
        if keys.0.is_empty() {
            return Err(Error::config("places nothing; set `key` and `header`, or some `headers`"));
        }
        Ok(keys.0)
    }
}

struct Keys(Vec<Key>);

impl Keys {
    fn add_all(&mut self, table: &str, place: Place, values: BTreeMap<String, Secret>) -> Result<(), Error> {
        for (name, value) in values {
            let setting = format!("{table}.{name}");
            let value = Value::template(place, value).map_err(|error| error.at(&setting))?;
            self.add(&setting, place, name, value).map_err(|error| error.at(&setting))?;
        }
        Ok(())
    }

    fn add(&mut self, setting: &str, place: Place, name: String, value: Value) -> Result<(), Error> {
        place.check_name(&name)?;
        // Names of headers are the same in any case (RFC 9110 §5.1), the others are not.
        let name = if place == Place::Header { name.to_ascii_lowercase() } else { name };
        if let Some(same) = self.0.iter().find(|key| key.place == place && key.name == name) {
            return Err(Error::config(format!(
                "places the same {place} as `{}`; keep one of them",
                same.setting
            )));
        }
        self.0.push(Key { place, name, value, setting: setting.to_owned() });
        Ok(())
    }
}
