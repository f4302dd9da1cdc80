//! The recipes of the book against what the vendors published, and what `new` refuses.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use countersign::testing::{ScriptedHost, profile};
use countersign::{AuthProfile, Caller, Error, HeaderView, Place, RequestHead};
use serde_json::{Value, json};

use crate::nonce::Nonce;
use crate::time::Time;
use crate::{Hmac, HmacConfig};

const BOOK: &str = include_str!("../../../docs/src/types/hmac-recipes.md");

/// The book's recipe of that name, with these settings in place of its own.
fn recipe(name: &str, settings: Value) -> Hmac {
    let blocks = BOOK.split("```toml,config\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut table = blocks
        .map(|block| toml::from_str::<Value>(block).unwrap())
        .find_map(|mut block| block["profiles"].get_mut(name).map(Value::take))
        .unwrap_or_else(|| panic!("the book has no {name}"));
    let table_of = table.as_object_mut().unwrap();
    assert_eq!(table_of.remove("type"), Some("hmac".into()));
    for (setting, value) in settings.as_object().unwrap() {
        match (table_of.get_mut(setting), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            (_, value) => drop(table_of.insert(setting.clone(), value.clone())),
        }
    }
    let config: HmacConfig = serde_json::from_value(table).unwrap();
    Hmac::new(config).unwrap_or_else(|error| panic!("{name}: {error}"))
}

struct Call<'a> {
    method: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    /// In milliseconds since the epoch.
    now: u64,
    nonce: &'static str,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self {
            method: "POST",
            authority: "api.example",
            path: "/",
            query: None,
            headers: &[],
            body: "",
            now: 1_531_420_618_000,
            nonce: "",
        }
    }
}

/// What a request gets, by name.
fn signed(profile: &Hmac, call: &Call<'_>) -> Result<BTreeMap<String, String>, Error> {
    let headers: Vec<_> =
        call.headers.iter().map(|(name, value)| HeaderView::new(name, value.as_bytes())).collect();
    let scheme = if call.authority.ends_with(":8000") { "http" } else { "https" };
    let request = RequestHead::new(call.method, scheme, call.authority, call.path)
        .with_query(call.query)
        .with_headers(&headers)
        .with_body(profile.inputs().reads_body().then_some(call.body.as_bytes()));
    let time = Time::of(UNIX_EPOCH + Duration::from_millis(call.now));
    let nonce = if call.nonce.is_empty() { Nonce::Random([7; 16]) } else { Nonce::Given(call.nonce) };
    let caller = Caller::from_iter([("user", "ada")]);
    let edits = profile.signature.sign(&caller, &request, time, nonce)?;
    Ok(edits.iter().map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn one(profile: &Hmac, name: &str, call: &Call<'_>) -> String {
    signed(profile, call).unwrap().remove(name).unwrap_or_else(|| panic!("no {name}"))
}

/// Slack, "Verifying requests from Slack".
#[test]
fn slack_is_as_published() {
    let slack = recipe("slack", json!({ "secret": "8f742231b10e8888abcd99yyyzzz85a5" }));
    let call = Call {
        body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        ..Call::default()
    };
    let edits = signed(&slack, &call).unwrap();
    assert_eq!(
        edits["x-slack-signature"],
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    );
    assert_eq!(edits["x-slack-request-timestamp"], "1531420618");
}

/// GitHub, "Validating webhook deliveries".
#[test]
fn github_is_as_published() {
    let github = recipe("github", json!({ "secret": "It's a Secret to Everybody" }));
    let signature = one(&github, "x-hub-signature-256", &Call { body: "Hello, World!", ..Call::default() });
    assert_eq!(signature, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

/// The test of the Standard Webhooks libraries, and Svix's "Verifying webhooks manually".
#[test]
fn standard_webhooks_is_as_published() {
    for (secret, id, now, body, signature) in [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "plJ3nmyCDGBKInavdOK15jsl",
            "msg_loFOjxBNrRLzqYUf",
            1_731_705_121,
            r#"{"event_type":"ping","data":{"success":true}}"#,
            "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        ),
    ] {
        let webhooks = recipe("standard-webhooks", json!({ "secret": secret }));
        let call = Call { headers: &[("webhook-id", id)], body, now: now * 1000, ..Call::default() };
        assert_eq!(one(&webhooks, "webhook-signature", &call), signature);
        let error = signed(&webhooks, &Call { headers: &[], ..call }).unwrap_err();
        assert!(error.message().contains("`webhook-id`"), "{error}");
    }
}

/// Twilio, "Webhooks security", as it is and as it was.
#[test]
fn twilio_is_as_published() {
    let twilio = recipe("twilio", json!({ "secret": "12345" }));
    for (number, signature) in
        [("14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")]
    {
        let body = format!(
            "To=%2B18005551212&From=%2B{number}&CallSid=CA1234567890ABCDE&Digits=1234&Caller=%2B{number}"
        );
        let call = Call {
            authority: "mycompany.com",
            path: "/myapp.php",
            query: Some("foo=1&bar=2"),
            body: &body,
            ..Call::default()
        };
        assert_eq!(one(&twilio, "x-twilio-signature", &call), signature);
    }
}

/// Binance, "SIGNED endpoint examples for POST /api/v3/order", both.
#[test]
fn binance_is_as_published() {
    let settings = json!({
        "key_id": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
        "secret": "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
    });
    let binance = recipe("binance", settings);
    for (symbol, signature) in [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (
            "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
    ] {
        // An older signature and an older time are replaced.
        let query = format!(
            "symbol={symbol}&side=BUY&timestamp=1&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&signature=old"
        );
        let call = Call { query: Some(&query), now: 1_499_827_319_559, ..Call::default() };
        let edits = signed(&binance, &call).unwrap();
        assert_eq!(edits["signature"], signature);
        assert_eq!((edits["timestamp"].as_str(), edits.len()), ("1499827319559", 3));
    }
}

/// Kraken, "Spot REST authentication".
#[test]
fn kraken_is_as_published() {
    let settings = json!({
        "key_id": "k",
        "secret": "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
    });
    let call = Call {
        path: "/0/private/AddOrder",
        body: "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
        ..Call::default()
    };
    let kraken = recipe("kraken", settings);
    assert_eq!(
        one(&kraken, "api-sign", &call),
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    );
    let error = signed(&kraken, &Call { body: "ordertype=limit", ..call }).unwrap_err();
    assert!(error.message().contains("`nonce`"), "{error}");
}

/// Google Maps, "Use a digital signature".
#[test]
fn google_maps_is_as_published() {
    let settings = json!({ "key_id": "clientID", "secret": "vNIXE0xscrmjlyV-12Nj_BvUPaw=" });
    let call = Call {
        method: "GET",
        path: "/maps/api/geocode/json",
        query: Some("address=New+York"),
        ..Call::default()
    };
    assert_eq!(one(&recipe("google-maps", settings), "signature", &call), "chaRF2hTJKOScPr-RQCEhZbSzIE=");
}

/// Pusher Channels, "HTTP API reference".
#[test]
fn pusher_is_as_published() {
    let settings = json!({ "key_id": "278d425bdf160c739803", "secret": "7ad3773142a6692b25b8" });
    let pusher = recipe("pusher", settings);
    let call = Call {
        path: "/apps/3/events",
        body: r#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#,
        now: 1_353_088_179_000,
        ..Call::default()
    };
    let edits = signed(&pusher, &call).unwrap();
    assert_eq!(edits["auth_signature"], "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c");
    assert_eq!(edits["body_md5"], "ec365a775a4cd0599faeb73354201b6f");
    let without_body = signed(&pusher, &Call { body: "", ..call }).unwrap();
    assert!(!without_body.contains_key("body_md5"), "what is empty is left out");
}

/// Duo, "Admin API".
#[test]
fn duo_is_as_published() {
    let settings = json!({
        "key_id": "DIWJ8X6AEYOR5OMC6TQ1", "secret": "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep",
    });
    let duo = recipe("duo", settings);
    let expected =
        "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6MmQ5N2Q2MTY2MzE5NzgxYjVhM2EwN2FmMzlkMzY2ZjQ5MTIzNGVkYw==";
    for body in ["realname=First+Last&username=root", "username=root&realname=First%20Last"] {
        let call = Call {
            authority: "API-xxxxxxxx.duosecurity.com",
            path: "/accounts/v1/account/list",
            headers: &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")],
            body,
            now: 1_345_570_158_000,
            ..Call::default()
        };
        let edits = signed(&duo, &call).unwrap();
        assert_eq!(edits["date"], "Tue, 21 Aug 2012 17:29:18 -0000");
        assert_eq!(edits["authorization"], expected);
    }
}

/// Hawk's README, without and with a body.
#[test]
fn hawk_is_as_published() {
    let settings = json!({
        "key_id": "dh37fgj492je", "secret": "werxhqb98rpaxn39848xrunpaw3489ruxnpa98w4rxn",
    });
    let hawk = recipe("hawk", settings);
    let call = Call {
        method: "GET",
        authority: "example.com:8000",
        path: "/resource/1",
        query: Some("b=1&a=2"),
        now: 1_353_832_234_000,
        nonce: "j4h3g2",
        ..Call::default()
    };
    assert_eq!(
        one(&hawk, "authorization", &call),
        r#"Hawk id="dh37fgj492je", ts="1353832234", nonce="j4h3g2", ext="some-app-ext-data", mac="6R4rV5iE+NPoym+WwjeHzjAGXUtLNIxmo1vpMofpLAE=""#
    );
    let call = Call {
        method: "POST",
        headers: &[("content-type", "Text/plain ; charset=utf-8")],
        body: "Thank you for flying Hawk",
        ..call
    };
    assert_eq!(
        one(&hawk, "authorization", &call),
        r#"Hawk id="dh37fgj492je", ts="1353832234", nonce="j4h3g2", hash="Yi9LfIIFRtBEPt74PVmbTF/xVAwPn7ub15ePICfgnuY=", ext="some-app-ext-data", mac="aSe1DERmZuRl3pI36/9BdZmnErTw3sNzOOAUlfeKjVw=""#
    );
}

/// Akamai, the tests that the EdgeGrid clients share.
#[test]
fn akamai_is_as_published() {
    let settings = json!({
        "key_id": "akab-client-token-xxx-xxxxxxxxxxxxxxxx",
        "secret": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=",
        "variables": { "access_token": "akab-access-token-xxx-xxxxxxxxxxxxxxxx" },
    });
    let akamai = recipe("akamai", settings);
    let begin = "EG1-HMAC-SHA256 client_token=akab-client-token-xxx-xxxxxxxxxxxxxxxx;access_token=akab-access-token-xxx-xxxxxxxxxxxxxxxx;timestamp=20140321T19:34:21+0000;nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;signature=";
    let call = Call {
        method: "GET",
        authority: "akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net",
        now: 1_395_430_461_000,
        nonce: "nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        ..Call::default()
    };
    let simple = one(&akamai, "authorization", &call);
    assert_eq!(simple, format!("{begin}tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU="));
    let call =
        Call { method: "POST", path: "/testapi/v1/t3", body: "datadatadatadatadatadatadatadata", ..call };
    let posted = one(&akamai, "authorization", &call);
    assert_eq!(posted, format!("{begin}hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4="));
}

/// Tencent Cloud, "Signature v3": its key is 32 asterisks.
#[test]
fn tencent_is_as_published() {
    let settings = json!({
        "key_id": "AKID********************************",
        "secret": "TC3********************************",
    });
    let tencent = recipe("tencent", settings);
    let call = Call {
        authority: "cvm.tencentcloudapi.com",
        headers: &[("content-type", "application/json; charset=utf-8"), ("x-tc-action", "DescribeInstances")],
        body: r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
        now: 1_551_113_065_000,
        ..Call::default()
    };
    let expected = "TC3-HMAC-SHA256 Credential=AKID********************************/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f";
    assert_eq!(one(&tencent, "authorization", &call), expected);
    // The key of another day is another one, and that of the first day is the first again.
    let next_day = one(&tencent, "authorization", &Call { now: call.now + 86_400_000, ..call });
    assert!(!next_day.ends_with("6ab6c4f"), "{next_day}");
    assert_eq!(one(&tencent, "authorization", &call), expected);
}

/// Alibaba Cloud, "Request signatures" of its RPC APIs.
#[test]
fn alibaba_is_as_published() {
    let alibaba = recipe("alibaba", json!({ "key_id": "testid", "secret": "testsecret&" }));
    let call = Call {
        method: "GET",
        authority: "ecs.aliyuncs.com",
        query: Some("Version=2014-05-26&Action=DescribeRegions&Format=XML"),
        now: 1_456_231_584_000,
        nonce: "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        ..Call::default()
    };
    let edits = signed(&alibaba, &call).unwrap();
    assert_eq!(edits["Timestamp"], "2016-02-23T12:46:24Z");
    assert_eq!(edits["Signature"], "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
}

#[test]
fn recipes_without_a_published_example_sign() {
    for (name, header) in [
        ("stripe", "stripe-signature"),
        ("shopify", "x-shopify-hmac-sha256"),
        ("okx", "ok-access-sign"),
        ("azure", "authorization"),
    ] {
        let profile = recipe(name, json!({ "secret": "c2VjcmV0" }));
        assert!(!one(&profile, header, &Call { body: "{}", ..Call::default() }).is_empty());
    }
}

fn settings(sign: &str, more: Value) -> Value {
    let mut settings =
        json!({ "secret": "canary", "sign": sign, "headers": { "X-Sig": "{{ signature | hex }}" } });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn made(sign: &str, more: Value) -> Hmac {
    Hmac::new(serde_json::from_value(settings(sign, more)).unwrap()).unwrap()
}

/// What is signed, for it is the key that a part has in front of it.
fn text(template: &str, call: &Call<'_>) -> String {
    let profile = made("x", json!({ "headers": { "X": template, "X-Sig": "{{ signature | hex }}" } }));
    one(&profile, "x", call)
}

#[test]
fn variables_are_what_the_request_has() {
    let call = Call {
        method: "PUT",
        authority: "a.example:8000",
        path: "/a%20b",
        query: Some("b=2&a=1"),
        headers: &[("x-a", " one "), ("x-b", "zwei"), ("x-a", "two")],
        body: "ä",
        ..Call::default()
    };
    for (template, expected) in [
        ("{{ method }} {{ method | lower }} {{scheme}}", "PUT put http"),
        ("{{ authority }} {{ host }} {{ port }}", "a.example:8000 a.example 8000"),
        ("{{ path }} {{ query }} {{ query | sorted }}", "/a%20b b=2&a=1 a=1&b=2"),
        ("{{ target }} {{ url }}", "/a%20b?b=2&a=1 http://a.example:8000/a%20b?b=2&a=1"),
        ("{{ header.X-A }}/{{ header.x-c? }}/{{ header.Host }}", "one, two//a.example:8000"),
        ("{{ body | hex }} {{ body | base64 }} {{ body | url }}", "c3a4 w6Q= %C3%A4"),
        (
            "{{ body | sha256 | hex_upper | lower }}",
            "33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc",
        ),
        (
            "{{ body | md5 | hex | when PUT }}{{ body | md5 | hex | when GET POST }}",
            "8419b71c87a225a2c70b50486fbee545",
        ),
        ("{{ \"{{\" }} {{ \"a|b\" | upper }}", "{{ A|B"),
        (
            "{{ timestamp +60 }} {{ timestamp.date }} {{ timestamp \"%H:%M\" -60 }}",
            "1531420678 2018-07-12 18:35",
        ),
        (
            "{{ nonce }} {{ nonce.uuid }}",
            "07070707070707070707070707070707 07070707-0707-4707-8707-070707070707",
        ),
        ("{{ caller.user }}", "ada"),
        ("a } b {c}", "a } b {c}"),
    ] {
        assert_eq!(text(template, &call), expected, "{template}");
    }
    let bare = Call { method: "GET", ..Call::default() };
    assert_eq!(text("{{ port }} {{ target }} {{ url }}", &bare), "443 / https://api.example/");
    assert_eq!(text("{{ parameters | sorted }}", &Call { query: Some("a=1"), ..Call::default() }), "a=1");
}

#[test]
fn headers_and_parameters_of_the_profile_are_signed_as_they_will_be_sent() {
    let profile = made(
        "{{ target }} {{ header.x-date }} {{ header.x-q }}",
        json!({
            "headers": { "X-Date": "{{ timestamp }}", "X-Q": "{{ query }}", "X-Sig": "{{ signature | hex }}" },
            "query_parameters": { "t": "ä {{ timestamp }}", "s": "{{ signature | base64 }}" },
        }),
    );
    let call = Call {
        query: Some("a=1&t=old&s=old"),
        headers: &[("x-date", "old"), ("x-q", "old")],
        ..Call::default()
    };
    let query = "a=1&t=%C3%A4%201531420618";
    let expected = made(&format!("/?{query} 1531420618 {query}"), json!({}));
    assert_eq!(one(&profile, "x-sig", &call), one(&expected, "x-sig", &Call::default()));
    let request = RequestHead::new("GET", "https", "a.example", "/");
    let edits = profile.signature.sign(&Caller::new(), &request, Time::of(UNIX_EPOCH), Nonce::None).unwrap();
    let places: Vec<_> = edits.iter().map(|(place, name, _)| (place, name.to_owned())).collect();
    let placed = |place, name: &str| (place, name.to_owned());
    assert_eq!(
        places,
        [
            placed(Place::Query, "t"),
            placed(Place::Header, "x-date"),
            placed(Place::Header, "x-q"),
            placed(Place::Query, "s"),
            placed(Place::Header, "x-sig"),
        ]
    );
}

#[test]
fn a_derived_key_is_of_its_steps_and_not_of_their_letters() {
    let derived = |steps: [&str; 2]| {
        let profile = made("x", json!({ "derive": steps }));
        one(&profile, "x-sig", &Call::default())
    };
    assert_ne!(derived(["a", "bc"]), derived(["ab", "c"]));
    // One profile, whose steps join to the same text in two ways.
    let profile = made("x", json!({ "derive": ["{{ header.a }}", "{{ header.b }}"] }));
    let sign = |a, b| one(&profile, "x-sig", &Call { headers: &[("a", a), ("b", b)], ..Call::default() });
    let (first, second) = (sign("a", "bc"), sign("ab", "c"));
    assert_ne!(first, second);
    assert_eq!((sign("a", "bc"), sign("ab", "c")), (first, second));
}

#[test]
fn only_what_templates_read_is_declared() {
    let inputs = made("{{ timestamp }}", json!({})).inputs();
    assert!(!inputs.reads_body() && inputs.caller_attributes().len() == 0);
    let inputs =
        made("{{ parts.a }}", json!({ "parts": { "a": "{{ caller.user }}{{ method | when body }}" } }))
            .inputs();
    assert!(inputs.reads_body() && inputs.reads_caller("user"));
}

#[test]
fn a_caller_without_the_attribute_gets_no_credential() {
    let profile = profile::<Hmac>(settings("{{ caller.user }}", json!({}))).unwrap();
    assert!(ScriptedHost::new().acquire(&*profile).is_err());
    let mut host = ScriptedHost::new().caller("user", "ada");
    let credential = host.acquire(&*profile).unwrap();
    let request = RequestHead::new("GET", "https", "a.example", "/");
    assert_eq!(host.sign(&*profile, credential, &request).unwrap().len(), 1);
}

#[test]
fn nonces_are_new_each_time() {
    let profile = profile::<Hmac>(settings("{{ nonce }}", json!({}))).unwrap();
    let sign = || {
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*profile).unwrap();
        host.sign(&*profile, credential, &RequestHead::new("GET", "https", "a.example", "/")).unwrap()
    };
    assert_ne!(sign(), sign());
}

#[test]
fn wrong_settings_are_named_with_the_way_out() {
    for (more, field, words) in [
        (json!({ "secret": "" }), "secret", "empty"),
        (json!({ "secret": "\n" }), "secret", "empty"),
        (json!({ "secret": "canary!", "secret_encoding": "base64" }), "secret", "secret_encoding"),
        (json!({ "sign": "" }), "sign", "signs nothing"),
        (json!({ "sign": "{{ timstamp }}" }), "sign", "at column 4; did you mean `timestamp`?"),
        (json!({ "sign": "ä{{ canary }}" }), "sign", "unknown variable at column 5; known are authority"),
        (
            json!({ "sign": "{{ body | sha265 }}" }),
            "sign",
            "unknown filter at column 11; did you mean `sha256`?",
        ),
        (json!({ "sign": "{{ body" }), "sign", "`{{` at column 1 is not closed"),
        (json!({ "sign": "{{ }}" }), "sign", "name nothing"),
        (json!({ "sign": "{{ body | }}" }), "sign", "no filter behind it"),
        (json!({ "sign": "{{ body sha256 }}" }), "sign", "a `|` missing"),
        (json!({ "sign": "{{ body | hex sha256 }}" }), "sign", "a `|` missing"),
        (json!({ "sign": "{{ body | field }}" }), "sign", "`field nonce`"),
        (json!({ "sign": "{{ body | when tuesday }}" }), "sign", "when body"),
        (json!({ "sign": "{{ body | before ; }}" }), "sign", "in quotes"),
        (json!({ "sign": "{{ body | sha256 | lower }}" }), "sign", "`lower` at column 20 works on text"),
        (json!({ "sign": "{{ timestamp \"%Q\" }}" }), "sign", "%Y %m %d"),
        (json!({ "sign": "{{ timestamp \"%Y }}" }), "sign", "quote at column 14"),
        (json!({ "sign": "{{ timestamp soon }}" }), "sign", "seconds by which"),
        (json!({ "sign": "{{ signature }}" }), "sign", "`headers` and `query_parameters` only"),
        (json!({ "sign": "{{ key_id }}" }), "sign", "set `key_id`"),
        (json!({ "sign": "{{ variables.tenant }}", "variables": { "tennant": "x" } }), "sign", "`tennant`"),
        (json!({ "sign": "{{ parts.a }}" }), "sign", "there is none"),
        (json!({ "sign": "{{ header.a b }}" }), "sign", "takes nothing"),
        (json!({ "sign": "{{ header.a:b }}" }), "sign", "cannot be signed"),
        (json!({ "sign": "{{ header.content-length }}" }), "sign", "sign `body` instead"),
        (json!({ "parts": { "a": "{{ parts.b }}", "b": "{{ parts.a }}" } }), "parts.a", "has itself in it"),
        (
            json!({ "parts": { "a": "{{ signature }}" }, "sign": "{{ parts.a }}" }),
            "sign",
            "cannot stand here",
        ),
        (json!({ "parts": { "a b": "" } }), "parts.a b", "not a name"),
        (json!({ "headers": { "X-Sig": "{{ timestamp }}" } }), "headers", "nothing carries the signature"),
        (json!({ "headers": { "X-Sig": "{{ signature }}" } }), "headers.X-Sig", "`| hex` or `| base64`"),
        (json!({ "headers": { "Host": "{{ signature | hex }}" } }), "headers.Host", "must not set"),
        (json!({ "headers": { "a": "{{ signature | hex }}", "A": "x" } }), "headers.a", "twice"),
        (
            json!({ "headers": { "a": "{{ header.b }}", "b": "{{ signature | hex }}" } }),
            "headers.a",
            "not made yet",
        ),
        (json!({ "query_parameters": { "": "x" } }), "query_parameters.", "needs a name"),
        (json!({ "derive": ["x", "{{ datee }}"] }), "derive[1]", "at column 4"),
        (json!({ "derived_encoding": "hex" }), "derived_encoding", "`derive`"),
        (json!({ "algorithm": "sha256" }), "algorithm", "hmac-sha256"),
        (json!({ "singn": "x" }), "singn", "unknown field"),
    ] {
        let error = profile::<Hmac>(settings("x", more.clone())).err().unwrap_or_else(|| panic!("{more}"));
        assert_eq!(error.field(), Some(field), "{more}: {error}");
        assert!(error.message().contains(words), "{more}: {error}");
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}

#[test]
fn debug_tells_no_secret() {
    let profile = made("canary {{ variables.v }}", json!({ "variables": { "v": "canary" } }));
    assert!(!format!("{profile:?}").contains("canary"));
}
