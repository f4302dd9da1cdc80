//! The schema of the whole configuration: it accepts what the host accepts and refuses what it refuses.

use super::*;
use crate::config::schema;

fn validator() -> jsonschema::Validator {
    let schema = schema(&Known::new());
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

fn json(text: &str) -> Json {
    toml::from_str::<toml::Table>(text).map(|table| serde_json::to_value(table).unwrap()).unwrap()
}

const GOOD: &str = r#"
[plugins.acme]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

[profiles.a]
type = "token"
issuer = "${env:SECRET}"
default_lifetime = "1h30m"
keys = [{ kid = "x", pem = "y" }]

[profiles.b]
type = "login"
grant = "refresh_token"
refresh_token = "x"
key = { path = "x" }

[connectors.c]
base_url = "https://c.example"
profiles = ["a", "b"]
rejection = { status = [401, 403], header = { x = "y" }, replay = "never", also = [{ status = [200], body_contains = "old" }] }
caller = { user = { header = "X-User" }, channel = { value = "erp" } }
listen = "unix:c.sock"
hosts = ["c.local"]
pass_headers = ["cookie"]
max_concurrent = 7

[http]
timeout = "250ms"

[serve]
listen = ["127.0.0.1:7070", "[::1]:7070", "systemd:web"]
access = "token"
allow_uids = [1000]
drain = "1m"
limits = { max_headers = 50 }
"#;

#[test]
fn a_good_configuration_is_valid() {
    examine(GOOD).unwrap();
    let errors: Vec<String> = validator().iter_errors(&json(GOOD)).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// One more than there may be.
const MANY_SIGNS: &str = "{ status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, \
                          { status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, \
                          { status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, { status = [200] }, \
                          { status = [200] }, { status = [200] }";

#[test]
fn what_the_host_refuses_is_invalid() {
    let validator = validator();
    for (from, to) in [
        ("issuer", "isuer"),
        ("\"token\"", "\"tokem\""),
        ("kid = \"x\"", "kid = 1"),
        ("path = \"x\"", "kid = \"x\""),
        ("1h30m", "90 minutes"),
        ("grant = \"refresh_token\"", "grant = \"x\""),
        ("profiles = [\"a\", \"b\"]", "profiles = []"),
        ("profiles = [\"a\", \"b\"]", "profile = \"a\"\nprofiles = [\"b\"]"),
        ("base_url", "url"),
        ("401, 403", "99"),
        ("never", "sometimes"),
        ("{ status = [200], body_contains = \"old\" }", "{ body_contains = \"old\" }"),
        ("body_contains = \"old\"", "replay = \"never\""),
        ("{ status = [200], body_contains = \"old\" }", MANY_SIGNS),
        ("sha256 = \"0", "sha256 = \"g"),
        ("[http]", "[htp]"),
        ("[serve]", "[server]"),
        ("{ header = \"X-User\" }", "\"X-User\""),
        ("{ header = \"X-User\" }", "{ header = \"X-User\", value = \"x\" }"),
        ("{ value = \"erp\" }", "{ value = \"erp\", required = false }"),
        ("{ value = \"erp\" }", "{}"),
        ("user =", "user-name ="),
        ("unix:c.sock", "c.sock"),
        ("systemd:web", "localhost:web"),
        ("\"token\"\nallow", "\"nobody\"\nallow"),
        ("[1000]", "[-1]"),
        ("max_concurrent = 7", "max_concurrent = 0"),
        ("max_headers = 50", "max_header = 50"),
        ("profiles.a]", "profiles.A]"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let bad = GOOD.replace(from, to);
        assert!(examine(&bad).is_err(), "{to}");
        assert!(!validator.is_valid(&json(&bad)), "{to}");
    }
}

#[test]
fn two_types_definitions_of_one_name_stay_apart() {
    let schema = schema(&Known::new());
    assert_eq!(schema["$defs"]["token"]["properties"]["keys"]["items"]["$ref"], "#/$defs/token/$defs/Key");
    assert_eq!(schema["$defs"]["login"]["properties"]["key"]["anyOf"][1]["$ref"], "#/$defs/login/$defs/Key");
}
