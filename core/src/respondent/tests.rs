use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::protocol::frame::{HostHello, LogRecord};
use crate::{AuthProfile, Context, Credential, Edits, HttpRequest, Inputs, ProfileType, RequestHead};

/// Logs in and signs, or fails as its settings say.
struct Actor(Settings);

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How it goes wrong.
    act: Option<String>,
}

impl Actor {
    fn panic_if(&self, act: &str) {
        assert!(self.0.act.as_deref() != Some(act), "canary");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.panic_if("drop");
    }
}

impl AuthProfile for Actor {
    const TYPE: &'static str = "actor";
    const SUMMARY: &'static str = "acts as told";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, Error> {
        let actor = Self(settings);
        actor.panic_if("new");
        Ok(actor)
    }

    fn inputs(&self) -> Inputs {
        Inputs::none().caller("user")
    }

    async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
        self.panic_if("acquire");
        let answer = cx.http().send(HttpRequest::new("POST", "https://a.example")).await?.success()?;
        self.panic_if("later");
        Credential::signing(&answer.json::<String>()?)
    }

    fn sign(
        &self,
        credential: &Credential,
        request: &RequestHead<'_>,
        _: &SignContext,
    ) -> Result<Edits, Error> {
        self.panic_if("sign");
        Ok(Edits::header("x-by", credential.material::<String>()?.as_str()).and_query("m", request.method()))
    }

    fn public_keys(&self) -> Vec<Value> {
        self.panic_if("public-keys");
        vec![json!({ "kty": "OKP" })]
    }
}

/// The one type, and how many instances were asked for.
struct One(Mutex<u32>);

impl TypeSource for One {
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        Ok(vec![ProfileType::of::<Actor>().manifest()])
    }

    fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        *self.0.lock().unwrap() += 1;
        if type_name != "actor" {
            return Err(Error::unsupported("no such type"));
        }
        ProfileType::of::<Actor>().create(settings)
    }
}

/// A talk that has begun.
struct Talk(Respondent<One>);

impl Talk {
    fn new() -> Self {
        crate::silence_profile_panics();
        let hello = PluginHello {
            protocol: "0".into(),
            name: "test".into(),
            version: "1".into(),
            description: String::new(),
            features: Vec::new(),
        };
        Self(Respondent::new(hello, One(Mutex::new(0))))
    }

    /// With the instance 1, and the conversation 7 with it, which waits for an answer.
    fn waiting(act: &str) -> Self {
        let mut talk = Self::new();
        talk.created(act);
        let step =
            talk.ask(json!({ "start": { "id": 2, "profile": 1, "conversation": 7, "input": { "now": 0 } } }));
        assert_eq!(step["step"]["step"]["need"]["http"]["url"], "https://a.example", "{step}");
        talk
    }

    /// With the signer 9 of the instance 1.
    fn signing(act: &str) -> Self {
        let mut talk = Self::new();
        talk.created(act);
        let credential = json!({ "material": "\"me\"" });
        let make = json!({ "signer": { "id": 2, "profile": 1, "signer": 9, "credential": credential } });
        assert_eq!(talk.ask(make), json!({ "ready": { "id": 2 } }));
        talk
    }

    fn created(&mut self, act: &str) {
        let settings = if act.is_empty() { json!({}) } else { json!({ "act": act }) };
        let made =
            self.ask(json!({ "create": { "id": 1, "profile": 1, "type": "actor", "settings": settings } }));
        assert_eq!(
            made["created"],
            json!({ "id": 1, "inputs": { "caller": ["user"], "target": false, "body": false } })
        );
    }

    /// The answer to a message that has one.
    fn ask(&mut self, message: Value) -> Value {
        self.say(&message).unwrap_or_else(|| panic!("no answer to {message}"))
    }

    /// The answer to a message, if there is one.
    fn say(&mut self, message: &Value) -> Option<Value> {
        let mut answer = Vec::new();
        self.0.answer(message.to_string().as_bytes(), &mut answer).unwrap();
        if answer.is_empty() {
            return None;
        }
        assert_eq!(answer.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
        assert_eq!(answer.last(), Some(&b'\n'));
        Some(serde_json::from_slice(&answer).unwrap())
    }

    fn resume(&mut self, body: &str) -> Value {
        let event = json!({ "http": { "status": 200, "body": body } });
        self.ask(json!({ "resume": { "id": 3, "conversation": 7, "input": { "now": 1, "event": event } } }))
    }

    fn sign(&mut self) -> Value {
        let request = json!({ "method": "GET", "scheme": "https", "authority": "a.example", "path": "/" });
        self.ask(json!({ "sign": { "id": 4, "signer": 9, "now": 5, "request": request } }))
    }
}

/// The error in an answer, which belongs to the message of that number.
#[track_caller]
fn error(answer: &Value, id: u64, kind: &str) -> String {
    assert_eq!(
        (&answer["error"]["id"], &answer["error"]["error"]["kind"]),
        (&json!(id), &json!(kind)),
        "{answer}"
    );
    let text = answer.to_string();
    assert!(!text.contains("canary"), "{text}");
    text
}

#[test]
fn a_greeting_is_returned_with_the_version_that_is_spoken() {
    let mut talk = Talk::new();
    let hello = talk.ask(json!({ "hello": { "protocol": "1.7", "log_level": 4, "from": "the future" } }));
    assert_eq!(hello["hello"]["protocol"], VERSION);
    assert_eq!(hello["hello"]["name"], "test");
    assert_eq!(talk.0.log_level(), 4);
}

#[test]
fn the_types_are_told() {
    let types = Talk::new().ask(json!({ "manifest": { "id": 5 } }));
    assert_eq!(types["types"]["id"], 5);
    assert_eq!(types["types"]["types"][0]["type"], "actor");
    assert_eq!(types["types"]["types"][0]["schema"]["additionalProperties"], false);
}

#[test]
fn a_whole_conversation_and_a_signature() {
    let mut talk = Talk::waiting("");
    let done = talk.resume("\"me\"");
    assert_eq!(done["step"]["id"], 3);
    let credential = done["step"]["step"]["done"].clone();
    let make = json!({ "signer": { "id": 8, "profile": 1, "signer": 9, "credential": credential } });
    assert_eq!(talk.ask(make), json!({ "ready": { "id": 8 } }));
    let edits = json!([
        { "place": "header", "name": "x-by", "value": "me" },
        { "place": "query", "name": "m", "value": "GET" },
    ]);
    assert_eq!(talk.sign(), json!({ "signed": { "id": 4, "edits": edits } }));
}

#[test]
fn public_keys_are_told() {
    let mut talk = Talk::new();
    talk.created("");
    let keys = talk.ask(json!({ "public-keys": { "id": 6, "profile": 1 } }));
    assert_eq!(keys, json!({ "keys": { "id": 6, "keys": [{ "kty": "OKP" }] } }));
}

#[test]
fn an_ended_conversation_is_gone() {
    let mut talk = Talk::waiting("");
    talk.resume("\"me\"");
    assert!(error(&talk.resume("\"me\""), 3, "internal").contains("no conversation 7"));
    let mut talk = Talk::waiting("");
    talk.resume("no JSON");
    error(&talk.resume("\"me\""), 3, "internal");
}

#[test]
fn a_cancelled_conversation_is_gone_and_its_instance_is_not() {
    let mut talk = Talk::waiting("");
    assert_eq!(talk.say(&json!({ "cancel": { "conversation": 7 } })), None);
    assert_eq!(talk.say(&json!({ "cancel": { "conversation": 8 } })), None, "one that never was");
    error(&talk.resume("\"me\""), 3, "internal");
    talk.ask(json!({ "start": { "id": 2, "profile": 1, "conversation": 8, "input": { "now": 0 } } }));
}

#[test]
fn a_forgotten_instance_takes_its_conversations_and_signers_along() {
    let mut talk = Talk::waiting("");
    let make =
        json!({ "signer": { "id": 2, "profile": 1, "signer": 9, "credential": { "material": "\"me\"" } } });
    talk.ask(make.clone());
    let other = json!({ "create": { "id": 1, "profile": 2, "type": "actor", "settings": {} } });
    talk.ask(other);
    assert_eq!(talk.say(&json!({ "forget": { "profile": 1 } })), None);
    error(&talk.resume("\"me\""), 3, "internal");
    error(&talk.sign(), 4, "internal");
    error(&talk.ask(make), 2, "internal");
    let keys = talk.ask(json!({ "public-keys": { "id": 6, "profile": 2 } }));
    assert!(keys["keys"].is_object(), "the other one stays");
    assert_eq!(format!("{:?}", talk.0), "Respondent { profiles: 1, conversations: 0, signers: 0, .. }");
}

#[test]
fn a_forgotten_signer_signs_no_more() {
    let mut talk = Talk::signing("");
    assert!(talk.sign()["signed"].is_object());
    assert_eq!(talk.say(&json!({ "forget": { "signer": 9 } })), None);
    assert!(error(&talk.sign(), 4, "internal").contains("no signer 9"));
}

#[test]
fn numbers_that_nobody_gave_are_errors() {
    let mut talk = Talk::new();
    error(
        &talk.ask(json!({ "start": { "id": 1, "profile": 5, "conversation": 1, "input": { "now": 0 } } })),
        1,
        "internal",
    );
    error(&talk.ask(json!({ "public-keys": { "id": 2, "profile": 5 } })), 2, "internal");
    error(
        &talk.ask(json!({ "signer": { "id": 3, "profile": 5, "signer": 1, "credential": {} } })),
        3,
        "internal",
    );
    error(&talk.sign(), 4, "internal");
    assert_eq!(talk.say(&json!({ "forget": { "profile": 5 } })), None);
}

#[test]
fn wrong_settings_and_unknown_types_are_errors_of_their_kind() {
    let mut talk = Talk::new();
    let create = |name: &str, settings: Value| json!({ "create": { "id": 1, "profile": 1, "type": name, "settings": settings } });
    let wrong = talk.ask(create("actor", json!({ "act": ["canary"] })));
    error(&wrong, 1, "config");
    assert_eq!(wrong["error"]["error"]["field"], "act");
    error(&talk.ask(create("nobody", json!({}))), 1, "unsupported");
    // Neither made an instance.
    error(&talk.ask(json!({ "public-keys": { "id": 2, "profile": 1 } })), 2, "internal");
}

#[test]
fn unknown_messages_are_answered_if_they_ask_and_unknown_fields_ignored() {
    let mut talk = Talk::new();
    error(&talk.ask(json!({ "dance": { "id": 3, "step": "tango" } })), 3, "unsupported");
    assert_eq!(talk.say(&json!({ "dance": { "step": "tango" } })), None);
    assert_eq!(talk.say(&json!({ "dance": null })), None);
    let made =
        json!({ "create": { "id": 1, "profile": 1, "type": "actor", "settings": {}, "mood": "fine" } });
    assert!(talk.ask(made)["created"].is_object());
}

#[test]
fn a_known_message_of_another_shape_is_an_error_of_that_message() {
    let mut talk = Talk::new();
    let broken = json!({ "create": { "id": 3, "profile": "canary", "type": "actor", "settings": {} } });
    assert!(error(&talk.ask(broken), 3, "internal").contains("`create`"));
}

#[test]
fn what_is_no_message_ends_the_talk() {
    for line in ["", "\n", "canary", "[]", "{}", "{\"a\":1,\"b\":2}", "{\"hello\":", "\"hello\"", "\u{0}"] {
        let mut answer = Vec::new();
        let outcome = Talk::new().0.answer(line.as_bytes(), &mut answer);
        let error = outcome.err().unwrap_or_else(|| panic!("{line:?} was taken"));
        assert!(answer.is_empty() && !error.to_string().contains("canary"), "{line:?}");
    }
    let mut answer = Vec::new();
    Talk::new().0.answer(b"\xff\xfe\n", &mut answer).unwrap_err();
}

#[test]
fn a_panic_is_an_error_of_its_message_and_the_talk_goes_on() {
    let mut talk = Talk::new();
    let create =
        json!({ "create": { "id": 1, "profile": 1, "type": "actor", "settings": { "act": "new" } } });
    assert!(error(&talk.ask(create), 1, "internal").contains("panicked in new"));

    let mut talk = Talk::new();
    talk.created("acquire");
    let start = json!({ "start": { "id": 2, "profile": 1, "conversation": 7, "input": { "now": 0 } } });
    let step = talk.ask(start);
    assert_eq!(step["step"]["step"]["failed"]["kind"], "internal", "{step}");
    assert!(!step.to_string().contains("canary"));

    let step = Talk::waiting("later").resume("\"me\"");
    assert_eq!(step["step"]["step"]["failed"]["kind"], "internal", "{step}");

    let mut talk = Talk::signing("sign");
    error(&talk.sign(), 4, "internal");
    error(&talk.sign(), 4, "internal");

    let mut talk = Talk::new();
    talk.created("public-keys");
    error(&talk.ask(json!({ "public-keys": { "id": 6, "profile": 1 } })), 6, "internal");

    let mut talk = Talk::waiting("drop");
    assert_eq!(talk.say(&json!({ "forget": { "profile": 1 } })), None);
    talk.created("");
}

#[test]
fn a_log_record_of_a_careless_script_is_taken() {
    let record = json!({ "level": 3, "message": "m", "fields": { "n": 42, "s": "x", "o": { "a": 1 } } });
    let record: LogRecord = serde_json::from_value(record).unwrap();
    let fields: Vec<_> = record.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(fields, [("n", "42"), ("o", "{\"a\":1}"), ("s", "x")]);
}

#[test]
fn a_host_of_few_words_is_understood() {
    let hello: HostHello = serde_json::from_value(json!({ "protocol": "1.0" })).unwrap();
    assert_eq!((hello.log_level, hello.host.as_str()), (0, ""));
}
