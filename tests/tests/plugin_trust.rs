//! Digests, the lock file and signatures by the program, and by minisign itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::program::{self, Program};

const FILE: &str = "plugins/libacme_login.so";
const PASSWORD: &str = "correct horse";

/// Exit status, and all that was said.
fn run(folder: &Folder, arguments: &[&str]) -> (i32, String) {
    run_with(folder, arguments, None)
}

fn run_with(folder: &Folder, arguments: &[&str], password: Option<&str>) -> (i32, String) {
    let mut command = Command::new(built::program());
    command.current_dir(folder.path()).args(arguments).stdin(Stdio::null());
    for name in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "COUNTERSIGN_KEY_PASSWORD"] {
        command.env_remove(name);
    }
    command.envs(password.map(|password| ("COUNTERSIGN_KEY_PASSWORD", password)));
    said(&mut command)
}

fn said(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

#[track_caller]
fn ok((code, text): (i32, String)) -> String {
    assert_eq!(code, 0, "{text}");
    text
}

#[track_caller]
fn refused((code, text): (i32, String), words: &str) -> String {
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(words), "{text:?} does not say {words:?}");
    text
}

fn folder(config: &str) -> Folder {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    folder.config(config);
    folder
}

/// Other bytes take a plugin's place, of which the judgement of the file itself finds nothing.
fn change(folder: &Folder) {
    let path = folder.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(0);
    fs::write(&path, bytes).unwrap();
}

#[test]
fn the_lock_file_says_what_has_changed_and_refuses_what_is_not_locked() {
    let folder = folder("[plugins]\ntrust = \"pinned\"\n");
    refused(run(&folder, &["plugins"]), "is pinned nowhere");
    refused(run(&folder, &["plugins", "lock", "--check"]), "+ acme-login 1.0.0  sha256 ");
    assert!(!folder.path().join("plugins.lock").exists(), "a check writes nothing");

    let first = ok(run(&folder, &["plugins", "lock"]));
    assert!(
        first.contains("+ acme-login 1.0.0  sha256 ") && first.ends_with("plugins.lock: 1 plugin locked\n"),
        "{first}"
    );
    let lock = fs::read_to_string(folder.path().join("plugins.lock")).unwrap();
    assert!(lock.contains("\n[plugins.\"acme-login\"]\nversion = \"1.0.0\"\nsha256 = \""), "{lock}");
    assert!(ok(run(&folder, &["plugins"])).contains("trust  pinned by plugins.lock, unsigned"));
    ok(run(&folder, &["plugins", "lock", "--check"]));
    assert!(ok(run(&folder, &["plugins", "lock"])).contains("nothing has changed"));
    assert_eq!(fs::read_to_string(folder.path().join("plugins.lock")).unwrap(), lock);

    change(&folder);
    refused(run(&folder, &["plugins"]), "plugins.lock pins");
    refused(run(&folder, &["check"]), "plugins.lock pins");
    let changed =
        refused(run(&folder, &["plugins", "lock", "--check"]), "~ acme-login 1.0.0 -> 1.0.0  sha256 ");
    assert!(changed.contains("run `countersign plugins lock`"), "{changed}");
    ok(run(&folder, &["plugins", "lock"]));
    ok(run(&folder, &["plugins"]));

    fs::remove_file(folder.path().join(FILE)).unwrap();
    refused(run(&folder, &["plugins"]), "pins `acme-login`, of which there is no file");
    assert!(ok(run(&folder, &["plugins", "lock"])).contains("- acme-login 1.0.0  sha256 "));
    ok(run(&folder, &["plugins"]));
}

#[test]
fn a_lock_file_that_others_can_write_stops_everything() {
    let folder = folder("");
    ok(run(&folder, &["plugins", "lock"]));
    fs::set_permissions(folder.path().join("plugins.lock"), fs::Permissions::from_mode(0o664)).unwrap();
    for command in [&["check"][..], &["plugins"], &["plugins", "lock"], &["types"]] {
        refused(run(&folder, command), "plugins.lock");
        refused(run(&folder, command), "can be written by its group; chmod g-w it");
    }
}

#[test]
fn what_is_refused_is_not_locked() {
    let folder = folder("[plugins.acme-login]\ntypes = [\"other\"]\n");
    refused(run(&folder, &["plugins", "lock"]), "does not bring the type `other`");
    assert!(!folder.path().join("plugins.lock").exists());
}

#[test]
fn a_key_pair_signs_and_verifies_and_its_configuration_is_printed() {
    let folder = folder("");
    refused(run(&folder, &["plugins", "keygen"]), "there is no terminal");
    refused(run_with(&folder, &["plugins", "keygen"], Some("")), "the password is empty");
    assert!(
        !folder.path().join("countersign.key").exists() && !folder.path().join("countersign.pub").exists()
    );

    let made = ok(run_with(&folder, &["plugins", "keygen"], Some(PASSWORD)));
    let secret = folder.path().join("countersign.key");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    refused(run_with(&folder, &["plugins", "keygen"], Some(PASSWORD)), "is there already");

    let sign = ["plugins", "sign", FILE, "--key", "countersign.key"];
    refused(run(&folder, &sign), "there is no terminal");
    refused(run_with(&folder, &sign, Some("another")), "does not open with this password");
    folder.put("password", format!("{PASSWORD}\nmore\n"));
    ok(run(&folder, &[&sign[..], &["--password-file", "password", "--comment", "v1"]].concat()));

    // What was printed is a configuration as it is.
    let config = &made[made.find("[plugins]").unwrap()..];
    folder.config(config);
    let verified = ok(run(&folder, &["plugins", "verify", FILE]));
    assert!(verified.contains("file:libacme_login.so  hashed  v1"), "{verified}");
    ok(run(&folder, &["plugins", "verify", FILE, "--key", "countersign.pub"]));
    let id = made.trim_end().rsplit(' ').next().unwrap();
    assert!(ok(run(&folder, &["plugins"])).contains(&format!("trust  unpinned, signed by {id}")));

    change(&folder);
    refused(run(&folder, &["plugins", "verify", FILE]), &format!("is not the file that the key {id} signed"));
    refused(run(&folder, &["plugins"]), &format!("is not the file that the key {id} signed"));
    // What is not signed right is not locked either.
    refused(run(&folder, &["plugins", "lock"]), "is not the file that the key");
}

#[test]
fn a_plugin_may_have_keys_of_its_own() {
    let folder = folder("");
    for name in ["ours", "vendor"] {
        ok(run(&folder, &["plugins", "keygen", "--no-password", "--key", &format!("{name}.key")]));
    }
    let config = "[plugins]\ntrust = \"signed\"\nkeys = [\"ours.pub\"]\n[plugins.acme-login]\nkeys = [\"vendor.pub\"]\n";
    folder.config(config);
    ok(run(&folder, &["plugins", "sign", FILE, "--key", "ours.key"]));
    refused(run(&folder, &["plugins"]), "which is not trusted for it");
    refused(run(&folder, &["plugins", "verify", FILE]), "which is not trusted for it");
    ok(run(&folder, &["plugins", "sign", FILE, "--key", "vendor.key"]));
    ok(run(&folder, &["plugins"]));

    // A key that others could change is no key.
    fs::set_permissions(folder.path().join("vendor.pub"), fs::Permissions::from_mode(0o646)).unwrap();
    refused(run(&folder, &["plugins"]), "vendor.pub can be written by everybody");
}

/// It takes passwords from standard input where that is no terminal.
fn minisign(folder: &Folder, program: &Path, arguments: &[&str]) -> (i32, String) {
    let password = fs::File::open(folder.put("password", format!("{PASSWORD}\n"))).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder.path()).args(arguments).stdin(password);
    said(command.env("LD_LIBRARY_PATH", program::library_path()))
}

#[test]
fn minisign_and_the_program_read_each_others_keys_and_signatures() {
    let Some(tool) = Program::Minisign.path() else { return };
    let folder = folder("");
    let minisign = |arguments: &[&str]| minisign(&folder, &tool, arguments);

    // minisign's key and signatures, hashed and legacy.
    ok(minisign(&["-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"]));
    for mode in ["-H", "-l"] {
        ok(minisign(&["-S", mode, "-s", "theirs.key", "-m", FILE, "-t", "a trusted comment"]));
        let verified = ok(run(&folder, &["plugins", "verify", FILE, "--key", "theirs.pub"]));
        assert!(verified.contains("a trusted comment"), "{verified}");
    }
    folder.config("[plugins]\ntrust = \"signed\"\nkeys = [\"theirs.pub\"]\n");
    ok(run(&folder, &["plugins"]));

    // Their key, our signature.
    ok(run(&folder, &["plugins", "sign", FILE, "--key", "theirs.key"]));
    let verified = ok(minisign(&["-V", "-p", "theirs.pub", "-m", FILE]));
    assert!(verified.contains("file:libacme_login.so\thashed"), "{verified}");

    // Our key, both signatures.
    ok(run(&folder, &["plugins", "keygen", "--password-file", "password", "--key", "ours.key"]));
    ok(run(&folder, &["plugins", "sign", FILE, "--key", "ours.key", "--password-file", "password"]));
    ok(minisign(&["-V", "-p", "ours.pub", "-m", FILE]));
    fs::remove_file(folder.path().join(format!("{FILE}.minisig"))).unwrap();
    ok(minisign(&["-S", "-s", "ours.key", "-m", FILE]));
    ok(run(&folder, &["plugins", "verify", FILE, "--key", "ours.pub"]));

    // What minisign refuses, the program refuses, and the other way round.
    change(&folder);
    assert_ne!(minisign(&["-V", "-p", "ours.pub", "-m", FILE]).0, 0);
    refused(run(&folder, &["plugins", "verify", FILE, "--key", "ours.pub"]), "is not the file that the key");
}
