//! What a plugin tries to get out of its process: refused, and allowed by exactly the right that is for it.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign::testing::ScriptedHost;
use countersign_host::plugin::{
    Folder as Loaded, FolderSettings, Isolation, PluginSettings, Right, load_folder,
};
use countersign_host::registry::Registry;
use countersign_tests::built;
use countersign_tests::folder::Folder;
use serde_json::{Value, json};

type Outcomes = BTreeMap<String, String>;

const LIBRARY: &str = "countersign-fixture-escapes";

/// What needs no right.
const HARMLESS: [&str; 4] = ["clock", "memory", "random", "uname"];
/// What is no attempt.
const GIVEN: [&str; 3] = ["arguments", "descriptors", "environment"];

/// Something to read, something to write, and somebody who listens.
struct Outside {
    folder: Folder,
    listener: TcpListener,
}

impl Outside {
    fn new() -> Self {
        let outside = Self { folder: Folder::new(), listener: TcpListener::bind("127.0.0.1:0").unwrap() };
        outside.folder.put("secret", "s");
        fs::set_permissions(outside.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        outside
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("secret")
    }

    fn targets(&self) -> Value {
        let port = self.listener.local_addr().unwrap().port();
        json!({ "file": self.file(), "folder": self.folder.path(), "port": port })
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let left: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        if !std::thread::panicking() {
            assert_eq!(left, ["secret"], "nothing was made");
            assert_eq!(fs::read(self.file()).unwrap(), b"s", "nothing was written");
        }
    }
}

fn settings(allow: &[Right]) -> PluginSettings {
    PluginSettings { isolation: Isolation::Process, allow: allow.to_vec(), ..PluginSettings::default() }
}

fn load(plugins: &Path, name: &str, settings: PluginSettings) -> Loaded {
    built::be_host_of_workers();
    load_folder(plugins, &FolderSettings::default().with(name, settings), &[])
}

fn acquire(loaded: Loaded, type_name: &str, settings: &Value) -> Result<String, countersign::Error> {
    assert_eq!(loaded.refusals, []);
    let registry = loaded.plugins.into_iter().fold(Registry::built_in(), Registry::with_plugin);
    let profile = registry.create(type_name, settings)?;
    let credential = ScriptedHost::new().acquire(&*profile)?;
    Ok(credential.placements()[0].value.expose().clone())
}

/// What came of the library's attempts.
fn outcomes(when: &str, outside: &Outside, allow: &[Right]) -> Outcomes {
    let folder = Folder::new().with_plugins(&[LIBRARY]);
    let loaded = load(&folder.path().join("plugins"), LIBRARY, settings(allow));
    let said = acquire(loaded, "escapes", &json!({ "when": when, "targets": outside.targets() })).unwrap();
    serde_json::from_str(&said).unwrap()
}

/// The names of those attempts that were not refused.
fn succeeded(outcomes: &Outcomes) -> BTreeSet<&str> {
    outcomes
        .iter()
        .filter(|(name, _)| !GIVEN.contains(&name.as_str()))
        .filter(|(_, outcome)| !["EPERM", "EACCES", "ENOSYS"].contains(&outcome.as_str()))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn harmless_and(more: &[&'static str]) -> BTreeSet<&'static str> {
    HARMLESS.iter().chain(more).copied().collect()
}

#[test]
fn every_way_out_is_closed_when_a_library_is_loaded_when_it_is_made_and_when_it_works() {
    let outside = Outside::new();
    // A descriptor that the host's children inherit.
    let inherited = rustix::io::dup(fs::File::open("/etc/passwd").unwrap()).unwrap();
    for when in ["load", "new", "acquire"] {
        let outcomes = outcomes(when, &outside, &[]);
        assert!(outcomes.len() > 60, "{} attempts", outcomes.len());
        assert_eq!(succeeded(&outcomes), harmless_and(&[]), "{when}: {outcomes:#?}");
        assert_eq!(outcomes["environment"], "", "{when}");
        assert_eq!(outcomes["descriptors"], "0 1 2 3", "{when}: its stream, its output, its own bytes");
    }
    drop(inherited);
}

#[test]
fn a_right_to_read_opens_that_file_and_nothing_else() {
    let outside = Outside::new();
    for allowed in [outside.file(), outside.folder.path().to_owned()] {
        let outcomes = outcomes("acquire", &outside, &[Right::Read(allowed)]);
        assert_eq!(succeeded(&outcomes), harmless_and(&["read"]), "{outcomes:#?}");
    }
}

#[test]
fn a_right_to_read_what_is_not_there_is_refused() {
    let folder = Folder::new().with_plugins(&[LIBRARY]);
    let right = Right::Read("/nowhere/at/all".into());
    let loaded = load(&folder.path().join("plugins"), LIBRARY, settings(&[right]));
    assert!(loaded.refusals[0].reason().contains("/nowhere/at/all"), "{:?}", loaded.refusals);
}

#[test]
fn a_right_to_connect_opens_the_internets_sockets_and_nothing_else() {
    let outside = Outside::new();
    let outcomes = outcomes("acquire", &outside, &[Right::Connect]);
    let expected = harmless_and(&["connect", "tcp-socket", "tcp6-socket", "udp-socket"]);
    assert_eq!(succeeded(&outcomes), expected, "{outcomes:#?}");
}

#[test]
fn a_right_to_threads_starts_threads_and_no_processes() {
    let outside = Outside::new();
    let outcomes = outcomes("acquire", &outside, &[Right::Threads]);
    assert_eq!(succeeded(&outcomes), harmless_and(&["thread"]), "{outcomes:#?}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_call_by_the_way_of_32_bit_programs_ends_the_process() {
    let outside = Outside::new();
    let folder = Folder::new().with_plugins(&[LIBRARY]);
    let loaded = load(&folder.path().join("plugins"), LIBRARY, settings(&[]));
    let error = acquire(loaded, "escapes", &json!({ "when": "foreign-calls", "targets": outside.targets() }));
    assert!(error.as_ref().unwrap_err().message().contains("SIGSYS"), "{error:?}");
}

/// What came of the script's attempts.
fn script(outside: &Outside, allow: &[Right]) -> Outcomes {
    let folder = Folder::new();
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    let file = plugins.join("escapes.sh");
    fs::write(&file, include_str!("../fixtures/escapes/escapes.sh")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let loaded = load(&plugins, "escapes", settings(allow));
    let said = acquire(loaded, "escaping-script", &outside.targets()).unwrap();
    said.split(' ').map(|word| word.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
}

fn done(outcomes: &Outcomes) -> Vec<&str> {
    outcomes.iter().filter(|(_, outcome)| *outcome == "done").map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_way_out_is_closed_to_a_script_but_programs_of_the_system() {
    let outside = Outside::new();
    let outcomes = script(&outside, &[]);
    assert_eq!(done(&outcomes), ["read-program", "start-program"], "{outcomes:#?}");
    // The shell makes the others.
    assert_eq!(outcomes["environment"], "LANG,PATH,PWD,SHLVL,_,", "{outcomes:#?}");
}

#[test]
fn a_scripts_rights_open_what_they_say() {
    let outside = Outside::new();
    let outcomes = script(&outside, &[Right::Read(outside.file())]);
    assert_eq!(done(&outcomes), ["read", "read-program", "start-program"], "{outcomes:#?}");
    let outcomes = script(&outside, &[Right::Connect]);
    assert_eq!(done(&outcomes), ["connect", "read-program", "start-program"], "{outcomes:#?}");
}
