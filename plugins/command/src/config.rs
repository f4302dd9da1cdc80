use std::collections::BTreeMap;

use countersign::{Error, FixedLifetime, Period, Place, Placements, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Command;
use crate::format::{ApiVersion, Format};
use crate::program::Program;

/// Runs a program that prints a credential.
///
/// Without `headers`, `query_parameters` and `cookies`, what it prints says what is placed; a token goes as `Authorization: Bearer …`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// The program and its arguments, a text each; no shell reads them. A program with a `/` is a path, relative to the configuration;
    /// another is looked for in `PATH`. Arguments may be templates over the caller: `{{ caller.user }}`.
    pub command: Vec<Secret>,
    /// What it prints; without it, that is seen by what it prints.
    #[serde(default)]
    pub format: Format,
    /// With `format = "exec-credential"`: the version of `client.authentication.k8s.io` that the program is asked for, `v1` if not
    /// given.
    pub api_version: Option<ApiVersion>,
    /// The variables of the host's environment that it gets, by name; `HOME`, `LANG`, `PATH`, `TMPDIR` and `USER` if not given.
    #[schemars(extend("default" = ["HOME", "LANG", "PATH", "TMPDIR", "USER"]))]
    pub inherit: Option<Vec<String>>,
    /// Further variables, by name. Values may be templates over the caller.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// The folder that it runs in, relative to the configuration's; that one, if not given.
    pub folder: Option<String>,
    /// How long it may take: `"30s"` if not given, at most `"50s"`.
    #[schemars(extend("default" = "30s"))]
    pub timeout: Option<Period>,
    /// Whether an error quotes the last line that a program which fails says on standard error: it does, if not given.
    #[schemars(extend("default" = true))]
    pub quote_errors: Option<bool>,
    /// Headers of each call, by name, as templates over the caller and what was printed: `{{ answer.token }}`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Query parameters of each call, by name; values as in `headers`.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, Secret>,
    /// Cookies of each call, by name; values as in `headers`.
    #[serde(default)]
    pub cookies: BTreeMap<String, Secret>,
    /// How long the credential lives where the program does not say: a period, or `"until-rejected"`.
    pub lifetime: Option<FixedLifetime>,
}

/// A conversation may last a minute.
const LONGEST: u64 = 50;

impl CommandConfig {
    pub(crate) fn into_profile(self) -> Result<Command, Error> {
        let timeout = self.timeout.unwrap_or(Period::from_secs(30));
        if timeout.as_secs() == 0 || timeout.as_secs() > LONGEST {
            return Err(Error::config(format!("is to be between \"1s\" and \"{LONGEST}s\"")).at("timeout"));
        }
        let is_exec = self.format == Format::ExecCredential;
        if self.api_version.is_some() && !is_exec {
            let message = "goes with `format = \"exec-credential\"`";
            return Err(Error::config(message).at("api_version"));
        }
        let api_version = is_exec.then(|| self.api_version.unwrap_or_default());
        let mut placements = Placements::new(&["answer"]);
        placements.add("headers", Place::Header, self.headers)?;
        placements.add("query_parameters", Place::Query, self.query_parameters)?;
        placements.add("cookies", Place::Cookie, self.cookies)?;
        for (name, setting) in placements.names("answer") {
            if let Some(known) = self.format.names().filter(|known| !known.contains(&name)) {
                let known = known.join("`, `");
                let message = format!("reads `answer.{name}`, but what is printed has only `{known}`");
                return Err(Error::config(message).at(setting));
            }
        }
        if self.format == Format::CredentialProcess && placements.is_empty() {
            let message = "is for keys that sign requests, which the type `aws-sigv4` does with `credentials = \"files\"` and a \
                           `credential_process` in its files; if a key is to be placed all the same, set `headers`";
            return Err(Error::config(message).at("format"));
        }
        let program = Program::new(
            self.command,
            self.inherit,
            self.environment,
            self.folder,
            timeout,
            self.quote_errors.unwrap_or(true),
            api_version,
        )?;
        Ok(Command { program, format: self.format, api_version, placements, lifetime: self.lifetime })
    }
}
