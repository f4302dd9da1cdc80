//! One suite that every built-in type passes in each home: linked into the host, as a library in the host's process, as one in a
//! process of its own, and as a program.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use countersign::testing::{Answer, ScriptedHost};
use countersign::{
    Challenge, Credential, Error, ErrorKind, HeaderView, HttpRequest, Lifetime, Profile, RequestHead,
    SignContext,
};
use countersign_host::plugin::{FolderSettings, Isolation, PluginSettings, load_folder};
use countersign_host::registry::{Home, Registry};
use countersign_tests::built;
use countersign_tests::folder::Folder;
use countersign_tests::keys;
use countersign_tests::tls::TestCa;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

/// The types linked in, and the same types from plugin files alone.
fn homes() -> &'static [(&'static str, Registry); 4] {
    static HOMES: OnceLock<[(&str, Registry); 4]> = OnceLock::new();
    HOMES.get_or_init(|| {
        countersign::silence_profile_panics();
        built::be_host_of_workers();
        let packages = built::BUILT_IN.map(|name| format!("countersign-{name}"));
        let libraries = Folder::new().with_plugins(&packages.each_ref().map(String::as_str));
        let programs = Folder::new().with_executable(&built::executable("countersign-fixture-over-stdio"));
        [
            ("linked in", Registry::built_in()),
            ("as .so", loaded(&libraries, Isolation::InProcess)),
            ("as .so in a process of its own", loaded(&libraries, Isolation::Process)),
            ("as a program", loaded(&programs, Isolation::Process)),
        ]
    })
}

fn loaded(folder: &Folder, isolation: Isolation) -> Registry {
    let default = PluginSettings { isolation, ..PluginSettings::default() };
    let settings = FolderSettings { default, ..FolderSettings::default() };
    let loaded = load_folder(&folder.path().join("plugins"), &settings, &[]);
    assert_eq!(loaded.refusals, [], "nothing is refused");
    loaded.plugins.into_iter().fold(Registry::default(), Registry::with_plugin)
}

/// Runs a test in each home.
fn in_each_home(test: impl Fn(&dyn Fn(&str, Value) -> Result<Box<dyn Profile>, Error>)) {
    for (home, types) in homes() {
        println!("{home}:");
        test(&|name, settings| types.create(name, &settings));
    }
}

fn placed(credential: &Credential) -> Vec<(&'static str, &str, &str)> {
    ScriptedHost::new().placed(credential)
}

#[test]
fn the_types_are_the_same_and_come_from_where_they_should() {
    let [(_, linked), plugins @ ..] = homes();
    assert_eq!(linked.names().collect::<Vec<_>>(), built::BUILT_IN);
    for name in built::BUILT_IN {
        assert_eq!(linked.home(name), Some(Home::BuiltIn));
        let manifest = linked.manifest(name).unwrap();
        for (home, plugins) in plugins {
            assert_eq!(plugins.names().collect::<Vec<_>>(), built::BUILT_IN, "{home}");
            assert_eq!(Some(manifest), plugins.manifest(name), "{name} {home}");
            assert!(matches!(plugins.home(name), Some(Home::Plugin(_))), "{name} {home}");
        }
        assert_eq!(manifest.schema["additionalProperties"], false, "{name}: unknown settings are found");
        assert!(!manifest.summary.is_empty(), "{name}");
        for (setting, schema) in manifest.schema["properties"].as_object().unwrap() {
            assert!(
                schema["description"].is_string() || schema["$ref"].is_string() || !schema["anyOf"].is_null(),
                "{name}: {setting} is undocumented"
            );
        }
    }
}

#[test]
fn basic_is_the_one_of_the_rfc() {
    in_each_home(|create| {
        let basic = create("basic", json!({ "username": "Aladdin", "password": "open sesame" })).unwrap();
        let credential = ScriptedHost::new().acquire(&*basic).unwrap();
        // RFC 7617 §2.
        assert_eq!(placed(&credential), [("header", "authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")]);
        assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
    });
}

#[test]
fn a_given_token_is_sent_as_it_is() {
    in_each_home(|create| {
        let bearer =
            create("bearer", json!({ "token": "mF_9.B5f-4.1JqM\n", "header": "X-Auth", "scheme": "" }))
                .unwrap();
        let credential = ScriptedHost::new().acquire(&*bearer).unwrap();
        assert_eq!(placed(&credential), [("header", "x-auth", "mF_9.B5f-4.1JqM")]);
        assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
    });
}

#[test]
fn keys_go_to_every_place_and_see_only_declared_attributes() {
    in_each_home(|create| {
        let settings = json!({
            "headers": { "X-Key": "k", "X-User": "{{ caller.user }}" },
            "query_parameters": { "q": "ä v" }, "cookies": { "c": "v" },
        });
        let keys = create("api-key", settings).unwrap();
        assert_eq!(keys.inputs().caller_attributes().collect::<Vec<_>>(), ["user"]);
        let mut host = ScriptedHost::new().caller("user", "ada").caller("tenant", "acme");
        let credential = host.acquire(&*keys).unwrap();
        let mut all = placed(&credential);
        all.sort_unstable();
        assert_eq!(
            all,
            [
                ("cookie", "c", "v"),
                ("header", "x-key", "k"),
                ("header", "x-user", "ada"),
                ("query", "q", "ä v")
            ]
        );
        assert!(ScriptedHost::new().acquire(&*keys).is_err(), "no user, no credential");
    });
}

#[test]
fn tokens_are_signed_with_the_key_and_live_as_long_as_they_say() {
    let pair = keys::ed25519();
    let verify = DecodingKey::from_ed_pem(pair.public.as_bytes()).unwrap();
    in_each_home(|create| {
        let settings = json!({
            "key": pair.private, "issuer": "https://erp.example", "audience": ["a", "b"],
            "subject": "{{ caller.user }}", "lifetime": "10m", "backdate": "5s",
            "headers": { "kid": true, "typ": "at+jwt" }, "claims": { "roles": ["x"], "n": 1.5 },
        });
        let profile = create("jwt-bearer", settings).unwrap();
        let mut host = ScriptedHost::new().caller("user", "ada");
        let credential = host.acquire(&*profile).unwrap();
        let [("header", "authorization", value)] = placed(&credential)[..] else {
            panic!("placed elsewhere")
        };
        let mut validation = Validation::new(Algorithm::EdDSA);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let token = jsonwebtoken::decode::<Value>(&value["Bearer ".len()..], &verify, &validation).unwrap();
        let now = 1_767_225_600;
        assert_eq!(token.claims["exp"], now + 600);
        assert_eq!((&token.claims["iat"], &token.claims["nbf"]), (&json!(now - 5), &json!(now - 5)));
        assert_eq!((&token.claims["sub"], &token.claims["aud"]), (&json!("ada"), &json!(["a", "b"])));
        assert_eq!((&token.claims["roles"], &token.claims["n"]), (&json!(["x"]), &json!(1.5)));
        assert!(token.claims["jti"].as_str().unwrap().len() >= 16);
        assert_eq!(token.header.typ.as_deref(), Some("at+jwt"));
        let end = host.now() + Duration::from_secs(600);
        assert!(
            matches!(credential.lifetime(), Lifetime::Until(until) if until == end)
                || credential.lifetime() == Lifetime::For(Duration::from_secs(600)),
            "{:?}",
            credential.lifetime()
        );
        let published = profile.public_keys().unwrap();
        assert_eq!((published.len(), &published[0]["kty"]), (1, &json!("OKP")));
        assert_eq!(published[0]["kid"].as_str(), token.header.kid.as_deref());
        assert!(published[0].get("d").is_none(), "the private half stays here");
    });
}

#[test]
fn requests_are_signed_for_aws() {
    in_each_home(|create| {
        let settings = json!({
            "region": "us-east-1", "service": "s3", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        });
        let aws = create("aws-sigv4", settings).unwrap();
        let mut host = ScriptedHost::new().at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600));
        let credential = host.acquire(&*aws).unwrap();
        let request = RequestHead::new("GET", "https", "examplebucket.s3.amazonaws.com", "/")
            .with_query(Some("lifecycle"))
            .with_body(Some(b""));
        let edits = host.sign(&*aws, credential, &request).unwrap();
        // An example of the API reference of Amazon S3.
        let signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        assert!(edits[2].2.ends_with(signature), "{}", edits[2].2);
    });
}

#[test]
fn digest_challenges_are_answered_and_counted() {
    in_each_home(|create| {
        let digest = create("digest", json!({ "username": "Mufasa", "password": "CircleOfLife" })).unwrap();
        let challenge = |field: &str| Challenge {
            status: 401,
            headers: vec![("www-authenticate".to_owned(), field.to_owned())],
        };
        let target = || "http://www.nowhere.org".parse().unwrap();
        // RFC 2069 §2.4 with its erratum 749.
        let old = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
        let mut host = ScriptedHost::new().target(target()).challenge(challenge(old));
        let credential = host.acquire(&*digest).unwrap();
        let request = RequestHead::new("GET", "http", "www.nowhere.org", "/dir/index.html");
        let edits = host.sign(&*digest, credential, &request).unwrap();
        assert!(edits[0].2.ends_with("response=\"1949323746fe6a43ef61f9606e7febea\""), "{}", edits[0].2);

        let counted = r#"Digest realm="r", nonce="n", qop="auth""#;
        let credential =
            ScriptedHost::new().target(target()).challenge(challenge(counted)).acquire(&*digest).unwrap();
        let signer = digest.signer(credential).unwrap();
        for count in 1..=3 {
            let mut seen = String::new();
            let cx = SignContext::at(host.now());
            signer.sign(&request, &cx, &mut |_, _, value| seen = value.to_owned()).unwrap();
            assert!(seen.contains(&format!("nc={count:08x}")), "{seen}");
        }
    });
}

#[test]
fn a_certificate_is_presented_until_it_ends() {
    let identity = TestCa::new().client("erp");
    in_each_home(|create| {
        let settings = json!({ "certificate": identity.certificate, "key": identity.key });
        let profile = create("client-certificate", settings).unwrap();
        let credential = ScriptedHost::new().acquire(&*profile).unwrap();
        let presented = credential.client_certificate().unwrap();
        assert_eq!(presented.chain_pem.trim(), identity.certificate.trim());
        assert!(presented.key_pem.expose().starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(matches!(credential.lifetime(), Lifetime::Until(_)), "{:?}", credential.lifetime());
        assert!(placed(&credential).is_empty() && !credential.signs());
    });
}

#[test]
fn tokens_are_bound_to_a_certificate_and_to_a_key() {
    let (identity, pair) = (TestCa::new().client("erp"), keys::p256());
    let verify = DecodingKey::from_ec_pem(pair.public.as_bytes()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    in_each_home(|create| {
        for dpop in [json!({ "key": pair.private }), json!(true)] {
            let settings = json!({
                "token_url": "https://login.example/token", "client_id": "erp", "dpop": dpop,
                "client_certificate": { "certificate": identity.certificate, "key": identity.key },
            });
            let oauth2 = create("oauth2", settings).unwrap();
            let answer = json!({ "access_token": "t", "token_type": "DPoP", "expires_in": 60 });
            let mut host = ScriptedHost::new().answer(Answer::json(200, answer));
            let credential = host.acquire(&*oauth2).unwrap();
            let sent = &host.sent()[0];
            assert_eq!(sent.body.expose(), b"grant_type=client_credentials&client_id=erp");
            assert!(sent.client_certificate.is_some() && credential.client_certificate().is_some());
            assert_eq!(placed(&credential), [("header", "authorization", "DPoP t")]);
            assert_eq!(credential.learns()[0].demanded_by, "use_dpop_nonce");
            let learned = [HeaderView::new("dpop-nonce", b"n-1")];
            let request = RequestHead::new("POST", "https", "api.example", "/orders")
                .with_query(Some("page=1"))
                .with_learned(&learned);
            let edits = host.sign(&*oauth2, credential, &request).unwrap();
            let [("header", name, proof)] = &edits[..] else { panic!("{} edits", edits.len()) };
            assert_eq!(name, "dpop");
            let own = jsonwebtoken::decode_header(proof).unwrap().jwk.unwrap();
            let verify = if dpop == json!(true) { &DecodingKey::from_jwk(&own).unwrap() } else { &verify };
            let claims = jsonwebtoken::decode::<Value>(proof, verify, &validation).unwrap().claims;
            assert_eq!(
                (&claims["htm"], &claims["htu"], &claims["nonce"], &claims["iat"]),
                (&json!("POST"), &json!("https://api.example/orders"), &json!("n-1"), &json!(1_767_225_600))
            );
        }
    });
}

#[test]
fn a_login_that_is_described_is_made_and_prolonged() {
    in_each_home(|create| {
        let settings = json!({
            "variables": { "password": "p{{w" },
            "login": { "url": "https://api.example/login", "json": { "user": "{{ caller.user }}", "password": "{{ variables.password }}" } },
            "refresh": { "url": "https://api.example/refresh", "form": { "with": "{{ answer.refresh }}" } },
            "answer": { "token": { "jmespath": "data.tokens[0]" }, "refresh": { "cookie": "R" } },
            "headers": { "X-Session": "{{ answer.token }}" },
            "expires_in": { "json": "/data/minutes", "unit": "minutes" },
        });
        let session = create("session", settings).unwrap();
        let answer = |token: &str| {
            Answer::json(200, json!({ "data": { "tokens": [token], "minutes": 15 } }))
                .header("Set-Cookie", &format!("R=after-{token}; HttpOnly"))
        };
        let mut host = ScriptedHost::new().caller("user", "ada").answer(answer("t-1"));
        let first = host.acquire(&*session).unwrap();
        assert!(
            shown(&host.sent()[0]).ends_with(r#"{"password":"p{{w","user":"ada"}"#),
            "{}",
            shown(&host.sent()[0])
        );
        assert_eq!(placed(&first), [("header", "x-session", "t-1")]);
        assert_eq!(first.lifetime(), Lifetime::For(Duration::from_secs(900)));
        let mut host = ScriptedHost::new().caller("user", "ada").answer(answer("t-2"));
        host = host.previous(first.renewal().unwrap().clone());
        let second = host.acquire(&*session).unwrap();
        assert!(shown(&host.sent()[0]).ends_with("with=after-t-1"));
        assert_eq!(placed(&second), [("header", "x-session", "t-2")]);
    });
}

#[test]
fn requests_are_signed_with_oauth_1() {
    in_each_home(|create| {
        let secrets =
            json!({ "consumer_key": "c", "consumer_secret": "a&b", "signature_method": "PLAINTEXT" });
        let oauth1 = create("oauth1", secrets).unwrap();
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*oauth1).unwrap();
        let request = RequestHead::new("GET", "https", "api.example", "/");
        let edits = host.sign(&*oauth1, credential, &request).unwrap();
        assert!(edits[0].2.contains("oauth_timestamp=\"1767225600\""), "{}", edits[0].2);
        assert!(edits[0].2.ends_with("oauth_signature=\"a%2526b%26\""), "{}", edits[0].2);
    });
}

#[test]
fn a_program_prints_a_credential() {
    in_each_home(|create| {
        let settings = json!({ "command": ["mint", "{{ caller.user }}"], "environment": { "A": "b" } });
        let command = create("command", settings).unwrap();
        let printed = r#"{"token":"t","cookies":{"c":"d"},"expires_in":60}"#;
        let mut host = ScriptedHost::new().caller("user", "ada").program(0, printed);
        let credential = host.acquire(&*command).unwrap();
        assert_eq!(placed(&credential), [("cookie", "c", "d"), ("header", "authorization", "Bearer t")]);
        assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(60)));
        let ran = &host.ran()[0];
        assert_eq!((ran.program.as_str(), &ran.arguments[..]), ("mint", &["ada".to_owned()][..]));
        assert!(ran.keeps_errors && ran.environment[0].name == "A");
        let mut host = ScriptedHost::new().caller("user", "ada").failing_program(Some(2), "no ada here\n");
        let error = host.acquire(&*command).unwrap_err();
        assert!(error.message().ends_with("exit status 2; it says: \"no … here\""), "{error}");
    });
}

#[test]
fn requests_are_signed_as_the_settings_say() {
    in_each_home(|create| {
        let settings = json!({
            "secret": "8f742231b10e8888abcd99yyyzzz85a5", "sign": "v0:{{ timestamp }}:{{ body }}",
            "headers": { "X-Slack-Signature": "v0={{ signature | hex }}", "X-User": "{{ caller.user }}" },
            "query_parameters": { "n": "{{ nonce }}" },
        });
        let hmac = create("hmac", settings).unwrap();
        assert!(hmac.inputs().reads_body() && hmac.inputs().reads_caller("user"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_531_420_618);
        let mut host = ScriptedHost::new().at(now).caller("user", "ada");
        let credential = host.acquire(&*hmac).unwrap();
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let request = RequestHead::new("POST", "https", "a.example", "/").with_body(Some(body));
        let edits = host.sign(&*hmac, credential, &request).unwrap();
        let [("query", n, nonce), ("header", user, ada), ("header", name, signature)] = &edits[..] else {
            panic!("{edits:?}")
        };
        assert_eq!((n.as_str(), nonce.len(), user.as_str(), ada.as_str()), ("n", 32, "x-user", "ada"));
        // The example of Slack's documentation.
        let expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        assert_eq!((name.as_str(), signature.as_str()), ("x-slack-signature", expected));
    });
}

#[test]
fn requests_are_signed_as_rfc_9421_says() {
    // RFC 9421 §B.1.4, a key that is printed there.
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
    in_each_home(|create| {
        let settings = json!({
            "key": key, "key_id": "test-key-ed25519", "label": "sig-b26",
            "components": ["date", "@method", "@path", "@authority", "content-type", "content-length"],
            "optional_components": [],
        });
        let profile = create("http-signature", settings).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_618_884_473);
        let mut host = ScriptedHost::new().at(now);
        let credential = host.acquire(&*profile).unwrap();
        let headers = [
            HeaderView::new("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
            HeaderView::new("content-type", b"application/json"),
        ];
        let request = RequestHead::new("POST", "https", "example.com", "/foo")
            .with_query(Some("param=Value&Pet=dog"))
            .with_headers(&headers)
            .with_body(Some(b"{\"hello\": \"world\"}"));
        let edits = host.sign(&*profile, credential, &request).unwrap();
        // §B.2.6.
        let expected = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
        assert_eq!(edits[1].2, expected);
        let published = profile.public_keys().unwrap();
        assert_eq!((published.len(), &published[0]["kid"]), (1, &json!("test-key-ed25519")));
        let error = host.sign(&*profile, host_credential(&*profile), &request.with_headers(&[])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "no date, no signature: {error}");
    });
}

fn host_credential(profile: &dyn Profile) -> Credential {
    ScriptedHost::new().acquire(profile).unwrap()
}

/// A request in full, secrets included, to be compared.
fn shown(request: &HttpRequest) -> String {
    let headers: Vec<_> =
        request.headers.iter().map(|header| format!("{}: {}", header.name, header.value.expose())).collect();
    let body = String::from_utf8_lossy(request.body.expose());
    format!("{} {}\n{}\n\n{body}", request.method, request.url, headers.join("\n"))
}

fn erp() -> Value {
    json!({
        "token_url": "https://login.example/token", "client_id": "e:rp", "client_secret": "s3cret",
        "scope": ["a", "b"], "extra_parameters": { "x": "y" },
    })
}

#[test]
fn a_token_endpoint_is_asked_and_its_answer_placed() {
    in_each_home(|create| {
        let oauth2 = create("oauth2", erp()).unwrap();
        let mut host = ScriptedHost::new().answer(Answer::json(
            200,
            json!({ "access_token": "t", "token_type": "Bearer", "expires_in": 60 }),
        ));
        let credential = host.acquire(&*oauth2).unwrap();
        assert_eq!(placed(&credential), [("header", "authorization", "Bearer t")]);
        assert_eq!(credential.lifetime(), Lifetime::For(Duration::from_secs(60)));
        let sent = shown(&host.sent()[0]);
        assert!(sent.starts_with("POST https://login.example/token\n"), "{sent}");
        assert!(sent.contains("\nauthorization: Basic ZSUzQXJwOnMzY3JldA=="), "{sent}");
        assert!(sent.ends_with("\n\ngrant_type=client_credentials&scope=a+b&x=y"), "{sent}");
    });
}

#[test]
fn a_rotated_refresh_token_is_kept_and_used() {
    in_each_home(|create| {
        let mut settings = erp();
        settings["grant"] = json!("refresh_token");
        settings["refresh_token"] = json!("r-1");
        let oauth2 = create("oauth2", settings).unwrap();
        let answer = |token: &str| json!({ "access_token": "t", "refresh_token": token });
        let mut host = ScriptedHost::new().answer(Answer::json(200, answer("r-2")));
        let credential = host.acquire(&*oauth2).unwrap();
        assert_eq!(credential.lifetime(), Lifetime::Unstated);
        let state = credential.renewal().unwrap().clone();
        let mut host = ScriptedHost::new().previous(state).answer(Answer::json(200, answer("r-3")));
        host.acquire(&*oauth2).unwrap();
        assert!(shown(&host.sent()[0]).contains("refresh_token=r-2"));
    });
}

#[test]
fn failures_are_the_same_errors_with_the_same_words() {
    type Script = (fn() -> ScriptedHost, ErrorKind, Option<u64>);
    let scripts: [Script; 5] = [
        (|| ScriptedHost::new().answer(Answer::new(500, "canary")), ErrorKind::Unavailable, None),
        (
            || ScriptedHost::new().answer(Answer::new(429, "canary").header("Retry-After", "9")),
            ErrorKind::RateLimited,
            Some(9),
        ),
        (
            || {
                ScriptedHost::new()
                    .answer(Answer::json(401, json!({ "error": "invalid_client", "canary": 1 })))
            },
            ErrorKind::Denied,
            None,
        ),
        (|| ScriptedHost::new().answer(Answer::new(200, "<canary>")), ErrorKind::Unavailable, None),
        (|| ScriptedHost::new().no_answer(), ErrorKind::Unavailable, None),
    ];
    for (script, kind, wait) in scripts {
        let [linked, plugins @ ..] = homes()
            .each_ref()
            .map(|(_, types)| script().acquire(&*types.create("oauth2", &erp()).unwrap()).unwrap_err());
        assert_eq!(plugins, [linked.clone(), linked.clone(), linked.clone()]);
        assert_eq!((linked.kind(), linked.retry_after()), (kind, wait.map(Duration::from_secs)));
        assert!(!linked.to_string().contains("canary"), "{linked}");
    }
}

#[test]
fn wrong_settings_are_named_in_the_same_words() {
    let wrong = [
        ("basic", json!({})),
        ("basic", json!({ "username": "canary:x", "password": "p" })),
        ("basic", json!({ "username": "u", "pasword": "canary" })),
        ("basic", json!({ "username": 1, "password": "p" })),
        ("bearer", json!({ "token": "canary x" })),
        ("bearer", json!({ "token": "t", "header": "Host" })),
        ("bearer", json!("canary")),
        ("api-key", json!({ "key": "canary" })),
        ("api-key", json!({ "headers": { "X-Key": "canary\r\n" , "x-key": "canary" } })),
        ("api-key", json!({ "headers": { "X-Key": "{{ canary" } })),
        ("jwt-bearer", json!({})),
        ("jwt-bearer", json!({ "key": "canary" })),
        ("jwt-bearer", json!({ "key": { "secret": "canary" }, "algorithm": "HS256" })),
        ("jwt-bearer", json!({ "key": keys::rsa().private, "algorithm": "ES256" })),
        ("jwt-bearer", json!({ "key": keys::rsa().private, "algorithm": "none" })),
        ("jwt-bearer", json!({ "key": keys::p256().private, "claims": { "iss": "x" } })),
        ("digest", json!({ "username": "", "password": "canary" })),
        ("digest", json!({ "username": "u", "password": "canary", "challenge_path": "https://canary" })),
        ("digest", json!({ "username": "u", "password": "canary", "algorithms": ["canary"] })),
        ("oauth1", json!({ "consumer_key": "c", "token": "canary" })),
        ("oauth1", json!({ "consumer_key": "c", "signature_method": "RSA-SHA1", "key": "canary" })),
        ("oauth1", json!({ "consumer_key": "c", "consumer_secret": "canary", "realm": "\"canary" })),
        ("hmac", json!({ "secret": "canary" })),
        (
            "hmac",
            json!({ "secret": "s", "sign": "{{ canary }}", "headers": { "X": "{{ signature | hex }}" } }),
        ),
        ("hmac", json!({ "secret": "s", "sign": "canary", "headers": { "X": "canary" } })),
        (
            "hmac",
            json!({ "secret": "canary!", "secret_encoding": "hex", "sign": "s", "headers": { "X": "{{ signature | hex }}" } }),
        ),
        ("http-signature", json!({ "key": "canary" })),
        ("http-signature", json!({ "key": { "secret": "canary" } })),
        ("http-signature", json!({ "key": keys::ed25519().private, "algorithm": "rsa-pss-sha512" })),
        ("http-signature", json!({ "key": keys::ed25519().private, "components": ["@canary"] })),
        ("oauth2", json!({ "client_id": "x", "client_secret": "canary" })),
        ("session", json!({ "answer": { "token": "/t" } })),
        (
            "session",
            json!({ "login": { "url": "https://a.example", "json": "{{ canary" }, "answer": { "token": "/t" } }),
        ),
        ("session", json!({ "login": { "url": "http://a.example" }, "answer": { "token": "/t" } })),
        (
            "session",
            json!({ "login": { "url": "https://a.example" }, "answer": { "token": { "jmespath": "canary[" } } }),
        ),
        ("command", json!({ "command": [] })),
        ("command", json!({ "command": ["mint", "{{ canary"] })),
        (
            "oauth2",
            json!({ "token_url": "http://login.example", "client_id": "x", "client_secret": "canary" }),
        ),
        ("oauth2", json!({ "token_url": "https://login.example", "client_id": "x", "client_key": "canary" })),
        ("oauth2", json!({ "token_url": "https://login.example", "grant": "password" })),
        ("client-certificate", json!({ "key": "canary" })),
        ("client-certificate", json!({ "key": keys::p256().private })),
        (
            "client-certificate",
            json!({ "key": keys::p256().private, "certificate": TestCa::new().client("x").certificate }),
        ),
        (
            "oauth2",
            json!({
                "token_url": "https://login.example", "client_id": "x", "client_secret": "canary",
                "dpop": { "key": "canary" },
            }),
        ),
    ];
    for (name, settings) in wrong {
        let [linked, plugins @ ..] = homes().each_ref().map(|(home, types)| {
            types.create(name, &settings).err().unwrap_or_else(|| panic!("{name} {home}: {settings}"))
        });
        assert_eq!(plugins, [linked.clone(), linked.clone(), linked.clone()], "{name}: {settings}");
        assert_eq!(linked.kind(), ErrorKind::Config, "{name}: {settings}: {linked}");
        assert!(!format!("{linked} {linked:?}").contains("canary"), "{linked}");
    }
}

#[test]
fn who_does_not_sign_says_so() {
    in_each_home(|create| {
        let basic = create("basic", json!({ "username": "u", "password": "p" })).unwrap();
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*basic).unwrap();
        let request = RequestHead::new("GET", "https", "a.example", "/");
        let error = host.sign(&*basic, credential, &request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}
