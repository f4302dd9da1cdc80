use std::collections::BTreeMap;

use countersign::{Error, FixedLifetime, Place, Placements, Secret, Table};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::life::{ExpiresInConfig, Life};
use crate::reading::{Reading, ReadingConfig, Readings};
use crate::request::{Request, RequestConfig, Role};
use crate::{Exchange, Session};

/// Logs in by a request, reads values from its answer, and places them on calls.
///
/// Texts of requests and of `headers`, `query_parameters`, `cookies` are templates over the caller (`{{ caller.user }}`), over
/// `variables`, and, where there is an answer already, over what was read from it (`{{ answer.token }}`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// The request that logs in.
    pub login: RequestConfig,
    /// What is read from the login's answer, by name: `{ token = "/data/token" }` reads by JSON pointer; other ways are
    /// `{ header = "X-Auth-Token" }`, `{ cookie = "SID" }`, `{ jmespath = "…" }`, `{ body = true }`. Templates read it as
    /// `{{ answer.NAME }}`.
    pub answer: BTreeMap<String, ReadingConfig>,
    /// Headers of each call, by name, as templates. Without these three, `answer.token` goes as `Authorization: Bearer …`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Query parameters of each call, by name, as templates.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, Secret>,
    /// Cookies of each call, by name, as templates.
    #[serde(default)]
    pub cookies: BTreeMap<String, Secret>,
    /// Texts that are taken as they are, whatever braces they hold, and that templates read as `{{ variables.NAME }}`.
    #[serde(default)]
    pub variables: BTreeMap<String, Secret>,
    /// How long a session lives: a period, or `"until-rejected"`. Beside one of the next three it is what holds where the answer
    /// does not say.
    pub lifetime: Option<FixedLifetime>,
    /// Where the answer says for how long: a number, of seconds unless `unit` says otherwise.
    pub expires_in: Option<ExpiresInConfig>,
    /// Where the answer says until when: as RFC 3339, as an HTTP date, or as seconds or milliseconds since the epoch.
    pub expires_at: Option<ReadingConfig>,
    /// The name of a value in `answer` that says it itself: a cookie by its `Max-Age` or `Expires`, a JWT by its `exp`.
    pub expires_with: Option<String>,
    /// The request that prolongs a session; where it is refused, and after a rejection, the login is made anew. Without it, always.
    pub refresh: Option<RequestConfig>,
    /// What is read from the refresh's answer, where that is something else than `answer`. What is not named is kept.
    pub refresh_answer: Option<BTreeMap<String, ReadingConfig>>,
    /// The request that ends a session. It is sent when the session has been replaced and the one after it is due, or when it was
    /// rejected.
    pub logout: Option<RequestConfig>,
    /// Where the answer to a login or refresh says what is wrong. What stands there is quoted in errors, in part, without what was
    /// sent.
    #[serde(default)]
    pub errors: Vec<ReadingConfig>,
}

impl SessionConfig {
    pub(crate) fn into_profile(self) -> Result<Session, Error> {
        let variables = self.variables.into_iter().map(|(name, text)| (name, text.without_line_end()));
        let variables: Table = variables.collect();
        for (name, text) in &variables {
            let at = |error: Error| error.at(name.as_str()).at("variables");
            is_name(name).map_err(at)?;
            if text.expose().is_empty() {
                return Err(at(Error::config("is empty; a source that gives nothing?")));
            }
        }
        let answer = Readings::new(self.answer).map_err(|error| error.at("answer"))?;
        if answer.is_empty() {
            return Err(Error::config("names nothing that the login is made for").at("answer"));
        }
        let known = Known { variables: &variables, answer: &answer };
        let login = Exchange {
            request: Request::new(Role::Login, self.login, &known, None)
                .map_err(|error| error.at("login"))?,
            readings: answer.clone(),
        };
        let refresh = match self.refresh {
            Some(refresh) => {
                let request = Request::new(Role::Refresh, refresh, &known, Some(login.request.origin()));
                let readings = match self.refresh_answer {
                    Some(readings) => known.refresh(readings).map_err(|error| error.at("refresh_answer"))?,
                    None => answer.clone(),
                };
                Some(Exchange { request: request.map_err(|error| error.at("refresh"))?, readings })
            }
            None if self.refresh_answer.is_some() => {
                return Err(Error::config("goes with `refresh`, the request").at("refresh_answer"));
            }
            None => None,
        };
        let logout = self
            .logout
            .map(|logout| Request::new(Role::Logout, logout, &known, Some(login.request.origin())));
        let mut errors = Vec::new();
        for (index, reading) in self.errors.into_iter().enumerate() {
            let at = |error: Error| error.at(format!("[{index}]")).at("errors");
            errors.push(Reading::new(reading).map_err(at)?);
        }
        let mut placements = Placements::new(&["variables", "answer"]);
        placements.add("headers", Place::Header, self.headers)?;
        placements.add("query_parameters", Place::Query, self.query_parameters)?;
        placements.add("cookies", Place::Cookie, self.cookies)?;
        if placements.is_empty() {
            if !answer.has("token") {
                let message = "goes nowhere yet; set `headers`, `query_parameters` or `cookies`, or call the value `token`, \
                               which goes as `Authorization: Bearer …`";
                return Err(Error::config(message).at("answer"));
            }
            let bearer = [("Authorization".to_owned(), "Bearer {{ answer.token }}".into())];
            placements.add("headers", Place::Header, bearer.into())?;
        }
        known.has_all_of(&placements)?;
        let life = Life::new(self.lifetime, self.expires_in, self.expires_at, self.expires_with, &answer)?;
        let logout = logout.transpose().map_err(|error| error.at("logout"))?;
        Ok(Session { login, refresh, logout, errors, life, placements, variables })
    }
}

/// The names that templates may read.
pub(crate) struct Known<'a> {
    variables: &'a Table,
    answer: &'a Readings,
}

impl Known<'_> {
    /// # Errors
    /// [`Config`](countersign::ErrorKind::Config), where a name is read that nothing has.
    pub(crate) fn has(&self, table: &str, name: &str) -> Result<(), Error> {
        let (known, setting) = match table {
            "answer" => (self.answer.has(name), "answer"),
            _ => (self.variables.contains_key(name), "variables"),
        };
        match known {
            true => Ok(()),
            false => Err(Error::config(format!("reads `{table}.{name}`, but `{setting}` has no `{name}`"))),
        }
    }

    pub(crate) fn has_all_of(&self, placements: &Placements) -> Result<(), Error> {
        for table in ["variables", "answer"] {
            for (name, setting) in placements.names(table) {
                self.has(table, name).map_err(|error| error.at(setting))?;
            }
        }
        Ok(())
    }

    fn refresh(&self, readings: BTreeMap<String, ReadingConfig>) -> Result<Readings, Error> {
        let unknown = readings.keys().find(|name| !self.answer.has(name));
        if let Some(name) = unknown {
            return Err(Error::config("is not in `answer`, so that a login would lack it").at(name));
        }
        let readings = Readings::new(readings)?;
        match readings.is_empty() {
            // An answer of which nothing is read could be any.
            true => Err(Error::config("names nothing; leave it out to read what `answer` names")),
            false => Ok(readings),
        }
    }
}

/// What templates can name.
pub(crate) fn is_name(name: &str) -> Result<(), Error> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match fits {
        true => Ok(()),
        false => {
            Err(Error::config("is no name; letters, digits and `_` make one, not beginning with a digit"))
        }
    }
}
