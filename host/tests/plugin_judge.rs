//! Plugin files that are not what they should be: each gets a sentence, and not one byte of it runs.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::fs;
use std::os::unix::fs::{FileExt, symlink};

use countersign_host::plugin::{FileKind, Folder as Loaded, PluginSettings, inspect, load_folder};
use support::elf::{DYNAMIC, Elf, LOAD, RELRO, STACK};
use support::{Folder, all_in_process, in_process, mode, plugin};

const LOGIN: &str = "acme-login";
const FILE: &str = "libacme_login.so";

fn good() -> Elf {
    Elf(fs::read(plugin(LOGIN)).unwrap())
}

/// The sentence that a file of these bytes gets.
fn refusal(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let file = folder.put(FILE, bytes);
    let refusal = inspect(&file).expect_err("the file is refused").to_string();
    assert!(refusal.starts_with(file.to_str().unwrap()), "{refusal}");
    assert!(refusal.len() < 400 && !refusal.contains('\n'), "{refusal}");
    refusal
}

fn load(folder: &Folder) -> Loaded {
    load_with(folder, in_process())
}

fn load_with(folder: &Folder, settings: PluginSettings) -> Loaded {
    load_folder(folder.path(), &all_in_process().with(LOGIN.to_owned(), settings), &[])
}

/// The one refusal of a folder from which nothing is loaded.
fn only_refusal(loaded: &Loaded) -> String {
    assert!(loaded.plugins.is_empty(), "nothing is loaded");
    assert_eq!(loaded.refusals.len(), 1, "{:?}", loaded.refusals);
    loaded.refusals[0].to_string()
}

#[test]
fn a_plugin_file_tells_about_itself_without_being_executed() {
    let file = inspect(&plugin(LOGIN)).unwrap();
    assert_eq!(file.size(), good().0.len());
    let FileKind::Library(note) = file.kind() else { panic!("a library") };
    assert_eq!(
        (note.name.as_str(), note.version.as_str(), note.interface.as_str()),
        (LOGIN, "1.0.0", "1.0.0")
    );
    assert_eq!(note.description, "Acme's login endpoint as a Countersign profile type");
    assert_eq!(note.sdk, countersign::SDK_VERSION);
    assert_eq!(note.types[0].name, LOGIN);
    assert_eq!(note.types[0].summary, "Acme's login endpoint: a user and a password for a session");
}

#[test]
fn spoilt_files_are_refused_with_the_reason() {
    let note_at = good().0.windows(12).position(|bytes| bytes == b"Countersign\0").unwrap();
    let stack = good().segment(STACK);
    let load = good().segment(LOAD);
    let flags_1 = good().dynamic(0x6fff_fffb);
    let cases: Vec<(Elf, &str)> = vec![
        (Elf(Vec::new()), "is empty"),
        (Elf(b"#!/bin/sh\nexit 0\n".to_vec()), "is not an ELF file"),
        (good().byte(4, 1), "32-bit"),
        (good().byte(5, 2), "big-endian"),
        (good().number(18, 2, if cfg!(target_arch = "x86_64") { 183 } else { 62 }), "another processor"),
        (good().number(16, 2, 1), "is not a shared library"),
        (good().number(16, 2, 2), "is not a shared library"),
        (good().number(flags_1 + 8, 8, 0x0800_0000), "is a program"),
        (good().number(32, 8, u64::MAX), "is cut off"),
        (good().number(54, 2, 32), "broken ELF"),
        (good().number(load + 8, 8, u64::MAX), "is cut off"),
        (good().number(load + 16, 8, u64::MAX), "broken ELF"),
        (good().number(load + 40, 8, 1), "broken ELF"),
        // The first two segments would lie over each other.
        (good().number(good().segments(LOAD)[1] + 16, 8, 0), "broken ELF"),
        (good().number(load + 4, 4, 7), "writable and executable"),
        (good().number(stack + 4, 4, 7), "executable stack"),
        (good().number(stack, 4, 0), "its stack is not executable"),
        (good().number(good().segment(DYNAMIC), 4, 0), "library that can be loaded"),
        (good().number(good().segment(RELRO), 4, 2), "library that can be loaded"),
        (good().entry(15, 1), "search path"),
        (good().entry(29, 1), "search path"),
        (good().entry(22, 0), "relocations in its code"),
        (good().entry(30, 4), "relocations in its code"),
        (good().entry(0x7fff_ffff, 1), "filter or an audit"),
        (good().entry(0x7fff_fffd, 1), "filter or an audit"),
        (good().entry(0x6fff_fefc, 1), "filter or an audit"),
        (good().entry(1, u64::MAX), "broken ELF"),
        (good().number(good().dynamic(5) + 8, 8, u64::MAX), "broken ELF"),
        (good().replace(b"libgcc_s.so.1\0", b"libevil_.so.1\0"), "needs the library \"libevil_.so.1\""),
        (good().replace(b"libgcc_s.so.1\0", b"/tmp/lib.so.1\0"), "needs the library \"/tmp/lib.so.1\""),
        (good().replace(b"countersign_plugin\0", b"countersign_plugim\0"), "does not export its module"),
        (good().replace(b"Countersign\0", b"Countersigm\0"), "is not a Countersign plugin"),
        (
            good().replace(b"1.0.0\0acme-login\0", b"2.0.0\0acme-login\0"),
            "speaks version 2.0.0 of the plugin interface",
        ),
        (good().replace(b"1.0.0\0acme-login\0", b"x.0.0\0acme-login\0"), "garbled note"),
        (good().replace(b"1.0.0\0acme-login\0", b"1.0.0 acme-login "), "garbled note"),
        (
            good().replace(b"acme-login\0Acme's login endpoint:", b"acme-login\xffAcme's login endpoint:"),
            "garbled note",
        ),
        (
            good().replace(b"acme-login\0Acme's login endpoint:", b"acme-login\0Acme's\x1blogin endpoint:"),
            "garbled note",
        ),
        (
            good().replace(b"acme-login\0Acme's login endpoint:", b"Acme-login\0Acme's login endpoint:"),
            "names a type",
        ),
        // The type's note becomes one of a kind that nobody knows, then a second one about the plugin.
        (good().number(kind_of_type_note(note_at), 4, 99), "brings no profile types"),
        (good().number(kind_of_type_note(note_at), 4, 1), "describes itself twice"),
        (good().number(note_at - 12, 4, u64::MAX), "broken ELF"),
    ];
    for (number, (spoilt, expected)) in cases.iter().enumerate() {
        let refusal = refusal(&spoilt.0);
        assert!(refusal.contains(expected), "case {number}: {refusal:?} does not say {expected:?}");
    }
}

/// Where the kind of the type's note stands; which of the two notes comes first is the linker's choice.
fn kind_of_type_note(first_owner: usize) -> usize {
    let file = good();
    let is_type = |owner: usize| file.0[owner - 4..owner] == [2, 0, 0, 0];
    let owners = (first_owner..first_owner + 1000).filter(|at| file.0[*at..].starts_with(b"Countersign\0"));
    owners.into_iter().find(|owner| is_type(*owner)).unwrap() - 4
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let whole = good().0;
    let lengths = (0..700).chain((700..whole.len()).step_by(4096)).chain([whole.len() - 64, whole.len() - 1]);
    for length in lengths {
        refusal(&whole[..length]);
    }
}

#[test]
fn no_bytes_make_the_judgement_panic() {
    let whole = good().0;
    let folder = Folder::new();
    let path = folder.put(FILE, &whole);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // What is parsed: headers and notes at the front, and the dynamic table.
    let dynamic = good().dynamic(0x6fff_fff9) - 256;
    let places: Vec<usize> = (0..8192).chain(dynamic..dynamic + 512).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..4000 {
        let mut spoilt = Vec::new();
        for _ in 0..1 + random % 3 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = places[(random >> 8) as usize % places.len()];
            spoilt.push(at);
            let value = [0, 0xff, 0x80, 0x7f, whole[at] ^ 1, random as u8][(random >> 40) as usize % 6];
            file.write_at(&[value], at as u64).unwrap();
        }
        let _ = inspect(&path);
        for at in spoilt {
            file.write_at(&whole[at..=at], at as u64).unwrap();
        }
    }
    inspect(&path).expect("everything was put back");
}

#[test]
fn a_file_that_others_can_write_is_refused() {
    for (bits, who) in [(0o646, "everybody"), (0o664, "its group")] {
        let folder = Folder::with(&[LOGIN]);
        mode(&folder.path().join(FILE), bits);
        let refusal = only_refusal(&load(&folder));
        assert!(refusal.contains(who) && refusal.contains("chmod"), "{refusal}");
    }
}

#[test]
fn a_folder_that_others_can_write_is_refused_and_so_the_start() {
    let folder = Folder::with(&[LOGIN]);
    mode(folder.path(), 0o777);
    let loaded = load(&folder);
    assert!(only_refusal(&loaded).contains("can be written by everybody") && loaded.is_fatal());
}

#[test]
fn a_file_of_another_user_is_refused() {
    let folder = Folder::with(&[LOGIN]);
    let file = folder.path().join(FILE);
    // Only root can give a file away; the rule itself is tested beside its code for everybody.
    if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
        let refusal = only_refusal(&load(&folder));
        assert!(refusal.contains("belongs to user 65534") && refusal.contains("chown"), "{refusal}");
    }
}

#[test]
fn a_link_may_stay_in_the_folder_but_not_leave_it() {
    let (outside, folder) = (Folder::with(&[LOGIN]), Folder::new());
    symlink(outside.path().join(FILE), folder.path().join(FILE)).unwrap();
    assert!(only_refusal(&load(&folder)).contains("is a link that leads out of the plugins folder"));

    let inside = Folder::new();
    fs::create_dir(inside.path().join("v1")).unwrap();
    fs::copy(plugin(LOGIN), inside.path().join("v1/plugin")).unwrap();
    mode(&inside.path().join("v1/plugin"), 0o644);
    symlink("v1/plugin", inside.path().join(FILE)).unwrap();
    assert_eq!(load(&inside).plugins.len(), 1);

    for (target, expected) in [("nowhere", "is a link to nothing"), (FILE, "cannot be followed")] {
        let folder = Folder::new();
        symlink(target, folder.path().join(FILE)).unwrap();
        assert!(only_refusal(&load(&folder)).contains(expected), "{target}");
    }
}

#[test]
fn what_is_no_ordinary_file_is_refused_at_once() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join(FILE)).unwrap();
    assert!(only_refusal(&load(&folder)).contains("is a folder"));

    let folder = Folder::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join(FILE), mode).unwrap();
    assert!(only_refusal(&load(&folder)).contains("is not an ordinary file"));

    let folder = Folder::new();
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join(FILE)).unwrap();
    assert!(only_refusal(&load(&folder)).contains("is not an ordinary file"));

    let folder = Folder::new();
    let huge = folder.put(FILE, b"");
    fs::OpenOptions::new().write(true).open(huge).unwrap().set_len(65 << 20).unwrap();
    assert!(only_refusal(&load(&folder)).contains("more than 64 MiB"));
}

#[test]
fn a_pinned_file_must_be_the_very_one() {
    let sha256 = *inspect(&plugin(LOGIN)).unwrap().sha256();
    let pinned = |sha256| PluginSettings { sha256: Some(sha256), ..in_process() };
    assert_eq!(load_with(&Folder::with(&[LOGIN]), pinned(sha256)).plugins.len(), 1);
    let refusal = only_refusal(&load_with(&Folder::with(&[LOGIN]), pinned([7; 32])));
    let digest: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(refusal.contains("`sha256`") && refusal.contains(&digest), "{refusal}");
}

#[test]
fn a_type_from_two_files_stops_the_start_and_both_files_are_named() {
    let folder = Folder::with(&[LOGIN]);
    let other = folder.put("other.so", &good().0);
    let loaded = load(&folder);
    let refusal = only_refusal(&loaded);
    assert!(refusal.contains(FILE) && refusal.contains(other.to_str().unwrap()), "{refusal}");
    assert!(refusal.contains("`acme-login`") && loaded.is_fatal());
}

#[test]
fn a_type_that_is_built_in_stops_the_start() {
    let folder = Folder::with(&[LOGIN]);
    let loaded = load_folder(folder.path(), &all_in_process(), &["acme-login"]);
    assert!(only_refusal(&loaded).contains("which is built in") && loaded.is_fatal());
}

#[test]
fn an_operator_can_limit_a_file_to_some_of_its_types() {
    let package = "countersign-fixture-faults";
    let folder = Folder::with(&[package]);
    let load = |types: &[&str]| {
        let types = Some(types.iter().map(|name| (*name).to_owned()).collect());
        let settings = PluginSettings { types, ..in_process() };
        // In the settings' keys, `_` and `-` are the same.
        load_folder(
            folder.path(),
            &all_in_process().with("countersign_fixture_faults".to_owned(), settings),
            &["faulty"],
        )
    };
    let loaded = load(&["second"]);
    assert_eq!(loaded.refusals, []);
    assert_eq!(
        loaded.plugins[0].manifests().iter().map(|manifest| &manifest.name).collect::<Vec<_>>(),
        ["second"]
    );
    assert!(only_refusal(&load(&["third"])).contains("does not bring the type `third`"));
}

#[test]
fn a_required_plugin_that_is_bad_or_missing_stops_the_start() {
    let required = PluginSettings { required: true, ..in_process() };
    let folder = Folder::new();
    assert!(load_with(&folder, required.clone()).is_fatal());
    folder.put(FILE, b"no plugin");
    assert!(!load(&folder).is_fatal());
    assert!(load_with(&folder, required).is_fatal());
}

#[test]
fn settings_that_fit_no_file_stop_the_start() {
    let folder = Folder::with(&["acme-hmac"]);
    let loaded = load(&folder);
    assert!(only_refusal(&loaded).contains("has no file for `[plugins.acme-login]`") && loaded.is_fatal());
}

#[test]
fn an_allowed_library_is_no_longer_a_reason() {
    let folder = Folder::new();
    folder.put(FILE, &good().replace(b"libgcc_s.so.1\0", b"libevil_.so.1\0").0);
    let allow_libraries = vec!["libevil_.so.1".to_owned()];
    let loaded = load_with(&folder, PluginSettings { allow_libraries, ..in_process() });
    // It passes the judgement; the loader then finds no such library.
    let refusal = only_refusal(&loaded);
    assert!(refusal.contains("cannot be loaded: libevil_.so.1"), "{refusal}");
}

#[test]
fn files_that_are_no_plugins_are_passed_over() {
    let folder = Folder::with(&[LOGIN]);
    for name in ["README.md", "libacme_login.so.bak", ".hidden"] {
        folder.put(name, b"text");
    }
    let loaded = load(&folder);
    assert_eq!((loaded.plugins.len(), loaded.refusals.len()), (1, 0));
}

#[test]
fn one_bad_file_does_not_stop_the_good_ones() {
    let folder = Folder::with(&[LOGIN]);
    folder.put("bad.so", b"no plugin");
    folder.put("worse.so", &good().0[..5000]);
    let loaded = load(&folder);
    assert_eq!((loaded.plugins.len(), loaded.refusals.len(), loaded.is_fatal()), (1, 2, false));
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = Folder::new();
    let missing = folder.path().join("plugins");
    let loaded = load_folder(&missing, &all_in_process(), &[]);
    assert!(only_refusal(&loaded).contains("plugins does not exist"));
}

/// These pass the judgement of the bytes: what is wrong shows only when the file is loaded.
#[test]
fn a_file_that_is_not_what_its_note_says_is_refused_when_loaded() {
    let cases = [
        (
            good().replace(b"acme-login\0Acme's login endpoint:", b"acme-logon\0Acme's login endpoint:"),
            "other types than its note says",
        ),
        (
            good().replace(b"abi stable library for Rust", b"abi stable library for Dust"),
            "another `abi_stable`",
        ),
    ];
    for (spoilt, expected) in cases {
        let folder = Folder::new();
        folder.put(FILE, &spoilt.0);
        let refusal = only_refusal(&load(&folder));
        assert!(refusal.contains(expected), "{refusal}");
    }
}
