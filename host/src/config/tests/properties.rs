//! What holds for any text.

use super::*;
use proptest::prelude::*;

/// Texts that look enough like a configuration to get past the parser now and then.
fn text() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\n",
        "\n",
        " ",
        "'",
        "\"",
        "'''",
        "$",
        "${",
        "#",
        "profiles",
        "connectors",
        "plugins",
        "http",
        "store",
        "type",
        "token",
        "login",
        "issuer",
        "keys",
        "p",
        "base_url",
        "profile",
        "rejection",
        "serve",
        "listen",
        "hosts",
        "caller",
        "header",
        "pass_headers",
        "'unix:'",
        "'systemd:'",
        "'[::1]:0'",
        "'token'",
        "'${env:SECRET}'",
        "'${file:x}'",
        "1",
        "-0x1",
        "1e999",
        "nan",
        "true",
        "2026-01-01",
        "9223372036854775808",
        "ä",
        "\u{feff}",
        "\r\n",
        "\\u0000",
        "\u{7}",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![text(), "\\PC*", "(?s).*"]) {
        let _ = examine(&text);
    }

    /// A secret behind any setting, wrong in any way, is in no finding.
    #[test]
    fn no_finding_holds_a_value(
        key in "issuer|secret|algorithm|port|claims|keys|grant|key|isuer|default_lifetime",
        value in prop::sample::select(vec![
            "'@'", "['@']", "{ a = '@' }", "{ kid = '@', x = '@' }", "[{ pem = '@' }]", "'@${env:NONE}'", "'${@'",
            "'${@}'", "'${@:x}'", "'${env:NONE}@'", "'${command:sh -c \"exit 1\" @}'", "\"\"\"\n@\"\"\" @", "@", "'@",
        ]),
        kind in "token|login",
    ) {
        let value = value.replace('@', CANARY);
        let text = format!("[profiles.p]\ntype = '{kind}'\n{key} = {value}\n");
        prop_assert!(text.contains(CANARY));
        if let Err(findings) = examine(&text) {
            prop_assert!(!findings.to_string().contains(CANARY), "{}", findings);
            let debug = format!("{findings:?}");
            prop_assert!(!debug.contains(CANARY));
        }
    }

    #[test]
    fn any_text_reaches_the_type_when_escaped(text in "\\PC{1,40}") {
        let escaped = crate::config::escape(&text);
        let literal = serde_json::to_string(&escaped).unwrap();
        let config = format!("[profiles.p]\ntype = 'token'\nissuer = {literal}\n");
        prop_assert_eq!(&settings_in(Path::new(""), &config).unwrap()["issuer"], &Json::String(text));
    }
}
