//! The protocol as it is promised: every line on the book's page is valid by the schema in `docs/` and is what is really said.
//! That the schema is of this code is checked in `promise.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../examples/protocol-schema.rs"]
mod protocol_schema;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use countersign::protocol::frame::{FromPlugin, PluginHello, ToPlugin};
use countersign::respondent::{Registered, Respondent};
use countersign::{
    AuthProfile, Context, Credential, Edits, Error, HttpRequest, Inputs, RequestHead, Secret, SignContext,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Set, the tests write anew what they compare.
const UPDATE: &str = "COUNTERSIGN_UPDATE";

#[test]
fn every_line_in_the_book_is_what_is_really_said() {
    let page = docs("src/protocol.md");
    let mut talk = talk();
    let (mut said, mut waiting, mut answers) = (String::new(), Vec::new(), 0);
    for line in fs::read_to_string(&page).unwrap().lines() {
        let written = if let Some(message) = line.strip_prefix("→ ") {
            serde_json::from_str::<ToPlugin>(message).unwrap_or_else(|error| {
                assert!(message.contains("\"dance\""), "{message}: {error}");
                ToPlugin::Manifest(serde_json::from_value(json!({ "id": 1 })).unwrap())
            });
            if message.contains("{\"hello\":") {
                talk = self::talk();
            }
            assert_eq!(waiting, Vec::<u8>::new(), "the answer before this line is missing: {message}");
            talk.answer(message.as_bytes(), &mut waiting).unwrap();
            line.to_owned()
        } else if let Some(message) =
            line.strip_prefix("← ").filter(|message| !message.starts_with("{\"log\":"))
        {
            assert!(!waiting.is_empty(), "this line is no answer: {message}");
            answers += 1;
            let answer = String::from_utf8(std::mem::take(&mut waiting)).unwrap();
            let equal = serde_json::from_str::<Value>(message).ok() == serde_json::from_str(&answer).ok();
            if equal { line.to_owned() } else { format!("← {}", answer.trim_end()) }
        } else {
            line.to_owned()
        };
        said.push_str(&written);
        said.push('\n');
    }
    assert!(answers >= 20, "only {answers} answers were found");
    assert_is(&page, &said);
}

#[test]
fn every_line_in_the_book_is_valid_and_every_message_is_there() {
    let schema = protocol_schema::schema();
    let of = |definition: &str| {
        let mut schema = schema.clone();
        schema.as_object_mut().unwrap().remove("anyOf");
        schema["$ref"] = format!("#/$defs/{definition}").into();
        jsonschema::draft202012::new(&schema).unwrap()
    };
    let (to_plugin, from_plugin) = (of("ToPlugin"), of("FromPlugin"));
    let mut missing = names(&schema["$defs"]["ToPlugin"]);
    missing.extend(names(&schema["$defs"]["FromPlugin"]));
    for line in fs::read_to_string(docs("src/protocol.md")).unwrap().lines() {
        let (validator, message) = match (line.strip_prefix("→ "), line.strip_prefix("← ")) {
            (Some(message), _) => (&to_plugin, message),
            (_, Some(message)) => (&from_plugin, message),
            _ => continue,
        };
        let value: Value = serde_json::from_str(message).unwrap();
        if message.contains("\"dance\"") {
            assert!(!validator.is_valid(&value), "the schema knows no such message");
            continue;
        }
        if let Err(error) = validator.validate(&value) {
            panic!("{message}\n{error}");
        }
        if line.starts_with("← ") {
            serde_json::from_value::<FromPlugin>(value.clone()).unwrap();
        }
        let name = value.as_object().unwrap().keys().next().unwrap();
        missing.retain(|missing| missing != name);
    }
    assert_eq!(missing, Vec::<String>::new(), "these messages have no line on the page");
}

/// The names of an enum's messages.
fn names(definition: &Value) -> Vec<String> {
    let variants = definition["oneOf"].as_array().unwrap().iter();
    variants.flat_map(|variant| variant["properties"].as_object().unwrap().keys().cloned()).collect()
}

fn docs(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file)
}

#[track_caller]
fn assert_is(file: &PathBuf, expected: &str) {
    if std::env::var_os(UPDATE).is_some() {
        fs::write(file, expected).unwrap();
    }
    let found = fs::read_to_string(file).unwrap();
    let differ = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{} is stale; {UPDATE}=1 cargo test -p countersign --test protocol writes it anew: {differ:?}",
        file.display()
    );
}

fn talk() -> Respondent<Registered> {
    let hello = PluginHello {
        protocol: String::new(),
        name: "acme".into(),
        version: "1.0.0".into(),
        description: "Acme's ways in".into(),
        features: Vec::new(),
    };
    Respondent::new(hello, Registered)
}

// The types of docs/examples, of which the page tells; those are plugins, which nothing links.
countersign::register_profile!(AcmeLogin);
countersign::register_profile!(AcmeHmac);

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// Acme's login endpoint.
    login_url: String,
    /// The technical user.
    user: String,
    /// Its password.
    password: Secret,
}

struct AcmeLogin(Login);

#[derive(Deserialize)]
struct Session {
    session: String,
    ttl_seconds: u64,
}

impl AuthProfile for AcmeLogin {
    const TYPE: &'static str = "acme-login";
    const SUMMARY: &'static str = "Acme's login endpoint: a user and a password for a session";
    type Config = Login;

    fn new(settings: Login) -> Result<Self, Error> {
        if settings.user.is_empty() {
            return Err(Error::config("is empty; name Acme's technical user").at("user"));
        }
        Ok(Self(settings))
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        if let Some(previous) = cx.previous() {
            let prolong =
                HttpRequest::new("PUT", &self.0.login_url).header("x-acme-session", previous.clone());
            let answer = cx.http().send(prolong).await?;
            if answer.is_success() {
                return Ok(credential(answer.json()?));
            }
        }
        let login = json!({ "user": self.0.user, "password": self.0.password.expose() });
        let login = HttpRequest::new("POST", &self.0.login_url).json(&login);
        Ok(credential(cx.http().send(login).await?.success()?.json()?))
    }
}

fn credential(Session { session, ttl_seconds }: Session) -> Credential {
    let credential = Credential::header("x-acme-session", session.as_str());
    credential.valid_for(Duration::from_secs(ttl_seconds)).renewed_by(session)
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Key {
    /// The secret that Acme gave out; at least 32 bytes (RFC 2104 §3).
    secret: Secret,
}

struct AcmeHmac(Key);

impl AuthProfile for AcmeHmac {
    const TYPE: &'static str = "acme-hmac";
    const SUMMARY: &'static str = "Acme's request signature: an HMAC-SHA256 over each request";
    type Config = Key;

    fn new(key: Key) -> Result<Self, Error> {
        Ok(Self(key))
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().body()
    }

    async fn acquire(&self, _: &Context) -> Result<Credential, Error> {
        Ok(Credential::signing(&())?.until_rejected())
    }

    fn sign(&self, _: &Credential, request: &RequestHead<'_>, cx: &SignContext) -> Result<Edits, Error> {
        let time = cx.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        let body = hex(&Sha256::digest(request.body().unwrap_or_default()));
        let text = format!("{}\n{}{query}\n{time}\n{body}", request.method(), request.path());
        let keyed = Hmac::<Sha256>::new_from_slice(self.0.secret.expose().as_bytes()).unwrap();
        let signature = hex(&keyed.chain_update(text).finalize().into_bytes());
        Ok(Edits::header("x-acme-timestamp", time).and_header("x-acme-signature", signature))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
