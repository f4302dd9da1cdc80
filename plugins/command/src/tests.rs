use std::time::Duration;

use countersign::testing::{ScriptedHost, profile};
use countersign::{ErrorKind, Profile};
use serde_json::{Value, json};

use super::*;

fn settings() -> Value {
    json!({ "command": ["mint", "--password=c4nary-option", "c4nary-argument"], "environment": { "PASSWORD": "c4nary-variable" } })
}

fn with(more: Value) -> Value {
    let mut settings = settings();
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn command(settings: Value) -> Box<dyn Profile> {
    profile::<Command>(settings.clone()).unwrap_or_else(|error| panic!("{error}: {settings}"))
}

fn acquired(settings: Value, printed: &str) -> Result<Credential, Error> {
    ScriptedHost::new().program(0, printed).acquire(&*command(settings))
}

fn error(settings: Value, printed: &str) -> Error {
    let error = acquired(settings, printed).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    assert!(error.message().starts_with("the program `mint` "), "{error}");
    error
}

fn placed(credential: &Credential) -> Vec<(&'static str, &str, &str)> {
    ScriptedHost::new().placed(credential)
}

fn exec(version: &str, status: &Value) -> String {
    json!({ "apiVersion": format!("client.authentication.k8s.io/{version}"), "kind": "ExecCredential", "status": status }).to_string()
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMII…\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMII…\n-----END PRIVATE KEY-----\n";

#[test]
fn the_program_is_run_as_the_settings_say() {
    let settings = json!({
        "command": ["bin/mint", "-u", "{{ caller.user }}", "--for={{ caller.tenant }}", "$HOME; rm *"],
        "inherit": ["HOME", "VAULT_ADDR"],
        "environment": { "WHO": "{{ caller.user }}", "KEY": "k\n" },
        "folder": "below", "timeout": "5s", "quote_errors": false,
    });
    let command = command(settings);
    assert_eq!(command.inputs().caller_attributes().collect::<Vec<_>>(), ["tenant", "user"]);
    let mut host =
        ScriptedHost::new().caller("user", "ada").caller("tenant", "acme").program(0, r#"{"token":"t"}"#);
    let credential = host.acquire(&*command).unwrap();
    assert_eq!(placed(&credential), [("header", "authorization", "Bearer t")]);
    let ran = &host.ran()[0];
    assert_eq!(ran.program, "bin/mint");
    assert_eq!(ran.arguments, ["-u", "ada", "--for=acme", "$HOME; rm *"]);
    assert_eq!(ran.inherit, ["HOME", "VAULT_ADDR"]);
    let given: Vec<_> =
        ran.environment.iter().map(|v| (v.name.as_str(), v.value.expose().as_str())).collect();
    assert_eq!(given, [("KEY", "k"), ("WHO", "ada")]);
    assert_eq!(
        (ran.folder.as_deref(), ran.timeout, ran.keeps_errors),
        (Some("below"), Duration::from_secs(5), false)
    );
}

#[test]
fn an_exec_credential_is_read_in_both_versions() {
    let status = json!({ "token": "my-bearer-token", "expirationTimestamp": "2026-03-05T17:30:20-08:00" });
    for version in ["v1", "v1beta1"] {
        let credential = acquired(settings(), &exec(version, &status)).unwrap();
        assert_eq!(placed(&credential), [("header", "authorization", "Bearer my-bearer-token")]);
        let end = countersign::timestamp("2026-03-06T01:30:20Z").unwrap();
        assert_eq!(credential.lifetime(), Lifetime::Until(end));
    }
    let credential = acquired(settings(), &exec("v1", &json!({ "token": "t" }))).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::UntilRejected, "as Kubernetes has it");
    let certificate = json!({ "clientCertificateData": PEM, "clientKeyData": KEY });
    let credential = acquired(settings(), &exec("v1", &certificate)).unwrap();
    assert!(credential.placements().is_empty());
    let presented = credential.client_certificate().unwrap();
    assert_eq!((presented.chain_pem.as_str(), presented.key_pem.expose().as_str()), (PEM, KEY));
}

#[test]
fn kubernetes_tells_the_program_what_is_wanted_and_takes_nothing_else() {
    let mut host = ScriptedHost::new().program(0, exec("v1beta1", &json!({ "token": "t" })));
    let wanted = with(json!({ "format": "exec-credential", "api_version": "v1beta1" }));
    host.acquire(&*command(wanted)).unwrap();
    let info = host.ran()[0].environment.iter().find(|v| v.name == "KUBERNETES_EXEC_INFO").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(info.value.expose()).unwrap(),
        json!({ "apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "spec": { "interactive": false } })
    );
    let error =
        error(with(json!({ "format": "exec-credential" })), &exec("v1beta1", &json!({ "token": "t" })));
    assert!(error.message().contains("was asked for v1;"), "{error}");
}

#[test]
fn our_own_shape_says_what_is_placed_and_for_how_long() {
    let printed = json!({
        "token": "t", "headers": { "X-Key": "k" }, "query_parameters": { "q": "v" }, "cookies": { "c": "d" },
        "client_certificate": PEM, "client_key": KEY, "expires_in": 900,
    });
    let credential = acquired(settings(), &printed.to_string()).unwrap();
    assert_eq!(
        placed(&credential),
        [
            ("header", "X-Key", "k"),
            ("query", "q", "v"),
            ("cookie", "c", "d"),
            ("header", "authorization", "Bearer t")
        ]
    );
    assert!(credential.client_certificate().is_some());
    assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(900)));
    let now = ScriptedHost::new().now();
    for (printed, settings, lifetime) in [
        (
            json!({ "token": "t", "expires_at": "2026-01-01T00:01:00Z" }),
            settings(),
            Lifetime::Until(now + Duration::from_secs(60)),
        ),
        (
            json!({ "token": "t", "expires_at": 1_767_225_660 }),
            settings(),
            Lifetime::Until(now + Duration::from_secs(60)),
        ),
        (json!({ "token": "t", "expires_in": "60" }), settings(), Lifetime::For(Duration::from_secs(60))),
        (json!({ "token": "t" }), settings(), Lifetime::Unstated),
        (json!({ "token": "t" }), with(json!({ "lifetime": "1m" })), Lifetime::For(Duration::from_secs(60))),
        (json!({ "token": "t" }), with(json!({ "lifetime": "until-rejected" })), Lifetime::UntilRejected),
    ] {
        assert_eq!(acquired(settings, &printed.to_string()).unwrap().lifetime(), lifetime, "{printed}");
    }
    let own = json!({ "token": "t", "headers": { "Authorization": "Token t" } });
    let credential = acquired(settings(), &own.to_string()).unwrap();
    assert_eq!(placed(&credential), [("header", "Authorization", "Token t")], "not twice");
}

#[test]
fn templates_say_what_is_placed_in_place_of_what_is_printed() {
    let settings = with(json!({
        "headers": { "X-Vault-Token": "{{ answer.token }}", "X-User": "{{ caller.user }}" }, "cookies": { "n": "{{ answer.ns }}" },
    }));
    let command = command(settings);
    let printed = json!({ "token": "t", "values": { "ns": "a" }, "headers": { "X-Other": "o" } });
    let mut host = ScriptedHost::new().caller("user", "ada").program(0, printed.to_string());
    let credential = host.acquire(&*command).unwrap();
    assert_eq!(
        placed(&credential),
        [("header", "x-user", "ada"), ("header", "x-vault-token", "t"), ("cookie", "n", "a")]
    );
    let mut host = ScriptedHost::new().caller("user", "ada").program(0, r#"{"token":"c4nary"}"#);
    let error = host.acquire(&*command).unwrap_err();
    assert!(error.message().contains("printed no `ns`, which `cookies.n` reads"), "{error}");
}

#[test]
fn a_bare_token_is_taken_where_that_is_said() {
    let text = with(json!({ "format": "text" }));
    assert_eq!(
        placed(&acquired(text.clone(), "ya29.a0\n").unwrap()),
        [("header", "authorization", "Bearer ya29.a0")]
    );
    assert!(error(text.clone(), "c4nary two\n").message().contains("more than one word"));
    assert!(error(text, " \n").message().contains("printed nothing"));
}

#[test]
fn aws_keys_are_placed_where_templates_name_them_and_else_refused() {
    let printed = json!({
        "Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "c4nary", "SessionToken": "c4nary-2",
        "Expiration": "2026-01-01T00:01:00Z",
    });
    let error = error(settings(), &printed.to_string());
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("the type `aws-sigv4`"), "{error}");
    let named = with(json!({
        "format": "credential-process",
        "headers": { "X-Key": "{{ answer.access_key_id }}:{{ answer.secret_access_key }}", "X-Session": "{{ answer.session_token }}" },
    }));
    let credential = acquired(named, &printed.to_string()).unwrap();
    assert_eq!(
        placed(&credential),
        [("header", "x-key", "AKIDEXAMPLE:c4nary"), ("header", "x-session", "c4nary-2")]
    );
    let end = ScriptedHost::new().now() + Duration::from_secs(60);
    assert_eq!(credential.lifetime(), Lifetime::Until(end));
}

#[test]
fn what_is_no_credential_is_refused_and_never_quoted() {
    let exec = |status: Value| exec("v1", &status);
    for (printed, words) in [
        ("c4nary".to_owned(), "not JSON (line 1 column 1)"),
        (String::new(), "printed nothing"),
        ("[\"c4nary\"]".to_owned(), "no object"),
        ("{\"token\":\"c4nary".to_owned(), "not JSON"),
        ("{\"tokn\":\"c4nary\"}".to_owned(), "it has a field that is none of its own"),
        ("{\"c4nary\":1}".to_owned(), "it has a field that is none of its own"),
        ("{\"token\":{\"c4nary\":1}}".to_owned(), "did not print a credential"),
        ("{}".to_owned(), "nothing that could be placed"),
        ("{\"token\":\"c4nary c4nary\"}".to_owned(), "characters that no token has"),
        ("{\"headers\":{\"Host\":\"c4nary\"}}".to_owned(), "cannot be placed"),
        ("{\"headers\":{\"X\":\"c4nary\\r\\nY: z\"}}".to_owned(), "cannot be placed"),
        ("{\"token\":\"t\",\"expires_in\":60,\"expires_at\":60}".to_owned(), "both"),
        ("{\"token\":\"t\",\"expires_in\":\"c4nary\"}".to_owned(), "did not print a credential"),
        ("{\"token\":\"t\",\"expires_at\":\"c4nary\"}".to_owned(), "no instant"),
        (format!("{{\"client_certificate\":{}}}", json!(PEM)), "`client_certificate` without `client_key`"),
        (json!({ "client_certificate": "c4nary", "client_key": KEY }).to_string(), "not PEM"),
        (
            json!({ "apiVersion": "client.authentication.k8s.io/v1alpha1", "kind": "ExecCredential" })
                .to_string(),
            "v1 or v1beta1",
        ),
        (
            json!({ "kind": "ExecCredential", "status": { "token": "c4nary" } }).to_string(),
            "`apiVersion` is another, or missing",
        ),
        (
            json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential" }).to_string(),
            "without `status`",
        ),
        (exec(json!({})), "neither token nor client certificate"),
        (exec(json!({ "clientKeyData": "c4nary" })), "`clientKeyData` without `clientCertificateData`"),
        (exec(json!({ "token": "t", "expirationTimestamp": "c4nary" })), "no instant"),
        (
            json!({ "Version": 2, "AccessKeyId": "a", "SecretAccessKey": "c4nary" }).to_string(),
            "another version",
        ),
        (json!({ "Version": 1, "AccessKeyId": "c4nary" }).to_string(), "it lacks `SecretAccessKey`"),
    ] {
        let error = error(settings(), &printed);
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.message().contains(words), "{printed}: {error}");
    }
    let bytes =
        ScriptedHost::new().program(0, b"\xff\xfe".to_vec()).acquire(&*command(settings())).unwrap_err();
    assert!(bytes.message().contains("no text"), "{bytes}");
}

#[test]
fn what_has_expired_is_refused() {
    for printed in [
        json!({ "token": "t", "expires_in": 0 }).to_string(),
        json!({ "token": "t", "expires_in": -1.5 }).to_string(),
        json!({ "token": "t", "expires_at": "2025-12-31T23:59:59Z" }).to_string(),
        exec("v1", &json!({ "token": "t", "expirationTimestamp": "2018-03-05T17:30:20-08:00" })),
    ] {
        let error = error(settings(), &printed);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("expired already"), "{error}");
    }
}

#[test]
fn a_failure_says_what_the_program_says_without_what_it_was_given() {
    let failed = |settings: Value, status: Option<i32>, errors: &str| {
        let host =
            ScriptedHost::new().variable("VAULT_TOKEN", "c4nary-inherited").failing_program(status, errors);
        let mut host = host;
        let error = host.acquire(&*command(settings)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
        error
    };
    let errors = "c4nary of another line\nno: c4nary-option C4NARY-argument c4nary%2Dvariable c4nary-variable c4nary-inherited\n";
    let settings = with(json!({ "inherit": ["PATH", "VAULT_TOKEN"] }));
    let error = failed(settings, Some(3), &errors.replace("c4nary%2Dvariable ", ""));
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.message(), "the program `mint` ended with exit status 3; it says: \"no: … … … …\"");
    let error = failed(super::tests::settings(), None, "");
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Unavailable, "the program `mint` was ended by a signal")
    );
    let long = failed(super::tests::settings(), Some(1), &"x".repeat(4096));
    assert!(long.message().len() < 300, "{long}");
    let mut host = ScriptedHost::new().no_program(Error::config("there is no such program"));
    assert_eq!(host.acquire(&*command(super::tests::settings())).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn what_is_placed_is_declared_where_that_is_known_before() {
    let places = |settings: Value| command(settings).places();
    let headers = json!({ "X-Token": "{{ answer.token }}" });
    let text = places(with(json!({ "format": "text" }))).unwrap();
    assert!(text.contains(countersign::Place::Header, "authorization"));
    let named = places(with(json!({ "format": "text", "headers": headers }))).unwrap();
    assert!(named.contains(countersign::Place::Header, "x-token"));
    assert!(!named.contains(countersign::Place::Header, "authorization"));
    assert!(places(settings()).is_none() && places(with(json!({ "headers": headers }))).is_none());
}

#[test]
fn a_caller_gives_values_and_no_options() {
    let command = command(json!({ "command": ["mint", "{{ caller.user }}", "--user={{ caller.user }}"] }));
    for (user, words) in [("-c4nary", "option"), ("--c4nary", "option"), ("c4nary\0", "NUL")] {
        let mut host = ScriptedHost::new().caller("user", user).program(0, "{}");
        let error = host.acquire(&*command).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("command[1]")));
        assert!(error.message().contains(words) && !error.to_string().contains("c4nary"), "{error}");
        assert!(host.ran().is_empty(), "it is not run");
    }
}

#[test]
fn misconfigurations_are_found_where_they_stand() {
    for (settings, field) in [
        (json!({ "command": [] }), "command"),
        (json!({ "command": [" "] }), "command"),
        (json!({ "command": ["mint {{ caller.user }}"] }), "command[0]"),
        (json!({ "command": ["mint --user c4nary"] }), "command[0]"),
        (json!({ "command": ["mint", "a", "{{ c4nary }}"] }), "command[2]"),
        (json!({ "command": ["mint", "a\0"] }), "command[1]"),
        (with(json!({ "environment": { "A=B": "c4nary" } })), "environment.A=B"),
        (with(json!({ "environment": { "A": "{{ c4nary" } })), "environment.A"),
        (
            with(json!({ "format": "exec-credential", "environment": { "KUBERNETES_EXEC_INFO": "{}" } })),
            "environment.KUBERNETES_EXEC_INFO",
        ),
        (with(json!({ "inherit": ["PATH", ""] })), "inherit[1]"),
        (with(json!({ "folder": "" })), "folder"),
        (with(json!({ "timeout": "0s" })), "timeout"),
        (with(json!({ "timeout": "51s" })), "timeout"),
        (with(json!({ "api_version": "v1" })), "api_version"),
        (with(json!({ "format": "credential-process" })), "format"),
        (with(json!({ "format": "text", "headers": { "X": "{{ answer.session_token }}" } })), "headers.X"),
        (with(json!({ "headers": { "X": "{{ c4nary }}" } })), "headers.X"),
        (with(json!({ "headers": { "Host": "c4nary" } })), "headers.Host"),
        (with(json!({ "lifetime": "c4nary" })), "lifetime"),
    ] {
        let Some(error) = profile::<Command>(settings.clone()).err() else {
            panic!("not refused: {settings}")
        };
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some(field)), "{error}: {settings}");
        assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    }
    let error = profile::<Command>(with(json!({ "comand": 1 }))).err().unwrap();
    assert!(error.message().contains("unknown field `comand`"), "{error}");
}

#[test]
fn debug_is_blind() {
    let config: CommandConfig =
        serde_json::from_value(with(json!({ "headers": { "X": "c4nary" } }))).unwrap();
    assert!(!format!("{config:?}").contains("c4nary"));
    let command = Command::new(config).unwrap();
    assert!(!format!("{command:?}").contains("c4nary"), "{command:?}");
}
