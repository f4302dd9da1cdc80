//! `${…}` in settings, each kind of source.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn issuer_in(folder: &Path, text: &str) -> Result<String, String> {
    let text = format!("[profiles.p]\ntype = 'token'\nissuer = '''{text}'''\n");
    Ok(settings_in(folder, &text)?["issuer"].as_str().unwrap().to_owned())
}

fn issuer(text: &str) -> Result<String, String> {
    issuer_in(Path::new("/"), text)
}

#[test]
fn environment_variables_are_put_in_place() {
    assert_eq!(issuer("a-${env:SECRET}-${env:SECRET}").unwrap(), format!("a-{CANARY}-{CANARY}"));
    assert_eq!(issuer("${env:EMPTY:-b$c}").unwrap(), "b$c");
    assert_eq!(issuer("x${env:NONE:-}").unwrap(), "x");
    assert!(issuer("${env:A B}").unwrap_err().contains("names no environment variable"));
}

#[test]
fn a_value_from_a_source_is_never_expanded_again() {
    assert_eq!(issuer("${env:DOLLARS}").unwrap(), "${env:SECRET}$$");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "key", "${env:SECRET}$$");
    assert_eq!(issuer_in(folder.path(), "${file:key}").unwrap(), "${env:SECRET}$$");
}

#[test]
fn dollars_stand_for_themselves_unless_a_brace_follows() {
    assert_eq!(issuer("a$b $1 $$ $${env:SECRET} $").unwrap(), "a$b $1 $ ${env:SECRET} $");
}

#[test]
fn files_are_relative_to_the_configuration_and_lose_one_newline() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (bytes, expected) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
        write(at, "key", bytes);
        assert_eq!(issuer_in(at, "${file:key}").unwrap(), expected);
    }
    let absolute = format!("${{file:{}}}", at.join("key").display());
    assert_eq!(issuer(&absolute).unwrap(), " a ");
    write(at, "store.p12", [0xFF, 0x00, 0x0A]);
    assert_eq!(issuer_in(at, "${base64:store.p12}").unwrap(), "/wAK");
}

#[test]
fn files_that_cannot_be_a_value_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "binary", [b'c', 0xFF]);
    write(at, "empty", "");
    write(at, "newline", "\n");
    write(at, "large", vec![b'a'; (1 << 20) + 1]);
    symlink("loop", at.join("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (name, words) in [
        ("binary", "binary is not UTF-8\n  help: if it is meant to be binary"),
        ("empty", "empty is empty"),
        ("newline", "newline is empty"),
        ("large", "large is larger than 1024 KiB"),
        ("loop", "loop: "),
        ("pipe", "pipe is not a regular file"),
        (".", "is not a regular file"),
        ("/proc/self/status", "was being written while it was read"),
        ("missing", "missing: there is no such file"),
    ] {
        let said = issuer_in(at, &format!("${{file:{name}}}")).unwrap_err();
        assert!(said.contains(words), "{name}: {said}");
        assert!(said.contains("countersign.toml:3:10: profiles.p.issuer: "), "{said}");
    }
    assert!(issuer_in(at, "${base64:empty}").unwrap_err().contains("empty is empty"));
}

#[test]
fn a_file_that_everybody_may_read_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[profiles.p]\ntype = 'token'\nissuer = '${file:key}'\n";
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        write(folder.path(), "key", CANARY);
        fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(mode)).unwrap();
        let (_, resolved) = examine_in(folder.path(), text).unwrap();
        let warnings = &resolved[0].warnings;
        assert_eq!(!warnings.is_empty(), warned, "{mode:o}");
        assert!(!warnings.has_errors());
        let said = warnings.to_string();
        assert!(
            !warned || said.contains(":3:10: warning: profiles.p.issuer: every user of this machine"),
            "{said}"
        );
    }
}

#[test]
fn certificates_may_be_read_by_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[profiles.p]\ntype = 'token'\nissuer = '${file:pem}'\n";
    let warnings = |pem: &str| {
        fs::write(folder.path().join("pem"), pem).unwrap();
        fs::set_permissions(folder.path().join("pem"), fs::Permissions::from_mode(0o644)).unwrap();
        examine_in(folder.path(), text).unwrap().1[0].warnings.len()
    };
    assert_eq!(warnings("-----BEGIN CERTIFICATE-----\n"), 0);
    assert_eq!(warnings("-----BEGIN CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\n"), 1);
}

#[test]
fn programs_run_in_the_folder_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tell", "#!/bin/sh\nprintf '%s-' \"$@\"\ncat key\n");
    fs::set_permissions(at.join("tell"), fs::Permissions::from_mode(0o700)).unwrap();
    write(at, "key", "k\n");
    assert_eq!(issuer_in(at, r#"<${command:./tell a "b }" $SECRET}>"#).unwrap(), "<a-b }-$SECRET-k>");
}

#[test]
fn a_program_that_many_settings_name_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[profiles.p]\ntype = 'token'\nissuer = '${command:sh -c \"echo x >> log; cat log\"}'\n\
                secret = 'a$$${command:sh -c \"echo x >> log; cat log\"}'\n";
    let settings = settings_in(folder.path(), &text.replace("'a$$$", "'aaaa$")).unwrap();
    assert_eq!(settings["issuer"], "x");
    assert_eq!(settings["secret"], "aaaax");
    // Another pass looks again.
    assert_eq!(settings_in(folder.path(), text).unwrap()["issuer"], "x\nx");
}

#[test]
fn a_failing_program_is_located() {
    let said = issuer("${command:sh -c 'echo canary-7f3a; exit 7'}").unwrap_err();
    assert!(
        said.starts_with("/countersign.toml:3:10: profiles.p.issuer: the program `sh` failed: exit status 7"),
        "{said}"
    );
    assert!(!said.contains(CANARY));
}
