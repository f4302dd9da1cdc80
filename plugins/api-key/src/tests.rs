use countersign::testing::{ScriptedHost, profile};
use countersign::{ErrorKind, Lifetime, Profile};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

fn made(settings: Json) -> Box<dyn Profile> {
    profile::<ApiKey>(settings).unwrap()
}

fn placed(host: &mut ScriptedHost, settings: Json) -> Vec<(String, String, String)> {
    let credential = host.acquire(&*made(settings)).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
    host.placed(&credential)
        .into_iter()
        .map(|(place, name, value)| (place.to_owned(), name.to_owned(), value.to_owned()))
        .collect()
}

fn refused(settings: Json) -> Error {
    let error = profile::<ApiKey>(settings).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.message().contains("canary"), "{error}");
    error
}

fn strings(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    expected.iter().map(|(a, b, c)| ((*a).into(), (*b).into(), (*c).into())).collect()
}

#[test]
fn one_key_goes_to_the_place_that_is_named() {
    let host = &mut ScriptedHost::new();
    for (setting, name, shown) in
        [("header", "X-Api-Key", "x-api-key"), ("query", "apiKey", "apiKey"), ("cookie", "SID", "SID")]
    {
        let placed = placed(host, json!({ "key": "k1\n", setting: name }));
        assert_eq!(placed, strings(&[(setting, shown, "k1")]));
    }
}

#[test]
fn several_keys_go_together() {
    let settings = json!({
        "key": "k", "header": "X-Key",
        "headers": { "X-App": "a" },
        "query_parameters": { "v": "b c" },
        "cookies": { "sid": "d" },
    });
    let expected =
        [("header", "x-key", "k"), ("header", "x-app", "a"), ("query", "v", "b c"), ("cookie", "sid", "d")];
    assert_eq!(placed(&mut ScriptedHost::new(), settings), strings(&expected));
}

#[test]
fn values_in_tables_are_made_from_the_declared_attributes_of_the_caller() {
    let settings = json!({ "headers": { "X-Tenant": "t-{{ caller.tenant }}" } });
    let inputs = made(settings.clone()).inputs();
    assert_eq!(inputs.caller_attributes().collect::<Vec<_>>(), ["tenant"]);
    let host = &mut ScriptedHost::new().caller("tenant", "acme").caller("user", "ada");
    assert_eq!(placed(host, settings.clone()), strings(&[("header", "x-tenant", "t-acme")]));

    let error = ScriptedHost::new().acquire(&*made(settings)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some("headers.X-Tenant")));
    assert!(error.message().contains("`tenant`"), "{error}");
}

#[test]
fn an_attribute_of_the_caller_cannot_break_the_message() {
    for (place, value) in [("headers", "canary\r\nx: y"), ("cookies", "canary; admin=1"), ("headers", "")] {
        let profile = made(json!({ place: { "X-Tenant": "{{ caller.tenant }}" } }));
        let error = ScriptedHost::new().caller("tenant", value).acquire(&*profile).unwrap_err();
        assert_eq!(error.field(), Some(format!("{place}.X-Tenant").as_str()));
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn the_single_key_is_no_template() {
    let settings = json!({ "key": "a{{b", "header": "x-key" });
    assert_eq!(placed(&mut ScriptedHost::new(), settings), strings(&[("header", "x-key", "a{{b")]));
}

#[test]
fn settings_that_do_not_go_together_are_refused_where_they_stand() {
    for (settings, field) in [
        (json!({}), None),
        (json!({ "key": "canary" }), Some("key")),
        (json!({ "header": "x-key" }), Some("header")),
        (json!({ "key": "canary", "header": "x-key", "query": "key" }), Some("query")),
        (
            json!({ "key": "canary", "header": "x-key", "headers": { "X-Key": "canary" } }),
            Some("headers.X-Key"),
        ),
        (json!({ "headers": { "X-A": "1", "x-a": "2" } }), Some("headers.x-a")),
        (json!({ "key": "", "header": "x-key" }), Some("key")),
        (json!({ "key": "can\rary", "header": "x-key" }), Some("key")),
        (json!({ "headers": { "X-A": "{{ canary }}" } }), Some("headers.X-A")),
        (json!({ "headers": { "X-A": 1 } }), Some("headers.X-A")),
        (json!({ "headers": { "Content-Length": "1" } }), Some("headers.Content-Length")),
        (json!({ "headers": { "Cookie": "a=b" } }), Some("headers.Cookie")),
        (json!({ "cookies": { "a": "can ary" } }), Some("cookies.a")),
        (json!({ "key": "k", "header": "Transfer-Encoding" }), Some("header")),
        (json!({ "key": "k", "cookie": "a=b" }), Some("cookie")),
    ] {
        let shown = settings.to_string();
        assert_eq!(refused(settings).field(), field, "{shown}");
    }
    assert!(refused(json!({ "key": "canary" })).message().contains("`header`"));
    assert!(refused(json!({ "keys": [] })).message().contains("unknown field `keys`"));
}

#[test]
fn cookies_of_different_case_are_different() {
    let settings = json!({ "cookies": { "A": "1", "a": "2" } });
    assert_eq!(placed(&mut ScriptedHost::new(), settings).len(), 2);
}

#[test]
fn debug_is_blind() {
    let config: ApiKeyConfig =
        serde_json::from_value(json!({ "key": "canary", "header": "x", "headers": { "y": "canary" } }))
            .unwrap();
    assert_eq!(config.key.as_ref().unwrap().expose(), "canary");
    assert!(!format!("{config:?}").contains("canary"));
    assert!(!format!("{:?}", ApiKey::new(config).unwrap()).contains("canary"));
}

/// RFC 9110 §5.6.2, spelled out apart from the code under test.
fn is_token(name: &str) -> bool {
    const TCHAR: &str = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    !name.is_empty() && name.chars().all(|c| TCHAR.contains(c))
}

const FRAMING: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "cookie",
];

proptest! {
    #[test]
    fn any_name_is_placed_only_if_it_is_a_token(name in "(\\PC|[\\x00-\\x20]|[a-z-]){0,12}") {
        let framing = FRAMING.contains(&name.to_ascii_lowercase().as_str());
        let header = profile::<ApiKey>(json!({ "headers": { &name: "v" } }));
        prop_assert_eq!(header.is_ok(), is_token(&name) && !framing);
        let cookie = profile::<ApiKey>(json!({ "key": "v", "cookie": &name }));
        prop_assert_eq!(cookie.is_ok(), is_token(&name));
    }

    #[test]
    fn tokens_are_placed_as_they_are(name in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}", value in "[!-~]{1,20}") {
        prop_assume!(!FRAMING.contains(&name.to_ascii_lowercase().as_str()));
        let placed = placed(&mut ScriptedHost::new(), json!({ "key": &value, "header": &name }));
        prop_assert_eq!(placed, strings(&[("header", &name.to_ascii_lowercase(), &value)]));
    }

    #[test]
    fn values_with_control_characters_are_never_placed(before in "[ -~]{0,5}", bad in "[\\x00-\\x08\\x0a-\\x1f\\x7f]", after in "[!-~]{1,5}") {
        let value = format!("{before}{bad}{after}");
        for place in ["header", "query", "cookie"] {
            let refused = profile::<ApiKey>(json!({ "key": &value, place: "n" })).is_err();
            prop_assert!(refused);
        }
    }
}
