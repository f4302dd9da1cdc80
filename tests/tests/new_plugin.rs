//! `countersign new-plugin`: what it makes works as it is, and what it prints is what to type.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_tests::built;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;

fn run(folder: &Path, program: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for name in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env("FOO_PASSWORD", "open sesame").env("FOO_SECRET", "throw-away-throw-away-throw-away");
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code().unwrap(), text)
}

#[track_caller]
fn ok((code, text): (i32, String)) -> String {
    assert_eq!(code, 0, "{text}");
    text
}

fn countersign(folder: &Folder, arguments: &[&str]) -> (i32, String) {
    run(folder.path(), built::program(), arguments)
}

/// Makes a plugin, and types all that is printed, with `countersign` found where a user would have it. A shell sees the same
/// lines that a person does; cargo builds beside what is built already, without a network.
fn typed(folder: &Folder, arguments: &[&str]) -> String {
    let printed = ok(countersign(folder, &[&["new-plugin"], arguments].concat()));
    let (steps, config) = printed.split_once("and, in the configuration:").unwrap();
    let config = config.split("Its README.md").next().unwrap().replace("\n  ", "\n");
    folder.config(&config);
    let steps = steps.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n");
    // Not optimized: what is shipped is built by the same lines.
    let steps = steps.replace("--release", "").replace("target/release", "$CARGO_TARGET_DIR/debug");
    let bin = built::program().parent().unwrap();
    let path = std::env::join_paths(
        [bin.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.arg("-euc").arg(&steps).current_dir(folder.path()).env("PATH", path.unwrap()).stdin(Stdio::null());
    shell.env("CARGO_TARGET_DIR", built::target()).env("CARGO_NET_OFFLINE", "true");
    shell
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_TEST_DEBUG", "line-tables-only");
    for name in ["COUNTERSIGN_CONFIG", "RUSTFLAGS", "RUSTC_WRAPPER"] {
        shell.env_remove(name);
    }
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, folder.path().join(arguments[0]).join("Cargo.lock")).unwrap();
    let output = shell.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{steps}\n{text}");
    text
}

/// The configuration with the issuer that the test plays.
fn with_issuer(folder: &Folder, issuer: &FaultServer) {
    let path = folder.path().join("countersign.toml");
    let config =
        fs::read_to_string(path).unwrap().replace("https://foo.example/login", &issuer.url("/login"));
    folder.config(&config);
}

/// A type that logs in is used by a connector.
fn logs_in(folder: &Folder) {
    let issuer = FaultServer::start([Reply::json(r#"{"session":"s1","ttl_seconds":900}"#)]);
    with_issuer(folder, &issuer);
    ok(countersign(folder, &["check"]));
    assert_eq!(ok(countersign(folder, &["header", "foo-x"])), "X-Foo-Session: s1\n");
}

fn signs(folder: &Folder) {
    ok(countersign(folder, &["check"]));
    let placed = ok(countersign(folder, &["header", "foo-x", "-d", "{}"]));
    assert!(placed.contains("X-Foo-Timestamp: ") && placed.contains("X-Foo-Signature: "), "{placed}");
}

#[test]
fn a_crate_builds_passes_and_loads_as_it_is() {
    let folder = Folder::new();
    let said = typed(&folder, &["foo-x"]);
    assert!(said.contains("test result: ok. 6 passed") && said.contains(" 0 failed, "), "{said}");
    logs_in(&folder);
}

#[test]
fn a_crate_that_signs_builds_passes_and_loads_as_it_is() {
    let folder = Folder::new();
    let said = typed(&folder, &["foo-x", "--signs"]);
    assert!(said.contains("test result: ok. 3 passed") && said.contains(" 0 failed, "), "{said}");
    signs(&folder);
}

#[test]
fn a_python_script_passes_and_loads_as_it_is_without_a_compiler() {
    let folder = Folder::new();
    let said = typed(&folder, &["foo-x", "--lang", "python"]);
    assert!(said.contains("Ran 7 tests") && said.contains(" 0 failed, "), "{said}");
    logs_in(&folder);
}

#[test]
fn a_python_script_that_signs_passes_and_loads_as_it_is() {
    let folder = Folder::new();
    let said = typed(&folder, &["foo-x", "--lang", "python", "--signs"]);
    assert!(said.contains("Ran 4 tests") && said.contains(" 0 failed, "), "{said}");
    signs(&folder);
}

#[test]
fn a_shell_script_passes_and_loads_as_it_is() {
    let folder = Folder::new();
    let said = typed(&folder, &["foo-x", "--lang", "sh"]);
    assert!(said.matches("\nok      ").count() >= 9 && said.contains(" 0 failed, "), "{said}");
    logs_in(&folder);
}

#[test]
fn what_is_made_for_the_books_names_is_the_books_example() {
    let folder = Folder::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let same = |made: PathBuf, example: &str| {
        assert_eq!(fs::read_to_string(made).unwrap(), fs::read_to_string(examples.join(example)).unwrap());
    };
    ok(countersign(&folder, &["new-plugin", "acme-login", "--lang", "python"]));
    let made = folder.path().join("acme-login");
    same(made.join("acme-login.py"), "acme-login.py");
    assert_eq!(fs::metadata(made.join("acme-login.py")).unwrap().permissions().mode() & 0o777, 0o755);
    fs::remove_dir_all(&made).unwrap();
    // A name that holds the example's is that name.
    let printed = ok(countersign(&folder, &["new-plugin", "acme-login-2", "--lang", "sh"]));
    assert!(printed.contains("[plugins.acme-login-2]") && !printed.contains("-2-2"), "{printed}");
    let script = fs::read_to_string(folder.path().join("acme-login-2/acme-login-2.sh")).unwrap();
    assert!(script.contains("name: \"acme-login-2\"") && !script.contains("-2-2"), "{script}");
    ok(countersign(&folder, &["new-plugin", "acme-login"]));
    same(made.join("src/lib.rs"), "acme-login/src/lib.rs");
    assert!(!fs::read_to_string(made.join("src/tests.rs")).unwrap().contains("ANCHOR"));
}

#[test]
fn nothing_is_made_over_what_is_there_and_no_name_leads_elsewhere() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("foo-x")).unwrap();
    for (arguments, words) in [
        (&["foo-x"][..], "foo-x is there already"),
        (&["../foo"], "cannot be a plugin's name"),
        (&["jwt-bearer"], "is a built-in type"),
        (&["match"], "is a word of Rust"),
        (&["foo", "--sdk", "/nowhere"], "there is no SDK in /nowhere"),
        (&["foo", "--lang", "sh", "--signs"], "cannot compute signatures"),
        (&["foo", "--lang", "python", "--sdk", "0.1"], "leave `--sdk` out"),
    ] {
        let (code, said) = countersign(&folder, &[&["new-plugin"], arguments].concat());
        assert!(code == 1 && said.contains(words), "{code} {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(folder.path().join("foo-x")).unwrap().count(), 0);
}

#[test]
fn the_sdk_may_be_a_version_or_a_repository() {
    let folder = Folder::new();
    ok(countersign(&folder, &["new-plugin", "foo", "--sdk", "https://git.example/countersign#abc"]));
    let manifest = fs::read_to_string(folder.path().join("foo/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("countersign = { git = \"https://git.example/countersign\", rev = \"abc\" }\n"),
        "{manifest}"
    );
    ok(countersign(&folder, &["new-plugin", "bar", "--sdk", "0.1"]));
    let manifest = fs::read_to_string(folder.path().join("bar/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("countersign = { version = \"0.1\", features = [\"testing\"] }\n"),
        "{manifest}"
    );
}
