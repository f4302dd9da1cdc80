//! The program as a user or a script meets it: arguments, exit status, standard output and standard error.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_tests::built;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::keys;
use serde_json::{Value, json};

/// What a run left behind.
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// What it said on standard error when it ended with this status and nothing on standard output.
    #[track_caller]
    fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        self.err
    }
}

/// The program in a folder, with none of this machine's settings.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(built::program());
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for name in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "NO_COLOR", "http_proxy", "HTTP_PROXY", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    command
}

fn output(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    // Neither is a terminal here.
    assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "colours: {}{}", run.out, run.err);
    run
}

fn run(folder: &Folder, arguments: &[&str]) -> Run {
    output(program(folder.path(), arguments))
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A configuration with a profile of every built-in type that needs no issuer.
fn configured(base_url: &str) -> Folder {
    let folder = Folder::new();
    folder.put("key.pem", keys::p256().private);
    folder.put("password", "open sesame\n");
    folder.config(&format!(
        r#"
[connectors.orders]
base_url = "{base_url}"
profile = "user"

[connectors.tenants]
base_url = "{base_url}"
profiles = ["user", "tenant"]

[connectors.signed]
base_url = "{base_url}"
profile = "signed"

[connectors.keyed]
base_url = "{base_url}"
profile = "keyed"

[profiles.user]
type = "basic"
username = "Aladdin"
password = "${{file:password}}"

[profiles.tenant]
type = "api-key"
headers = {{ X-Tenant = "{{{{ caller.tenant }}}}" }}

[profiles.keyed]
type = "api-key"
key = "k y"
query = "key"

[profiles.signed]
type = "jwt-bearer"
key = "${{file:key.pem}}"
issuer = "https://erp.example"
headers = {{ kid = "k1" }}
"#
    ));
    folder
}

const NOWHERE: &str = "https://orders.example/api";
const ALADDIN: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";

#[test]
fn help_and_version_are_for_people_and_a_wrong_argument_is_a_wrong_call() {
    let folder = Folder::new();
    let help = run(&folder, &["--help"]).ok();
    for command in [
        "check",
        "types",
        "schema",
        "plugins",
        "header",
        "call",
        "test",
        "explain",
        "jwks",
        "demo",
        "completions",
    ] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {help}");
        let own = run(&folder, &[command, "--help"]).ok();
        assert!(own.contains("Usage: countersign") && own.contains("--config"), "{command}: {own}");
    }
    assert!(run(&folder, &["--version"]).ok().starts_with("countersign 0."));
    assert!(run(&folder, &["chek"]).failed(2).contains("check"));
    assert!(run(&folder, &["header"]).failed(2).contains("<CONNECTOR>"));
    assert!(run(&folder, &["call", "a", "/", "--caller", "nonsense"]).failed(2).contains("NAME=VALUE"));
}

#[test]
fn check_says_what_it_found_to_be_good() {
    let folder = configured(NOWHERE);
    let said = run(&folder, &["check"]).ok();
    assert_eq!(said, "countersign.toml: 4 connectors, 4 profiles, 0 plugins: no problems found\n");
}

#[test]
fn check_shows_each_problem_with_line_and_column_on_standard_error() {
    let folder = Folder::new();
    folder.config(concat!(
        "[connectors.orders]\n",
        "base_url = \"http://orders.example/\"\n",
        "profile = \"usr\"\n",
        "[profiles.user]\n",
        "type = \"basic\"\n",
        "usernam = \"a\"\n",
        "password = \"${file:missing}\"\n",
        "[profiles.other]\n",
        "type = \"basik\"\n",
    ));
    let said = run(&folder, &["check"]).failed(1);
    let places: Vec<_> = said.lines().filter(|line| line.starts_with("countersign.toml:")).collect();
    for (place, words) in [
        ("countersign.toml:2:12: connectors.orders.base_url:", "is not https"),
        ("countersign.toml:3:11: connectors.orders.profile:", "there is no profile `usr`"),
        ("countersign.toml:6:1: profiles.user", "usernam"),
        ("countersign.toml:7:12: profiles.user.password:", "there is no such file"),
        ("countersign.toml:9:8: profiles.other.type:", "basik"),
    ] {
        assert!(
            places.iter().any(|line| line.starts_with(place) && line.contains(words)),
            "{place} {words}\n{said}"
        );
    }
    assert!(said.contains("did you mean `user`?") && said.contains("`basic`"), "{said}");
}

#[test]
fn check_tells_what_would_keep_serve_from_starting_and_makes_nothing() {
    let token = "listen = \"127.0.0.1:0\"\naccess = \"token\"";
    let profile = "[profiles.u]\ntype = \"basic\"\nusername = \"a\"\npassword = \"b\"\n";
    let connector = "[connectors.c]\nbase_url = \"https://c.example\"\nprofile = \"u\"\n";
    let with = |serve: &str| {
        let folder = Folder::new();
        folder.config(&format!("{profile}{connector}[serve]\n{serve}\n"));
        folder
    };
    let nothing = |_: &Folder| {};
    let held = |text: &'static str, mode: u32| {
        move |folder: &Folder| {
            let path = folder.put("countersign.token", text);
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let good = "0123456789abcdef0123456789abcdef";
    // What `check` says, `serve` does: the same set-up keeps it from starting, with the same words.
    type Put<'a> = &'a dyn Fn(&Folder);
    let cases: [(&str, Put<'_>, &str); 6] = [
        (
            &format!("{token}\ntoken_file = \"none/token\""),
            &nothing,
            "serve.token_file: the token file none/token cannot be",
        ),
        (token, &held("short", 0o600), "serve.token_file: the token file countersign.token holds no token"),
        (token, &held("", 0o600), "serve.token_file: the token file countersign.token holds no token"),
        (
            token,
            &held(good, 0o644),
            "serve.token_file: the token file countersign.token can be read or written by others",
        ),
        ("listen = \"unix:none/a.sock\"", &nothing, "cannot listen on unix:none/a.sock: there is no"),
        (
            "listen = \"unix:a.sock\"",
            &|folder| drop(folder.put("a.sock", "precious")),
            "cannot listen on unix:a.sock: there is a file that is no socket",
        ),
    ];
    for (serve, put, words) in cases {
        let folder = with(serve);
        put(&folder);
        let here = format!("{}/", folder.path().display());
        let before = fs::read_dir(folder.path()).unwrap().count();
        let checked = run(&folder, &["check"]).failed(1).replace(&here, "");
        assert!(checked.contains(words), "{checked}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before, "{checked}");
        let served = run(&folder, &["serve"]);
        assert!(served.code == 1 && served.err.replace(&here, "").contains(words), "{}", served.err);
    }
    let folder = with(token);
    assert!(run(&folder, &["check"]).ok().ends_with("no problems found\n"));
    assert!(!folder.path().join("countersign.token").exists());
}

#[test]
fn check_warns_of_a_secret_that_everybody_may_read_and_lets_it_pass() {
    let folder = configured(NOWHERE);
    let password = folder.path().join("password");
    fs::set_permissions(password, fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&folder, &["check"]).ok();
    assert!(said.contains("warning: profiles.user.password: every user of this machine may read"), "{said}");
    assert!(said.contains("no problems found"), "{said}");
}

#[test]
fn the_configuration_is_found_by_argument_by_variable_and_by_its_usual_name() {
    let (folder, elsewhere) = (configured(NOWHERE), Folder::new());
    let config = folder.path().join("countersign.toml");
    let config = config.to_str().unwrap();
    for arguments in [["--config", config, "check"], ["check", "-c", config]] {
        assert!(run(&elsewhere, &arguments).ok().contains("no problems found"));
    }
    let mut by_variable = program(elsewhere.path(), &["check"]);
    by_variable.env("COUNTERSIGN_CONFIG", config);
    assert!(output(by_variable).ok().starts_with(config));
    // The argument is nearer than the variable.
    let mut both = program(elsewhere.path(), &["-c", "other.toml", "check"]);
    both.env("COUNTERSIGN_CONFIG", config);
    assert!(output(both).failed(1).starts_with("other.toml: "));
    assert!(run(&elsewhere, &["check"]).failed(1).starts_with("countersign.toml: "));
}

#[test]
fn types_are_listed_and_shown_without_a_configuration() {
    let folder = Folder::new();
    let list = run(&folder, &["types"]).ok();
    for name in built::BUILT_IN {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {list}");
        let shown = run(&folder, &["types", "show", name]).ok();
        assert!(shown.starts_with(name) && shown.contains(&format!("type = \"{name}\"")), "{shown}");
    }
    let shown = run(&folder, &["types", "show", "basic"]).ok();
    assert!(shown.contains("  password  secret string, required"), "{shown}");
    assert!(run(&folder, &["types", "show", "basci"]).failed(1).contains("did you mean `basic`?"));

    let all = json_of(&run(&folder, &["types", "--json"]).ok());
    let names: Vec<_> = all.as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(names, built::BUILT_IN);
    let one = json_of(&run(&folder, &["types", "show", "basic", "--json"]).ok());
    assert_eq!(one["schema"]["properties"]["password"]["writeOnly"], true);
}

#[test]
fn the_schema_accepts_a_good_configuration_and_refuses_bad_ones() {
    let folder = configured(NOWHERE);
    let schema = json_of(&run(&folder, &["schema"]).ok());
    jsonschema::meta::validate(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let text = fs::read_to_string(folder.path().join("countersign.toml")).unwrap();
    let good: Value = toml::from_str(&text).unwrap();
    let complaints = |config: &Value| schema.iter_errors(config).map(|it| it.to_string()).collect::<Vec<_>>();
    assert_eq!(complaints(&good), Vec::<String>::new());
    for (pointer, value) in [
        ("/profiles/user/type", json!("basik")),
        ("/profiles/user/username", json!(1)),
        ("/profiles/user/pasword", json!("x")),
        ("/profiles/tenant/headers", json!("x")),
        ("/connectors/orders/base_url", json!(1)),
        ("/connectors/orders/base", json!("x")),
        ("/connector", json!({})),
    ] {
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.into(), value);
        assert_ne!(complaints(&bad), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn header_prints_what_a_request_would_carry_and_sends_nothing() {
    let folder = configured(NOWHERE);
    let printed = run(&folder, &["header", "tenants", "--caller", "tenant=t-1"]).ok();
    let mut lines: Vec<_> = printed.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [&format!("Authorization: {ALADDIN}"), "X-Tenant: t-1"]);
    assert_eq!(run(&folder, &["header", "keyed", "--path", "/42?a=1"]).ok(), "Query: key=k%20y\n");
    let signed = run(&folder, &["header", "signed"]).ok();
    assert!(signed.starts_with("Authorization: Bearer eyJ") && signed.lines().count() == 1, "{signed}");
    assert!(run(&folder, &["header", "keyed", "--path", "/../../x"]).failed(1).contains("--path"));
}

#[test]
fn the_page_of_a_type_has_what_is_hidden_in_alternatives_defaults_and_lines_for_a_terminal() {
    let folder = Folder::new();
    let listed = json_of(&run(&folder, &["types", "--json"]).ok());
    for name in listed.as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()) {
        let page = run(&folder, &["types", "show", name]).ok();
        let long = page.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{name}");
    }
    let page = run(&folder, &["types", "show", "oauth2"]).ok();
    for words in [
        "  grant  one of those below, default \"client_credentials\"\n",
        "    \"refresh_token\"  A refresh token that someone obtained before (RFC 6749 §6).\n",
        "  client_key  secret string or table, optional\n",
        "      accept_bearer  boolean, default false\n",
        "  extra_headers  table of secret string, optional\n",
        "  default_lifetime  string, default \"5m\"\n",
    ] {
        assert!(page.contains(words), "{words}{page}");
    }
}

#[test]
fn an_unknown_connector_gets_a_suggestion() {
    let folder = configured(NOWHERE);
    for arguments in [&["header", "order"][..], &["call", "order", "/"]] {
        let said = run(&folder, arguments).failed(1);
        assert!(said.starts_with("countersign: connector order: "), "{said}");
        assert!(said.contains("did you mean `orders`?"), "{said}");
    }
    assert!(run(&folder, &["header", "zzzzzz"]).failed(1).contains("keyed, orders, signed, tenants"));
}

#[test]
fn call_sends_method_headers_data_and_caller_with_the_credential() {
    let api = FaultServer::start([Reply::status(200).header("X-Id", "7").body("the answer")]);
    let folder = configured(&api.url("/api"));
    assert_eq!(run(&folder, &["call", "orders", "/42?x=1"]).ok(), "the answer");
    let seen = api.requests().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/api/42?x=1"));
    assert_eq!(seen.header("authorization"), Some(ALADDIN));

    folder.put("body", "from a file");
    for (data, expected) in [("{\"a\":1}", "{\"a\":1}"), ("@body", "from a file")] {
        run(&folder, &["call", "tenants", "/", "-d", data, "--caller", "tenant=t-1"]).ok();
        let seen = api.requests().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.text().as_str()), ("POST", expected));
        assert_eq!(seen.header("x-tenant"), Some("t-1"));
    }
    let mut piped = program(
        folder.path(),
        &["call", "orders", "/", "-X", "PUT", "-d", "@-", "-H", "X-A: 1", "-H", "X-B:2"],
    );
    piped.stdin(fs::File::open(folder.path().join("body")).unwrap());
    output(piped).ok();
    let seen = api.requests().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.text().as_str()), ("PUT", "from a file"));
    assert_eq!((seen.header("x-a"), seen.header("x-b")), (Some("1"), Some("2")));

    let included = run(&folder, &["call", "orders", "/", "-i"]).ok();
    assert!(included.starts_with("HTTP/1.1 200 OK\n"), "{included}");
    assert!(included.contains("\nx-id: 7\n") && included.ends_with("\n\nthe answer"), "{included}");

    assert!(
        run(&folder, &["call", "tenants", "/"]).failed(1).contains("the caller has no attribute `tenant`")
    );
    assert!(run(&folder, &["call", "orders", "/", "-H", "nonsense"]).failed(1).contains("`Name: value`"));
    assert!(
        run(&folder, &["call", "orders", "/", "-d", "@missing"]).failed(1).contains("cannot read missing")
    );
}

#[test]
fn the_exit_status_of_a_call_says_who_failed() {
    let api =
        FaultServer::start([Reply::status(404).body("none such"), Reply::status(503), Reply::status(304)]);
    let folder = configured(&api.url("/api"));
    for (code, body) in [(22, "none such"), (22, ""), (0, "")] {
        let run = run(&folder, &["call", "orders", "/"]);
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (code, body, ""));
    }
    api.rescript([Reply::reset_after_request()]);
    let said = run(&folder, &["call", "orders", "/"]).failed(1);
    assert!(said.starts_with("countersign: connector orders: "), "{said}");
}

#[test]
fn without_a_credential_there_is_no_call() {
    let (api, issuer) = (FaultServer::start([Reply::status(200)]), FaultServer::start([Reply::status(500)]));
    let folder = Folder::new();
    folder.config(&format!(
        "[connectors.orders]\nbase_url = \"{}\"\nprofile = \"p\"\n[profiles.p]\ntype = \"oauth2\"\n\
         token_url = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"the-secret\"\n",
        api.url("/"),
        issuer.url("/token")
    ));
    for arguments in [&["call", "orders", "/"][..], &["header", "orders"]] {
        let said = run(&folder, arguments).failed(1);
        assert!(said.contains("connector orders, profile p: ") && said.contains("status 500"), "{said}");
        assert!(!said.contains("the-secret"), "{said}");
    }
    assert_eq!((issuer.count(), api.connections()), (2, 0));
}

#[test]
fn redirects_are_followed_when_asked_and_elsewhere_without_the_credential() {
    let elsewhere = FaultServer::start([Reply::status(200).body("elsewhere")]);
    let api = FaultServer::start([Reply::redirect(elsewhere.url("/file"))]);
    let folder = configured(&api.url("/api"));
    let run_one = |arguments: &[&str]| run(&folder, arguments);
    assert_eq!(run_one(&["call", "orders", "/"]).ok(), "");
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(run_one(&["call", "orders", "/", "-L"]).ok(), "elsewhere");
    let seen = elsewhere.requests().pop().unwrap();
    assert_eq!(seen.header("authorization"), None);

    api.rescript([Reply::redirect("/api/there"), Reply::status(200).body("there")]);
    assert_eq!(run_one(&["call", "orders", "/", "-L"]).ok(), "there");
    assert_eq!(api.requests().pop().unwrap().header("authorization"), Some(ALADDIN));
}

#[test]
fn jwks_prints_public_keys_only() {
    let folder = configured(NOWHERE);
    let keys = json_of(&run(&folder, &["jwks", "signed"]).ok());
    let key = keys["keys"].as_array().unwrap().iter().next().unwrap();
    assert_eq!((&key["kty"], &key["kid"], &key["alg"]), (&json!("EC"), &json!("k1"), &json!("ES256")));
    assert!(key.get("d").is_none());
    assert!(run(&folder, &["jwks", "user"]).failed(1).contains("has no key pair"));
    assert!(run(&folder, &["jwks", "sined"]).failed(1).contains("has no profile `sined`"));
}

#[test]
fn completions_are_scripts_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&Folder::new(), &["completions", shell]).ok();
        assert!(script.contains("countersign") && script.contains("completions"), "{shell}");
    }
}

#[test]
fn verbosity_goes_to_standard_error_and_tells_no_secret() {
    let api = FaultServer::start([Reply::status(200).body("the answer")]);
    let folder = configured(&api.url("/api"));
    let run = run(&folder, &["-vvv", "call", "orders", "/"]);
    assert_eq!((run.code, run.out.as_str()), (0, "the answer"));
    assert!(run.err.lines().count() > 3, "{}", run.err);
    assert!(!run.err.contains("sesame") && !run.err.contains("QWxhZGRpbj"), "{}", run.err);
}

#[test]
fn a_plugin_is_listed_and_its_types_are_known_everywhere() {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    let login = FaultServer::start([Reply::json(r#"{"session":"s1","ttl_seconds":900}"#)]);
    let mut config = format!(
        "[connectors.acme]\nbase_url = \"{NOWHERE}\"\nprofile = \"acme\"\n[profiles.acme]\ntype = \"acme-login\"\n\
         login_url = \"{}\"\nuser = \"erp\"\npassword = \"p\"\n",
        login.url("/login")
    );
    folder.config(&config);
    assert!(run(&folder, &["check"]).ok().contains("1 profile, 1 plugin: no problems found"));
    let list = run(&folder, &["plugins"]).ok();
    assert!(list.contains("libacme_login.so") && list.contains("types: acme-login"), "{list}");
    assert!(run(&folder, &["types"]).ok().lines().any(|line| line.starts_with("acme-login ")));
    assert!(
        run(&folder, &["types", "show", "acme-login"]).ok().contains("password  secret string, required")
    );
    assert!(run(&folder, &["schema"]).ok().contains("Acme's login endpoint"));
    assert_eq!(run(&folder, &["header", "acme"]).ok(), "X-Acme-Session: s1\n");

    // Misconfigured: by the schema, and by the plugin's own code.
    writeln!(config, "paswword = \"x\"").unwrap();
    folder.config(&config);
    let said = run(&folder, &["check"]).failed(1);
    assert!(said.starts_with("countersign.toml:9:1: profiles.acme"), "{said}");
    assert!(said.contains("did you mean `password`?"), "{said}");
    folder.config(&config.replace("paswword = \"x\"\n", "").replace("\"erp\"", "\"\""));
    let said = run(&folder, &["check"]).failed(1);
    assert!(said.starts_with("countersign.toml:7:8: profiles.acme.user: is empty; name Acme's"), "{said}");
}

#[test]
fn a_file_that_is_no_plugin_is_refused_and_the_rest_goes_on() {
    let folder = configured(NOWHERE);
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    folder.put("plugins/libnonsense.so", "this is no plugin");
    let list = run(&folder, &["plugins"]);
    assert_eq!(list.code, 1, "{}", list.err);
    assert!(list.out.contains("refused: ") && list.out.contains("libnonsense.so"), "{}", list.out);
    let check = run(&folder, &["check"]);
    assert!(check.code == 1 && check.out.contains("libnonsense.so"), "{}{}", check.out, check.err);
    let header = run(&folder, &["header", "keyed"]);
    assert_eq!((header.code, header.out.as_str()), (0, "Query: key=k%20y\n"), "{}", header.err);
    assert!(header.err.contains("libnonsense.so"), "{}", header.err);
}

#[test]
fn a_type_whose_plugin_was_refused_is_told_with_the_file_and_why() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    // A library for an interface of the future, under a name that says nothing of its types.
    let mut library = fs::read(built::plugin("acme-login")).unwrap();
    let version = b"1.0.0\0acme-login\0";
    let at: Vec<_> =
        (0..library.len() - version.len()).filter(|at| library[*at..].starts_with(version)).collect();
    assert!(!at.is_empty());
    at.into_iter().for_each(|at| library[at] = b'9');
    folder.put("plugins/libfuture.so", library);
    folder.put("plugins/acme-script.py", "#!/usr/bin/env python3\n");
    folder.config(
        "[profiles.a]\ntype = \"acme-login\"\n[profiles.b]\ntype = \"acme-script\"\n[profiles.c]\ntype = \"basik\"\n",
    );
    let said = run(&folder, &["check"]).failed(1);
    for words in [
        "countersign.toml:2:8: profiles.a.type: there is no profile type `acme-login`: plugins/libfuture.so, which brings it, was refused\n",
        "plugins/libfuture.so: refused: speaks version 9.0.0 of the plugin interface",
        "countersign.toml:4:8: profiles.b.type: there is no profile type `acme-script`: plugins/acme-script.py, which brings it, was refused\n",
        "plugins/acme-script.py: refused: is a script that may not be executed",
        "countersign.toml:6:8: profiles.c.type: there is no profile type `basik`\n",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!said.contains("warning"), "{said}");
    // Whom nobody needs holds nothing up, and is told.
    folder.config("[plugins.future]\nrequired = false\n");
    let checked = run(&folder, &["check"]);
    assert!(checked.code == 1 && checked.out.contains("plugins/libfuture.so: refused: "), "{}", checked.out);
    folder.config("[plugins.future]\nrequired = true\n");
    assert!(run(&folder, &["check"]).failed(1).contains("plugins/libfuture.so: refused: speaks version"));
}

#[test]
fn plugins_inspect_reads_a_file_and_executes_nothing() {
    let folder = Folder::new();
    let plugin = built::plugin("acme-login");
    let said = run(&folder, &["plugins", "inspect", plugin.to_str().unwrap()]).ok();
    for words in ["plugin     acme-login", "type       acme-login: Acme's login endpoint", "sha256 "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // A library without a note whose constructor would leave a trace if somebody loaded it.
    let source = folder.put(
        "trap.rs",
        r#"
        #[used]
        #[unsafe(link_section = ".init_array")]
        static TRAP: extern "C" fn() = { extern "C" fn trap() { let _ = std::fs::write("trapped", ""); } trap };
        "#,
    );
    let trap = folder.path().join("libtrap.so");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .current_dir(folder.path())
        .args(["--edition", "2024", "--crate-type", "cdylib", "-o"])
        .args([&trap, &source])
        .status()
        .unwrap();
    assert!(built.success());
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&folder, &["plugins", "inspect", trap.to_str().unwrap()]).failed(1);
    assert!(said.contains("libtrap.so"), "{said}");
    assert!(!folder.path().join("trapped").exists(), "it was executed");
    // Nor is it when it lies among the plugins.
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::rename(&trap, folder.path().join("plugins/libtrap.so")).unwrap();
    folder.config("");
    assert_eq!(run(&folder, &["plugins"]).code, 1);
    assert!(!folder.path().join("trapped").exists(), "it was executed");
    // The trap works, or nothing was shown.
    let mut loading = Command::new("/bin/true");
    loading.current_dir(folder.path()).env("LD_PRELOAD", folder.path().join("plugins/libtrap.so"));
    assert!(loading.status().unwrap().success());
    assert!(folder.path().join("trapped").exists(), "the trap does not snap");
}
