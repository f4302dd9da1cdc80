//! What the tests run as it is shipped: plugin files, and the program. `tests/run` builds the plugins beforehand and
//! names their folder in `COUNTERSIGN_TEST_PLUGINS`; what is not there is built by the first test that wants it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The types that the host has built in.
pub const BUILT_IN: [&str; 13] = [
    "api-key",
    "aws-sigv4",
    "basic",
    "bearer",
    "client-certificate",
    "command",
    "digest",
    "hmac",
    "http-signature",
    "jwt-bearer",
    "oauth1",
    "oauth2",
    "session",
];

/// The packages that are built as plugin files, and the features that make them ones.
const PLUGINS: [(&str, &[&str]); 18] = [
    ("countersign-api-key", &["--features", "plugin"]),
    ("countersign-aws-sigv4", &["--features", "plugin"]),
    ("countersign-basic", &["--features", "plugin"]),
    ("countersign-bearer", &["--features", "plugin"]),
    ("countersign-client-certificate", &["--features", "plugin"]),
    ("countersign-digest", &["--features", "plugin"]),
    ("countersign-hmac", &["--features", "plugin"]),
    ("countersign-http-signature", &["--features", "plugin"]),
    ("countersign-command", &["--features", "plugin"]),
    ("countersign-jwt-bearer", &["--features", "plugin"]),
    ("countersign-oauth1", &["--features", "plugin"]),
    ("countersign-oauth2", &["--features", "plugin"]),
    ("countersign-session", &["--features", "plugin"]),
    ("acme-hmac", &[]),
    ("acme-login", &[]),
    ("acme-cookbook", &[]),
    ("countersign-fixture-escapes", &[]),
    ("countersign-fixture-harms", &[]),
];

/// The plugin file of a package.
pub fn plugin(package: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| match std::env::var_os("COUNTERSIGN_TEST_PLUGINS") {
        Some(folder) => folder.into(),
        None => build_plugins(),
    });
    let file = folder.join(format!("lib{}.so", package.replace('-', "_")));
    assert!(file.exists(), "{} is missing: run `tests/run --only plugins`", file.display());
    file
}

/// The executable plugin of a package.
pub fn executable(package: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| match std::env::var_os("COUNTERSIGN_TEST_PLUGINS") {
        Some(folder) => folder.into(),
        None => {
            let _one_at_a_time = lock("program");
            cargo(&["build", "-p", package]);
            target().join("debug")
        }
    });
    let file = folder.join(package);
    assert!(file.exists(), "{} is missing: run `tests/run --only plugins`", file.display());
    file
}

/// The example in C, compiled as its first lines say.
pub fn example_in_c() -> PathBuf {
    let program = target().join("acme-key");
    let _one_at_a_time = lock("acme-key");
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/acme-key.c"))
        .status()
        .unwrap();
    assert!(status.success(), "the example in C does not compile");
    program
}

/// The program `countersign`: the one that `COUNTERSIGN_TEST_PROGRAM` names, else a new one.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("COUNTERSIGN_TEST_PROGRAM") {
        Some(program) => program.into(),
        None => {
            let _one_at_a_time = lock("program");
            cargo(&["build", "-p", "countersign-host", "--bin", "countersign"]);
            target().join("debug/countersign")
        }
    })
}

/// Lets plugins of this process run in processes of their own: the program is what they run.
///
/// Each test binary calls it that loads such plugins itself; the program knows its own.
pub fn be_host_of_workers() {
    countersign_host::plugin::set_worker_program(program());
}

/// The program `countersign` with the feature `otel`: the one that `COUNTERSIGN_TEST_PROGRAM_OTEL` names, else a new one.
pub fn program_with_otel() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("COUNTERSIGN_TEST_PROGRAM_OTEL") {
        Some(program) => program.into(),
        None => {
            let _one_at_a_time = lock("program");
            cargo(&["build", "-p", "countersign-host", "--bin", "countersign", "--features", "otel"]);
            let built = target().join("debug/countersign-otel");
            std::fs::copy(target().join("debug/countersign"), &built).unwrap();
            built
        }
    })
}

fn build_plugins() -> PathBuf {
    let _one_at_a_time = lock("plugins");
    let folder = target().join("debug/test-plugins");
    std::fs::create_dir_all(&folder).unwrap();
    for (package, features) in PLUGINS {
        let build = ["rustc", "--lib", "--crate-type", "cdylib", "-p", package];
        cargo(&[&build, features].concat());
        let file = format!("lib{}.so", package.replace('-', "_"));
        // Renamed into its place, for another test may be loading the one before.
        let new = folder.join(format!(".{file}"));
        std::fs::copy(target().join("debug").join(&file), &new).unwrap();
        std::fs::rename(new, folder.join(file)).unwrap();
    }
    folder
}

fn cargo(arguments: &[&str]) {
    let status = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .args(["--quiet", "--target-dir"])
        .arg(target())
        .status()
        .unwrap();
    assert!(status.success(), "cargo {arguments:?} failed");
}

/// Where cargo builds: the test's own executable is in `debug/deps/` there.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Other tests are other processes.
fn lock(what: &str) -> File {
    let file = File::create(target().join(format!("{what}.lock"))).unwrap();
    file.lock().unwrap();
    file
}
