//! A plugin that ends its host's process does not make it look as if all were well.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::fs;
use std::process::{Command, Output};

use countersign::testing::ScriptedHost;
use countersign_host::Setup;
use countersign_host::plugin::{FolderSettings, Isolation, PluginSettings, load_folder};
use support::{Folder, file_name, mode, plugin};

const PACKAGE: &str = "countersign-fixture-faults";
/// Tells this program to be the host that a plugin ends, in that folder.
const BE_HOST: &str = "COUNTERSIGN_TEST_BE_HOST_IN";

/// A configuration with one profile of a type that does that, in this process or as the default says.
fn configured(act: &str) -> Folder {
    let folder = Folder::new();
    let config = format!(
        "[plugins]\nisolation = \"in-process\"\n[profiles.p]\ntype = \"faulty\"\nact = \"{act}\"\n\
         [connectors.c]\nbase_url = \"https://c.example\"\nprofile = \"p\"\n"
    );
    folder.put("countersign.toml", config.as_bytes());
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    mode(&plugins, 0o755);
    fs::copy(plugin(PACKAGE), plugins.join(file_name(PACKAGE))).unwrap();
    mode(&plugins.join(file_name(PACKAGE)), 0o644);
    folder
}

fn program(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.current_dir(folder.path()).args(arguments).env_remove("COUNTERSIGN_LOG").output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_program_ends_with_an_error_and_says_whose_doing_it_is() {
    for (act, command) in [("exit-in-new", "check"), ("exit-in-acquire", "header")] {
        let folder = configured(act);
        let arguments: &[&str] = if command == "header" { &["header", "c"] } else { &[command] };
        let output = program(&folder, arguments);
        assert_eq!(output.status.code(), Some(70), "{act}: {}", errors(&output));
        assert_eq!(
            errors(&output).lines().last().unwrap(),
            "countersign: the plugin countersign-fixture-faults has ended this process by exit(); in a process of its own, \
             by `isolation = \"process\"`, it could not"
        );
    }
}

#[test]
fn the_program_notices_even_a_thread_that_is_a_plugins_own() {
    let output = program(&configured("exit-in-thread"), &["header", "c"]);
    assert_eq!(output.status.code(), Some(70), "{}", errors(&output));
    assert!(errors(&output).contains("perhaps a thread of a plugin"), "{}", errors(&output));
}

#[test]
fn an_end_that_is_meant_is_none_of_this() {
    let output = program(&configured("nothing"), &["check"]);
    assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""));
    let output = program(&configured("panic-in-new"), &["check"]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(!errors(&output).contains("exit()"), "{}", errors(&output));
    // Nobody reads what it writes.
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let folder = configured("nothing");
    let output = command.current_dir(folder.path()).arg("plugins").stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), errors(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_loop_without_end_is_an_error_of_its_profile() {
    let output = program(&configured("loop-in-acquire"), &["header", "c"]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let words = "the plugin countersign-fixture-faults has not answered `start` within 2 s";
    assert!(errors(&output).contains(words), "{}", errors(&output));
}

#[test]
fn a_host_that_embeds_the_library_ends_with_an_error_too() {
    let folder = configured("exit-in-acquire");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "be_a_host_that_embeds_the_library", "--nocapture"])
        .env(BE_HOST, folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70), "{}", errors(&output));
    assert!(errors(&output).contains("has ended this process by exit()"), "{}", errors(&output));
}

/// Not a test of its own: it is what the test above starts.
#[test]
fn be_a_host_that_embeds_the_library() {
    let Some(folder) = std::env::var_os(BE_HOST) else { return };
    let path = std::path::Path::new(&folder).join("plugins");
    let default = PluginSettings { isolation: Isolation::InProcess, ..PluginSettings::default() };
    let loaded = load_folder(&path, &FolderSettings { default, ..FolderSettings::default() }, &[]);
    let profile =
        loaded.plugins[0].create("faulty", &serde_json::json!({ "act": "exit-in-acquire" })).unwrap();
    let _ = ScriptedHost::new().acquire(&*profile);
    panic!("the plugin has not ended this process");
}

#[test]
fn each_plugin_is_shown_with_how_it_is() {
    let folder = configured("nothing");
    let shown = Setup::plugins_of(&folder.path().join("countersign.toml")).unwrap();
    assert_eq!(shown.plugins[0].name(), "countersign-fixture-faults");
    let output = program(&folder, &["plugins"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\n  runs in-process: well\n"), "{text}");
}
