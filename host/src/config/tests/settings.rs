//! A profile's settings: what reaches the type, and where its errors point.

use super::*;
use countersign::Error;

const PROFILE: &str = "\
[profiles.p]
type = 'token'
default_lifetime = '1m'
issuer = 'https://erp.example/${env:SECRET}'
port = 8080
claims = { tenant = 'a', 'x.y' = 1, when = 2026-01-02T03:04:05Z, ratio = 1.5 }

[[profiles.p.keys]]
kid = 'one'

[[profiles.p.keys]]
kid = 'two'
";

#[test]
fn the_type_gets_its_own_settings_with_sources_in_place() {
    let (config, resolved) = examine(PROFILE).unwrap();
    let profile = &config.profiles[0];
    assert_eq!((&*profile.name, &*profile.type_name), ("p", "token"));
    assert_eq!(profile.default_lifetime.as_secs(), 60);
    assert_eq!(
        resolved[0].value,
        json!({
            "issuer": format!("https://erp.example/{CANARY}"),
            "port": 8080,
            "claims": { "tenant": "a", "x.y": 1, "when": "2026-01-02T03:04:05Z", "ratio": 1.5 },
            "keys": [{ "kid": "one" }, { "kid": "two" }],
        })
    );
}

#[test]
fn errors_of_the_type_point_at_the_setting() {
    let (config, _) = examine(PROFILE).unwrap();
    for (field, expected) in [
        (Some("port"), "countersign.toml:5:8: profiles.p.port: wrong"),
        (Some("claims.tenant"), "countersign.toml:6:21: profiles.p.claims.tenant: wrong"),
        (Some("claims.x.y"), "countersign.toml:6:34: profiles.p.claims.x.y: wrong"),
        (Some("claims.missing"), "countersign.toml:6:10: profiles.p.claims.missing: wrong"),
        (Some("keys[1].kid"), "countersign.toml:12:7: profiles.p.keys[1].kid: wrong"),
        (Some("keys[1].pem"), "countersign.toml:11:1: profiles.p.keys[1].pem: wrong"),
        (Some("keys[9]"), "countersign.toml:8:1: profiles.p.keys[9]: wrong"),
        (Some("nothing"), "countersign.toml:1:1: profiles.p.nothing: wrong"),
        (Some(".["), "countersign.toml:1:1: profiles.p..[: wrong"),
        (None, "countersign.toml:1:1: profiles.p: wrong"),
    ] {
        let error = Error::config("wrong");
        let error = match field {
            Some(field) => error.at(field),
            None => error,
        };
        assert_eq!(config.profiles[0].settings.locate(&error).to_string(), expected);
    }
}

#[test]
fn resolving_again_sees_what_changed_and_survives_what_vanished() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "key", "one\n");
    let text = "[profiles.p]\ntype = 'token'\nissuer = '${file:key}'\n";
    let (config, resolved) = examine_in(folder.path(), text).unwrap();
    let settings = &config.profiles[0].settings;
    assert_eq!(resolved[0].value["issuer"], "one");
    assert_eq!(resolved[0].watched.len(), 1);
    assert!(!resolved[0].watched[0].changed());

    write(folder.path(), "key", "");
    assert!(resolved[0].watched[0].changed());
    assert!(settings.resolve(&environment()).unwrap_err().to_string().contains("key is empty"));

    fs::remove_file(folder.path().join("key")).unwrap();
    assert!(settings.resolve(&environment()).unwrap_err().to_string().contains("there is no such file"));

    write(folder.path(), "key", "two");
    assert_eq!(settings.resolve(&environment()).unwrap().value["issuer"], "two");
}

#[test]
fn nothing_that_can_be_printed_shows_a_value() {
    let text = format!("[profiles.p]\ntype = 'token'\nissuer = '${{env:SECRET}}'\nsecret = '{CANARY}'\n");
    let document = Document::parse(Path::new("c.toml"), &text).unwrap();
    let (config, resolved) = examine(&text).unwrap();
    assert_eq!(resolved[0].value, json!({ "issuer": CANARY, "secret": CANARY }));
    for shown in [format!("{document:?}"), format!("{config:?}"), format!("{resolved:?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn a_schema_that_is_none_is_the_types_fault() {
    struct Broken(Json);
    impl Types for Broken {
        fn names(&self) -> Vec<&str> {
            vec!["broken"]
        }
        fn schema(&self, _: &str) -> Option<&Json> {
            Some(&self.0)
        }
    }
    let document = Document::parse(
        Path::new("c.toml"),
        "[profiles.p]\ntype = 'broken'\n[profiles.q]\ntype = 'broken'\n",
    );
    let document = document.unwrap();
    for schema in [
        json!({ "type": 3 }),
        json!({ "$ref": "https://elsewhere.example/schema" }),
        json!({ "pattern": "(?=a)" }),
    ] {
        let findings = document.resolve(&Broken(schema)).unwrap_err();
        assert_eq!(findings.len(), 1, "{findings}");
        assert!(
            findings.to_string().starts_with("c.toml:2:8: profiles.p.type: the schema of the type broken")
        );
    }
}

#[test]
fn a_fingerprint_is_of_what_is_written_in_whatever_order() {
    let fingerprint = |settings: &str| {
        let (config, _) = examine(&format!("[profiles.p]\ntype = 'token'\n{settings}")).unwrap();
        config.profiles[0].settings.fingerprint()
    };
    let one = fingerprint("issuer = 'a'\nport = 1\nclaims = { x = 1, y = 2 }");
    assert_eq!(
        one,
        fingerprint("default_lifetime = '1m'\nclaims = { y = 2, x = 1 }\nport = 1\nissuer = 'a'")
    );
    for other in [
        "issuer = 'b'\nport = 1\nclaims = { x = 1, y = 2 }",
        "issuer = 'a'\nport = 1\nclaims = { x = 1, y = '2' }",
    ] {
        assert_ne!(one, fingerprint(other), "{other}");
    }
    // The source is what is written, not what it holds today.
    assert_eq!(fingerprint("issuer = '${env:SECRET}'"), fingerprint("issuer = '${env:SECRET}'"));
    assert_ne!(fingerprint("issuer = '${env:SECRET}'"), fingerprint(&format!("issuer = '{CANARY}'")));
}
