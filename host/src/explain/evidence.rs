use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::body::Said;
use super::challenge::ApiChallenge;
use super::signature::Signed;
use super::token::Token;

/// Everything that is known of one call: what was obtained, placed and answered. It holds no secret.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// The connector.
    pub connector: String,
    /// Its base URL.
    pub base_url: String,
    /// The request that was to be made.
    pub request: Asked,
    /// Its profiles, in the order in which they are applied.
    pub profiles: Vec<ProfileEvidence>,
    /// The requests that were made: one, two if the first was rejected, none without a credential.
    pub attempts: Vec<Sent>,
    /// Why there was no call or no answer, in the host's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// This machine's clock against those of others.
    pub clocks: Vec<Skew>,
    /// What the issuer of a JWT publishes of its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<IssuerKeys>,
    /// Whether the answer is the one that the probe expects.
    pub as_expected: bool,
}

/// A request, as it was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Which attributes of the caller were given.
    pub caller: Vec<String>,
    /// Which statuses are expected; empty: those below 400.
    pub expected: Vec<u16>,
}

/// A profile and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ProfileEvidence {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Where the type's code comes from.
    pub home: String,
    /// What it reads: attributes of the caller, `target`, `body`.
    pub reads: Vec<String>,
    /// Where it says that it places values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<Vec<String>>,
    /// Whether it signs something of the request.
    pub signs: bool,
    /// What it asked its issuer.
    pub exchanges: Vec<Exchange>,
    /// The outcome; absent if a profile before it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Obtained>,
}

/// What came of asking for a credential.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obtained {
    /// There is one.
    Credential {
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// How long it is good for, in seconds, if that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        valid_for_s: Option<u64>,
        /// Whether it is for one request.
        single_use: bool,
        /// Whether a client certificate goes with it.
        certificate: bool,
    },
    /// There is none.
    Failed {
        /// Who must act: the kind of the error.
        kind: String,
        /// The profile's words.
        message: String,
        /// The setting at fault.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
}

/// One exchange of a profile.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// Origin and path.
    pub url: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The parameters of its form that are no secrets: `grant_type`, `scope`, `audience`, …
    pub parameters: Vec<(String, String)>,
    /// The assertion that was sent, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Token>,
    /// The answer's status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What an answer that is an error says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// What was the matter with the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Problem>,
}

/// What is the matter with a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// The host's name has no address.
    Unresolved,
    /// Nobody listens there.
    Refused,
    /// It took too long.
    Late,
    /// The other side broke TLS off, with this alert.
    Alert(String),
    /// The other side's certificate is not accepted, or TLS does not come about.
    Certificate(String),
    /// It was closed or reset without an answer.
    Cut,
    /// Something else.
    Other,
}

/// One request as it was sent, and its answer.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// What profiles placed.
    pub placed: Vec<Placed>,
    /// Whether a client certificate was presented.
    pub certificate: bool,
    /// Whether a proof of possession went along (`DPoP`).
    pub proof: bool,
    /// What an AWS signature covers, and where the API read another request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// When it was sent.
    #[serde(serialize_with = "seconds")]
    pub at: SystemTime,
    /// How long the answer's head took, in milliseconds.
    pub took_ms: u64,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Problem>,
}

/// One value that a profile placed.
#[derive(Debug, Clone, Serialize)]
pub struct Placed {
    /// The profile.
    pub profile: String,
    /// Where: `header`, `query parameter`, `cookie`.
    pub place: String,
    /// Under which name.
    pub name: String,
    /// The scheme before the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The value, as far as it may be shown.
    pub value: Token,
}

/// The API's answer.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The header fields that help, as far as they may be shown.
    pub headers: Vec<(String, String)>,
    /// What it asks for.
    pub challenges: Vec<ApiChallenge>,
    /// Where it sends the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectTo>,
    /// What its body says; only of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// Where an answer sends the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedirectTo {
    /// Origin and path, without the query.
    pub url: String,
    /// Whether that is another origin.
    pub elsewhere: bool,
    /// Whether it looks like a login page.
    pub login: bool,
}

/// This machine's clock against another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skew {
    /// Whose: the API's or an issuer's origin.
    pub against: String,
    /// How far ours is ahead, in seconds; negative if it is behind.
    pub ahead_s: i64,
    /// How sure that is, in seconds.
    pub margin_s: i64,
}

impl Skew {
    /// Whether it is more than what a busy network explains.
    pub fn is_off(&self) -> bool {
        self.ahead_s.abs() > self.margin_s.max(10)
    }
}

/// What the issuer of a JWT publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerKeys {
    /// The issuer.
    pub issuer: String,
    /// What came of asking it.
    pub found: FoundKeys,
}

/// What came of asking an issuer for its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundKeys {
    /// It was not asked, or has none to be found.
    None {
        /// Why.
        why: String,
    },
    /// It has some.
    Some {
        /// Their `kid`s.
        kids: Vec<String>,
        /// Whether the token's `kid` is among them; absent if it has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        knows_kid: Option<bool>,
        /// Whether one of them verifies the token; absent if that cannot be said.
        #[serde(skip_serializing_if = "Option::is_none")]
        verifies: Option<bool>,
    },
}

impl Evidence {
    /// The last answer, if there was one.
    pub fn answer(&self) -> Option<&Answer> {
        self.last().and_then(|sent| sent.answer.as_ref())
    }

    /// The last request.
    pub fn last(&self) -> Option<&Sent> {
        self.attempts.last()
    }

    /// The JWT of the last request, and what placed it.
    pub fn jwt(&self) -> Option<&Placed> {
        self.last()?.placed.iter().find(|placed| matches!(placed.value, Token::Jwt { .. }))
    }

    /// The last exchange that was not well, with its profile.
    pub fn failed_exchange(&self) -> Option<(&ProfileEvidence, &Exchange)> {
        let failed =
            self.profiles.iter().find(|profile| matches!(profile.outcome, Some(Obtained::Failed { .. })))?;
        Some((failed, failed.exchanges.last()?))
    }

    /// The clock by which the API judges, against ours.
    pub fn skew(&self) -> Option<&Skew> {
        self.clocks.iter().max_by_key(|skew| (skew.is_off(), skew.ahead_s.abs()))
    }
}

/// Milliseconds, for a report.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds<S: serde::Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(since.as_secs())
}
