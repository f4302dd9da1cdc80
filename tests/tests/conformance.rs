//! The built-in types and the examples pass the conformance suite, as an author runs it, in every home; a plugin that does not keep to
//! the rules does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::tls::TestCa;
use serde_json::{Value, json};

/// The issuer's answers in `tests/conformance`, for a type that the usual ones do not suit.
fn script(config: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(format!("{config}.json"));
    file.exists().then_some(file)
}

/// A folder with configurations of `tests/conformance` as one, and with the key and certificate that some of them name.
fn folder(configs: &[&str]) -> Folder {
    let folder = Folder::new();
    let read = |name: &&str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(format!("{name}.toml"));
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    folder.config(&configs.iter().map(read).collect::<Vec<_>>().join("\n"));
    // A key on P-256, which serves those that want no certificate, too.
    let identity = TestCa::new().client("conformance");
    folder.put("key.pem", identity.key);
    folder.put("certificate.pem", identity.certificate);
    folder
}

/// What the program says of a file: its exit status, and its report.
fn test(folder: &Folder, file: &Path, more: &[&str]) -> (i32, Value) {
    let output = Command::new(built::program())
        .current_dir(folder.path())
        .args(["plugins", "test", "--json"])
        .arg(file)
        .args(more)
        .env_remove("COUNTERSIGN_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
    let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    for secret in ["throw-away", "c0nf0rmance-canary"] {
        assert!(!out.contains(secret) && !err.contains(secret), "{secret}: {out}{err}");
    }
    (output.status.code().unwrap(), report)
}

/// Runs the suite on a file that keeps to everything.
fn passes(file: &Path, configs: &[&str]) {
    let script = match configs {
        [config] => script(config),
        _ => None,
    };
    let more = script.as_ref().map(|script| ["--script", script.to_str().unwrap()]);
    let (code, report) = test(&folder(configs), file, more.as_ref().map_or(&[][..], |more| more.as_slice()));
    let homes = report["homes"].as_array().unwrap();
    let words = failures(&report).join("\n");
    assert_eq!((code, words.as_str()), (0, ""), "{}", file.display());
    for home in homes {
        assert!(home["refused"].is_null(), "{}: {}", file.display(), home["refused"]);
        let passed =
            home["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "passed").count();
        assert!(passed >= 18, "only {passed} checks were passed by {} in {}", file.display(), home["home"]);
    }
}

fn failures(report: &Value) -> Vec<String> {
    let homes = report["homes"].as_array().unwrap().iter();
    let checks =
        homes.flat_map(|home| home["checks"].as_array().unwrap()).chain(report["across"].as_array().unwrap());
    checks
        .filter(|check| check["verdict"] == "failed")
        .map(|check| format!("{} of {}: {}", check["check"], check["about"], check["why"]))
        .collect()
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(file)
}

fn built_in_passes(name: &str) {
    assert!(built::BUILT_IN.contains(&name));
    passes(&built::plugin(&format!("countersign-{name}")), &[name]);
}

#[test]
fn api_key_passes_as_a_library() {
    built_in_passes("api-key");
}

#[test]
fn aws_sigv4_passes_as_a_library() {
    built_in_passes("aws-sigv4");
}

#[test]
fn basic_passes_as_a_library() {
    built_in_passes("basic");
}

#[test]
fn bearer_passes_as_a_library() {
    built_in_passes("bearer");
}

#[test]
fn digest_passes_as_a_library() {
    built_in_passes("digest");
}

#[test]
fn hmac_passes_as_a_library() {
    built_in_passes("hmac");
}

#[test]
fn http_signature_passes_as_a_library() {
    built_in_passes("http-signature");
}

#[test]
fn command_passes_as_a_library() {
    built_in_passes("command");
}

#[test]
fn client_certificate_passes_as_a_library() {
    built_in_passes("client-certificate");
}

#[test]
fn jwt_bearer_passes_as_a_library() {
    built_in_passes("jwt-bearer");
}

#[test]
fn oauth1_passes_as_a_library() {
    built_in_passes("oauth1");
}

#[test]
fn oauth2_passes_as_a_library() {
    built_in_passes("oauth2");
}

#[test]
fn session_passes_as_a_library() {
    built_in_passes("session");
}

#[test]
fn the_examples_in_rust_pass() {
    for name in ["acme-login", "acme-hmac"] {
        passes(&built::plugin(name), &[name]);
    }
}

#[test]
fn the_examples_in_python_and_shell_pass() {
    for (file, config) in
        [("acme-login.py", "acme-login"), ("acme-login.sh", "acme-login"), ("acme-hmac.py", "acme-hmac")]
    {
        passes(&example(file), &[config]);
    }
}

#[test]
fn the_example_in_c_passes() {
    passes(&built::example_in_c(), &["acme-key"]);
}

#[test]
fn the_built_in_types_pass_as_a_program() {
    passes(&built::executable("countersign-fixture-over-stdio"), &built::BUILT_IN);
}

#[test]
fn the_recipes_of_the_cookbook_pass() {
    passes(&built::plugin("acme-cookbook"), &["cookbook"]);
}

#[test]
fn what_is_crooked_is_named_and_the_status_is_1() {
    let folder = Folder::new();
    folder.config("[profiles.panics]\ntype = \"faulty\"\nact = \"panic-in-acquire-later\"\n");
    let (code, report) =
        test(&folder, &built::plugin("countersign-fixture-faults"), &["--isolation", "in-process"]);
    let failures = failures(&report);
    assert_eq!(code, 1);
    for check in ["acquired", "never-internal", "schema-closed"] {
        assert!(
            failures.iter().any(|failure| failure.starts_with(&format!("\"{check}\""))),
            "{check}: {failures:#?}"
        );
    }
}

#[test]
fn without_a_configuration_it_says_what_to_give_and_a_script_is_the_issuer() {
    let folder = Folder::new();
    let (code, report) = test(&folder, &built::plugin("acme-login"), &["--isolation", "in-process"]);
    assert_eq!((code, failures(&report)), (0, Vec::new()));
    assert!(
        report.to_string().contains("--config FILE") && report["untried"].as_u64().unwrap() > 20,
        "{report}"
    );
    let (code, _) = test(&folder, &built::plugin("acme-login"), &["--isolation", "in-process", "--strict"]);
    assert_eq!(code, 1, "`--strict` does not let it pass that nothing was tried");

    let folder = self::folder(&["acme-login"]);
    let acquired = |answers: Value| {
        folder.put("answers.json", answers.to_string());
        let more = ["--script", "answers.json", "--isolation", "in-process"];
        let (_, report) = test(&folder, &built::plugin("acme-login"), &more);
        let checks = report["homes"][0]["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["check"] == "acquired").unwrap()["verdict"].clone()
    };
    assert_eq!(
        acquired(json!([{ "body": { "session": "s-{{conversation}}", "ttl_seconds": 60 } }])),
        "passed"
    );
    assert_eq!(acquired(json!([{ "body": { "token": "t" } }])), "failed");
}
