//! The program `countersign` as a person or a script uses it: exit status, standard output, standard error.

use std::process::{Command, Stdio};

use countersign_tests::built;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::keys;
use serde_json::Value;

/// What a run left behind.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(built::program());
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    for variable in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

fn run_command(mut command: Command) -> Run {
    let output = command.output().unwrap();
    Run {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(folder: &Folder, arguments: &[&str]) -> Run {
    run_command(command(folder, arguments))
}

/// An API and a configuration for it, with a key and a profile that names the caller.
fn configured(api: &FaultServer) -> Folder {
    let folder = Folder::new();
    folder.put("key", "k-1\n");
    folder.config(&format!(
        r#"
[profiles.key]
type = "api-key"
headers = {{ X-Key = "${{file:key}}", X-User = "{{{{ caller.user }}}}" }}
query_parameters = {{ tenant = "t 1" }}

[profiles.plain]
type = "bearer"
token = "${{env:PLAIN_TOKEN:-t-0}}"

[connectors.orders]
base_url = "{0}"
profile = "key"

[connectors.plain]
base_url = "{0}"
profile = "plain"
"#,
        api.url("/api")
    ));
    folder
}

#[test]
fn check_is_content_with_a_good_configuration_and_calls_nobody() {
    let api = FaultServer::start([Reply::status(200)]);
    let folder = configured(&api);
    let good = run(&folder, &["check"]);
    assert_eq!((good.status, good.stderr.as_str()), (0, ""), "{}", good.stdout);
    assert_eq!(good.stdout, "countersign.toml: 2 connectors, 2 profiles, 0 plugins: no problems found\n");
    assert_eq!(api.connections(), 0);

    // The other ways to name the file; the argument wins.
    let elsewhere = Folder::new();
    let file = folder.path().join("countersign.toml");
    let file = file.to_str().unwrap();
    let mut by_variable = command(&elsewhere, &["check"]);
    by_variable.env("COUNTERSIGN_CONFIG", file);
    assert_eq!(run_command(by_variable).status, 0);
    let mut by_argument = command(&elsewhere, &["-c", file, "check"]);
    by_argument.env("COUNTERSIGN_CONFIG", "/nowhere.toml");
    assert_eq!(run_command(by_argument).status, 0);
    let none = run(&elsewhere, &["check"]);
    assert_eq!((none.status, none.stdout.as_str()), (1, ""));
    assert!(none.stderr.contains("countersign.toml"), "{}", none.stderr);
}

#[test]
fn check_tells_all_that_is_wrong_in_one_go_with_line_and_column() {
    let folder = Folder::new();
    folder.config(
        "[profiles.a]\ntype = \"baisc\"\n\n[profiles.b]\ntype = \"basic\"\nusername = \"u\"\npasword = \"canary\"\n\n\
         [profiles.c]\ntype = \"bearer\"\ntoken = \"${file:nowhere}\"\n\n[profiles.d]\ntype = \"jwt-bearer\"\nkey = \"canary\"\n\n\
         [connectors.x]\nbase_url = \"http://orders.example\"\nprofile = \"bb\"\n",
    );
    let bad = run(&folder, &["check"]);
    assert_eq!((bad.status, bad.stdout.as_str()), (1, ""));
    for finding in [
        "countersign.toml:2:8: profiles.a.type: there is no profile type `baisc`\n  help: did you mean `basic`?",
        "countersign.toml:7:1: profiles.b.pasword:",
        "countersign.toml:11:9: profiles.c.token:",
        "countersign.toml:15:7: profiles.d.key:",
        "countersign.toml:18:12: connectors.x.base_url: is not https",
        "countersign.toml:19:11: connectors.x.profile: there is no profile `bb`",
    ] {
        assert!(bad.stderr.contains(finding), "{finding}\n---\n{}", bad.stderr);
    }
    assert!(bad.stderr.contains("did you mean `password`?"), "{}", bad.stderr);
    assert!(!bad.stderr.contains("canary"), "{}", bad.stderr);
}

#[test]
fn a_plugins_misconfigured_profile_is_reported_with_line_and_column() {
    let folder = Folder::new().with_plugins(&["acme-login", "acme-hmac"]);
    let config = |password: &str, secret: &str| {
        folder.config(&format!(
            "[plugins]\ndir = \"plugins\"\n\n[profiles.login]\ntype = \"acme-login\"\nlogin_url = \"https://acme.example/login\"\n\
             user = \"\"\n{password} = \"canary\"\n\n[profiles.hmac]\ntype = \"acme-hmac\"\nsecret = \"{secret}\"\n"
        ));
    };
    config("password", "canary");
    let bad = run(&folder, &["check"]);
    assert_eq!(bad.status, 1);
    for finding in [
        "countersign.toml:7:8: profiles.login.user: is empty; name Acme's technical user",
        "countersign.toml:12:10: profiles.hmac.secret: is shorter than the hash",
    ] {
        assert!(bad.stderr.contains(finding), "{finding}\n---\n{}", bad.stderr);
    }
    config("passwort", "a-shared-secret-of-32-characters");
    let bad = run(&folder, &["check"]);
    assert!(bad.stderr.contains("countersign.toml:8:1: profiles.login.passwort:"), "{}", bad.stderr);
    assert!(bad.stderr.contains("did you mean `password`?"), "{}", bad.stderr);
    assert!(!bad.stderr.contains("canary"), "{}", bad.stderr);
}

#[test]
fn types_and_their_settings_are_shown_wherever_they_come_from() {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    let built_in = run(&folder, &["types"]);
    assert_eq!((built_in.status, built_in.stderr.as_str()), (0, ""));
    let names: Vec<_> = built_in.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["api-key", "basic", "bearer", "jwt-bearer", "oauth2"]);
    assert!(!built_in.stdout.contains('\x1b'), "colours only on a terminal");

    folder.config("[plugins]\ndir = \"plugins\"\n");
    let all = run(&folder, &["types"]);
    assert!(all.stdout.starts_with("acme-login"), "{}", all.stdout);
    let json: Value = serde_json::from_str(&run(&folder, &["types", "--json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 6);
    assert_eq!(json[0]["type"], "acme-login");
    let shown = run(&folder, &["types", "show", "acme-login"]);
    assert!(
        shown.stdout.contains("login_url  string, required\n    Acme's login endpoint."),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("password  secret string, required"), "{}", shown.stdout);
    let unknown = run(&folder, &["types", "show", "oauth"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (1, ""));
    assert!(unknown.stderr.contains("did you mean `oauth2`?"), "{}", unknown.stderr);

    let schema: Value = serde_json::from_str(&run(&folder, &["schema"]).stdout).unwrap();
    let text = schema.to_string();
    for word in ["acme-login", "jwt-bearer", "base_url", "login_url", "rejection"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn plugins_are_listed_and_inspected() {
    let folder = Folder::new().with_plugins(&["acme-hmac"]);
    folder.config("[plugins]\ndir = \"plugins\"\n");
    let listed = run(&folder, &["plugins"]);
    assert_eq!(listed.status, 0, "{}", listed.stderr);
    assert!(
        listed.stdout.contains("libacme_hmac.so") && listed.stdout.contains("types: acme-hmac"),
        "{}",
        listed.stdout
    );
    let inspected = run(&folder, &["plugins", "inspect", "plugins/libacme_hmac.so"]);
    assert!(
        inspected.stdout.contains("type       acme-hmac: Acme's request signature"),
        "{}",
        inspected.stdout
    );

    folder.put("plugins/broken.so", "\x7fELF");
    let listed = run(&folder, &["plugins"]);
    assert_eq!(listed.status, 1);
    assert!(listed.stdout.contains("refused:") && listed.stdout.contains("broken.so"), "{}", listed.stdout);
    let inspected = run(&folder, &["plugins", "inspect", "plugins/broken.so"]);
    assert_eq!((inspected.status, inspected.stdout.as_str()), (1, ""));
    assert!(inspected.stderr.contains("broken.so"), "{}", inspected.stderr);
    let check = run(&folder, &["check"]);
    assert!(check.status == 1 && check.stdout.contains("broken.so"), "{}{}", check.stdout, check.stderr);
    // The others go on without it.
    assert!(run(&folder, &["types"]).stdout.starts_with("acme-hmac"));
}

#[test]
fn header_prints_what_would_be_placed_and_calls_nobody() {
    let api = FaultServer::start([Reply::status(200)]);
    let folder = configured(&api);
    let placed = run(&folder, &["header", "orders", "--caller", "user=ada", "--path", "/x?page=2"]);
    assert_eq!((placed.status, placed.stderr.as_str()), (0, ""));
    let mut lines: Vec<_> = placed.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["Query: tenant=t%201", "X-Key: k-1", "X-User: ada"]);

    let mut from_environment = command(&folder, &["header", "plain"]);
    from_environment.env("PLAIN_TOKEN", "t-9");
    assert_eq!(run_command(from_environment).stdout, "Authorization: Bearer t-9\n");
    assert_eq!(run(&folder, &["header", "plain"]).stdout, "Authorization: Bearer t-0\n");

    for (arguments, says) in [
        (&["header", "order"][..], "did you mean `orders`?"),
        (&["header", "orders"], "user"),
        (&["header", "plain", "--path", "/../admin"], "leads out of"),
    ] {
        let failed = run(&folder, arguments);
        assert_eq!((failed.status, failed.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(failed.stderr.contains(says), "{arguments:?}: {}", failed.stderr);
    }
    assert_eq!(api.connections(), 0);
}

#[test]
fn call_sends_the_request_and_prints_the_answer() {
    let api = FaultServer::start([Reply::json("{\"ok\":true}").header("X-Answer", "1")]);
    let folder = configured(&api);
    folder.put("body.json", "{\"n\":1}");
    let plain = run(&folder, &["call", "orders", "/x?page=2", "--caller", "user=ada"]);
    assert_eq!((plain.status, plain.stdout.as_str(), plain.stderr.as_str()), (0, "{\"ok\":true}", ""));
    let seen = &api.requests()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/api/x?page=2&tenant=t%201"));
    assert_eq!((seen.header("x-key"), seen.header("x-user")), (Some("k-1"), Some("ada")));

    let full = run(
        &folder,
        &["call", "plain", "x", "-X", "PUT", "-H", "X-A: b c", "--header", "X-D:e", "-d", "@body.json", "-i"],
    );
    assert!(full.stdout.starts_with("HTTP/1.1 200 OK\n"), "{}", full.stdout);
    assert!(
        full.stdout.contains("x-answer: 1\n") && full.stdout.ends_with("\n\n{\"ok\":true}"),
        "{}",
        full.stdout
    );
    let seen = &api.requests()[1];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str(), seen.text().as_str()),
        ("PUT", "/api/x", "{\"n\":1}")
    );
    assert_eq!((seen.header("x-a"), seen.header("x-d")), (Some("b c"), Some("e")));
    assert_eq!(seen.header("authorization"), Some("Bearer t-0"));
    assert_eq!(run(&folder, &["call", "plain", "/", "-d", "x"]).status, 0);
    assert_eq!(api.requests()[2].method, "POST");
}

#[test]
fn the_exit_status_tells_an_apis_error_from_a_call_that_never_went_out() {
    let api = FaultServer::start([Reply::status(404).body("no such order"), Reply::redirect("/api/new")]);
    let folder = configured(&api);
    let missing = run(&folder, &["call", "plain", "/x"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (22, "no such order"));
    let redirect = run(&folder, &["call", "plain", "/x", "-i"]);
    assert!(redirect.status == 0 && redirect.stdout.contains("location: /api/new"), "{}", redirect.stdout);
    api.rescript([Reply::redirect("/api/new"), Reply::status(200).body("there")]);
    assert_eq!(run(&folder, &["call", "plain", "/x", "-L"]).stdout, "there");
    let before = api.count();
    let url = api.url("/api/x");
    for (arguments, says) in [
        (&["call", "ordrs", "/x"][..], "did you mean `orders`?"),
        (&["call", "orders", "/x"], "user"),
        (&["call", "plain", "/%2e%2e/x"], "leads out of"),
        (&["call", "plain", "/x", "-H", "no header"], "-H"),
        (&["call", "plain", "/x", "-d", "@nowhere"], "nowhere"),
    ] {
        let failed = run(&folder, arguments);
        assert_eq!((failed.status, failed.stdout.as_str()), (1, ""), "{arguments:?}: {}", failed.stderr);
        assert!(failed.stderr.contains(says), "{arguments:?}: {}", failed.stderr);
    }
    assert_eq!(api.count(), before, "{url}");
    // What clap finds wrong is a matter of usage.
    for arguments in [&["call"][..], &["cal"], &["call", "plain", "/x", "--caller", "user"], &[]] {
        assert_eq!(run(&folder, arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn jwks_prints_the_public_halves_only() {
    let folder = Folder::new();
    folder.put("key.pem", keys::p256().private);
    folder.config(
        "[profiles.jwt]\ntype = \"jwt-bearer\"\nissuer = \"i\"\naudience = \"a\"\nkey = \"${file:key.pem}\"\nheaders = { kid = \"k1\" }\n\
         [profiles.shared]\ntype = \"jwt-bearer\"\nkey = { secret = \"a-shared-secret-of-32-characters\" }\n",
    );
    let set = run(&folder, &["jwks", "jwt"]);
    assert_eq!((set.status, set.stderr.as_str()), (0, ""));
    let set: Value = serde_json::from_str(&set.stdout).unwrap();
    let key = &set["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["kid"]), (&"EC".into(), &"P-256".into(), &"k1".into()));
    assert!(key.get("d").is_none());
    for (profile, says) in [("shared", "no public keys"), ("jvt", "no profile `jvt`")] {
        let failed = run(&folder, &["jwks", profile]);
        assert_eq!((failed.status, failed.stdout.as_str()), (1, ""));
        assert!(failed.stderr.contains(says), "{}", failed.stderr);
    }
}

#[test]
fn completions_version_and_help_are_there() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&folder, &["completions", shell]);
        assert!(script.status == 0 && script.stdout.contains("countersign"), "{shell}");
    }
    assert!(run(&folder, &["--version"]).stdout.starts_with("countersign "));
    let help = run(&folder, &["--help"]);
    for word in ["check", "types", "schema", "plugins", "header", "call", "jwks", "demo", "--config"] {
        assert!(help.stdout.contains(word), "{word}");
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let folder = Folder::new();
    let mut schema = command(&folder, &["schema"]);
    let mut child = schema.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}
