//! Bad plugin files, one after the other in one process: each gets its sentence, none ends the host, and nothing of any of
//! them runs. They are made of a plugin whose constructor betrays itself.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use countersign_host::plugin::{Folder as Loaded, FolderSettings, Isolation, PluginSettings, load_folder};
use support::elf::{DYNAMIC, Elf, LOAD, NOTE, RELRO, STACK, TLS};
use support::{Folder, mode, plugin};

const PACKAGE: &str = "countersign-fixture-faults";
const FILE: &str = "libbad.so";

fn good() -> Elf {
    Elf(fs::read(plugin(PACKAGE)).unwrap())
}

fn load(folder: &Folder) -> Loaded {
    let default = PluginSettings { isolation: Isolation::InProcess, ..PluginSettings::default() };
    load_folder(folder.path(), &FolderSettings { default, ..FolderSettings::default() }, &[])
}

/// Whether code of a file made of the fixture ever ran in this process.
fn something_ran() -> bool {
    std::env::var_os("COUNTERSIGN_FIXTURE_RAN").is_some()
        || fs::read_to_string("/proc/self/maps").unwrap().contains("countersign-plugin")
}

/// The one sentence that a folder with a bad file in it gets.
fn sentence(folder: &Folder) -> String {
    let loaded = load(folder);
    assert!(loaded.plugins.is_empty(), "it is loaded");
    assert_eq!(loaded.refusals.len(), 1, "{:?}", loaded.refusals);
    let sentence = loaded.refusals[0].to_string();
    assert!(sentence.len() < 400 && !sentence.contains(char::is_control), "{sentence:?}");
    assert!(!something_ran(), "{sentence}");
    sentence
}

const CUT_OFF: &str = "is cut off; copy it again";
const BROKEN: &str = "is a broken ELF file";
const GARBLED: &str = "has a garbled note";

/// Where the first note of that kind stands: its owner.
fn note(elf: &Elf, kind: u8) -> usize {
    let owners = (12..elf.0.len() - 12).filter(|at| elf.0[*at..].starts_with(b"Countersign\0"));
    owners.into_iter().find(|at| elf.0[at - 4..*at] == [kind, 0, 0, 0]).expect("there is such a note")
}

/// Libraries that are not what they should be, by what is wrong with them.
fn libraries() -> Vec<(String, Elf, &'static str)> {
    let g = good;
    let mut cases: Vec<(String, Elf, &'static str)> = Vec::new();
    let mut case = |what: &str, elf: Elf, words| cases.push((what.to_owned(), elf, words));

    // Cut off at each boundary of its structure.
    let whole = g().0;
    let dynamic = g().read(g().segment(DYNAMIC) + 8, 8) as usize;
    let sections = g().read(40, 8) as usize;
    for (what, length) in
        [("in its magic", 3), ("after its magic", 4), ("in its header", 16), ("before the header's end", 63)]
    {
        let words = if length < 4 { "is not an ELF file" } else { CUT_OFF };
        case(what, Elf(whole[..length].to_vec()), words);
    }
    for (what, length) in [
        ("after its header", 64),
        ("in its segments' table", 64 + 56 + 7),
        ("after its segments' table", 64 + 56 * g().read(56, 2) as usize),
        ("before its note", note(&g(), 1) - 12),
        ("in its note", note(&g(), 1) + 20),
        ("in its dynamic table", dynamic + 24),
        ("before its dynamic table", dynamic),
        ("before its sections' table", sections),
        ("in its sections' table", sections + 65),
        ("one byte before its end", whole.len() - 1),
    ] {
        case(what, Elf(whole[..length].to_vec()), CUT_OFF);
    }
    for (index, segment) in g().segments(LOAD).into_iter().enumerate() {
        let end = (g().read(segment + 8, 8) + g().read(segment + 32, 8)) as usize;
        case(&format!("at the end of segment {index}"), Elf(whole[..end].to_vec()), CUT_OFF);
    }

    // Not for this machine, or no library.
    case("nothing", Elf(Vec::new()), "is empty");
    case("text", Elf(b"#!/bin/sh\nexit 0\n".to_vec()), "is not an ELF file");
    case("zeros", Elf(vec![0; 4096]), "is not an ELF file");
    case("an archive", Elf(b"!<arch>\n".repeat(64)), "is not an ELF file");
    case("32 bits", g().byte(4, 1), "32-bit");
    case("no class", g().byte(4, 0), "32-bit");
    case("big-endian", g().byte(5, 2), "big-endian");
    case("another machine", g().number(18, 2, 8), "another processor");
    for (what, kind) in [("no type", 0), ("an object file", 1), ("a program", 2), ("a core dump", 4)] {
        case(what, g().number(16, 2, kind), "is not a shared library");
    }
    case("a program that can be anywhere", g().entry(0x6fff_fffb, 0x0800_0000), "is a program");
    case(
        "an interpreter beside the stack",
        g().number(g().segment(0x6474_e550), 4, 3),
        "names a program loader",
    );

    // Tables and segments that lie elsewhere, or over each other.
    case("segments' table outside", g().number(32, 8, u64::MAX - 8), CUT_OFF);
    case("segments' table behind the end", g().number(32, 8, whole.len() as u64), CUT_OFF);
    case("more segments than there are", g().number(56, 2, 0xffff), CUT_OFF);
    case("segment headers of another size", g().number(54, 2, 32), BROKEN);
    case("no segments", g().number(56, 2, 0), "its stack is not executable");
    case("sections' table outside", g().number(40, 8, u64::MAX), CUT_OFF);
    case("more sections than there are", g().number(60, 2, 0xffff), CUT_OFF);
    let (first, second) = (g().segments(LOAD)[0], g().segments(LOAD)[1]);
    let (dynamic_header, data) = (g().segment(DYNAMIC), *g().segments(LOAD).last().unwrap());
    case("segment outside the file", g().number(first + 8, 8, u64::MAX), CUT_OFF);
    case("segment larger than the file", g().number(first + 32, 8, u64::MAX), CUT_OFF);
    case("segment over the one before", g().number(second + 16, 8, 0), BROKEN);
    case("segment at the end of all memory", g().number(data + 16, 8, u64::MAX - 64), BROKEN);
    case("less memory than file", g().number(first + 40, 8, 1), BROKEN);
    case("more memory than there is", g().number(data + 40, 8, 1 << 40), "more than 1 GiB of memory");
    case("writable code", g().number(second + 4, 4, 7), "writable and executable");
    case("executable stack", g().number(g().segment(STACK) + 4, 4, 7), "executable stack");
    case(
        "a stack that it says nothing of",
        g().number(g().segment(STACK), 4, 0),
        "its stack is not executable",
    );
    case("protection of memory that is not its own", g().number(g().segment(RELRO) + 16, 8, 1 << 44), BROKEN);
    case("protection of too much", g().number(g().segment(RELRO) + 40, 8, 1 << 32), BROKEN);
    case("threads' memory that is not its own", g().number(g().segment(TLS) + 16, 8, 1 << 44), BROKEN);
    case("threads' memory without end", g().number(g().segment(TLS) + 40, 8, 1 << 40), BROKEN);
    case("threads' memory that is aligned to nothing", g().number(g().segment(TLS) + 48, 8, 3), BROKEN);

    // What the loader is told to do.
    case("no dynamic table", g().number(dynamic_header, 4, 0), "library that can be loaded");
    case("two dynamic tables", g().number(g().segment(RELRO), 4, 2), "library that can be loaded");
    case("dynamic table outside", g().number(dynamic_header + 16, 8, 1 << 44), BROKEN);
    case("dynamic table without an end", g().replace_end_of_dynamic(), BROKEN);
    case("RPATH", g().entry(15, 1), "search path");
    case("RUNPATH", g().entry(29, 1), "search path");
    case("a filter", g().entry(0x7fff_ffff, 1), "filter or an audit");
    case("an auxiliary filter", g().entry(0x7fff_fffd, 1), "filter or an audit");
    case("an audit library", g().entry(0x6fff_fefc, 1), "filter or an audit");
    case("audit libraries of what it needs", g().entry(0x6fff_fefb, 1), "filter or an audit");
    case("relocations in code", g().entry(22, 0), "relocations in its code");
    case("relocations in code, by flag", g().entry(30, 4), "relocations in its code");
    case("a needed library without a name", g().entry(1, u64::MAX), BROKEN);
    case(
        "a needed library",
        g().replace(b"libgcc_s.so.1\0", b"libevil_.so.1\0"),
        "needs the library \"libevil_.so.1\"",
    );
    case(
        "a needed library by path",
        g().replace(b"libgcc_s.so.1\0", b"/tmp/lib.so.1\0"),
        "needs the library \"/tmp/",
    );
    case("names outside", g().set_dynamic(5, u64::MAX), BROKEN);
    case("symbols outside", g().set_dynamic(6, 1 << 44), BROKEN);
    case("a hash table outside", g().set_dynamic(0x6fff_fef5, 1 << 44), BROKEN);
    case("versions outside", g().set_dynamic(0x6fff_fff0, 1 << 44), BROKEN);
    case("needed versions outside", g().set_dynamic(0x6fff_fffe, 1 << 44), BROKEN);
    case("a version that nobody names", g().number(g().dynamic_value(0x6fff_fff0) + 2, 2, 0x7fff), BROKEN);
    case("a symbol without a name", g().number(g().dynamic_value(6) + 24, 4, u64::from(u32::MAX)), BROKEN);
    let relocations = g().dynamic_value(7);
    case("relocations outside", g().set_dynamic(7, 1 << 44), BROKEN);
    case("more relocations than there are", g().set_dynamic(8, 1 << 40), BROKEN);
    case("half a relocation", g().set_dynamic(8, g().dynamic_value(8) as u64 - 4), BROKEN);
    case("relocations of another size", g().set_dynamic(9, 16), BROKEN);
    case("a relocation of what is not its own", g().number(relocations, 8, 1 << 44), BROKEN);
    case("a relocation of code", g().number(relocations, 8, 64), BROKEN);
    case("a relocation of no known kind", g().number(relocations + 8, 4, 0xfff), BROKEN);
    case("a relocation that runs code", g().number(relocations + 8, 4, IRELATIVE), "IFUNC");
    case("a relocation to no symbol", g().number(relocations + 12, 4, 0xffff), BROKEN);
    case("constructors outside", g().set_dynamic(25, 1 << 44), BROKEN);
    case("constructors without end", g().set_dynamic(27, 1 << 40), BROKEN);
    case("an initializer that is no code", g().set_dynamic(12, 0), BROKEN);
    case("a constructor that is no code", g().constructor(0), BROKEN);

    // What it says of itself.
    let about = note(&g(), 1);
    let of_type = note(&g(), 2);
    case("no owner", g().replace(b"Countersign\0", b"Countersigm\0"), "is not a Countersign plugin");
    case("notes outside", g().number(g().segment(NOTE) + 8, 8, u64::MAX), CUT_OFF);
    case("no notes", g().number(g().segment(NOTE), 4, 0), "is not a Countersign plugin");
    case("an owner without end", g().number(about - 12, 4, u64::from(u32::MAX)), BROKEN);
    case("a description without end", g().number(about - 8, 4, u64::from(u32::MAX)), BROKEN);
    case("no description", g().number(about - 4, 4, 99), "is not a Countersign plugin");
    case("two descriptions", g().number(of_type - 4, 4, 1), "describes itself twice");
    case("no types", g().kinds_of_notes(2, 99), "brings no profile types");
    case(
        "one type twice",
        g().replace(b"second\0another type", b"faulty\0another type"),
        "brings the type `faulty` twice",
    );
    case(
        "a type in capitals",
        g().replace(b"second\0another type", b"Second\0another type"),
        "names a type \"Second\"",
    );
    case(
        "a type with a blank",
        g().replace(b"second\0another type", b"sec nd\0another type"),
        "names a type \"sec nd\"",
    );
    case(
        "a type that is a path",
        g().replace(b"second\0another type", b"../../\0another type"),
        "names a type \"../../\"",
    );
    case("a type without a summary", g().replace(b"second\0another type", b"second another type"), GARBLED);
    case(
        "a summary with control characters",
        g().replace(b"second\0another type", b"second\0an\x1b[2Jr type"),
        GARBLED,
    );
    case(
        "a summary that is no text",
        g().replace(b"second\0another type", b"second\0\xff\xfe\xfdther type"),
        GARBLED,
    );
    case("another interface", g().replace(b"1.0.0\0counter", b"2.0.0\0counter"), "speaks version 2.0.0");
    case("an older interface", g().replace(b"1.0.0\0counter", b"0.9.9\0counter"), "speaks version 0.9.9");
    case("an interface without a version", g().replace(b"1.0.0\0counter", b"x.y.z\0counter"), GARBLED);
    case("no terminators", g().replace(b"1.0.0\0counter", b"1.0.0 counter"), GARBLED);
    case(
        "no module",
        g().replace(b"countersign_plugin\0", b"countersign_plugim\0"),
        "does not export its module",
    );
    cases
}

#[cfg(target_arch = "x86_64")]
const IRELATIVE: u64 = 37;
#[cfg(target_arch = "aarch64")]
const IRELATIVE: u64 = 1032;
#[cfg(target_arch = "riscv64")]
const IRELATIVE: u64 = 58;

/// A name, how the file is made, and the words of its refusal.
type Other = (&'static str, fn(&Path), &'static str);

/// What else may lie in a plugins folder, by who puts it there.
fn others() -> Vec<Other> {
    fn put(folder: &Path, name: &str, bytes: &[u8], bits: u32) {
        fs::write(folder.join(name), bytes).unwrap();
        mode(&folder.join(name), bits);
    }
    vec![
        ("a folder", |at| fs::create_dir(at.join(FILE)).unwrap(), "is a folder; a plugin is a single file"),
        (
            "a FIFO",
            |at| {
                rustix::fs::mkfifoat(rustix::fs::CWD, at.join(FILE), rustix::fs::Mode::from_raw_mode(0o600))
                    .unwrap()
            },
            "is not an ordinary file",
        ),
        (
            "a socket",
            |at| drop(std::os::unix::net::UnixListener::bind(at.join(FILE)).unwrap()),
            "is not an ordinary file",
        ),
        ("a device", |at| symlink("/dev/zero", at.join(FILE)).unwrap(), "is a link that leads out"),
        (
            "the host's own memory",
            |at| symlink("/proc/self/mem", at.join(FILE)).unwrap(),
            "is a link that leads out",
        ),
        ("a link to nothing", |at| symlink("nowhere", at.join(FILE)).unwrap(), "is a link to nothing"),
        ("a link to itself", |at| symlink(FILE, at.join(FILE)).unwrap(), "is a link that cannot be followed"),
        (
            "two links to each other",
            |at| {
                symlink("hidden", at.join(FILE)).unwrap();
                symlink(FILE, at.join("hidden")).unwrap();
            },
            "is a link that cannot be followed",
        ),
        ("a link out", |at| symlink("../x.so", at.join(FILE)).unwrap(), "is a link that leads out"),
        (
            "a huge file that takes no room",
            |at| {
                put(at, FILE, b"", 0o644);
                fs::OpenOptions::new().write(true).open(at.join(FILE)).unwrap().set_len(1 << 40).unwrap();
            },
            "more than 64 MiB",
        ),
        ("a file that all can write", |at| put(at, FILE, &good().0, 0o666), "can be written by everybody"),
        (
            "a file that its group can write",
            |at| put(at, FILE, &good().0, 0o664),
            "can be written by its group",
        ),
        ("an empty program", |at| put(at, "bad", b"", 0o755), "is empty"),
        ("a program without #!", |at| put(at, "bad", b"echo", 0o755), "neither a program nor a script"),
        ("a script without an interpreter", |at| put(at, "bad", b"#!\n", 0o755), "names no interpreter"),
        (
            "an interpreter by a relative path",
            |at| put(at, "bad", b"#!sh\n", 0o755),
            "by a path that is not absolute",
        ),
        (
            "an interpreter beside it",
            |at| put(at, "bad", b"#! ./sh -e\n", 0o755),
            "by a path that is not absolute",
        ),
        (
            "an interpreter without end",
            |at| put(at, "bad", &[b"#!/".as_slice(), &[b'a'; 300]].concat(), 0o755),
            "names its interpreter in more than",
        ),
        (
            "a program for another machine",
            |at| put(at, "bad", &good().number(18, 2, 8).0, 0o755),
            "another processor",
        ),
        ("half a program", |at| put(at, "bad", &good().0[..20], 0o755), CUT_OFF),
        ("a program that changes its user", |at| put(at, "bad", b"#!/bin/sh\n", 0o4755), "set-user-ID"),
        ("a program that changes its group", |at| put(at, "bad", b"#!/bin/sh\n", 0o2755), "set-user-ID"),
    ]
}

#[test]
fn each_bad_file_gets_its_sentence_and_nothing_of_it_runs() {
    let libraries = libraries();
    let others = others();
    assert!(libraries.len() + others.len() >= 60);
    let mut wrong = Vec::new();
    let check = |what: &str, folder: &Folder, words: &str, wrong: &mut Vec<String>| {
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sentence(folder)));
        match said {
            Ok(said) if said.contains(words) => {}
            Ok(said) => wrong.push(format!("{what}: {said:?} does not say {words:?}")),
            Err(_) => wrong.push(format!("{what}: it is not refused, by {words:?}")),
        }
    };
    for (what, elf, words) in &libraries {
        let folder = Folder::new();
        folder.put(FILE, &elf.0);
        // What the judgement lets through must not get to the loader here.
        if countersign_host::plugin::inspect(&folder.path().join(FILE)).is_ok() {
            wrong.push(format!("{what}: it is judged good"));
            continue;
        }
        check(what, &folder, words, &mut wrong);
    }
    for (what, put, words) in &others {
        let folder = Folder::new();
        put(folder.path());
        check(what, &folder, words, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), libraries.len() + others.len(), wrong.join("\n"));
    println!("{} bad files", libraries.len() + others.len());

    // So would it have shown.
    let folder = Folder::new();
    folder.put(FILE, &good().0);
    assert_eq!(load(&folder).refusals, []);
    assert!(std::env::var_os("COUNTERSIGN_FIXTURE_RAN").is_some() && something_ran());
}

#[test]
fn a_file_with_too_many_types_or_too_long_a_text_is_refused() {
    // The linker's room between note and end of file is used: a note segment of our own, appended.
    let note = |kind: u32, description: &[u8]| {
        let mut bytes = [12_u32, description.len() as u32, kind].map(u32::to_le_bytes).concat();
        bytes.extend_from_slice(b"Countersign\0");
        bytes.extend_from_slice(description);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let about = note(1, b"1.0.0\0bad\x001.0\0\x000.1.0");
    let many: Vec<u8> = (0..300).flat_map(|number| note(2, format!("type-{number}\0s").as_bytes())).collect();
    let long = note(2, &[b"t\0".as_slice(), &[b'x'; 2000]].concat());
    let endless = note(2, &[b'x'; 65].into_iter().chain(*b"\0s").collect::<Vec<_>>());
    for (notes, words) in [(many, "more than 256 types"), (long, GARBLED), (endless, "names a type")] {
        let elf = good().with_notes(&[about.clone(), notes].concat());
        let folder = Folder::new();
        folder.put(FILE, &elf.0);
        let said = sentence(&folder);
        assert!(said.contains(words), "{said} does not say {words}");
    }
}
