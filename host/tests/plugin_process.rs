//! Plugin files in processes of their own: what they bring is as if it were linked in, and what is no plugin says why.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::time::UNIX_EPOCH;

use countersign::testing::{Answer, ScriptedHost};
use countersign::{ErrorKind, RequestHead, SignContext};
use countersign_host::plugin::{
    Condition, Folder as Loaded, FolderSettings, Isolation, Plugin, PluginSettings, Shelf, load_folder,
    set_worker_program,
};
use countersign_host::registry::Registry;
use serde_json::{Value, json};
use support::Folder;

fn in_processes() -> FolderSettings {
    set_worker_program(env!("CARGO_BIN_EXE_countersign"));
    let default = PluginSettings { isolation: Isolation::Process, ..PluginSettings::default() };
    FolderSettings { default, ..FolderSettings::default() }
}

fn load(folder: &Folder, built_in: &[&str]) -> Loaded {
    load_folder(folder.path(), &in_processes(), built_in)
}

fn registry(folder: &Folder) -> Registry {
    let loaded = load(folder, &[]);
    assert_eq!(loaded.refusals, [], "nothing is refused");
    loaded.plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin)
}

#[test]
fn a_library_says_the_same_of_itself_as_in_the_host_s_process() {
    let folder = Folder::with(&["acme-login", "acme-hmac"]);
    let inside = load_folder(folder.path(), &support::all_in_process(), &[]);
    let outside = load(&folder, &[]);
    assert_eq!(outside.refusals, []);
    for (inside, outside) in inside.plugins.iter().zip(&outside.plugins) {
        assert_eq!((inside.about(), inside.manifests()), (outside.about(), outside.manifests()));
        assert_eq!((inside.isolation(), outside.isolation()), (Isolation::InProcess, Isolation::Process));
        let status = outside.status();
        assert_eq!((status.condition, status.starts), (Condition::Well, 1));
        assert!(status.process.is_some_and(|id| id != std::process::id()));
    }
    assert_eq!(outside.plugins.len(), 2);
}

#[test]
fn a_login_through_a_process_is_like_one_linked_in() {
    let registry = registry(&Folder::with(&["acme-login"]));
    let settings = json!({ "login_url": "https://acme.example/login", "user": "erp", "password": "p" });
    let profile = registry.create("acme-login", &settings).unwrap();
    let answer = || Answer::json(200, json!({ "session": "s1", "ttl_seconds": 900 }));
    let mut host = ScriptedHost::new().answer(answer());
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(host.placed(&credential), [("header", "x-acme-session", "s1")]);
    assert_eq!(credential.renewal().unwrap().expose(), "s1");
    assert_eq!(host.sent()[0].body.expose(), br#"{"password":"p","user":"erp"}"#);
}

#[test]
fn a_wrong_setting_is_named_as_in_the_host_s_process() {
    let folder = Folder::with(&["acme-login"]);
    let inside = load_folder(folder.path(), &support::all_in_process(), &[]).plugins;
    let settings = json!({ "login_url": "https://acme.example/login", "usr": "erp", "password": "canary" });
    let expected = inside[0].create("acme-login", &settings).err().unwrap();
    let error = registry(&folder).create("acme-login", &settings).err().unwrap();
    assert_eq!((error.kind(), &error), (ErrorKind::Config, &expected));
}

#[test]
fn a_signature_crosses() {
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
fn a_panic_is_an_error_of_its_profile_and_the_process_goes_on() {
    let registry = registry(&Folder::with(&["countersign-fixture-faults"]));
    let faulty = |act: &str| registry.create("faulty", &json!({ "act": act }));
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
fn every_plugin_has_a_process_of_its_own_which_ends_with_it() {
    let loaded = load(&Folder::with(&["acme-login", "acme-hmac"]), &[]);
    let ids: Vec<_> = loaded.plugins.iter().map(|plugin| plugin.status().process.unwrap()).collect();
    assert_ne!(ids[0], ids[1]);
    drop(loaded);
    let is_there = |id: &u32| std::path::Path::new(&format!("/proc/{id}")).exists();
    while ids.iter().any(is_there) {
        std::thread::yield_now();
    }
}

#[test]
fn what_is_loaded_again_as_it_was_keeps_its_process() {
    let folder = Folder::with(&["acme-hmac"]);
    let (shelf, settings) = (Shelf::default(), in_processes());
    let load = |settings: &FolderSettings| {
        let loaded = shelf.load_folder(folder.path(), settings, &[]);
        assert_eq!(loaded.refusals, []);
        loaded.plugins
    };
    let first = load(&settings);
    let process = |plugins: &[Plugin]| plugins[0].status().process.unwrap();
    assert_eq!(process(&load(&settings)), process(&first));
    assert_eq!(load(&settings)[0].manifests(), first[0].manifests());
    let mut other = settings.clone();
    other.default.memory /= 2;
    assert_ne!(process(&load(&other)), process(&first), "it may do less");
    std::fs::copy(folder.path().join("libacme_hmac.so"), folder.path().join("libcopy.so")).unwrap();
    let one_type = PluginSettings { types: Some(Vec::new()), ..settings.default.clone() };
    let with_copy = settings.clone().with("copy", one_type);
    let both = load(&with_copy);
    assert_ne!(both[0].status().process, both[1].status().process, "a copy has one of its own");
    let was = process(&first);
    drop((first, both));
    assert_ne!(process(&load(&with_copy)), was, "nobody used it any more");
}

/// A program in the plugins folder.
fn put_program(folder: &Folder, name: &str, text: &str) {
    let file = folder.put(name, text.as_bytes());
    support::mode(&file, 0o755);
}

/// Speaks the protocol, with types of these names.
fn program(types: &[&str]) -> String {
    let types: Vec<_> =
        types.iter().map(|name| json!({"type": name, "summary": "of a test", "schema": {}})).collect();
    let types = Value::from(types);
    format!(
        r#"#!/bin/sh
while IFS= read -r line; do
  id=${{line#*'"id":'}}; id=${{id%%[!0-9]*}}
  case $line in
    '{{"hello"'*) echo '{{"hello":{{"protocol":"1.0","name":"scripted","version":"3"}}}}' ;;
    '{{"manifest"'*) echo '{{"types":{{"id":'$id',"types":{types}}}}}' ;;
    '{{"create"'*) echo '{{"created":{{"id":'$id'}}}}' ;;
    '{{"start"'*) echo '{{"step":{{"id":'$id',"step":{{"done":{{"place":[{{"in":"header","name":"x-a","value":"b"}}]}}}}}}}}' ;;
  esac
done
"#
    )
}

#[test]
fn a_script_is_a_plugin() {
    let folder = Folder::new();
    put_program(&folder, "acme.sh", &program(&["scripted"]));
    let loaded = load(&folder, &[]);
    assert_eq!(loaded.refusals, []);
    let about = loaded.plugins[0].about();
    assert_eq!((about.name.as_str(), about.version.as_str()), ("scripted", "3"));
    let profile = loaded.plugins[0].create("scripted", &json!({})).unwrap();
    let mut host = ScriptedHost::new();
    let outcome = host.acquire(&*profile);
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn two_that_bring_the_same_type_are_found_when_they_run() {
    let folder = Folder::new();
    put_program(&folder, "one", &program(&["scripted"]));
    put_program(&folder, "other", &program(&["own", "scripted"]));
    let loaded = load(&folder, &[]);
    assert!(loaded.is_fatal());
    let first = folder.path().join("one");
    let words = format!("brings the type `scripted`, and so does {};", first.display());
    assert!(loaded.refusals[0].reason().starts_with(&words), "{}", loaded.refusals[0]);
    assert_eq!(loaded.refusals[0].file(), folder.path().join("other"));
    let loaded = load(&folder, &["own"]);
    assert!(loaded.refusals.iter().any(|refusal| refusal.reason().contains("`own`, which is built in")));
    let other = PluginSettings {
        types: Some(vec!["own".to_owned()]),
        isolation: Isolation::Process,
        ..PluginSettings::default()
    };
    let settings = in_processes().with("other", other);
    assert_eq!(load_folder(folder.path(), &settings, &[]).refusals, [], "as the words say");
}

#[test]
fn a_program_without_a_type_that_is_named_is_refused() {
    let folder = Folder::new();
    put_program(&folder, "one", &program(&["scripted"]));
    let settings = PluginSettings {
        types: Some(vec!["scriptd".to_owned()]),
        isolation: Isolation::Process,
        ..PluginSettings::default()
    };
    let loaded = load_folder(folder.path(), &in_processes().with("one", settings), &[]);
    assert!(loaded.refusals[0].reason().starts_with("does not bring the type `scriptd`"));
    assert!(loaded.plugins.is_empty());
}

#[test]
fn a_program_that_is_no_plugin_is_refused_with_its_last_words() {
    for (text, words) in [
        ("#!/bin/sh\nexit 3\n", "exited with status 3"),
        ("#!/bin/sh\nread line\necho 'no such module' >&2\nexit 1\n", "said: no such module"),
        ("#!/bin/sh\nread line\necho Hello\nread line\n", "not a message of the protocol"),
        ("#!/bin/sh\nread line\nkill -SEGV $$\n", "was killed by SIGSEGV"),
        ("#!/nowhere/sh\n", "cannot be executed: its interpreter is not there"),
        (
            "#!/bin/sh\nread line\necho '{\"hello\":{\"protocol\":\"2.1\",\"name\":\"x\"}}'\nread line\n",
            "speaks version \"2.1\" of the protocol, and this host \"1.0\"",
        ),
    ] {
        let folder = Folder::new();
        put_program(&folder, "acme", text);
        let loaded = load(&folder, &[]);
        let refusal = &loaded.refusals[0];
        assert!(refusal.reason().contains(words) && !refusal.is_fatal(), "{text}: {refusal}");
    }
}
