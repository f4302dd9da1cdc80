use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Challenge, ErrorKind, Lifetime, Origin, Profile};
use serde_json::{Value, json};

use super::*;
use crate::challenge::of_fields;

fn settings(more: Value) -> Value {
    let mut settings = json!({ "username": "Mufasa", "password": "Circle of Life" });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    settings
}

fn made(more: Value) -> Box<dyn Profile> {
    profile::<Digest>(settings(more)).unwrap()
}

fn refused(more: Value) -> Error {
    let error = profile::<Digest>(settings(more)).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("canary"), "{error}");
    error
}

fn origin() -> Origin {
    "http://www.example.org".parse().unwrap()
}

fn host() -> ScriptedHost {
    ScriptedHost::new().target(origin())
}

fn rejection(fields: &[&str]) -> Challenge {
    let headers = fields.iter().map(|field| ("www-authenticate".to_owned(), (*field).to_owned()));
    Challenge { status: 401, headers: headers.collect() }
}

fn asked(fields: &[&str]) -> Answer {
    fields.iter().fold(Answer::new(401, "canary"), |answer, field| answer.header("WWW-Authenticate", field))
}

/// What the settings make of these challenges for a request, with the client's nonce and count of a published example.
fn answered(more: Value, fields: &[&str], request: &RequestHead<'_>, ours: Option<(u32, &str)>) -> String {
    let config: DigestConfig = serde_json::from_value(settings(more)).unwrap();
    let digest = Digest::new(config).unwrap();
    let offer = digest.rules.choose(&of_fields(fields.iter().copied())).unwrap();
    let material = Material {
        cnonce: None,
        count: Default::default(),
        hash: offer.algorithm.hash,
        qop: offer.qop,
        key: digest.credentials.hashed(&offer).as_str().into(),
        head: crate::material::head(&digest.credentials, &offer),
        nonce: offer.nonce,
    };
    let edits = response::header(&material, &material.nonce, request, ours).unwrap();
    let (_, name, value) = edits.iter().next().unwrap();
    assert_eq!(name, "authorization");
    value.to_owned()
}

fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let rest = header.split_once(&format!(" {name}="))?.1;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(',').next(),
    }
}

const HTTP_AUTH: [&str; 2] = [
    r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
    r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5,
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
];

/// As they come off the wire: fields are one line.
fn lines(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| field.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

// RFC 7616 §3.9.1.
#[test]
fn both_algorithms_of_the_first_example_come_out() {
    let request = RequestHead::new("GET", "http", "www.example.org", "/dir/index.html");
    let ours = Some((1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"));
    let fields = lines(&HTTP_AUTH);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    for (algorithms, response) in [
        (json!(null), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (json!(["MD5", "SHA-256"]), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (json!(["MD5"]), "8ca523f5e9506fed4657c9700eebdbec"),
    ] {
        let header = answered(json!({ "algorithms": algorithms }), &fields, &request, ours);
        assert_eq!(parameter(&header, "response"), Some(response), "{header}");
    }
    let header = answered(json!({ "algorithms": ["MD5"] }), &fields, &request, ours);
    assert_eq!(
        header,
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", algorithm=MD5, qop=auth, \
         uri=\"/dir/index.html\", nc=00000001, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", \
         response=\"8ca523f5e9506fed4657c9700eebdbec\""
    );
}

// RFC 7616 §3.9.2 with erratum 4897: the RFC's own numbers are of a draft of SHA-512/256.
#[test]
fn the_second_example_comes_out_with_its_erratum() {
    let settings = json!({ "username": "J\u{e4}s\u{f8}n Doe", "password": "Secret, or not?" });
    let request = RequestHead::new("GET", "http", "api.example.org", "/doe.json");
    let ours = Some((1, "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"));
    let field = |userhash: &str| {
        format!(
            "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
             nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
             opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash={userhash}"
        )
    };
    let response = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";
    let hashed = answered(settings.clone(), &[&field("true")], &request, ours);
    assert_eq!(
        parameter(&hashed, "username"),
        Some("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b")
    );
    assert_eq!(parameter(&hashed, "userhash"), Some("true"));
    assert_eq!(parameter(&hashed, "response"), Some(response));
    let plain = answered(settings.clone(), &[&field("false")], &request, ours);
    assert!(plain.starts_with("Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm="), "{plain}");
    assert_eq!(parameter(&plain, "response"), Some(response));

    // The same name, typed with combining marks.
    let mut composed = settings;
    composed["username"] = json!("Ja\u{308}s\u{f8}n Doe");
    assert_eq!(answered(composed, &[&field("true")], &request, ours), hashed);
}

// RFC 2617 §3.5.
#[test]
fn the_example_of_rfc_2617_comes_out() {
    let field = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let request = RequestHead::new("GET", "http", "www.nowhere.org", "/dir/index.html");
    let settings = json!({ "password": "Circle Of Life" });
    let header = answered(settings.clone(), &[field], &request, Some((1, "0a4f113b")));
    assert_eq!(parameter(&header, "response"), Some("6629fae49393a05397450978507c4ef1"));
    assert_eq!(parameter(&header, "algorithm"), None, "the challenge names none");

    // RFC 2069 §2.4 with its erratum 749: no `qop`, no count, no nonce of the client's.
    let old = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let settings = json!({ "password": "CircleOfLife" });
    let header = answered(settings, &[old], &request, None);
    assert_eq!(parameter(&header, "response"), Some("1949323746fe6a43ef61f9606e7febea"));
    assert_eq!((parameter(&header, "nc"), parameter(&header, "cnonce")), (None, None));
}

#[test]
fn the_body_is_protected_where_that_is_allowed_and_offered() {
    let request = RequestHead::new("POST", "http", "www.example.org", "/x")
        .with_query(Some("a=1"))
        .with_body(Some(b"body"));
    let settings = json!({ "qop": ["auth", "auth-int"], "algorithms": ["MD5"] });
    assert!(made(settings.clone()).inputs().reads_body() && !made(json!({})).inputs().reads_body());
    let fields = lines(&HTTP_AUTH);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let header = answered(settings, &fields, &request, Some((2, "c")));
    assert_eq!((parameter(&header, "qop"), parameter(&header, "uri")), (Some("auth-int"), Some("/x?a=1")));
    let hash = |text: &str| algorithm::Hash::Md5.of(&[text.as_bytes()]).as_str().to_owned();
    let a1 = hash("Mufasa:http-auth@example.org:Circle of Life");
    let a2 = hash(&format!("POST:/x?a=1:{}", hash("body")));
    let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    let response = hash(&format!("{a1}:{nonce}:00000002:c:auth-int:{a2}"));
    assert_eq!(parameter(&header, "response"), Some(response.as_str()));
}

#[test]
fn a_session_key_is_of_both_nonces_and_the_clients_stays() {
    let field = r#"Digest realm="r", nonce="n", algorithm=SHA-256-SESS, qop=auth"#;
    let profile = made(json!({}));
    let mut host = host().challenge(rejection(&[field]));
    let credential = host.acquire(&*profile).unwrap();
    let signer = profile.signer(credential).unwrap();
    let hash = |text: String| algorithm::Hash::Sha256.of(&[text.as_bytes()]).as_str().to_owned();
    let mut before = None;
    for nc in 1..=3 {
        let mut header = String::new();
        let request = RequestHead::new("GET", "http", "www.example.org", "/");
        signer
            .sign(&request, &SignContext::at(host.now()), &mut |_, _, value| header = value.to_owned())
            .unwrap();
        let cnonce = parameter(&header, "cnonce").unwrap().to_owned();
        assert_eq!(cnonce.len(), 32);
        assert_eq!(before.get_or_insert(cnonce.clone()), &cnonce);
        let key = hash(format!("{}:n:{cnonce}", hash("Mufasa:r:Circle of Life".into())));
        let response = hash(format!("{key}:n:{nc:08x}:{cnonce}:auth:{}", hash("GET:/".into())));
        assert_eq!(parameter(&header, "response"), Some(response.as_str()));
        assert_eq!(parameter(&header, "algorithm"), Some("SHA-256-SESS"), "as it was written");
    }
}

const PLAIN: &str = r#"Digest realm="r", nonce="n", qop="auth""#;

fn counts(profile: &dyn Profile, credential: Credential, requests: usize) -> Vec<String> {
    let signer = profile.signer(credential).unwrap();
    let request = RequestHead::new("GET", "http", "www.example.org", "/");
    let one = |_| {
        let mut header = String::new();
        let now = std::time::SystemTime::UNIX_EPOCH;
        signer.sign(&request, &SignContext::at(now), &mut |_, _, value| header = value.to_owned()).unwrap();
        parameter(&header, "nc").unwrap().to_owned()
    };
    (0..requests).map(one).collect()
}

#[test]
fn the_first_challenge_is_asked_for_and_serves_many_requests() {
    let profile = made(json!({ "challenge_path": "/api?x=1" }));
    let mut host = host().answer(asked(&[PLAIN]));
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::For(LONGEST));
    let sent = &host.sent()[0];
    assert_eq!((sent.method.as_str(), sent.url.as_str()), ("GET", "http://www.example.org/api?x=1"));
    assert!(sent.headers.is_empty() && sent.body.expose().is_empty(), "no credentials");
    assert_eq!(counts(&*profile, credential, 3), ["00000001", "00000002", "00000003"]);
}

#[test]
fn a_challenge_of_a_rejection_is_taken_and_a_nonce_that_comes_again_is_counted_on() {
    let profile = made(json!({}));
    let mut host = host().challenge(rejection(&["Basic realm=\"r\"", PLAIN]));
    let first = host.acquire(&*profile).unwrap();
    assert!(host.sent().is_empty());
    assert_eq!(counts(&*profile, first, 2), ["00000001", "00000002"]);
    let again = host.acquire(&*profile).unwrap();
    assert_eq!(counts(&*profile, again, 1), ["00000003"]);
    // Another instance is another client.
    let other = made(json!({}));
    let credential = host.acquire(&*other).unwrap();
    assert_eq!(counts(&*other, credential, 1), ["00000001"]);
}

#[test]
fn a_rejection_without_a_digest_challenge_leads_to_asking() {
    let profile = made(json!({}));
    let mut host = host().challenge(rejection(&["Bearer realm=\"r\""])).answer(asked(&[PLAIN]));
    host.acquire(&*profile).unwrap();
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn without_reuse_each_request_has_a_nonce_of_its_own() {
    let profile = made(json!({ "reuse": false }));
    let credential = host().answer(asked(&[PLAIN])).acquire(&*profile).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::SingleUse);
}

#[test]
fn concurrent_requests_never_share_a_count() {
    let profile = made(json!({}));
    let credential = host().answer(asked(&[PLAIN])).acquire(&*profile).unwrap();
    let signer = profile.signer(credential).unwrap();
    let mut all: Vec<String> = std::thread::scope(|scope| {
        let each = || {
            let request = RequestHead::new("GET", "http", "www.example.org", "/");
            let cx = SignContext::at(std::time::SystemTime::UNIX_EPOCH);
            let mut seen = Vec::new();
            for _ in 0..500 {
                signer
                    .sign(&request, &cx, &mut |_, _, value| {
                        seen.push(parameter(value, "nc").unwrap().to_owned());
                    })
                    .unwrap();
            }
            assert!(seen.is_sorted());
            seen
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(each)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_unstable();
    let expected: Vec<String> = (1..=4000).map(|count| format!("{count:08x}")).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_used_up_nonce_signs_nothing_more() {
    let material = Material {
        hash: algorithm::Hash::Md5,
        qop: config::Protection::Auth,
        nonce: "n".into(),
        key: "k".into(),
        cnonce: None,
        head: Default::default(),
        count: std::sync::Arc::new(count::Count::exhausted()).into(),
    };
    let sign = || {
        let cx = SignContext::at(std::time::SystemTime::UNIX_EPOCH);
        response::sign(&material, &Counts::default(), &RequestHead::new("GET", "http", "a", "/"), &cx)
    };
    assert!(sign().unwrap().iter().next().unwrap().2.contains("nc=ffffffff"));
    assert_eq!(sign().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(sign().is_err());
}

#[test]
fn the_strongest_challenge_that_is_allowed_is_taken() {
    let offered = [
        r#"Digest realm="r", nonce="1", qop="auth", Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth""#,
        r#"Digest realm="r", nonce="3", algorithm=SHA-512-256, qop="auth", Digest realm="r", nonce="4", algorithm=SHA-512-256-sess, qop="auth""#,
        r#"Digest realm="r", nonce="5", algorithm=SHA-512-256, qop="auth-int""#,
        r#"Digest realm="other", nonce="6", algorithm=SHA-256, qop="auth", Digest realm="r", nonce="7", algorithm=SHA3-512, qop="auth""#,
    ];
    for (more, nonce) in [
        (json!({}), "3"),
        (json!({ "qop": ["auth", "auth-int"] }), "5"),
        (json!({ "algorithms": ["SHA-256", "MD5"] }), "2"),
        (json!({ "algorithms": ["MD5"] }), "1"),
        (json!({ "realm": "other" }), "6"),
    ] {
        let rules = Digest::new(serde_json::from_value(settings(more.clone())).unwrap()).unwrap().rules;
        assert_eq!(rules.choose(&of_fields(offered.into_iter())).unwrap().nonce, nonce, "{more}");
    }
}

#[test]
fn what_cannot_be_answered_is_denied_with_the_reason() {
    for (more, field, reason) in [
        (json!({}), "Basic realm=\"r\"", "asks for another scheme"),
        (json!({}), "Digest nonce=\"n\"", "has no `realm`"),
        (json!({}), "Digest realm=\"r\"", "has no `nonce`"),
        (json!({}), "Digest realm=\"r\", nonce=\"n\", algorithm=SHA3-512", "nobody registered"),
        (json!({}), "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess", "without `qop`"),
        (json!({}), "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", "has to be named there"),
        (json!({ "qop": ["auth"] }), "Digest realm=\"r\", nonce=\"n\"", "has no `qop`"),
        (json!({ "algorithms": ["SHA-256"] }), PLAIN, "MD5, which `algorithms` does not allow"),
        (json!({ "realm": "other" }), PLAIN, "another realm than `realm` says"),
        (json!({}), "Digest realm=\"r\u{fffd}\", nonce=\"n\"", "not UTF-8"),
    ] {
        let error = host().answer(asked(&[field])).acquire(&*made(more)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{field}");
        assert!(error.message().contains(reason), "{field}: {error}");
    }
}

#[test]
fn an_api_that_is_unwell_or_asks_for_nothing_is_told_apart() {
    for (answer, kind, word) in [
        (Answer::new(200, "canary"), ErrorKind::Denied, "challenge_path"),
        (Answer::new(404, "canary"), ErrorKind::Denied, "404"),
        (Answer::new(302, "canary"), ErrorKind::Unavailable, "302"),
        (Answer::new(503, "canary"), ErrorKind::Unavailable, "503"),
        (Answer::new(429, "canary").header("Retry-After", "7"), ErrorKind::RateLimited, "429"),
    ] {
        let error = host().answer(answer).acquire(&*made(json!({}))).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word) && !error.to_string().contains("canary"), "{error}");
    }
    assert_eq!(host().no_answer().acquire(&*made(json!({}))).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn an_address_that_cannot_be_quoted_is_not_signed() {
    let profile = made(json!({}));
    let mut host = host().answer(asked(&[PLAIN]));
    let credential = host.acquire(&*profile).unwrap();
    let request = RequestHead::new("GET", "http", "a", "/").with_query(Some("q=\"x\""));
    let error = host.sign(&*profile, credential, &request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("%22"), "{error}");
}

#[test]
fn a_realm_with_quotes_is_hashed_as_it_reads_and_sent_as_it_was_written() {
    let field = r#"Digest realm="say \"hi\" \\o/", nonce="n", opaque="a\"b""#;
    let request = RequestHead::new("GET", "http", "a", "/");
    let header = answered(json!({ "username": "a\"b" }), &[field], &request, None);
    assert!(header.contains(r#"realm="say \"hi\" \\o/", nonce="n", opaque="a\"b""#), "{header}");
    let hash = |text: &str| algorithm::Hash::Md5.of(&[text.as_bytes()]).as_str().to_owned();
    let key = hash("a\"b:say \"hi\" \\o/:Circle of Life");
    let response = hash(&format!("{key}:n:{}", hash("GET:/")));
    assert_eq!(parameter(&header, "response"), Some(response.as_str()));
}

#[test]
fn a_password_goes_in_the_charset_of_the_challenge_or_else_of_the_settings() {
    let request = RequestHead::new("GET", "http", "a", "/");
    let latin = r#"Digest realm="r", nonce="n""#;
    let utf8 = r#"Digest realm="r", nonce="n", charset="utf-8""#;
    let keyed = |key: String| {
        let hash = |text: &[u8]| algorithm::Hash::Md5.of(&[text]).as_str().to_owned();
        hash(format!("{key}:n:{}", hash(b"GET:/")).as_bytes())
    };
    let hash = |password: &[u8]| algorithm::Hash::Md5.of(&[b"Mufasa:r:", password]).as_str().to_owned();
    let more = json!({ "password": "p\u{e4}\n", "charset": "ISO-8859-1" });
    let header = answered(more.clone(), &[latin], &request, None);
    assert_eq!(parameter(&header, "response"), Some(keyed(hash(b"p\xe4")).as_str()));
    let header = answered(more, &[utf8], &request, None);
    assert_eq!(parameter(&header, "response"), Some(keyed(hash("p\u{e4}".as_bytes())).as_str()));
    let header = answered(json!({ "password": "pa\u{308}" }), &[latin], &request, None);
    assert_eq!(parameter(&header, "response"), Some(keyed(hash("p\u{e4}".as_bytes())).as_str()));
}

#[test]
fn wrong_settings_are_found_where_they_stand() {
    for (more, field) in [
        (json!({ "username": "" }), "username"),
        (json!({ "username": "canary\n" }), "username"),
        (json!({ "password": "canary\0x" }), "password"),
        (json!({ "challenge_path": "https://canary.example/" }), "challenge_path"),
        (json!({ "challenge_path": "//canary.example/" }), "challenge_path"),
        (json!({ "challenge_path": "/canary x" }), "challenge_path"),
        (json!({ "challenge_path": "/canary#x" }), "challenge_path"),
        (json!({ "algorithms": [] }), "algorithms"),
        (json!({ "qop": [] }), "qop"),
        (json!({ "username": "j\u{f6}rg", "charset": "ISO-8859-1" }), "username"),
        (json!({ "password": "canary \u{20ac}", "charset": "ISO-8859-1" }), "password"),
    ] {
        assert_eq!(refused(more.clone()).field(), Some(field), "{more}");
    }
    let error = refused(json!({ "algorithms": ["SHA-256", "MD5-sess"] }));
    assert!(error.message().contains("SHA-512-256") && error.message().contains("-sess"), "{error}");
    assert!(refused(json!({ "pasword": "canary" })).message().contains("unknown field `pasword`"));
}

#[test]
fn debug_is_blind() {
    let config: DigestConfig = serde_json::from_value(settings(json!({ "password": "canary" }))).unwrap();
    assert_eq!(config.password.expose(), "canary");
    assert!(!format!("{config:?}").contains("canary"));
    let digest = Digest::new(config).unwrap();
    let offer = digest.rules.choose(&of_fields([PLAIN].into_iter())).unwrap();
    let key = digest.credentials.hashed(&offer).as_str().to_owned();
    assert_eq!(key.len(), 32);
    let shown = format!("{digest:?} {offer:?}");
    assert!(!shown.contains("canary") && !shown.contains(&key), "{shown}");
}
