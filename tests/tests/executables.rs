//! Plugins that are programs, spoken to over pipes with nothing in between: the examples of the book say, message for message,
//! what the types in Rust say.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use countersign::protocol::frame::{FromPlugin, PluginHello};
use countersign::respondent::{Respondent, TypeSource};
use countersign::testing::ScriptedHost;
use countersign::{Error, ErrorKind, Manifest, Profile};
use countersign_host::plugin::{FolderSettings, Isolation, Plugin, PluginSettings, load_folder};
use countersign_tests::built;
use countersign_tests::folder::Folder;
use serde_json::{Value, json};

const SECRET: &str = "throw-away-throw-away-throw-away";

/// A program under test, and its streams.
struct Talk {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Talk {
    fn with(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    fn say(&mut self, message: &Value) {
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{message}\n").as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// The next line; a panic if there is none.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "it hung up");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Closes its input and waits for its end.
    fn end(mut self) {
        self.to.take();
        let mut rest = String::new();
        assert_eq!(self.from.read_line(&mut rest).unwrap(), 0, "it says more: {rest}");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same types from the `.so`, as a program would say them.
struct OfPlugin(Plugin);

impl TypeSource for OfPlugin {
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        Ok(self.0.manifests().to_vec())
    }

    fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        self.0.create(type_name, settings)
    }
}

fn in_rust(package: &str) -> Respondent<OfPlugin> {
    let folder = Folder::new().with_plugins(&[package]);
    let default = PluginSettings { isolation: Isolation::InProcess, ..PluginSettings::default() };
    let settings = FolderSettings { default, ..FolderSettings::default() };
    let mut loaded = load_folder(&folder.path().join("plugins"), &settings, &[]);
    assert_eq!(loaded.refusals, []);
    let hello = PluginHello {
        protocol: String::new(),
        name: package.into(),
        version: "1.0.0".into(),
        description: String::new(),
        features: Vec::new(),
    };
    Respondent::new(hello, OfPlugin(loaded.plugins.remove(0)))
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(file)
}

/// Says the same to both, and compares what comes back.
fn says_the_same(file: &str, package: &str, session: &[Value]) {
    let (mut program, mut rust) = (Talk::with(&example(file)), in_rust(package));
    let mut compared = 0;
    for message in session {
        program.say(message);
        let mut expected = Vec::new();
        rust.answer(message.to_string().as_bytes(), &mut expected).unwrap();
        if expected.is_empty() {
            continue;
        }
        let expected = serde_json::from_slice(&expected).unwrap();
        assert_eq!(normal(program.hear()), normal(expected), "{file}: {message}");
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
    program.end();
}

/// A message with all its defaults, and without what may differ: the wording of errors, the plugin's own description, and of a schema
/// all that does not matter to its meaning.
fn normal(message: Value) -> Value {
    let parsed: FromPlugin =
        serde_json::from_value(message.clone()).unwrap_or_else(|e| panic!("{e}: {message}"));
    let mut value = serde_json::to_value(parsed).unwrap();
    for error in ["/error/error", "/step/step/failed"] {
        if let Some(error) = value.pointer_mut(error) {
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
            error["message"] = "…".into();
        }
    }
    if let Some(hello) = value.get_mut("hello") {
        hello["description"] = "…".into();
    }
    for schema in value.pointer_mut("/types/types").and_then(Value::as_array_mut).into_iter().flatten() {
        let schema = schema["schema"].as_object_mut().unwrap();
        schema.retain(|key, _| {
            ["type", "properties", "required", "additionalProperties"].contains(&key.as_str())
        });
        for property in schema["properties"].as_object_mut().unwrap().values_mut() {
            property.as_object_mut().unwrap().remove("format");
        }
    }
    value
}

fn begin() -> [Value; 2] {
    [json!({ "hello": { "protocol": "1.0", "host": "test" } }), json!({ "manifest": { "id": 1 } })]
}

fn create(id: u64, profile: u64, type_name: &str, settings: &Value) -> Value {
    json!({ "create": { "id": id, "profile": profile, "type": type_name, "settings": settings } })
}

fn start(id: u64, profile: u64, conversation: u64, previous: Option<&str>) -> Value {
    let mut input = json!({ "now": 1_767_225_600_000_u64 });
    if let Some(previous) = previous {
        input["previous"] = previous.into();
    }
    json!({ "start": { "id": id, "profile": profile, "conversation": conversation, "input": input } })
}

fn resume(id: u64, conversation: u64, event: &Value) -> Value {
    let input = json!({ "now": 1_767_225_600_100_u64, "event": event });
    json!({ "resume": { "id": id, "conversation": conversation, "input": input } })
}

fn answer(status: u16, body: &str) -> Value {
    let headers = json!([{ "name": "content-type", "value": "application/json" }, { "name": "retry-after", "value": "7" }]);
    json!({ "http": { "status": status, "headers": headers, "body": body } })
}

/// Everything that can be said to a login.
fn login_session() -> Vec<Value> {
    let good = json!({ "login_url": "https://acme.example/login", "user": "erp", "password": "gödel\"\\\n" });
    let session = r#"{ "session": "s-1", "ttl_seconds": 900 }"#;
    let mut said = begin().to_vec();
    said.push(create(2, 1, "acme-login", &good));
    said.push(create(
        3,
        2,
        "acme-login",
        &json!({ "login_url": "https://acme.example", "user": "", "password": "p" }),
    ));
    said.push(create(4, 3, "acme-login", &good));
    let mut number = 5;
    for url in [
        "login",
        "//acme.example/login",
        "ftp://acme.example/login",
        "http://acme.example/login",
        "https://u:p@acme.example/login",
        "http://127.0.0.1.acme.example/login",
        "http://127.0.0.1:8080",
        "http://localhost/login",
        "http://[::1]:8080/login",
    ] {
        said.push(create(
            number,
            number,
            "acme-login",
            &json!({ "login_url": url, "user": "u", "password": "p" }),
        ));
        number += 1;
    }
    // One conversation for each answer that may come.
    for event in [
        answer(200, session),
        answer(201, r#"{"session":"s-2","ttl_seconds":1,"more":{}}"#),
        answer(200, "<html>"),
        answer(200, r#"{"session":"s-3"}"#),
        answer(200, r#"{"ttl_seconds":900}"#),
        answer(200, r#"{"session":"s-3","ttl_se"#),
        answer(200, "[]"),
        answer(200, ""),
        answer(401, session),
        answer(404, ""),
        answer(408, ""),
        answer(302, ""),
        answer(500, ""),
        json!({ "http": { "status": 503 } }),
        json!({ "http": { "status": 200 } }),
        json!({ "failed": { "kind": "unavailable", "message": "no connection" } }),
    ] {
        said.push(start(number, 1, number, None));
        said.push(resume(number + 1, number, &event));
        number += 10;
    }
    let limited = answer(429, "");
    said.extend([start(number, 1, number, None), resume(number + 1, number, &limited)]);
    number += 10;
    // Prolonged; refused and begun anew.
    said.extend([start(number, 1, number, Some("s-1")), resume(number + 1, number, &answer(200, session))]);
    number += 10;
    said.extend([start(number, 1, number, Some("s-1")), resume(number + 1, number, &answer(410, ""))]);
    said.push(resume(number + 2, number, &answer(200, session)));
    number += 10;
    // Two at a time, of two instances.
    said.extend([start(number, 1, number, None), start(number + 1, 3, number + 1, Some("s-9"))]);
    said.push(resume(number + 2, number, &answer(200, session)));
    said.push(resume(number + 3, number + 1, &answer(200, r#"{"session":"s-10","ttl_seconds":60}"#)));
    number += 10;
    // Cancelled, forgotten, over, never there.
    said.extend([start(number, 1, number, None), json!({ "cancel": { "conversation": number } })]);
    said.push(resume(number + 1, number, &answer(200, session)));
    said.push(json!({ "forget": { "profile": 1 } }));
    said.push(start(number + 2, 1, number + 1, None));
    said.push(start(number + 3, 3, number + 2, None));
    said.push(start(number + 4, 77, number + 3, None));
    said.push(resume(number + 5, 9999, &answer(200, session)));
    said.push(json!({ "dance": { "id": number + 6, "step": "tango" } }));
    said.push(json!({ "dance": { "step": "tango" } }));
    said
}

#[test]
fn the_login_in_python_says_what_the_one_in_rust_says() {
    says_the_same("acme-login.py", "acme-login", &login_session());
}

#[test]
fn the_login_in_shell_says_what_the_one_in_rust_says() {
    says_the_same("acme-login.sh", "acme-login", &login_session());
}

#[test]
fn the_signature_in_python_is_the_one_in_rust() {
    let mut said = begin().to_vec();
    said.push(create(2, 1, "acme-hmac", &json!({ "secret": SECRET })));
    said.push(create(3, 2, "acme-hmac", &json!({ "secret": "canary" })));
    said.push(start(4, 1, 1, None));
    let credential = json!({ "material": "null", "lifetime": "until-rejected" });
    said.push(json!({ "signer": { "id": 5, "profile": 1, "signer": 1, "credential": credential } }));
    said.push(json!({ "signer": { "id": 6, "profile": 9, "signer": 2, "credential": credential } }));
    let request = |path: &str, more: Value| {
        let mut request =
            json!({ "method": "POST", "scheme": "https", "authority": "a.example", "path": path });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (number, request) in [
        request("/", json!({})),
        request("/orders", json!({ "query": "page=2", "body": "{}" })),
        request("/orders", json!({ "query": "", "body": "" })),
        request(
            "/ü%20",
            json!({ "body": "gödel", "headers": [{ "name": "x", "value": { "base64": "/w==" } }] }),
        ),
        request("/logo", json!({ "body": { "base64": "/9j/4AAQ" } })),
    ]
    .into_iter()
    .enumerate()
    {
        said.push(json!({ "sign": { "id": 10 + number, "signer": 1, "now": 1_767_225_600_999_u64, "request": request } }));
    }
    said.push(json!({ "forget": { "signer": 1 } }));
    said.push(json!({ "sign": { "id": 20, "signer": 1, "now": 0, "request": request("/", json!({})) } }));
    said.push(json!({ "signer": { "id": 21, "profile": 1, "signer": 3, "credential": credential } }));
    said.push(json!({ "forget": { "profile": 1 } }));
    said.push(json!({ "sign": { "id": 22, "signer": 3, "now": 0, "request": request("/", json!({})) } }));
    said.push(json!({ "dance": { "id": 23 } }));
    says_the_same("acme-hmac.py", "acme-hmac", &said);
}

#[test]
fn a_program_in_rust_speaks_for_all_its_types_and_tells_its_log() {
    let mut talk = Talk::with(&built::executable("countersign-fixture-over-stdio"));
    talk.say(&json!({ "hello": { "protocol": "1.0", "log_level": 5 } }));
    assert_eq!(talk.hear()["hello"]["name"], "countersign-fixture-over-stdio");
    talk.say(&json!({ "manifest": { "id": 1 } }));
    let types = talk.hear();
    let names: Vec<_> = types["types"]["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|known| known["type"].as_str().unwrap())
        .collect();
    assert_eq!(names, built::BUILT_IN);
    talk.say(&create(2, 1, "basic", &json!({ "username": "Aladdin", "password": "open sesame" })));
    assert_eq!(talk.hear()["created"]["id"], 2);
    talk.say(&start(3, 1, 1, None));
    // RFC 7617 §2.
    let placed = &talk.hear()["step"]["step"]["done"]["placements"][0]["value"];
    assert_eq!(placed, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    talk.end();
}

#[test]
fn the_example_in_c_is_a_plugin_whatever_is_said_to_it() {
    built::be_host_of_workers();
    let program = built::example_in_c();
    let mut talk = Talk::with(&program);
    talk.say(&json!({ "hello": { "protocol": "1.0", "log_level": 3 } }));
    assert_eq!(talk.hear()["hello"]["name"], "acme-key");
    for broken in ["garbage", "{", "", "{\"sign\":", "{\"create\":{\"settings\":{\"key"] {
        talk.to.as_mut().unwrap().write_all(format!("{broken}\n").as_bytes()).unwrap();
    }
    talk.say(&json!({ "dance": { "id": 1 } }));
    assert_eq!(talk.hear()["error"]["error"]["kind"], "unsupported");
    talk.end();

    let folder = Folder::new().with_executable(&program);
    let loaded = load_folder(&folder.path().join("plugins"), &FolderSettings::default(), &[]);
    assert_eq!(loaded.refusals, []);
    let key = loaded.plugins[0].create("acme-key", &json!({ "key": "k \"}é" })).unwrap();
    let mut host = ScriptedHost::new().caller("tenant", "a,b}").caller("user", "ada");
    let credential = host.acquire(&*key).unwrap();
    assert_eq!(
        host.placed(&credential),
        [("header", "x-acme-key", "k \"}é"), ("header", "x-acme-tenant", "a,b}")]
    );
    let empty = loaded.plugins[0].create("acme-key", &json!({ "key": "" })).err().unwrap();
    assert_eq!((empty.kind(), empty.field()), (ErrorKind::Config, Some("key")));
    assert_eq!(ScriptedHost::new().acquire(&*key).unwrap_err().kind(), ErrorKind::Config);
}
