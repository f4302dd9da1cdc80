//! The messages between a profile and its host: one protocol, whatever home the profile lives in.
//!
//! `start(`[`Start`]`) → `[`Step`], then `resume(`[`Resume`]`) → Step` until the step is done or failed. As JSON they
//! cross the plugin boundary; linked-in profiles exchange the same values in memory. Unknown fields are ignored and
//! new fields are optional, so that both sides may be of different age.
//!
//! Secrets are written in clear here: a message is for the other side of the boundary and for nothing else.
//!
//! Between processes the same messages travel as lines of JSON, in the [`frame`]s that say whose they are.

pub(crate) mod base64;
pub mod frame;
mod wire;

use std::time::{Duration, SystemTime};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Caller, Challenge, Credential, Error, HttpHeader, HttpRequest, HttpResponse, Inputs, Origin, Places,
    Secret,
};

pub(crate) use wire::{exposed, millis};

/// What an instance says of itself when it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// What it reads.
    #[serde(flatten)]
    pub inputs: Inputs,
    /// Where it places values; `None` if it does not say, as those built with an older SDK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Places>,
}

/// What a conversation begins with. It holds only what the profile declared in its [`Inputs`](crate::Inputs).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Wall time, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    #[schemars(with = "u64")]
    pub now: SystemTime,
    /// The declared attributes of the caller.
    #[serde(default)]
    pub caller: Caller,
    /// The origin that the call goes to, if declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub target: Option<Origin>,
    /// What the upstream demanded when it rejected the credential before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// The renewal state that the credential before left behind.
    #[serde(default, with = "exposed::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub previous: Option<Secret>,
}

impl Start {
    /// A start of which only the time is known.
    pub fn at(now: SystemTime) -> Self {
        Self { now, caller: Caller::new(), target: None, challenge: None, previous: None }
    }
}

/// What a profile says after each turn.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It needs something from its host.
    Need(Need),
    /// It is done.
    Done(Credential),
    /// It failed.
    Failed(Error),
}

/// What a profile may need.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Need {
    /// An HTTP exchange.
    Http(HttpRequest),
    /// To wait, in milliseconds on the wire.
    #[serde(with = "millis::duration")]
    #[schemars(with = "u64")]
    Sleep(Duration),
    /// What a file of the host's machine holds, by its path. Only where the operator allows it.
    File(String),
    /// A variable of the host's environment, by its name. Only where the operator allows it.
    Variable(String),
    /// To have a program run. Only where the operator allows it.
    Run(Run),
}

/// A program that a profile needs to be run: without a shell, without the host's environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The program: a path, or a name that is looked for in the host's `PATH`.
    pub program: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The names of those variables of the host's environment that it gets.
    #[serde(default)]
    pub inherit: Vec<String>,
    /// Further variables.
    #[serde(default)]
    pub environment: Vec<HttpHeader>,
    /// The folder that it runs in, relative to the configuration's; that one, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Whether the end of what it says on standard error is kept. Else it goes nowhere.
    #[serde(default)]
    pub keeps_errors: bool,
    /// How long it may take, in milliseconds on the wire.
    #[serde(with = "millis::duration")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
}

/// What a program did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Ran {
    /// Its exit status; `None` if a signal ended it.
    #[serde(default)]
    pub status: Option<i32>,
    /// What it printed on standard output. It counts as secret.
    #[serde(default, with = "exposed::bytes")]
    #[schemars(with = "exposed::bytes::Bytes")]
    pub output: Secret<Vec<u8>>,
    /// The end of what it said on standard error, if that was to be kept. It counts as secret.
    #[serde(default, with = "exposed::bytes", skip_serializing_if = "nothing")]
    #[schemars(with = "exposed::bytes::Bytes")]
    pub errors: Secret<Vec<u8>>,
}

fn nothing(bytes: &Secret<Vec<u8>>) -> bool {
    bytes.expose().is_empty()
}

/// The host's answer to a [`Need`], with the time of the answer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Resume {
    /// Wall time, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    #[schemars(with = "u64")]
    pub now: SystemTime,
    /// What came of it.
    pub event: Event,
}

/// What came of a [`Need`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The HTTP answer.
    Http(HttpResponse),
    /// The wait is over.
    Slept,
    /// What the file holds; nothing, if there is no such file.
    #[serde(with = "exposed::optional_bytes")]
    #[schemars(with = "Option<exposed::bytes::Bytes>")]
    File(Option<Secret<Vec<u8>>>),
    /// The variable's value; nothing, if it is not set.
    #[serde(with = "exposed::option")]
    #[schemars(with = "Option<String>")]
    Variable(Option<Secret>),
    /// The program has ended.
    Ran(Ran),
    /// The need could not be met.
    Failed(Error),
}
