//! A whole configuration, from a file to types.

use super::*;
use crate::config::{Replay, Watched};
use std::time::Duration;

#[test]
fn a_good_configuration_becomes_types() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("plugins")).unwrap();
    write(at, "ca.pem", rcgen::generate_simple_self_signed([]).unwrap().cert.pem());
    write(
        at,
        "countersign.toml",
        r#"
        [plugins.acme-login]
        sha256 = "0F00000000000000000000000000000000000000000000000000000000000000"
        allow_libraries = ["libssl.so.3"]
        required = true
        types = ["acme"]

        [profiles.b]
        type = "token"
        issuer = "b"
        [profiles.a]
        type = "token"
        issuer = "a"

        [connectors.orders]
        base_url = "https://Orders.example:443/api/"
        profiles = ["b", "a"]
        timeout = "5s"
        ca_file = "ca.pem"
        [connectors.orders.rejection]
        status = [400, 401]
        header = { WWW-Authenticate = "Invalid_Token" }
        body_contains = "expired"
        replay = "always"
        max_replay_body = 0

        [connectors.local]
        base_url = "http://127.0.0.1:8080"
        profile = "a"

        [store]
        dir = "state"

        [http]
        timeout = "3s"
        max_body = 1024
        proxy = "http://proxy.example:3128"
        "#,
    );
    let document = Document::read(&at.join("countersign.toml")).unwrap();
    assert!(!document.watched().is_some_and(Watched::changed));
    let plugins = document.plugins().unwrap();
    assert_eq!(plugins.dir, Some(at.join("plugins")));
    let entry = plugins.entry("libacme_login").unwrap();
    assert_eq!(entry.sha256.unwrap()[..2], [0x0F, 0]);
    assert!(entry.required && plugins.entry("libacme").is_none());
    assert_eq!(entry.types.as_deref(), Some(&["acme".to_owned()][..]));

    let config = document.resolve(&Known::new()).unwrap();
    let names: Vec<&str> = config.profiles.iter().map(|profile| &*profile.name).collect();
    assert_eq!(names, ["b", "a"]);
    let orders = &config.connectors[0];
    assert_eq!(orders.base_url.to_string(), "https://orders.example/api");
    assert_eq!(
        (&orders.profiles[..], orders.timeout),
        (&["b".to_owned(), "a".to_owned()][..], Duration::from_secs(5))
    );
    assert_eq!(orders.ca_file, Some(at.join("ca.pem")));
    let rejection = &orders.rejection;
    let [sign] = &rejection.signs[..] else { panic!("{rejection:?}") };
    assert_eq!(sign.statuses, [400, 401]);
    assert_eq!(sign.headers, [("www-authenticate".parse().unwrap(), "invalid_token".to_owned())]);
    assert_eq!((rejection.replay, rejection.max_replay_body), (Replay::Always, 0));
    let local = &config.connectors[1];
    assert_eq!((local.timeout, &local.rejection), (Duration::from_secs(30), &Default::default()));
    assert_eq!(config.store.dir, Some(at.join("state")));
    assert_eq!((config.http.timeout, config.http.max_body), (Duration::from_secs(3), 1024));
    assert_eq!(config.http.proxy.unwrap().to_string(), "http://proxy.example:3128");
    assert_eq!(orders.site.finding_at("timeout", "x").line, 18);
}

#[test]
fn plain_http_to_another_machine_needs_a_word() {
    let text = "[profiles.p]\ntype = 'token'\nissuer = 'i'\n[connectors.c]\nbase_url = 'http://x.example'\nprofile = 'p'\n";
    assert!(findings(text).contains("allow_http = true"));
    examine(&format!("{text}allow_http = true\n")).unwrap();
}

#[test]
fn an_unreadable_file_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let said = || Document::read(&path).map(|_| ()).unwrap_err().to_string();
    let missing = format!("{}: there is no such file\n  help: name the configuration", path.display());
    assert!(said().starts_with(&missing), "{}", said());
    fs::write(&path, b"a = 1\nb = \xC3\xA4\xFF").unwrap();
    assert!(said().ends_with("c.toml:2:6: is not UTF-8"), "{}", said());
    assert!(Document::read(folder.path()).unwrap_err().to_string().contains("is not a regular file"));
}

#[test]
fn deep_nesting_is_refused_and_not_followed_off_the_stack() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!("a = {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(Document::parse(Path::new("c.toml"), &text).is_err());
    }
    let path = vec!["a"; 100_000].join(".");
    // Each short enough for the parser, all together not for the stack.
    let short = ["a"; 79].join(".");
    let both = format!("x = {}1{}", format!("{{ {short} = ").repeat(79), "}".repeat(79));
    for text in [both, format!("{path} = 1"), format!("[{path}]"), format!("[x]\ny = {{ {path} = 1 }}")] {
        assert!(Document::parse(Path::new("c.toml"), &text).is_err());
    }
}

#[test]
fn one_long_line_is_read() {
    let entries: Vec<String> =
        (0..40_000).map(|n| format!("p{n} = {{ type = 'token', issuer = 'i' }}")).collect();
    let text = format!("profiles = {{ {} }}", entries.join(", "));
    Document::parse(Path::new("c.toml"), &text).unwrap();
}

#[test]
fn ten_thousand_of_each_are_read() {
    let mut text = String::new();
    for n in 0..10_000 {
        text.push_str(&format!(
            "[profiles.p{n}]\ntype = 'token'\nissuer = 'https://erp.example'\nsecret = 'secret-${{env:SECRET}}'\n\
             claims = {{ tenant = 'a' }}\n[connectors.c{n}]\nbase_url = 'https://c{n}.example/api'\nprofile = 'p{n}'\n"
        ));
    }
    let (config, resolved) = examine(&text).unwrap();
    assert_eq!((config.profiles.len(), config.connectors.len(), resolved.len()), (10_000, 10_000, 10_000));
}
