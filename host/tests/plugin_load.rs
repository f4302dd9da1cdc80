//! Plugin files that are what they should be: loaded, registered, run, and contained.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use countersign::testing::{Answer, ScriptedHost};
use countersign::{ErrorKind, Profile, RequestHead, SignContext};
use countersign_host::plugin::{Folder as Loaded, load_folder};
use countersign_host::registry::{Home, Registry};
use serde_json::{Value, json};
use support::{Folder, all_in_process};

fn load(folder: &Folder) -> Loaded {
    let loaded = load_folder(folder.path(), &all_in_process(), &[]);
    assert_eq!(loaded.refusals, [], "nothing is refused");
    loaded
}

fn registry(folder: &Folder) -> Registry {
    load(folder).plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin)
}

fn faulty(act: &str) -> Result<Box<dyn Profile>, countersign::Error> {
    registry(&Folder::with(&["countersign-fixture-faults"])).create("faulty", &json!({ "act": act }))
}

#[test]
fn the_types_of_plugin_files_are_found_by_name() {
    let folder = Folder::with(&["acme-login", "acme-hmac", "countersign-fixture-faults"]);
    let registry = registry(&folder);
    let names = registry.names().filter(|name| registry.home(name) != Some(Home::BuiltIn));
    assert_eq!(names.collect::<Vec<_>>(), ["acme-hmac", "acme-login", "faulty", "second"]);
    let manifest = registry.manifest("acme-login").unwrap();
    assert_eq!(manifest.schema["properties"]["password"]["writeOnly"], true);
    assert_eq!(registry.home("acme-login"), Some(Home::Plugin(&folder.path().join("libacme_login.so"))));
    let error = registry.create("acme", &Value::Null).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_login_through_a_plugin_file_is_like_one_linked_in() {
    let registry = registry(&Folder::with(&["acme-login"]));
    let settings = json!({ "login_url": "https://acme.example/login", "user": "erp", "password": "p" });
    let profile = registry.create("acme-login", &settings).unwrap();
    let mut host =
        ScriptedHost::new().answer(Answer::json(200, json!({ "session": "s1", "ttl_seconds": 900 })));
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(host.placed(&credential), [("header", "x-acme-session", "s1")]);
    assert_eq!(credential.renewal().unwrap().expose(), "s1");
    assert_eq!(host.sent()[0].body.expose(), br#"{"password":"p","user":"erp"}"#);
}

#[test]
fn a_wrong_setting_is_named_across_the_boundary() {
    let registry = registry(&Folder::with(&["acme-login"]));
    let settings = json!({ "login_url": "https://acme.example/login", "usr": "erp", "password": "canary" });
    let error = registry.create("acme-login", &settings).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("usr") && !error.message().contains("canary"), "{error}");
}

#[test]
fn a_signature_sees_the_request_and_its_edits_come_back_in_order() {
    let registry = registry(&Folder::with(&["acme-hmac"]));
    let settings = json!({ "secret": "throw-away-throw-away-throw-away" });
    let profile = registry.create("acme-hmac", &settings).unwrap();
    assert!(profile.inputs().reads_body());
    let mut host = ScriptedHost::new();
    let credential = host.acquire(&*profile).unwrap();
    let request = RequestHead::new("POST", "https", "acme.example", "/orders")
        .with_query(Some("page=2"))
        .with_body(Some(b"{}"));
    let edits = host.sign(&*profile, credential, &request).unwrap();
    let signature = "7d67eaef883b8ea4e3f2f5a83f0948e53e6e6f57a48430786eabd112a06bfbfb";
    assert_eq!(
        edits,
        [
            ("header", "x-acme-timestamp".to_owned(), "1767225600".to_owned()),
            ("header", "x-acme-signature".to_owned(), signature.to_owned()),
        ]
    );
}

#[test]
fn a_panic_is_an_error_of_its_profile_and_the_host_goes_on() {
    for act in ["panic-in-new", "panic-in-inputs"] {
        contained(&faulty(act).err().unwrap());
    }
    for act in ["panic-in-acquire", "panic-in-acquire-later", "panic-in-drop-of-acquire"] {
        let profile = faulty(act).unwrap();
        contained(&ScriptedHost::new().acquire(&*profile).unwrap_err());
        contained(&ScriptedHost::new().acquire(&*profile).unwrap_err());
    }
    contained(&faulty("panic-in-public-keys").unwrap().public_keys().unwrap_err());
    let signing = faulty("panic-in-sign").unwrap();
    let credential = ScriptedHost::new().acquire(&*signing).unwrap();
    let signer = signing.signer(credential).unwrap();
    let (request, cx) = (RequestHead::new("GET", "https", "a", "/"), SignContext::at(UNIX_EPOCH));
    contained(&signer.sign(&request, &cx, &mut |_, _, _| {}).unwrap_err());
    drop(faulty("panic-in-drop").unwrap());
    ScriptedHost::new().acquire(&*faulty("nothing").unwrap()).unwrap();
}

fn contained(error: &countersign::Error) {
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().contains("panicked") && !error.message().contains("canary"), "{error}");
    assert!(error.message().contains("lib.rs:"), "the place is told: {error}");
}

#[test]
fn events_of_a_plugin_reach_the_hosts_log_and_say_whose_they_are() {
    let profile = faulty("log").unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        ScriptedHost::new().acquire(&*profile).unwrap();
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for part in
        ["INFO", "countersign::plugin", "about to answer", "countersign-fixture-faults", "outer", "42"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("in detail"), "the host wants nothing that verbose: {text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_conversation_that_is_dropped_halfway_is_cancelled_quietly() {
    let profile = faulty("panic-in-drop-of-acquire").unwrap();
    drop(profile.start(countersign::protocol::Start::at(UNIX_EPOCH + Duration::from_secs(1))));
}
