//! The protocol between processes: what a host and a plugin in another process say to each other.
//!
//! Each side writes lines. A line is one JSON object with one key, which names the message, and ends in LF; it holds no
//! LF inside, for JSON writes that as `\n`. The host begins with [`hello`](ToPlugin::Hello) and the plugin answers with
//! its own. After that each message of the host that has an `id` is answered, in any order, by one that has the same
//! `id`: by the one that belongs to it, or by [`error`](FromPlugin::Error). The plugin says nothing unasked but
//! [`log`](FromPlugin::Log). All numbers are given by the host, count from 1, are never given twice in one talk, and
//! stay below 2⁵³, so that a language whose numbers are floating-point can repeat them.
//!
//! Unknown fields are ignored. An unknown message with an `id` is answered by an error of the kind `unsupported`, one
//! without is ignored. The same major version means that both sides understand each other; what a side may use beyond
//! that, the other one names in its `features`. An unknown kind of error is read as `internal`.
//!
//! The book's page *The protocol* is the whole contract, and `docs/protocol.schema.json` its schema.

use std::collections::BTreeMap;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Resume, Start, Step, exposed, millis};
use crate::{Credential, Error, HeaderView, Inputs, Manifest, Placement, Places, RequestHead, Secret};

/// The version of the protocol between processes.
pub const VERSION: &str = "1.0";

/// The longest line that a host takes, in bytes, its LF included. A plugin takes lines of any length: they come from
/// its host, and one that holds the body of a request to sign is as long as the operator lets such bodies be.
pub const MAX_LINE: usize = 4 << 20;

/// What the host says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ToPlugin {
    /// Begins the talk.
    Hello(HostHello),
    /// Asks for the types that the plugin brings; answered by [`FromPlugin::Types`].
    Manifest(Ask),
    /// Makes an instance of a type; answered by [`FromPlugin::Created`].
    Create(Create),
    /// Asks for an instance's public keys; answered by [`FromPlugin::Keys`].
    PublicKeys(OfProfile),
    /// Begins a conversation; answered by [`FromPlugin::Step`].
    Start(Begin),
    /// Goes on with a conversation; answered by [`FromPlugin::Step`].
    Resume(GoOn),
    /// Ends a conversation that the host has no more use for; not answered.
    Cancel(Cancel),
    /// Hands over a credential that signs; answered by [`FromPlugin::Ready`].
    Signer(MakeSigner),
    /// Asks for a request's signature; answered by [`FromPlugin::Signed`].
    Sign(Box<Sign>),
    /// Gives up an instance or a signer; not answered.
    Forget(Forget),
}

/// What a plugin says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FromPlugin {
    /// Answers the host's.
    Hello(PluginHello),
    /// The types.
    Types(Types),
    /// The instance is there.
    Created(Created),
    /// The public keys.
    Keys(Keys),
    /// The conversation's next step.
    Step(Stepped),
    /// The signer is there.
    Ready(Ask),
    /// The signature.
    Signed(Signed),
    /// What was asked for failed.
    Error(Failed),
    /// Something for the host's log.
    Log(LogRecord),
}

/// The host's greeting.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HostHello {
    /// The [`VERSION`] that it speaks.
    pub protocol: String,
    /// Which host it is: `countersign 0.1.0`.
    #[serde(default)]
    pub host: String,
    /// What it can do beyond that version; none so far.
    #[serde(default)]
    pub features: Vec<String>,
    /// The most verbose level that it wants to be told: 0 nothing, 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    #[serde(default)]
    pub log_level: u8,
}

/// The plugin's greeting.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PluginHello {
    /// The version that it speaks.
    pub protocol: String,
    /// Its name.
    pub name: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// What it can do beyond the version; none so far.
    #[serde(default)]
    pub features: Vec<String>,
}

/// A message that is nothing but its number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Ask {
    /// The number that the answer repeats.
    pub id: u64,
}

/// See [`ToPlugin::Create`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Create {
    /// The number that the answer repeats.
    pub id: u64,
    /// The number by which the instance goes from now on.
    pub profile: u64,
    /// The type's name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its settings, secrets included.
    pub settings: Value,
}

/// See [`FromPlugin::Created`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// The number of the question.
    pub id: u64,
    /// What the instance reads.
    #[serde(default)]
    pub inputs: Inputs,
    /// Where it places values and what its signature covers; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<Places>,
}

/// A question about an instance.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct OfProfile {
    /// The number that the answer repeats.
    pub id: u64,
    /// The instance.
    pub profile: u64,
}

/// See [`FromPlugin::Keys`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// The number of the question.
    pub id: u64,
    /// JSON Web Keys (RFC 7517), public halves only.
    pub keys: Vec<Value>,
}

/// See [`ToPlugin::Start`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Begin {
    /// The number that the answer repeats.
    pub id: u64,
    /// The instance.
    pub profile: u64,
    /// The number by which the conversation goes from now on.
    pub conversation: u64,
    /// What it begins with.
    pub input: Start,
}

/// See [`ToPlugin::Resume`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct GoOn {
    /// The number that the answer repeats.
    pub id: u64,
    /// The conversation.
    pub conversation: u64,
    /// The answer to what the profile needed.
    pub input: Resume,
}

/// See [`FromPlugin::Step`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Stepped {
    /// The number of the question.
    pub id: u64,
    /// What the profile says. When it is `done` or `failed`, the conversation is over.
    pub step: Step,
}

/// See [`ToPlugin::Cancel`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The conversation.
    pub conversation: u64,
}

/// See [`ToPlugin::Signer`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MakeSigner {
    /// The number that the answer repeats.
    pub id: u64,
    /// The instance.
    pub profile: u64,
    /// The number by which the signer goes from now on.
    pub signer: u64,
    /// The credential to sign with.
    pub credential: Credential,
}

/// See [`ToPlugin::Sign`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sign {
    /// The number that the answer repeats.
    pub id: u64,
    /// The signer.
    pub signer: u64,
    /// Wall time, in milliseconds since the epoch on the wire.
    #[serde(with = "millis::instant")]
    #[schemars(with = "u64")]
    pub now: SystemTime,
    /// The request.
    pub request: SignRequest,
}

/// A request to sign, as [`RequestHead`] describes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct SignRequest {
    /// The method, in capitals.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and, where it is not the scheme's own, port.
    pub authority: String,
    /// The path, percent-encoded.
    pub path: String,
    /// The query without its `?`, percent-encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The header fields, in order, names in lower case.
    #[serde(default)]
    pub headers: Vec<SignHeader>,
    /// The body, if the profile declared that it reads it: a string where it is UTF-8, else its base64.
    #[serde(default, with = "exposed::optional_bytes", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<exposed::bytes::Bytes>")]
    pub body: Option<Secret<Vec<u8>>>,
    /// What the API said last in those header fields of its answers that the credential learns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<SignHeader>,
}

/// A header field of a request to sign.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SignHeader {
    /// The name, in lower case.
    pub name: String,
    /// The value: a string where it is UTF-8, else its base64.
    #[serde(with = "exposed::bytes")]
    #[schemars(with = "exposed::bytes::Bytes")]
    pub value: Secret<Vec<u8>>,
}

impl SignRequest {
    /// What a signing type sees, to be sent.
    pub fn of(head: &RequestHead<'_>) -> Self {
        Self {
            method: head.method().to_owned(),
            scheme: head.scheme().to_owned(),
            authority: head.authority().to_owned(),
            path: head.path().to_owned(),
            query: head.query().map(str::to_owned),
            headers: head.headers().iter().map(SignHeader::of).collect(),
            body: head.body().map(|body| Secret::new(body.to_vec())),
            learned: head.all_learned().iter().map(SignHeader::of).collect(),
        }
    }

    /// Lends it to a signing type.
    pub fn with_head<T>(&self, sign: impl FnOnce(&RequestHead<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(SignHeader::view).collect();
        let learned: Vec<_> = self.learned.iter().map(SignHeader::view).collect();
        let head = RequestHead::new(&self.method, &self.scheme, &self.authority, &self.path)
            .with_query(self.query.as_deref())
            .with_headers(&headers)
            .with_learned(&learned)
            .with_body(self.body.as_ref().map(|body| body.expose().as_slice()));
        sign(&head)
    }
}

impl SignHeader {
    fn of(header: &HeaderView<'_>) -> Self {
        Self { name: header.name().to_owned(), value: Secret::new(header.value().to_vec()) }
    }

    fn view(&self) -> HeaderView<'_> {
        HeaderView::new(&self.name, self.value.expose())
    }
}

/// See [`FromPlugin::Signed`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Signed {
    /// The number of the question.
    pub id: u64,
    /// What goes onto the request, in order.
    pub edits: Vec<Placement>,
}

/// See [`ToPlugin::Forget`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Forget {
    /// An instance, with its conversations and signers.
    Profile(u64),
    /// A signer.
    Signer(u64),
}

/// See [`FromPlugin::Types`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Types {
    /// The number of the question.
    pub id: u64,
    /// The types.
    pub types: Vec<Manifest>,
}

/// See [`FromPlugin::Error`].
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// The number of the question.
    pub id: u64,
    /// Why.
    pub error: Error,
}

/// One event of a plugin's log.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u8,
    /// Where in the plugin's code it arose.
    #[serde(default)]
    pub target: String,
    /// What happened.
    pub message: String,
    /// The event's fields; what is no string is taken as its JSON.
    #[serde(default, deserialize_with = "texts")]
    #[schemars(with = "BTreeMap<String, Value>")]
    pub fields: BTreeMap<String, String>,
    /// The names of the spans around it, from the outside in.
    #[serde(default)]
    pub spans: Vec<String>,
}

/// Whoever writes a plugin in a language without types shall not fail at a number in its log.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let fields = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let text = |value| if let Value::String(text) = value { text } else { value.to_string() };
    Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
}
