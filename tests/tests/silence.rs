//! Secrets reach the wire and nothing else: no log at any level, no error, no `Debug` output, no panic.
//!
//! One canary stands in for every secret: settings, answers of token endpoints, answers of the API. All tests of this
//! file share what is logged, at TRACE and by all crates.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_host::{AuthorizeLayer, Client, Host, Setup};
use countersign_tests::canary::{CANARY, Canary, contains_canary};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, request};
use countersign_tests::keys;
use http::Method;

/// What can be seen of a call from outside: its outcome and every object on the way, as a program may log them.
async fn everything_shown(host: &Host, name: &str, caller: &str) -> String {
    let connector = host.connector(name).unwrap();
    let mut wish = request(Method::POST, "/orders", "body");
    wish.extensions_mut().insert([("user", caller)].into_iter().collect::<countersign::Caller>());
    let mut text = format!("{host:?} {connector:?} {:?}", AuthorizeLayer::new(connector.clone()));
    match Client::new().follow_redirects(true).send(&connector, wish).await {
        Ok(answer) => write!(text, "{:?} {}", answer.headers(), answer.status()).unwrap(),
        Err(error) => write!(text, "{error} {error:?} {error:#?}").unwrap(),
    }
    let wish = http::Request::get(connector.base_url().join("/orders").unwrap()).body(()).unwrap();
    let (mut parts, ()) = wish.into_parts();
    parts.extensions.insert([("user", "ada")].into_iter().collect::<countersign::Caller>());
    match connector.authorize(&mut parts).await {
        // Placed headers are marked as secrets; a query is part of the URL, which is the caller's to keep to itself.
        Ok(authorization) => {
            write!(text, "{authorization:?} {:?} {:?}", parts.headers, parts.extensions).unwrap()
        }
        Err(error) => write!(text, "{error} {error:?}").unwrap(),
    }
    text
}

fn assert_silent(canary: &Canary, texts: &[String]) {
    canary.assert_silent(&texts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Every type with the canary in each of its secrets, in front of this API and this token endpoint.
fn profiles(issuer: &FaultServer) -> Vec<(&'static str, String)> {
    let endpoint = issuer.url("/token");
    let oauth2 =
        |more: &str| format!("type = \"oauth2\"\ntoken_url = \"{endpoint}\"\nclient_id = \"erp\"\n{more}");
    let secret = format!("client_secret = \"{CANARY}-and-more-to-be-long-enough\"");
    vec![
        ("basic", format!("type = \"basic\"\nusername = \"erp\"\npassword = \"{CANARY}\"")),
        ("bearer", "type = \"bearer\"\ntoken = \"${file:secret}\"".to_owned()),
        ("key-in-header", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nheader = \"X-Key\"")),
        ("key-in-cookie", format!("type = \"api-key\"\nkey = \"{CANARY}\"\ncookie = \"key\"")),
        ("key-in-query", format!("type = \"api-key\"\nkey = \"{CANARY}\"\nquery = \"key\"")),
        (
            "keys",
            format!(
                "type = \"api-key\"\nheaders = {{ X-Key = \"{CANARY} {{{{ caller.user }}}}\" }}\nquery_parameters = {{ q = \"{CANARY}\" }}\ncookies = {{ c = \"{CANARY}\" }}"
            ),
        ),
        ("by-basic", oauth2(&secret)),
        ("by-post", oauth2(&format!("client_auth = \"client_secret_post\"\n{secret}"))),
        ("by-refresh", oauth2(&format!("grant = \"refresh_token\"\nrefresh_token = \"{CANARY}\"\n{secret}"))),
        (
            "with-extras",
            oauth2(&format!(
                "{secret}\nextra_parameters = {{ pin = \"{CANARY}\" }}\nextra_headers = {{ X-Pin = \"{CANARY}\" }}"
            )),
        ),
        (
            "plugin-login",
            format!(
                "type = \"acme-login\"\nlogin_url = \"{}\"\nuser = \"erp\"\npassword = \"{CANARY}\"",
                issuer.url("/login")
            ),
        ),
    ]
}

fn toml(profiles: &[(&str, String)], api: &FaultServer) -> String {
    let mut toml = "[plugins]\ndir = \"plugins\"\n".to_owned();
    for (name, profile) in profiles {
        write!(
            toml,
            "[profiles.{name}]\n{profile}\n[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"{name}\"\n",
            api.url("/api")
        )
        .unwrap();
    }
    toml
}

fn folder() -> Folder {
    let folder = Folder::new().with_plugins(&["acme-login"]);
    folder.put("secret", format!("{CANARY}\n"));
    folder
}

#[tokio::test]
async fn secrets_reach_the_wire_and_no_log() {
    let mut canary = Canary::start();
    let issuer = FaultServer::start([Reply::json(format!(
        r#"{{"access_token":"{CANARY}","refresh_token":"{CANARY}-2","expires_in":3600,"session":"{CANARY}","ttl_seconds":60}}"#
    ))]);
    // The API rejects the first credential, and echoes it where it can.
    let rejection = Reply::status(401)
        .header("WWW-Authenticate", format!("Bearer realm=\"{CANARY}\""))
        .header("Set-Cookie", format!("session={CANARY}"))
        .body(format!("your token {CANARY} is old"));
    let api = FaultServer::start([rejection, Reply::status(200).body(CANARY)]);
    let folder = folder();
    let profiles = profiles(&issuer);
    let host = folder.host(&toml(&profiles, &api)).await;
    let setup = Setup::read(&folder.path().join("countersign.toml")).unwrap();
    let mut shown = vec![format!("{setup:?} {:?} {:?}", setup.profiles(), setup.connectors())];
    for (name, _) in &profiles {
        let text = everything_shown(&host, name, "ada").await;
        // The first answer's headers are the API's own words, told to its caller alone.
        if !text.contains("401") {
            shown.push(text);
        }
        let seen = api.requests().pop().unwrap();
        canary.seen_on_wire(&format!("{} {}", seen.target, seen.wire()));
    }
    for asked in issuer.requests().iter().filter(|asked| asked.method == "POST") {
        canary.seen_on_wire(&asked.wire());
    }
    drop(host);
    assert_silent(&canary, &shown);
}

#[tokio::test]
async fn no_failure_tells_a_secret() {
    let mut canary = Canary::start();
    let api = FaultServer::start([Reply::status(200)]);
    let mut shown = Vec::new();
    for reply in [
        Reply::status(500).body(CANARY).header("X-Debug", CANARY),
        Reply::status(429).header("Retry-After", CANARY),
        Reply::json(format!(r#"{{"error":"{CANARY}","error_description":"{CANARY}"}}"#)).with_status(400),
        Reply::json(format!(r#"{{"error":"invalid_client","error_description":"{CANARY}"}}"#))
            .with_status(401),
        Reply::html(CANARY),
        Reply::json(format!(r#"{{"access_token":"{CANARY}","#)),
        Reply::json(format!(r#"{{"access_token":"{CANARY}\u0000","session":1}}"#)),
        Reply::json(format!(
            r#"{{"access_token":"{CANARY}","expires_in":"{CANARY}","session":"{CANARY}\r\n","ttl_seconds":5}}"#
        )),
        Reply::json(format!(r#"{{"access_token":"{CANARY}","token_type":"{CANARY}"}}"#)),
        Reply::redirect(format!("http://127.0.0.1:1/{CANARY}")),
        Reply::json(CANARY).endless(),
        Reply::raw(CANARY),
        Reply::reset_after_request(),
    ] {
        let issuer = FaultServer::start([reply.header("Content-Language", CANARY)]);
        let folder = folder();
        let acquiring: Vec<_> = profiles(&issuer)
            .into_iter()
            .filter(|(name, _)| {
                name.starts_with("by-") || name.starts_with("with-") || name.starts_with("plugin-")
            })
            .collect();
        let host = folder.host(&toml(&acquiring, &api)).await;
        for (name, _) in &acquiring {
            shown.push(everything_shown(&host, name, "ada").await);
        }
        for asked in issuer.requests() {
            canary.seen_on_wire(&asked.wire());
        }
    }
    assert_eq!(api.connections(), 0);
    assert_silent(&canary, &shown);
}

#[tokio::test]
async fn an_api_that_cannot_be_reached_tells_no_secret() {
    let mut canary = Canary::start();
    let issuer = FaultServer::start([Reply::json(format!(
        r#"{{"access_token":"{CANARY}","session":"{CANARY}","ttl_seconds":9}}"#
    ))]);
    let mut shown = Vec::new();
    for reply in [Reply::reset_on_accept(), Reply::raw(CANARY), Reply::redirect(format!("/api?key={CANARY}"))]
    {
        let api = FaultServer::start([reply]);
        let folder = folder();
        let profiles = profiles(&issuer);
        let host = folder.host(&toml(&profiles, &api)).await;
        for (name, _) in &profiles {
            let text = everything_shown(&host, name, &format!("{CANARY}\r\n")).await;
            // What the API itself answered is for its caller.
            shown.push(text.split("\"location\"").next().unwrap().to_owned());
        }
        if let Some(seen) = api.requests().pop() {
            canary.seen_on_wire(&seen.wire());
        }
    }
    assert_silent(&canary, &shown);
}

#[tokio::test]
async fn wrong_settings_are_found_without_being_repeated() {
    let mut canary = Canary::start();
    // These never get that far; that such settings are used is what the tests above show.
    canary.seen_on_wire(CANARY);
    let (rsa, short) = (keys::rsa().private, "${file:secret}");
    let folder = folder();
    folder.put("half.pem", &rsa[..rsa.len() / 2].replace("MII", CANARY));
    folder.put("p12", STANDARD.encode(format!("{CANARY}{CANARY}")));
    let mut shown = Vec::new();
    for profile in [
        format!("type = \"{CANARY}\""),
        format!("type = \"basic\"\nusername = \"{CANARY}:\"\npassword = \"{CANARY}\\u0000\""),
        format!("type = \"basic\"\nusername = \"u\"\npasword = \"{CANARY}\""),
        format!("type = \"basic\"\nusername = \"u\"\npassword = [\"{CANARY}\"]"),
        format!("type = \"bearer\"\ntoken = \"Bearer {CANARY}\""),
        format!("type = \"bearer\"\ntoken = \"${{command:sh -c 'echo {CANARY}; exit 3'}}\""),
        format!("type = \"bearer\"\ntoken = \"${{file:{CANARY}}}\"").replace(CANARY, "nowhere"),
        format!("type = \"api-key\"\nkey = \"{CANARY}\\n x\"\nheader = \"X-Key\""),
        format!("type = \"api-key\"\nheaders = {{ X-Key = \"{{{{ {CANARY} \" }}"),
        format!("type = \"jwt-bearer\"\nkey = \"{CANARY}\""),
        format!("type = \"jwt-bearer\"\nkey = {{ secret = \"{short}\" }}\nalgorithm = \"HS512\""),
        "type = \"jwt-bearer\"\nkey = \"${file:half.pem}\"".to_owned(),
        format!("type = \"jwt-bearer\"\nkey = {{ keystore = \"${{file:p12}}\", password = \"{CANARY}\" }}"),
        format!(
            "type = \"jwt-bearer\"\nkey = {{ jwk = '{{\"kty\":\"oct\",\"k\":\"{CANARY}\"}}' }}\nalgorithm = \"RS256\""
        ),
        format!(
            "type = \"oauth2\"\ntoken_url = \"ftp://x\"\nclient_id = \"x\"\nclient_secret = \"{CANARY}\""
        ),
        format!(
            "type = \"oauth2\"\ntoken_url = \"https://x\"\nclient_id = \"x\"\nclient_secret = \"{CANARY}\"\nclient_auth = \"client_secret_jwt\"\nclient_assertion = {{ algorithm = \"HS512\" }}"
        ),
        format!("type = \"acme-login\"\nlogin_url = \"x\"\nuser = \"\"\npassword = \"{CANARY}\""),
        format!(
            "type = \"acme-login\"\nlogin_url = \"x\"\nuser = \"u\"\npassword = \"{CANARY}\"\nx = \"{CANARY}\""
        ),
    ] {
        let findings =
            folder.refusal(&format!("[plugins]\ndir = \"plugins\"\n[profiles.p]\n{profile}\n")).await;
        shown.push(format!("{findings} {findings:?}"));
    }
    assert_silent(&canary, &shown);
}

#[test]
fn the_proof_itself_can_fail() {
    let canary = {
        let mut canary = Canary::start();
        canary.seen_on_wire(CANARY);
        canary
    };
    tracing::trace!("something is logged");
    let leak = vec![format!("error: {}", CANARY.to_uppercase())];
    assert!(contains_canary(&leak[0]));
    assert!(std::panic::catch_unwind(|| assert_silent(&canary, &leak)).is_err());
}
