//! The type against a scripted host. Each file is about one side of it.

mod answers;
mod assertions;
mod certificate;
mod discovery;
mod dpop;
mod refresh;
mod requests;
mod settings;

use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Error, HttpRequest, Profile};
use serde_json::{Value, json};

use crate::OAuth2;

/// Stands in every secret of these tests; it must reach the wire, and no message.
const CANARY: &str = "canary-5c1e";

/// The smallest settings, with changes; `null` takes a setting out.
fn settings(changes: Value) -> Value {
    let mut settings = json!({
        "token_url": "https://login.example/token",
        "client_id": "erp",
        "client_secret": CANARY,
    });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    settings
}

fn made(changes: Value) -> Box<dyn Profile> {
    profile::<OAuth2>(settings(changes)).unwrap()
}

fn refused(changes: Value) -> Error {
    let error = profile::<OAuth2>(settings(changes)).err().expect("refused");
    assert_eq!(error.kind(), countersign::ErrorKind::Config);
    assert!(!error.message().contains("canary"), "{error}");
    error
}

fn token(fields: Value) -> Answer {
    let mut body = json!({ "access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer" });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    Answer::json(200, body)
}

fn body(request: &HttpRequest) -> &str {
    std::str::from_utf8(request.body.expose()).unwrap()
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|header| header.name == name).map(|header| header.value.expose().as_str())
}

fn sent(changes: Value) -> HttpRequest {
    let mut host = ScriptedHost::new().answer(token(json!({})));
    host.acquire(&*made(changes)).unwrap();
    host.sent()[0].clone()
}
