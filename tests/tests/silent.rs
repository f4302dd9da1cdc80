//! Secrets do their work and are told nowhere: not in logs at their most talkative, not in errors or findings, not in
//! the `Debug` form of anything public. One secret stands for all; each test first shows that it was used.

use countersign::testing::{Answer, ScriptedHost};
use countersign::{Caller, ErrorKind};
use countersign_host::{AuthorizeLayer, Client, Host, Setup};
use countersign_tests::canary::{CANARY, Canary, contains_canary};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read, request};
use http::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

/// A profile and its connector, both of this name.
fn toml(name: &str, api: &FaultServer, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"{name}\"\n[profiles.{name}]\n{profile}\n",
        api.url("/api")
    )
}

/// An answer of a token endpoint that is full of secrets.
fn token() -> Reply {
    let body = json!({
        "access_token": format!("a-{CANARY}"),
        "refresh_token": format!("r-{CANARY}"),
        "id_token": CANARY,
        "token_type": "Bearer",
        "expires_in": 3600,
    });
    Reply::json(body.to_string()).header("Set-Cookie", format!("session={CANARY}"))
}

/// As many bytes as HS256 wants, and more.
fn shared_secret() -> String {
    format!("{CANARY}{CANARY}")
}

/// Every type with every setting that is secret, by name.
fn every_type(issuer: &str) -> Vec<(&'static str, String)> {
    let shared = shared_secret();
    let oauth2 =
        |more: &str| format!("type = \"oauth2\"\ntoken_url = \"{issuer}\"\nclient_id = \"erp\"\n{more}");
    vec![
        ("basic", format!("type = \"basic\"\nusername = \"erp\"\npassword = \"{CANARY}\"")),
        ("bearer", format!("type = \"bearer\"\ntoken = \"{CANARY}\"")),
        ("bearer-file", "type = \"bearer\"\ntoken = \"${file:token}\"".into()),
        ("bearer-command", "type = \"bearer\"\ntoken = \"${command:cat token}\"".into()),
        ("key-header", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nheader = \"X-Key\"")),
        ("key-query", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nquery = \"key\"")),
        ("key-cookie", format!("type = \"api-key\"\nkey = \"{CANARY}\"\ncookie = \"session\"")),
        (
            "keys",
            format!(
                "type = \"api-key\"\nheaders = {{ X-A = \"a-{CANARY}\", X-B = \"{{{{ caller.user }}}}-{CANARY}\" }}\n\
             query_parameters = {{ b = \"b-{CANARY}\" }}\ncookies = {{ c = \"c-{CANARY}\" }}"
            ),
        ),
        (
            "jwt",
            format!(
                "type = \"jwt-bearer\"\nkey = {{ secret = \"{shared}\" }}\nclaims = {{ canary = \"{CANARY}\" }}"
            ),
        ),
        ("secret-basic", oauth2(&format!("client_secret = \"{CANARY}\""))),
        (
            "secret-post",
            oauth2(&format!("client_secret = \"{CANARY}\"\nclient_auth = \"client_secret_post\"")),
        ),
        ("secret-jwt", oauth2(&format!("client_secret = \"{shared}\"\nclient_auth = \"client_secret_jwt\""))),
        (
            "refresh",
            oauth2(&format!(
                "client_secret = \"s\"\ngrant = \"refresh_token\"\nrefresh_token = \"{CANARY}\""
            )),
        ),
        (
            "assertion",
            oauth2(&format!(
                "client_secret = \"s\"\ngrant = \"jwt-bearer\"\nassertion = {{ key = {{ secret = \"{shared}\" }}, subject = \"u\" }}"
            )),
        ),
        (
            "session",
            format!(
                "type = \"session\"\nlogin = {{ url = \"{issuer}\", json = {{ password = \"{CANARY}\" }} }}\n\
             answer = {{ token = \"/access_token\", sid = {{ cookie = \"session\" }} }}\nexpires_in = \"/expires_in\"\n\
             cookies = {{ sid = \"{{{{ answer.sid }}}}\" }}\nheaders = {{ X-S = \"{{{{ answer.token }}}}\" }}\n\
             errors = [\"/error_description\", \"/error\", {{ body = true }}]"
            ),
        ),
        (
            "session-basic",
            format!(
                "type = \"session\"\nvariables = {{ password = \"{CANARY}\" }}\nanswer = {{ token = \"/access_token\" }}\n\
             login = {{ url = \"{issuer}\", basic = {{ username = \"u\", password = \"{{{{ variables.password }}}}\" }}, form = {{ p = \"{CANARY}\" }}, \
             success = {{ equals = {{ \"/token_type\" = \"Bearer\" }} }} }}\n\
             errors = [\"/error_description\", \"/error\", {{ header = \"WWW-Authenticate\" }}]"
            ),
        ),
        (
            "command",
            format!(
                "type = \"command\"\ncommand = [\"cat\", \"printed\"]\nenvironment = {{ SECRET = \"{CANARY}\" }}"
            ),
        ),
        (
            "extra",
            oauth2(&format!(
                "client_secret = \"s\"\nextra_parameters = {{ password = \"{CANARY}\" }}\nextra_headers = {{ X-Gate = \"{CANARY}\" }}"
            )),
        ),
    ]
}

/// What it takes to run [`every_type`].
fn everything(folder: &Folder, issuer: &FaultServer, api: &FaultServer) -> String {
    folder.put("token", CANARY);
    folder.put("printed", json!({ "token": CANARY, "cookies": { "c": CANARY } }).to_string());
    every_type(&issuer.url("/token")).iter().map(|(name, profile)| toml(name, api, profile)).collect()
}

/// The `Debug` form of all that a program that embeds the host can hold.
fn debug_forms(host: &Host, folder: &Folder) -> Vec<String> {
    let setup = Setup::read(&folder.path().join("countersign.toml")).unwrap();
    let mut forms = vec![
        format!("{host:?} {:#?}", host.types()),
        format!("{:?} {}", host.warnings(), host.warnings()),
        format!("{setup:#?} {:#?} {:#?}", setup.connectors(), setup.profiles()),
        format!("{:?}", Client::new()),
    ];
    for name in host.connectors() {
        let connector = host.connector(name).unwrap();
        forms.push(format!("{connector:#?} {:?}", AuthorizeLayer::new(connector.clone())));
    }
    forms
}

fn check(canary: &Canary, texts: &[String]) {
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    canary.assert_silent(&texts);
}

#[tokio::test]
async fn every_secret_of_every_type_is_used_and_told_nowhere() {
    let mut canary = Canary::start();
    let folder = Folder::new();
    let issuer = FaultServer::start([token()]);
    let api = FaultServer::start([Reply::status(200).header("X-Echo", CANARY).body(CANARY)]);
    let host = folder.host(&everything(&folder, &issuer, &api)).await;
    let mut texts = debug_forms(&host, &folder);

    for (name, profile) in every_type(&issuer.url("/token")) {
        let asked = issuer.count();
        let connector = host.connector(name).unwrap();
        let mut call = request(Method::POST, "/orders", CANARY);
        call.extensions_mut().insert(Caller::from_iter([("user", "ada")]));
        let answer = Client::new().send(&connector, call).await.unwrap();
        assert_eq!(read(answer).await, (200, CANARY.to_owned()));
        // What the call carries without its body.
        let mut call = api.requests().pop().unwrap();
        call.body.clear();
        if name == "jwt" {
            let token = call.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
            let claims = verified(&token);
            assert_eq!(claims["canary"], CANARY);
        } else {
            canary.seen_on_wire(&call.wire());
        }
        match (name, issuer.requests().get(asked)) {
            ("secret-jwt", Some(asked)) => drop(verified(&asked.form("client_assertion").unwrap())),
            ("assertion", Some(asked)) => drop(verified(&asked.form("assertion").unwrap())),
            ("extra", Some(asked)) => {
                assert_eq!(asked.form("password").unwrap(), CANARY);
                assert_eq!(asked.header("x-gate"), Some(CANARY));
            }
            (_, Some(asked)) => canary.seen_on_wire(&asked.wire()),
            (_, None) => assert!(!profile.contains("oauth2"), "{name}"),
        }

        // What an embedding program holds in its hands, and may print.
        let base = connector.base_url().join("/").unwrap();
        let caller = Caller::from_iter([("user", "ada")]);
        let (mut parts, ()) = http::Request::get(base).extension(caller).body(()).unwrap().into_parts();
        let authorization = connector.authorize(&mut parts).await.unwrap();
        assert!(
            parts.headers.values().any(|value| contains_canary(&String::from_utf8_lossy(value.as_bytes())))
                || name == "jwt"
                || name == "key-query"
        );
        texts.push(format!("{authorization:?} {:?} {connector:?}", parts.headers));
    }
    texts.extend(debug_forms(&host, &folder));
    check(&canary, &texts);
}

/// The claims of a token that is signed with the shared secret.
fn verified(token: &str) -> Value {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(shared_secret().as_bytes());
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn an_issuer_that_fails_and_repeats_secrets_is_not_quoted() {
    let refusals = [
        Reply::json(
            json!({ "error": "invalid_client", "error_description": CANARY, "error_uri": CANARY })
                .to_string(),
        )
        .with_status(401)
        .header("WWW-Authenticate", format!("Basic realm=\"{CANARY}\"")),
        Reply::json(json!({ "error": CANARY }).to_string()).with_status(400),
        Reply::html(format!("<h1>{CANARY}</h1>")).with_status(500),
        Reply::json(format!("{{\"access_token\": \"{CANARY}")),
        Reply::json(json!({ "access_token": CANARY, "expires_in": CANARY }).to_string()),
        Reply::json(json!({ "access_token": format!("{CANARY}\r\nX: y") }).to_string()),
        Reply::json(json!({ "access_token": "t", "token_type": CANARY }).to_string()),
        Reply::redirect(format!("http://127.0.0.1/?code={CANARY}")),
        Reply::raw(format!("{CANARY}\r\n\r\n")),
        Reply::status(429).header("Retry-After", CANARY),
        Reply::reset_after_request(),
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        let mut canary = Canary::start();
        let folder = Folder::new();
        let (issuer, api) = (FaultServer::start([refusal]), FaultServer::start([Reply::status(200)]));
        let host = folder.host(&everything(&folder, &issuer, &api)).await;
        let mut texts = debug_forms(&host, &folder);
        for name in [
            "secret-basic",
            "secret-post",
            "refresh",
            "extra",
            "secret-jwt",
            "assertion",
            "session",
            "session-basic",
        ] {
            let error = get(&host, name, "/orders").await.unwrap_err();
            assert_ne!(error.kind(), ErrorKind::Config, "{number} {name}: {error}");
            texts.push(format!("{error} {error:?} {:?}", std::error::Error::source(&error)));
        }
        for asked in &issuer.requests()[..4] {
            canary.seen_on_wire(&asked.wire());
        }
        assert_eq!(api.connections(), 0);
        texts.extend(debug_forms(&host, &folder));
        check(&canary, &texts);
    }
}

#[tokio::test]
async fn an_api_that_rejects_redirects_or_hangs_up_learns_secrets_that_nobody_else_does() {
    let answers = [
        Reply::status(401)
            .header("WWW-Authenticate", format!("Bearer error_description=\"{CANARY}\""))
            .body(CANARY),
        Reply::status(500).body(CANARY),
        Reply::redirect(format!("/api/{CANARY}?key={CANARY}")),
        Reply::redirect(format!("http://127.0.0.1:1/?key={CANARY}")),
        Reply::reset_after_request(),
        Reply::raw(format!("{CANARY}\r\n\r\n")),
        Reply::status(200).body(CANARY).truncated_at(5),
    ];
    for answer in answers {
        let mut canary = Canary::start();
        let folder = Folder::new();
        let (issuer, api) = (FaultServer::start([token()]), FaultServer::start([answer]));
        let host = folder.host(&everything(&folder, &issuer, &api)).await;
        let mut texts = Vec::new();
        for name in host.connectors() {
            let client = Client::new().follow_redirects(true);
            let mut call = request(Method::GET, "/orders", "");
            call.extensions_mut().insert(Caller::from_iter([("user", "ada")]));
            if let Err(error) = client.send(&host.connector(name).unwrap(), call).await {
                texts.push(format!("{error} {error:?} {:?}", std::error::Error::source(&error)));
            }
        }
        assert!(api.count() >= host.connectors().len());
        let unseen = api.requests().iter().filter(|call| !contains_canary(&call.wire())).count();
        assert!(unseen <= 2, "only the signed token hides it: {unseen}");
        for call in api.requests().iter().filter(|call| contains_canary(&call.wire())) {
            canary.seen_on_wire(&call.wire());
        }
        texts.extend(debug_forms(&host, &folder));
        check(&canary, &texts);
    }
}

#[tokio::test]
async fn calls_that_are_refused_before_they_go_out_do_not_name_what_they_would_have_carried() {
    let mut canary = Canary::start();
    let folder = Folder::new();
    let (issuer, api) = (FaultServer::start([token()]), FaultServer::start([Reply::status(200)]));
    let host = folder.host(&everything(&folder, &issuer, &api)).await;
    let mut texts = Vec::new();
    for name in host.connectors() {
        for target in [format!("https://elsewhere.example/?key={CANARY}"), format!("/../{CANARY}")] {
            let mut call = request(Method::GET, "/", CANARY);
            *call.uri_mut() = target.parse().unwrap();
            let sent = Client::new().send(&host.connector(name).unwrap(), call).await;
            texts.extend(sent.err().map(|error| format!("{error} {error:?}")));
        }
        // A template over a caller who is not there.
        let sent = get(&host, name, "/").await;
        texts.extend(sent.err().map(|error| format!("{error} {error:?}")));
    }
    assert!(texts.len() > host.connectors().len());
    let unknown = host.connector(&format!("x{}", CANARY.len())).unwrap_err();
    texts.push(format!("{unknown} {unknown:?}"));
    canary.seen_on_wire(&api.requests().iter().map(|call| call.wire()).collect::<String>());
    check(&canary, &texts);
}

#[tokio::test]
async fn findings_never_repeat_a_value() {
    let mut canary = Canary::start();
    let (issuer, api) = (FaultServer::start([token()]), FaultServer::start([Reply::status(200)]));
    let oauth2 = |more: &str| {
        format!("type = \"oauth2\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\n{more}", issuer.url("/token"))
    };
    let profiles = [
        format!("type = \"bearer\"\ntoken = \"Bearer {CANARY}\""),
        format!("type = \"bearer\"\ntoken = \"{CANARY}\\n\\nx\""),
        format!("type = \"bearer\"\ntoken = [\"{CANARY}\"]"),
        format!("type = \"bearer\"\ntoken = {{ value = \"{CANARY}\" }}"),
        format!("type = \"bearer\"\ntokn = \"{CANARY}\""),
        format!("type = \"bearer\"\ntoken = \"${{{CANARY}}}\""),
        format!("type = \"bearer\"\ntoken = \"${{{CANARY}:x}}\""),
        format!("type = \"bearer\"\ntoken = \"${{env:{CANARY}\""),
        format!(
            "type = \"bearer\"\ntoken = \"${{command:sh -c 'echo {CANARY}; echo {CANARY} >&2; exit 1'}}\""
        ),
        format!("type = \"bearer\"\ntoken = \"${{command:{CANARY}\""),
        format!("type = \"bearer\"\ntoken = \"x\"\nscheme = \"{CANARY} {CANARY}\""),
        format!("type = \"bearer\"\ntoken = \"{CANARY}"),
        format!("type = \"bearer\"\ntoken = {CANARY}"),
        format!("type = \"bearer\"\ntoken = \"x\"\ntoken = \"{CANARY}\""),
        format!("type = \"basic\"\nusername = \"u:{CANARY}\"\npassword = \"{CANARY}\""),
        format!("type = \"basic\"\nusername = \"u\"\npassword = \"{CANARY}\\u0000\""),
        format!("type = \"basic\"\nusername = \"u\"\npassword = {{ password = \"{CANARY}\" }}"),
        format!("type = \"api-key\"\nkey = \"{CANARY}\\r\\nX: y\"\nheader = \"X-Key\""),
        format!("type = \"api-key\"\nkey = \"{CANARY}\""),
        format!("type = \"api-key\"\nkey = [\"{CANARY}\"]\nheader = \"X-Key\""),
        format!("type = \"api-key\"\nheaders = {{ X-A = \"{{{{ {CANARY} }}}}\" }}"),
        format!("type = \"api-key\"\nheaders = {{ X-A = \"{CANARY} {{% if\" }}"),
        format!("type = \"api-key\"\nheaders = [\"{CANARY}\"]"),
        format!("type = \"session\"\nlogin = {{ url = \"{CANARY}\" }}\nanswer = {{ token = \"/t\" }}"),
        format!(
            "type = \"session\"\nlogin = {{ url = \"https://a.example\", json = {{ p = \"{{{{ {CANARY}\" }} }}\nanswer = {{ token = \"/t\" }}"
        ),
        format!(
            "type = \"session\"\nlogin = {{ url = \"https://a.example\", form = {{ p = \"{CANARY} {{% x\" }} }}\nanswer = {{ token = \"/t\" }}"
        ),
        format!(
            "type = \"session\"\nlogin = {{ url = \"https://a.example\", headers = {{ X = \"{CANARY}\\u0000\" }} }}\nanswer = {{ token = \"/t\" }}"
        ),
        format!(
            "type = \"session\"\nlogin = {{ url = \"https://a.example\", basic = \"{CANARY}\" }}\nanswer = {{ token = \"/t\" }}"
        ),
        format!(
            "type = \"session\"\nlogin = {{ url = \"https://a.example\" }}\nanswer = {{ token = \"/t\" }}\nlifetime = \"{CANARY}\""
        ),
        format!("type = \"command\"\ncommand = \"{CANARY}\""),
        format!("type = \"command\"\ncommand = [\"x\", \"{CANARY}\\u0000\"]"),
        format!("type = \"command\"\ncommand = [\"x\"]\nenvironment = {{ A = \"{{{{ {CANARY} }}}}\" }}"),
        format!("type = \"jwt-bearer\"\nkey = \"{CANARY}\""),
        format!("type = \"jwt-bearer\"\nkey = {{ secret = \"{CANARY}\" }}"),
        format!("type = \"jwt-bearer\"\nkey = {{ secret = \"{CANARY}{CANARY}\", encoding = \"hex\" }}"),
        format!("type = \"jwt-bearer\"\nkey = {{ secret = \"{CANARY}\", pem = \"{CANARY}\" }}"),
        format!(
            "type = \"jwt-bearer\"\nkey = {{ pem = \"-----BEGIN PRIVATE KEY-----\\n{CANARY}\\n-----END PRIVATE KEY-----\" }}"
        ),
        format!("type = \"jwt-bearer\"\nkey = {{ jwk = '{{\"kty\":\"oct\",\"k\":\"{CANARY}\"' }}"),
        format!("type = \"jwt-bearer\"\nkey = {{ jwk = '{{\"kty\":\"{CANARY}\"}}' }}"),
        format!(
            "type = \"jwt-bearer\"\nkey = {{ keystore = \"{CANARY}\", password = \"{CANARY}\", key_password = \"{CANARY}\" }}"
        ),
        format!(
            "type = \"jwt-bearer\"\nkey = {{ pem = \"${{file:p256.pem}}\", passphrase = \"{CANARY}\", secrets = \"{CANARY}\" }}"
        ),
        format!(
            "type = \"jwt-bearer\"\nkey = {{ secret = \"{CANARY}{CANARY}\" }}\nclaims = {{ a = \"{{{{ {CANARY} }}}}\" }}"
        ),
        oauth2(&format!("client_secret = [\"{CANARY}\"]")),
        oauth2(&format!("client_secret = \"{CANARY}\"\nclient_key = \"{CANARY}\"")),
        oauth2(&format!("client_secret = \"{CANARY}\"\nclient_auth = \"{CANARY}\"")),
        oauth2(&format!(
            "client_secret = \"{CANARY}\"\ngrant = \"refresh_token\"\nrefresh_token = [\"{CANARY}\"]"
        )),
        oauth2(&format!(
            "client_secret = \"{CANARY}\"\nextra_parameters = {{ client_secret = \"{CANARY}\" }}"
        )),
        oauth2(&format!("client_secret = \"s\"\nextra_headers = {{ X-A = \"{CANARY}\\r\\n\\r\\n\" }}")),
        oauth2(&format!("client_secret = \"s\"\nextra_headers = {{ Authorization = \"{CANARY}\" }}")),
        format!(
            "type = \"oauth2\"\ntoken_url = \"https://u:{CANARY}@id.example/token\"\nclient_id = \"erp\"\nclient_secret = \"{CANARY}\""
        ),
    ];
    let mut texts = Vec::new();
    for profile in &profiles {
        let folder = Folder::new();
        let findings = folder.refusal(&toml("p", &api, profile)).await;
        assert!(findings.has_errors());
        texts.push(format!("{findings} {findings:?} {:?}", findings.iter().next().unwrap()));
    }
    let folder = Folder::new();
    for file in [
        format!("[connectors.a]\nbase_url = \"https://u:{CANARY}@a.example/\"\nprofile = \"p\"\n"),
        format!("[connectors.a]\nbase_url = \"https://a.example/?key={CANARY}\"\nprofile = \"p\"\n"),
        format!("[http]\nproxy = \"http://u:{CANARY}@proxy example/\"\n"),
        format!("{CANARY}\n"),
        format!("[profiles.p]\ntype = \"bearer\"\ntoken = '''{CANARY}\n"),
    ] {
        let findings = folder.refusal(&file).await;
        texts.push(format!("{findings} {findings:?}"));
    }
    // The same secret does arrive, where the file is right.
    let host = folder.host(&toml("p", &api, &format!("type = \"bearer\"\ntoken = \"{CANARY}\""))).await;
    get(&host, "p", "/").await.unwrap();
    canary.seen_on_wire(&api.requests()[0].wire());
    check(&canary, &texts);
}

#[tokio::test]
async fn a_plugin_of_somebody_else_keeps_them_too() {
    let mut canary = Canary::start();
    let folder = Folder::new().with_plugins(&["acme-login"]);
    let session = |name: &str| {
        Reply::json(json!({ "session": format!("{name}-{CANARY}"), "ttl_seconds": 900 }).to_string())
    };
    let api = FaultServer::start([Reply::status(200).body(CANARY)]);
    let profile = |login: &FaultServer| {
        format!(
            "type = \"acme-login\"\nlogin_url = \"{}\"\nuser = \"erp\"\npassword = \"{CANARY}\"",
            login.url("/login")
        )
    };
    let good = FaultServer::start([session("a")]);
    let denying = FaultServer::start([Reply::status(403).body(CANARY)]);
    let babbling =
        FaultServer::start([Reply::json(json!({ "session": [CANARY], "ttl_seconds": CANARY }).to_string())]);
    let host = folder
        .host(&format!(
            "{}{}{}",
            toml("good", &api, &profile(&good)),
            toml("denying", &api, &profile(&denying)),
            toml("babbling", &api, &profile(&babbling)),
        ))
        .await;
    get(&host, "good", "/").await.unwrap();
    canary.seen_on_wire(&api.requests()[0].wire());
    let mut texts = debug_forms(&host, &folder);
    for (name, login) in [("denying", &denying), ("babbling", &babbling)] {
        let error = get(&host, name, "/").await.unwrap_err();
        canary.seen_on_wire(&login.requests()[0].wire());
        texts.push(format!("{error} {error:?}"));
    }
    assert_eq!(api.count(), 1);

    let wrong = format!("type = \"acme-login\"\nlogin_url = \"x\"\nuser = \"\"\npassword = \"{CANARY}\"");
    let findings = folder.refusal(&toml("wrong", &api, &wrong)).await;
    texts.push(format!("{findings} {findings:?}"));
    check(&canary, &texts);
}

#[test]
fn what_a_profile_author_holds_is_blind() {
    let mut canary = Canary::start();
    let ready = countersign::ProfileType::of::<Fixed>();
    let profile = ready.create(&json!(CANARY)).unwrap();
    let mut host = ScriptedHost::new().previous(CANARY).answer(Answer::json(200, json!(CANARY)));
    let credential = host.acquire(&*profile).unwrap();
    canary.seen_on_wire(host.placed(&credential)[0].2);
    tracing::info!(?credential, ?host, "held");
    check(&canary, &[format!("{credential:?} {credential:#?} {host:?} {:?}", host.sent())]);
}

/// A profile that asks with its secret and gets it back.
struct Fixed(countersign::Secret);

impl countersign::AuthProfile for Fixed {
    const TYPE: &'static str = "fixed";
    const SUMMARY: &'static str = "for one test";
    type Config = countersign::Secret;

    fn new(config: countersign::Secret) -> Result<Self, countersign::Error> {
        Ok(Self(config))
    }

    async fn acquire(
        &self,
        cx: &countersign::Context,
    ) -> Result<countersign::Credential, countersign::Error> {
        let ask =
            countersign::HttpRequest::new("POST", "https://id.example/").header("x-key", self.0.clone());
        let answer: String = cx.http().send(ask.json(&json!({ "key": self.0.expose() }))).await?.json()?;
        Ok(countersign::Credential::header("x-key", answer.as_str()).until_rejected().renewed_by(answer))
    }
}
