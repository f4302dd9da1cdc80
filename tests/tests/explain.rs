//! `countersign explain` on set-ups that are broken on purpose: it names what is the matter first, whether the other side says so
//! in its own words or says nothing at all, and it tells no secret.

use std::io::{BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_tests::aws_api::{ACCESS_KEY_ID, AwsApi};
use countersign_tests::canary::{CANARY, Canary, contains_canary};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::http1::read_request;
use countersign_tests::jwt_api::{JwtApi, Rules};
use countersign_tests::nginx::{Guard, Nginx};
use countersign_tests::oidc_provider::OidcProvider;
use countersign_tests::program::{self, Program};
use countersign_tests::raw::RawServer;
use countersign_tests::service::Service;
use countersign_tests::tls::TestCa;
use countersign_tests::{built, keys};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};

/// What a run of the program left behind.
struct Run {
    code: i32,
    out: String,
    err: String,
}

fn run(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = Command::new(built::program());
    command.current_dir(folder.path()).args(arguments).stdin(Stdio::null());
    for name in
        ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// What was explained.
struct Explained {
    code: i32,
    json: Value,
    whole: String,
}

impl Explained {
    fn causes(&self) -> Vec<&str> {
        self.json["causes"].as_array().unwrap().iter().map(|cause| cause["cause"].as_str().unwrap()).collect()
    }

    #[track_caller]
    fn names_first(&self, cause: &str) {
        assert_eq!(self.causes().first().copied(), Some(cause), "{:#}", self.json);
    }
}

#[track_caller]
fn explain(folder: &Folder, more: &[&str]) -> Explained {
    let run = run(folder, &[&["explain", "api", "--json"], more].concat());
    let json =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err));
    Explained { code: run.code, json, whole: run.out + &run.err }
}

const OFFLINE: &[&str] = &["--offline"];

/// A configuration whose connector `api` goes to this URL with these profiles.
fn folder(base_url: &str, profiles: &str, more: &str) -> Folder {
    let folder = Folder::new();
    let names: Vec<String> = profiles
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[profiles.")?.strip_suffix(']'))
        .map(|name| format!("\"{name}\""))
        .collect();
    folder.config(&format!(
        "{profiles}\n[connectors.api]\nbase_url = \"{base_url}\"\nprofiles = [{}]\n{more}",
        names.join(", ")
    ));
    folder
}

/// A JWT of our own making.
fn jwt_profile(issuer: &str, audience: &str) -> String {
    format!(
        "[profiles.jwt]\ntype = \"jwt-bearer\"\nkey = \"${{file:key.pem}}\"\nissuer = \"{issuer}\"\naudience = \"{audience}\"\n\
         subject = \"erp\"\nheaders = {{ kid = \"k1\" }}\n"
    )
}

fn with_jwt(base_url: &str, issuer: &str, audience: &str) -> Folder {
    let folder = folder(base_url, &jwt_profile(issuer, audience), "");
    folder.put("key.pem", keys::p256().private);
    folder
}

fn unauthorized(challenge: &str) -> Reply {
    Reply::status(401).header("WWW-Authenticate", challenge).header("Date", date(0))
}

/// The time, so many seconds from now, as servers write it.
fn date(ahead: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let then = now.checked_add_signed(ahead).unwrap();
    let (days, time) = (then / 86_400, then % 86_400);
    // Civil from days (Howard Hinnant).
    let z = days as i64 + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let week = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    format!(
        "{week}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        months[month as usize - 1],
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// What each of these answers is explained by, to a call with a JWT.
#[track_caller]
fn to_a_jwt(answers: impl IntoIterator<Item = (Reply, &'static str)>) {
    let server = FaultServer::start([Reply::status(500)]);
    let folder = with_jwt(&server.url("/"), "https://erp.example", "orders-api");
    for (reply, cause) in answers {
        server.rescript([reply.clone()]);
        let explained = explain(&folder, OFFLINE);
        assert_eq!(explained.causes().first().copied(), Some(cause), "{reply:?}\n{:#}", explained.json);
        assert_eq!(explained.code, 22);
    }
}

#[test]
fn what_is_well_has_no_cause() {
    let server = FaultServer::start([Reply::json("{}").header("Date", date(0))]);
    let folder = with_jwt(&server.url("/"), "https://erp.example", "orders-api");
    let explained = explain(&folder, OFFLINE);
    assert_eq!((explained.code, explained.causes().len()), (0, 0), "{:#}", explained.json);
    assert!(
        explained.json["well"]
            .as_array()
            .unwrap()
            .iter()
            .any(|words| words.as_str().unwrap().contains("clocks agree"))
    );
    let tested = run(&folder, &["test", "api"]);
    assert_eq!((tested.code, tested.err.as_str()), (0, ""), "{}", tested.out);
    for words in [
        "profile jwt (jwt-bearer): a credential",
        "placed header authorization: Bearer a JWT",
        "answered 200",
        "as expected",
    ] {
        assert!(tested.out.contains(words), "{words}: {}", tested.out);
    }
}

#[test]
fn a_wrong_audience_in_the_words_of_apis() {
    to_a_jwt([
        // Spring Security 6.
        (
            unauthorized(
                "Bearer error=\"invalid_token\", error_description=\"An error occurred while attempting to decode the Jwt: The aud claim is not valid\", error_uri=\"https://tools.ietf.org/html/rfc6750#section-3.1\"",
            ),
            "audience",
        ),
        // ASP.NET Core.
        (
            unauthorized(
                "Bearer error=\"invalid_token\", error_description=\"The audience 'orders-api' is invalid\"",
            ),
            "audience",
        ),
        // express-oauth2-jwt-bearer.
        (
            unauthorized(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"Unexpected 'aud' value\"",
            ),
            "audience",
        ),
        // AWS API Gateway.
        (
            unauthorized(
                "Bearer scope=\"\" error=\"invalid_token\" error_description=\"the token has invalid audience\"",
            ),
            "audience",
        ),
        // Envoy.
        (Reply::status(403).header("Date", date(0)).body("Audiences in Jwt are not allowed"), "audience"),
    ]);
    // jsonwebtoken, by its own verdict.
    let key = keys::p256();
    let public = DecodingKey::from_ec_pem(key.public.as_bytes()).unwrap();
    let api = JwtApi::start(Rules::bearer(
        "https://erp.example",
        "https://orders.example",
        Algorithm::ES256,
        public,
    ));
    let folder = with_jwt(&api.url("/"), "https://erp.example", "orders-api");
    folder.put("key.pem", key.private);
    explain(&folder, OFFLINE).names_first("audience");
}

/// Serves the keys of a folder's profile as its issuer, changed as wanted.
fn issuer_of(folder: &Folder, server: &FaultServer, change: impl FnOnce(&mut Value)) {
    let printed = run(folder, &["jwks", "jwt"]);
    let mut set: Value = serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{}", printed.err));
    change(&mut set);
    // Discovery, and the keys where most have them.
    server.rescript([
        Reply::status(404),
        Reply::json(set.to_string()),
        Reply::status(404),
        Reply::json(set.to_string()),
    ]);
}

#[test]
fn an_api_that_says_nothing_is_seen_through_by_the_issuer_s_keys() {
    let silent = || FaultServer::start([unauthorized("Bearer")]);
    let issuer = FaultServer::start([Reply::status(404)]);
    let api = silent();
    let folder = with_jwt(&api.url("/"), &issuer.url(""), "https://other.example");

    issuer_of(&folder, &issuer, |_| {});
    let explained = explain(&folder, &[]);
    explained.names_first("audience");
    assert!(explained.json["well"].to_string().contains("verified by a key"), "{:#}", explained.json);
    assert!(!explained.causes().contains(&"key"));

    issuer_of(&folder, &issuer, |set| set["keys"][0]["kid"] = "another".into());
    explain(&folder, &[]).names_first("key-id");

    let other = with_jwt(&api.url("/"), &issuer.url(""), "https://other.example");
    issuer_of(&other, &issuer, |_| {});
    explain(&folder, &[]).names_first("key");
}

#[test]
fn a_clock_that_is_ten_minutes_off() {
    for (ahead, words) in [(600, "10 minutes behind"), (-600, "10 minutes ahead"), (-601, "10 minutes ahead")]
    {
        for reply in [
            Reply::status(401),
            Reply::status(401).header("WWW-Authenticate", "Bearer"),
            Reply::status(401).header(
                "WWW-Authenticate",
                "Bearer error=\"invalid_token\", error_description=\"Token is not active\"",
            ),
            Reply::status(401).body("Jwt is expired"),
        ] {
            let server = FaultServer::start([reply.header("Date", date(ahead))]);
            let folder = with_jwt(&server.url("/"), "https://erp.example", "orders-api");
            let explained = explain(&folder, OFFLINE);
            explained.names_first("clock");
            let title = explained.json["causes"][0]["title"].as_str().unwrap();
            assert!(explained.whole.contains(words) || title.contains("clock"), "{title}");
        }
    }
    // An assertion that the issuer finds to be of another time.
    let issuer = FaultServer::start([Reply::json("{\"error\":\"invalid_client\"}")
        .with_status(401)
        .header("Date", date(-600))]);
    let folder = folder(
        "https://api.example",
        &format!(
            "[profiles.token]\ntype = \"oauth2\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\nclient_key = \"${{file:key.pem}}\"\n",
            issuer.url("/token")
        ),
        "",
    );
    folder.put("key.pem", keys::p256().private);
    let explained = explain(&folder, OFFLINE);
    explained.names_first("clock");
    assert_eq!(explained.code, 1);
}

#[test]
fn a_wrong_kid_and_a_wrong_key_in_the_words_of_apis() {
    to_a_jwt([
        (
            unauthorized(
                "Bearer error=\"invalid_token\", error_description=\"An error occurred while attempting to decode the Jwt: Signed JWT rejected: Another algorithm expected, or no matching key(s) found\"",
            ),
            "key-id",
        ),
        (
            unauthorized(
                "Bearer error=\"invalid_token\", error_description=\"The signature key was not found\"",
            ),
            "key-id",
        ),
        (unauthorized("Bearer").body("Jwks doesn't have key to match kid or alg from Jwt"), "key-id"),
        (
            unauthorized(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"no applicable key found in the JSON Web Key Set\"",
            ),
            "key-id",
        ),
        (
            unauthorized(
                "Bearer error=\"invalid_token\", error_description=\"An error occurred while attempting to decode the Jwt: Signed JWT rejected: Invalid signature\"",
            ),
            "key",
        ),
        (
            unauthorized("Bearer error=\"invalid_token\", error_description=\"The signature is invalid\""),
            "key",
        ),
        (
            unauthorized(
                "Bearer realm=\"api\", error=\"invalid_token\", error_description=\"signature verification failed\"",
            ),
            "key",
        ),
        (Reply::status(401).header("Date", date(0)).body("Jwt verification fails"), "key"),
    ]);
    let public = DecodingKey::from_ec_pem(keys::p256().public.as_bytes()).unwrap();
    let api = JwtApi::start(Rules::bearer("https://erp.example", "orders-api", Algorithm::ES256, public));
    explain(&with_jwt(&api.url("/"), "https://erp.example", "orders-api"), OFFLINE).names_first("key");
}

/// `oauth2` with client credentials.
fn with_oauth2(base_url: &str, token_url: &str, more: &str) -> Folder {
    folder(
        base_url,
        &format!(
            "[profiles.token]\ntype = \"oauth2\"\ntoken_url = \"{token_url}\"\nclient_id = \"erp\"\nclient_secret = \"{CANARY}\"\n{more}\n"
        ),
        "",
    )
}

#[test]
fn an_expired_secret() {
    // Entra ID.
    let entra = "AADSTS7000222: The provided client secret keys for app '11111111-2222-3333-4444-555555555555' are expired. \
                 Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret";
    let body = json!({ "error": "invalid_client", "error_description": entra, "error_codes": [7000222] });
    let issuer = FaultServer::start([Reply::json(body.to_string()).with_status(401)]);
    let explained = explain(&with_oauth2("https://api.example", &issuer.url("/token"), ""), OFFLINE);
    explained.names_first("secret-expired");
    assert_eq!(explained.code, 1);
    assert!(explained.whole.contains("are expired. Visit the Azure portal"));

    // A token that somebody has put into a file, and that has ended since.
    let token = format!(
        "{}.{}.{}",
        part(&json!({ "alg": "RS256" })),
        part(&json!({ "exp": 1_700_000_000 })),
        "c2lnbmF0dXJl"
    );
    let api = FaultServer::start([unauthorized("Bearer")]);
    let folder =
        folder(&api.url("/"), &format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{token}\"\n"), "");
    explain(&folder, OFFLINE).names_first("expired");
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[test]
fn a_real_issuer_refuses_an_expired_secret_an_unknown_scope_and_an_unknown_audience() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let client = |id: &str, more: Value| {
        let mut client = json!({
            "client_id": id, "client_secret": CANARY, "grant_types": ["client_credentials"], "scope": "read",
            "token_endpoint_auth_method": "client_secret_basic",
        });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [client("erp", json!({})), client("old", json!({ "client_secret_expires_at": now - 60 }))],
        "resources": { "https://orders.example": { "scope": "read" } },
        "scopes": ["read", "write"],
    })) else {
        return;
    };
    let expired = with_oauth2("https://api.example", &provider.url("/token"), "");
    let text = std::fs::read_to_string(expired.path().join("countersign.toml")).unwrap();
    expired.config(&text.replace("\"erp\"", "\"old\""));
    let explained = explain(&expired, OFFLINE);
    explained.names_first("secret-expired");

    explain(&with_oauth2("https://api.example", &provider.url("/token"), "scope = \"write\""), OFFLINE)
        .names_first("scope");
    explain(
        &with_oauth2(
            "https://api.example",
            &provider.url("/token"),
            "resource = [\"https://wrong.example\"]",
        ),
        OFFLINE,
    )
    .names_first("audience");
    let well = FaultServer::start([Reply::json("{}")]);
    let folder = with_oauth2(
        &well.url("/"),
        &provider.url("/token"),
        "resource = [\"https://orders.example\"]\nscope = \"read\"",
    );
    let explained = explain(&folder, OFFLINE);
    assert_eq!(explained.code, 0, "{:#}", explained.json);
    let claims = &explained.json["evidence"]["attempts"][0]["placed"][0]["value"]["claims"];
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!("https://orders.example"), &json!("read")));
}

#[test]
fn a_missing_scope() {
    let api = FaultServer::start([
        Reply::status(403).header("WWW-Authenticate", "Bearer error=\"insufficient_scope\", error_description=\"The request requires higher privileges than provided by the access token.\", scope=\"orders.read orders.write\""),
    ]);
    let token = |scope: &str| {
        let claims = json!({ "exp": 4_000_000_000_u64, "scope": scope });
        format!("{}.{}.{}", part(&json!({ "alg": "RS256" })), part(&claims), "c2lnbmF0dXJl")
    };
    let bearer = |token: &str| format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{token}\"\n");
    let explained = explain(&folder(&api.url("/"), &bearer(&token("orders.read")), ""), OFFLINE);
    explained.names_first("scope");
    assert!(
        explained.json["causes"][0]["title"].as_str().unwrap().ends_with("`orders.write`"),
        "{:#}",
        explained.json
    );
    // An API that says nothing but no.
    api.rescript([Reply::status(403).header("Date", date(0))]);
    explain(&folder(&api.url("/"), &bearer(&token("orders.read")), ""), OFFLINE).names_first("scope");
    // Google.
    let google = json!({ "error": { "code": 403, "message": "Request had insufficient authentication scopes.", "status": "PERMISSION_DENIED",
        "details": [{ "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT" }] } });
    api.rescript([Reply::json(google.to_string()).with_status(403)]);
    explain(&folder(&api.url("/"), &bearer(&token("orders.read")), ""), OFFLINE).names_first("scope");
}

#[test]
fn a_wrong_placement() {
    let key = |placed: &str| format!("[profiles.key]\ntype = \"api-key\"\nkey = \"{CANARY}\"\n{placed}\n");
    let api = FaultServer::start([Reply::status(500)]);
    for (reply, placed) in [
        // Kong.
        (Reply::json("{\"message\":\"No API key found in request\"}").with_status(401).header("WWW-Authenticate", "Key realm=\"kong\""), "header = \"X-Api-Key\""),
        // Azure API Management.
        (Reply::json("{ \"statusCode\": 401, \"message\": \"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.\" }").with_status(401), "header = \"X-Api-Key\""),
        // Envoy.
        (Reply::status(401).header("WWW-Authenticate", "Bearer realm=\"https://api.example/\"").body("Jwt is missing"), "query = \"access_token\""),
        // Django REST framework.
        (Reply::json("{\"detail\":\"Authentication credentials were not provided.\"}").with_status(401).header("WWW-Authenticate", "Token"), "header = \"X-Api-Key\""),
        // Nothing but the scheme.
        (unauthorized("Bearer"), "header = \"X-Api-Key\""),
        (unauthorized("Basic realm=\"api\""), "query = \"key\""),
    ] {
        api.rescript([reply.clone()]);
        let explained = explain(&folder(&api.url("/"), &key(placed), ""), OFFLINE);
        assert_eq!(explained.causes().first().copied(), Some("placement"), "{reply:?}\n{:#}", explained.json);
    }
    // nginx itself, which wants a password where a token is sent.
    let guards = [Guard::Basic { user: "erp".into(), password: "secret".into() }];
    let Some(nginx) = Nginx::start(&[("/api", &guards)]) else { return };
    let bearer = format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n");
    explain(&folder(&nginx.url("/api"), &bearer, ""), OFFLINE).names_first("placement");
    // The right place, and the wrong password.
    let basic = "[profiles.user]\ntype = \"basic\"\nusername = \"erp\"\npassword = \"wrong password\"\n";
    explain(&folder(&nginx.url("/api"), basic, ""), OFFLINE).names_first("secret");
}

fn sigv4(secret: &str, more: &str) -> String {
    format!(
        "[profiles.aws]\ntype = \"aws-sigv4\"\nregion = \"eu-central-1\"\nservice = \"execute-api\"\n\
         access_key_id = \"{ACCESS_KEY_ID}\"\nsecret_access_key = \"{secret}\"\n{more}\n"
    )
}

#[test]
fn a_wrong_host_in_the_signature() {
    for xml in [false, true] {
        let well = AwsApi { xml, ..AwsApi::default() }.start(CANARY);
        assert_eq!(
            explain(
                &folder(&well.url("/orders?b=2&a=1".split('?').next().unwrap()), &sigv4(CANARY, ""), ""),
                &["?b=2&a=x%20y"]
            )
            .code,
            0
        );

        let behind = AwsApi { xml, host: Some("orders.internal".into()), ..AwsApi::default() }.start(CANARY);
        let explained = explain(&folder(&behind.url("/orders"), &sigv4(CANARY, ""), ""), OFFLINE);
        explained.names_first("signature");
        let difference = &explained.json["evidence"]["attempts"][0]["signed"]["difference"];
        assert_eq!(
            (difference["line"].as_str(), difference["read"].as_str()),
            (Some("host"), Some("orders.internal"))
        );
        assert!(!contains_canary(&explained.whole));

        // The same API, and a secret that is another's.
        let explained = explain(&folder(&well.url("/orders"), &sigv4("another", ""), ""), OFFLINE);
        explained.names_first("key");
    }
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message></Error>";
    let s3 = FaultServer::start([Reply::status(403)
        .header("Content-Type", "application/xml")
        .header("Date", date(-900))
        .body(skewed)]);
    explain(&folder(&s3.url("/"), &sigv4(CANARY, ""), ""), OFFLINE).names_first("clock");
    let region = json!({ "message": "Credential should be scoped to a valid region. " });
    let gateway = FaultServer::start([Reply::json(region.to_string()).with_status(403)]);
    explain(&folder(&gateway.url("/"), &sigv4(CANARY, ""), ""), OFFLINE).names_first("signature-scope");
}

#[test]
fn a_nonce_that_is_demanded() {
    let api = FaultServer::start([Reply::status(500)]);
    let bearer = format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n");
    for reply in [
        unauthorized("DPoP error=\"use_dpop_nonce\", error_description=\"Resource server requires nonce in DPoP proof\"").header("DPoP-Nonce", "eyJ7S_zG.eyJH0-Z.HX4w-7v"),
        unauthorized("DPoP algs=\"ES256\"").header("DPoP-Nonce", "eyJ7S_zG.eyJH0-Z.HX4w-7v"),
        unauthorized("Digest realm=\"api\", qop=\"auth\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv\", algorithm=SHA-256"),
    ] {
        api.rescript([reply.clone()]);
        let explained = explain(&folder(&api.url("/"), &bearer, ""), OFFLINE);
        assert_eq!(explained.causes().first().copied(), Some("nonce"), "{reply:?}\n{:#}", explained.json);
    }
}

/// nginx that lets nobody in without a certificate of that authority.
fn nginx_demanding_certificates(ca: &TestCa) -> Option<(Service, u16)> {
    let path = Program::Nginx.path()?;
    let identity = ca.server();
    let (service, _) = Service::on_free_port(|folder, port, word| {
        for (name, content) in
            [("server.pem", &identity.certificate), ("server.key", &identity.key), ("ca.pem", &ca.pem())]
        {
            std::fs::write(folder.join(name), content).unwrap();
        }
        let tls_port = countersign_tests::service::free_port();
        std::fs::write(folder.join("tls_port"), tls_port.to_string()).unwrap();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; {user} worker_processes 1; pid nginx.pid; events {{ worker_connections 64; }}
             http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
             server {{ listen 127.0.0.1:{port}; location = /.ready {{ return 200 \"{word}\"; }} }}
             server {{ listen 127.0.0.1:{tls_port} ssl; ssl_certificate server.pem; ssl_certificate_key server.key;
               ssl_client_certificate ca.pem; ssl_verify_client on; location / {{ return 200 \"in\"; }} }} }}"
        );
        std::fs::write(folder.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(&path);
        command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder);
        command.env("LD_LIBRARY_PATH", program::library_path());
        command
    });
    let port = std::fs::read_to_string(service.folder().join("tls_port")).unwrap().parse().unwrap();
    Some((service, port))
}

/// A server that ends TLS, as most others than nginx do.
fn tls_demanding_certificates(ca: &TestCa) -> RawServer {
    let identity = ca.server();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    RawServer::start(move |mut stream| {
        let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok() {}
        let _ = tls.complete_io(&mut stream);
        // Until the client has read why.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let _ = stream.read(&mut [0; 64]);
    })
}

#[test]
fn a_client_certificate_that_is_missing() {
    let ca = TestCa::new();
    let bearer = format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n");
    let trusting = |url: &str| {
        let folder = folder(url, &bearer, "ca_file = \"ca.pem\"");
        folder.put("ca.pem", ca.pem());
        folder
    };
    let alerting = tls_demanding_certificates(&ca);
    let folder_of_alerting = trusting(&format!("https://127.0.0.1:{}/", alerting.address().port()));
    let explained = explain(&folder_of_alerting, OFFLINE);
    explained.names_first("client-certificate");
    assert_eq!(explained.code, 1);
    if let Some((_nginx, port)) = nginx_demanding_certificates(&ca) {
        let explained = explain(&trusting(&format!("https://127.0.0.1:{port}/")), OFFLINE);
        explained.names_first("client-certificate");
        assert_eq!(explained.code, 22);
    }
    // And theirs, which nobody here trusts.
    let untrusted = folder(&format!("https://127.0.0.1:{}/", alerting.address().port()), &bearer, "");
    explain(&untrusted, OFFLINE).names_first("trust");
}

#[test]
fn an_issuer_that_is_down() {
    let nobody = format!("http://127.0.0.1:{}/token", countersign_tests::service::free_port());
    let explained = explain(&with_oauth2("https://api.example", &nobody, ""), OFFLINE);
    explained.names_first("issuer-down");
    assert_eq!(explained.code, 1);
    for reply in [Reply::status(503), Reply::status(500).body("<html>oops"), Reply::reset_after_request()] {
        let issuer = FaultServer::start([reply]);
        explain(&with_oauth2("https://api.example", &issuer.url("/token"), ""), OFFLINE)
            .names_first("issuer-down");
    }
    // The API itself.
    let nobody = format!("http://127.0.0.1:{}/", countersign_tests::service::free_port());
    explain(&with_jwt(&nobody, "https://erp.example", "a"), OFFLINE).names_first("api-down");
}

#[test]
fn no_sentence_is_said_twice() {
    let said = |folder: &Folder| run(folder, &["explain", "api", "--offline"]).out;
    let times = |said: &str, words: &str, count: usize| {
        assert_eq!(said.matches(words).count(), count, "{words}: {said}")
    };

    let issuer = FaultServer::start([Reply::status(503)]);
    let text = said(&with_oauth2("https://api.example", &issuer.url("/token"), ""));
    // The cause names it, and so does the line of the profile; what is to be done is said once.
    times(&text, "status 503", 1);
    times(&text, "answered 503", 1);
    times(&text, "= help: ", 1);
    times(&text, "no answer: nothing was sent, for want of a credential\n", 1);

    let refused =
        Reply::status(401).header("Content-Type", "application/json").body("{\"error\":\"invalid_client\"}");
    let issuer = FaultServer::start([refused]);
    let text = said(&with_oauth2("https://api.example", &issuer.url("/token"), ""));
    times(&text, "is the client's id, secret or key the registered one", 1);
    times(&text, "compare the settings of the profile", 1);
    times(&text, "compare the profile's settings", 0);

    let late = Reply::status(401).header("Date", date(600));
    let api = FaultServer::start([late]);
    let text = said(&with_jwt(&api.url("/"), "https://erp.example", "orders-api"));
    times(&text, "this machine's clock is", 1);
    times(&text, "\nclock:", 0);
    times(&text, " dates its answers ", 1);
}

#[test]
fn a_redirect_to_another_origin() {
    let bearer = format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n");
    for (location, words) in [
        ("https://api2.example/orders", "another origin"),
        ("https://login.example/oauth2/authorize?client_id=x&state=y", "login page"),
    ] {
        let api = FaultServer::start([Reply::redirect(location)]);
        let explained = explain(&folder(&api.url("/"), &bearer, ""), OFFLINE);
        explained.names_first("redirect");
        assert!(
            explained.json["causes"][0]["title"].as_str().unwrap().contains(words),
            "{:#}",
            explained.json
        );
    }
}

#[test]
fn a_probe_is_what_the_configuration_says_and_options_come_before_it() {
    let server = FaultServer::start([Reply::status(404)]);
    let probe = "[connectors.api.probe]\npath = \"/v1/me?full=1\"\nheaders = { Accept = \"application/json\" }\nbody = \"{}\"\nstatus = [404, 200]\n";
    let folder = folder(
        &server.url("/base"),
        "[profiles.key]\ntype = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"\n",
        probe,
    );
    assert_eq!(run(&folder, &["test", "api"]).code, 0);
    let tested =
        run(&folder, &["test", "api", "/other", "-X", "PUT", "-H", "Accept: text/plain", "--status", "204"]);
    assert_eq!(tested.code, 22);
    assert!(tested.out.contains("answered with 404, not 204"), "{}", tested.out);
    let seen = server.requests();
    let told: Vec<_> = seen
        .iter()
        .map(|request| (request.method.as_str(), request.target.as_str(), request.header("accept").unwrap()))
        .collect();
    assert_eq!(
        told,
        [("POST", "/base/v1/me?full=1", "application/json"), ("PUT", "/base/other", "text/plain")]
    );
    assert_eq!(run(&folder, &["test", "nobody"]).code, 1);
    assert!(run(&folder, &["check"]).out.contains("no problems found"));
}

/// Whatever a server repeats of what it got, in whatever form.
fn echoes(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        format!("The token {secret} is not known"),
        format!("no such key: {}", secret.to_uppercase()),
        format!("key={}", percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)),
        format!("Basic {}", STANDARD.encode(format!("erp:{secret}"))),
        format!("seen {hex}"),
        format!("it begins with {}", &secret[..secret.len() - 3]),
        format!("{}\u{200b}{}", &secret[..5], &secret[5..]),
    ]
}

/// What is told of a connector, for people and for machines, and what is logged beside it.
#[track_caller]
fn is_silent(folder: &Folder, echo: &str) {
    for arguments in [&["explain", "api"][..], &["-vvv", "explain", "api", "--json"]] {
        let run = run(folder, arguments);
        assert_ne!(run.code, 0);
        let told = run.out + &run.err;
        assert!(!contains_canary(&told) && !told.contains("n0wh"), "{arguments:?} of {echo}:\n{told}");
    }
}

#[test]
fn no_secret_is_told_whatever_a_server_repeats() {
    let mut canary = Canary::start();
    let api = FaultServer::start([Reply::status(500)]);
    let issuer = FaultServer::start([Reply::status(500)]);
    let key = format!("[profiles.key]\ntype = \"api-key\"\nkey = \"{CANARY}\"\n");
    let bearer = format!("[profiles.given]\ntype = \"bearer\"\ntoken = \"{CANARY}\"\n");
    let basic = format!("[profiles.user]\ntype = \"basic\"\nusername = \"erp\"\npassword = \"{CANARY}\"\n");
    let folders = [
        folder(&api.url("/"), &format!("{key}header = \"X-Key\"\n"), ""),
        folder(&api.url("/"), &format!("{key}query = \"key\"\n"), ""),
        folder(&api.url("/"), &format!("{key}cookie = \"sid\"\n"), ""),
        folder(&api.url("/"), &bearer, ""),
        folder(&api.url("/"), &basic, ""),
        with_oauth2(&api.url("/"), &issuer.url("/token"), ""),
    ];
    for echo in echoes(CANARY) {
        let quoted = echo.replace('\u{200b}', "");
        let reply = Reply::json(json!({ "error": { "code": echo, "message": echo }, "detail": echo }).to_string())
            .with_status(401)
            .header("WWW-Authenticate", format!("Bearer realm=\"{quoted}\", error=\"{quoted}\", error_description=\"{quoted}\", x=\"{quoted}\""))
            .header("Location", format!("https://other.example/{}?a={}", quoted.replace(' ', "%20"), quoted.replace(' ', "%20")))
            .header("X-Error", &quoted)
            .header("X-Request-Id", &quoted)
            .header("Server", &quoted)
            .header("Set-Cookie", format!("a={quoted}"));
        let token =
            json!({ "access_token": format!("{CANARY}-issued"), "token_type": "Bearer", "expires_in": 60 });
        let token = Reply::json(token.to_string());
        let (refused, redirected) = (reply.clone(), reply.with_status(302));
        issuer.rescript([token]);
        for reply in [&refused, &redirected] {
            api.rescript([reply.clone()]);
            folders.iter().for_each(|folder| is_silent(folder, &echo));
        }
        issuer.rescript([refused]);
        is_silent(&folders[5], &echo);
    }
    tracing::info!("something is logged");
    canary.seen_on_wire(
        &api.requests().iter().chain(&issuer.requests()).map(|request| request.wire()).collect::<String>(),
    );
    canary.assert_silent(&[]);
}

#[test]
fn of_a_jwt_everything_is_told_but_its_signature() {
    let server = FaultServer::start([unauthorized("Bearer error=\"invalid_token\"")]);
    let folder = with_jwt(&server.url("/"), "https://erp.example", "orders-api");
    let told = run(&folder, &["explain", "api", "--offline"]);
    assert_eq!(told.code, 22);
    let sent = server.requests();
    let token = sent[0].header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!told.out.contains(signature) && !told.out.contains(&token[..20]), "{}", told.out);
    for words in [
        "claims aud: \"orders-api\"",
        "claims iss: \"https://erp.example\"",
        "header kid: \"k1\"",
        "header alg: \"ES256\"",
        "claims exp: ",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
}

#[test]
fn a_server_that_echoes_a_signature_does_not_make_it_known() {
    let server = RawServer::start(|stream| {
        let mut reader = BufReader::new(&stream);
        while let Ok(Some(request)) = read_request(&mut reader) {
            let body = request.header("authorization").unwrap_or_default();
            let answer = format!("HTTP/1.1 401 X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    let aws = run(&folder(&server.url("/"), &sigv4(CANARY, ""), ""), &["explain", "api"]);
    assert!(aws.out.contains("Credential=AKIDEXAMPLE/") && aws.out.contains("[redacted]"), "{}", aws.out);
    let jwt = run(&with_jwt(&server.url("/"), "https://erp.example", "a"), &["explain", "api", "--offline"]);
    assert!(!jwt.out.contains("Bearer eyJ"), "{}", jwt.out);
}
