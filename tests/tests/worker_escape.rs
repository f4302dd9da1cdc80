//! What a plugin tries to get out of its process: refused, and allowed by exactly the right that is for it.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign::testing::ScriptedHost;
use countersign_host::plugin::{
    Folder as Loaded, FolderSettings, Isolation, PluginSettings, Right, load_folder,
};
use countersign_host::registry::Registry;
use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::proxy::{OPEN, Serve};
use serde_json::{Value, json};

type Outcomes = BTreeMap<String, String>;

const LIBRARY: &str = "countersign-fixture-escapes";

/// What needs no right.
const HARMLESS: [&str; 4] = ["clock", "memory", "random", "uname"];
/// What the loader needs: a constructor has it too, and no right gives the last one.
const LOADING: [&str; 3] = ["look", "open-own-library", "map-own-library"];
/// What comes with opening files at all.
const OPENING: [&str; 2] = ["look", "open-own-library"];
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
    let default = PluginSettings { isolation: Isolation::Process, ..PluginSettings::default() };
    load_folder(plugins, &FolderSettings { default, ..FolderSettings::default() }.with(name, settings), &[])
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
        let more: &[_] = if when == "load" { &LOADING } else { &[] };
        assert_eq!(succeeded(&outcomes), harmless_and(more), "{when}: {outcomes:#?}");
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
        assert_eq!(succeeded(&outcomes), harmless_and(&[&OPENING[..], &["read"]].concat()), "{outcomes:#?}");
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
    let sockets = ["connect", "tcp-socket", "tcp6-socket", "udp-socket"];
    // To find hosts by name it reads files.
    let expected = harmless_and(&[&OPENING[..], &sockets].concat());
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

#[test]
fn a_process_has_no_privileges_and_its_limits() {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    let plugins = folder.path().join("plugins");
    let script = plugins.join("lasting");
    fs::write(&script, WITH_A_CHILD).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let little = PluginSettings { memory: 100 << 20, ..settings(&[]) };
    let loaded = load(&plugins, "acme-login", little);
    assert_eq!(loaded.refusals, []);
    let processes = descendants(i32::try_from(std::process::id()).unwrap());
    for (called, memory) in [("acme-login", "Max address space 104857600"), ("3", "Max data size 536870912")]
    {
        let process = *processes.iter().find(|process| name(**process) == called).unwrap();
        let of = |file: &str| {
            let text = fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        let status = of("status");
        for expected in
            ["CapPrm: 0000000000000000", "CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"]
        {
            assert!(status.iter().any(|line| line == expected), "{called}: {expected}: {status:#?}");
        }
        let limits = of("limits");
        let nothing = ["file size", "core file size", "locked memory", "msgqueue size"];
        for expected in
            nothing.map(|what| format!("Max {what} 0 0")).iter().map(String::as_str).chain([memory])
        {
            assert!(
                limits.iter().any(|line| line.starts_with(expected)),
                "{called}: {expected}: {limits:#?}"
            );
        }
        assert_eq!(of("oom_score_adj"), ["1000"]);
    }
}

/// A script that starts a program which never ends, and then answers.
const WITH_A_CHILD: &str = r#"#!/bin/bash
sleep 100000 &
while IFS= read -r line; do
    [[ $line =~ \"id\":([0-9]+) ]] && id=${BASH_REMATCH[1]}
    case $line in
        '{"hello"'*) echo '{"hello":{"protocol":"1.0","name":"lasting"}}' ;;
        '{"manifest"'*) echo '{"types":{"id":'"$id"',"types":[{"type":"lasting","summary":"","schema":{}}]}}' ;;
    esac
done
# It does not even mind the end of its stream.
wait
"#;

#[test]
fn what_was_started_for_plugins_ends_with_a_host_that_is_killed() {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    let script = folder.path().join("plugins/lasting");
    fs::write(&script, WITH_A_CHILD).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        "{OPEN}[plugins]\nisolation = 'process'\n[profiles.p]\ntype = 'basic'\nusername = 'u'\npassword = 'p'\n[connectors.c]\nbase_url = 'http://127.0.0.1:1'\nprofile = 'p'\n"
    );
    let serve = Serve::start(&folder, &config);
    let host = serve.pid().as_raw_nonzero().get();
    // A program goes by the number of the descriptor from which it was executed.
    let ours = ["3", "acme-login", "sleep"];
    let mut processes = descendants(host);
    processes.retain(|process| ours.contains(&name(*process).as_str()));
    assert_eq!(processes.len(), ours.len(), "a library, a script, and what that started");
    serve.signal(rustix::process::Signal::KILL);
    serve.wait_for_end();
    let until = Instant::now() + Duration::from_secs(10);
    for process in processes {
        while is_alive(process) {
            assert!(Instant::now() < until, "{process} outlives the host");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Processes that a process started, and those that they did.
fn descendants(process: i32) -> Vec<i32> {
    let parents = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<i32>().ok()?;
        Some((id, parent))
    });
    let parents: Vec<_> = parents.collect();
    let mut found = vec![process];
    let mut seen = 0;
    while let Some(parent) = found.get(seen).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| *id));
        seen += 1;
    }
    found.remove(0);
    found
}

fn name(process: i32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned()
}

fn is_alive(process: i32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
