use std::collections::BTreeMap;

use countersign::{Error, Place};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::reading::pointer_of;

/// The rules of a success.
///
/// All that is given must hold, and each value that is read must be there, besides.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessConfig {
    /// One of these statuses; without it, any of 200 to 299.
    pub status: Option<Vec<u16>>,
    /// Its content type, without parameters: `"application/json"`. Without it, any but `text/html`, which is what error pages and
    /// login forms are.
    pub content_type: Option<String>,
    /// Headers by name, each of which contains that text, in any case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON pointers at which that value stands: `{ "/ok" = true }`.
    #[serde(default)]
    pub equals: BTreeMap<String, Value>,
    /// JSON pointers at which something stands that is not `null`.
    #[serde(default)]
    pub present: Vec<String>,
    /// JSON pointers at which nothing stands, or `null`.
    #[serde(default)]
    pub absent: Vec<String>,
    /// The whole body, as text, without white space around it.
    pub body: Option<String>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Success(SuccessConfig);

impl Success {
    pub(crate) fn new(mut config: SuccessConfig) -> Result<Self, Error> {
        let is_status = |status: &u16| (200..600).contains(status);
        if config.status.as_ref().is_some_and(|status| status.is_empty() || !status.iter().all(is_status)) {
            return Err(Error::config("is a list of statuses from 200 to 599").at("status"));
        }
        if let Some(kind) = &config.content_type {
            let whole = kind.split_once('/').is_some_and(|(of, sub)| !of.is_empty() && !sub.is_empty());
            if !whole || kind.contains([';', ' ', ',']) {
                let message = "is a content type without parameters, like \"application/json\"";
                return Err(Error::config(message).at("content_type"));
            }
        }
        for name in config.headers.keys() {
            Place::Header.check_name(name).map_err(|error| error.at(name.as_str()).at("headers"))?;
        }
        let lower = |(name, text): (String, String)| (name.to_ascii_lowercase(), text.to_ascii_lowercase());
        config.headers = config.headers.into_iter().map(lower).collect();
        for (setting, pointers) in [("present", &config.present), ("absent", &config.absent)] {
            for (index, pointer) in pointers.iter().enumerate() {
                pointer_of(pointer).map_err(|error| error.at(format!("[{index}]")).at(setting))?;
            }
        }
        for (pointer, value) in &config.equals {
            let at = |error: Error| error.at(pointer.as_str()).at("equals");
            pointer_of(pointer).map_err(at)?;
            if value.is_array() || value.is_object() {
                return Err(at(Error::config("is to be a text, a number or a truth value")));
            }
        }
        Ok(Self(config))
    }

    /// Whether the answer is a success.
    ///
    /// # Errors
    /// Why it is none: `denied` where the server has looked and refused, `unavailable` where it is something else than an answer.
    pub(crate) fn judge(&self, answer: &Answer<'_>) -> Result<(), Error> {
        self.judged(answer).map_err(|error| answer.explained(error))
    }

    fn judged(&self, answer: &Answer<'_>) -> Result<(), Error> {
        let (rules, response) = (&self.0, answer.response());
        match &rules.status {
            None => drop(response.clone().success()?),
            Some(wanted) if !wanted.contains(&response.status) => {
                response.clone().success()?;
                return Err(Error::denied(format!(
                    "answered with status {}, which `success.status` does not name",
                    response.status
                )));
            }
            Some(_) => {}
        }
        match &rules.content_type {
            Some(wanted) if !answer.is_of_type(wanted) => {
                return Err(Error::unavailable(format!("answered with something else than {wanted}")));
            }
            None if answer.is_page() => {
                return Err(Error::unavailable(
                    "answered with a page (HTML), as error pages and login forms are; is the URL the API's?",
                ));
            }
            _ => {}
        }
        for (name, text) in &rules.headers {
            if !response.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(text)) {
                return Err(Error::denied(format!("the answer's header `{name}` is not that of a success")));
            }
        }
        if rules.body.as_ref().is_some_and(|wanted| answer.text().ok() != Some(wanted.trim())) {
            return Err(Error::denied("the answer's body is not that of a success"));
        }
        let there = |pointer: &str| -> Result<Option<&Value>, Error> {
            Ok(answer.json()?.pointer(pointer).filter(|value| !value.is_null()))
        };
        for (pointer, wanted) in &rules.equals {
            if there(pointer)? != Some(wanted) {
                return Err(Error::denied(format!("the answer has not at `{pointer}` what a success has")));
            }
        }
        for pointer in &rules.present {
            if there(pointer)?.is_none() {
                return Err(Error::denied(format!(
                    "the answer has nothing at `{pointer}`, as a success has"
                )));
            }
        }
        for pointer in &rules.absent {
            if there(pointer)?.is_some() {
                return Err(Error::denied(format!(
                    "the answer has something at `{pointer}`, as a refusal has"
                )));
            }
        }
        Ok(())
    }
}
