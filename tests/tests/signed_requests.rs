//! Libraries that we did not write let requests in that `hmac` and `http-signature` signed, and refuse what was changed on the
//! way, is too old, was seen before, or was signed by somebody else.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use countersign::testing::ScriptedHost;
use countersign::{HeaderView, RequestHead};
use countersign_host::registry::Registry;
use countersign_host::{Client, Host};
use countersign_tests::folder::{Folder, read};
use countersign_tests::keys::{self, PemPair};
use countersign_tests::verifier::{Library, Rules, Verifier};
use http::{Method, Request};
use serde_json::{Value, json};

/// As long as a hash.
const SECRET: &str = "a-shared-secret-of-32-characters";
const BODY: &str = "{\"n\":1}";
const TARGET: &str = "/orders?page=2&q=a%20b";

/// A connector with one profile, both of this name.
fn connector(name: &str, base_url: &str, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{base_url}\"\nprofile = \"{name}\"\n[profiles.{name}]\n{profile}\n"
    )
}

/// Calls by way of the host, as an application does.
async fn call(host: &Host, connector: &str, method: Method, body: &str) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(TARGET)
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    let answer = Client::new().send(&host.connector(connector).unwrap(), request).await;
    read(answer.unwrap_or_else(|error| panic!("{connector}: {error}"))).await
}

/// A signed request, which a test can change before it sends it, and send as often as it likes.
#[derive(Clone)]
struct Signed {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Signed {
    /// Signed as of some seconds ago, or ahead.
    fn ago(seconds: i64, profile_type: &str, settings: &Value, base_url: &str) -> Self {
        let moved = Duration::from_secs(seconds.unsigned_abs());
        let now = if seconds < 0 { SystemTime::now() + moved } else { SystemTime::now() - moved };
        let profile = Registry::built_in().create(profile_type, settings).unwrap();
        let mut host = ScriptedHost::new().at(now);
        let credential = host.acquire(&*profile).unwrap();
        let (path, query) = TARGET.split_once('?').unwrap();
        let given = [("content-type", "application/json"), ("webhook-id", "msg_1")];
        let headers = given.map(|(name, value)| HeaderView::new(name, value.as_bytes()));
        let authority = base_url.split_once("://").unwrap().1;
        let request = RequestHead::new("POST", "http", authority, path)
            .with_query(Some(query))
            .with_headers(&headers)
            .with_body(Some(BODY.as_bytes()));
        let edits = host.sign(&*profile, credential, &request).unwrap();
        let mut headers = given.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        headers.extend(edits.into_iter().map(|(_, name, value)| (name, value)));
        Self { method: "POST", url: format!("{base_url}{TARGET}"), headers, body: BODY.to_owned() }
    }

    fn now(profile_type: &str, settings: &Value, base_url: &str) -> Self {
        Self::ago(0, profile_type, settings, base_url)
    }

    fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(known, _)| known == name).unwrap().1
    }

    async fn send(self) -> (u16, String) {
        let method = self.method.parse::<reqwest::Method>().unwrap();
        let mut request = reqwest::Client::new().request(method, self.url).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

async fn lets_in(api: &Verifier, signed: Signed) {
    let (status, words) = signed.send().await;
    assert_eq!(status, 200, "{words}\n{}", api.errors());
}

async fn refuses(signed: Signed, why: &str) {
    let (status, words) = signed.send().await;
    assert_eq!(status, 401, "let in, though {why}: {words}");
    assert!(words.contains(why), "refused, but not for {why}: {words}");
}

const COVERED: [&str; 3] = ["@method", "@target-uri", "content-digest"];

fn rules(algorithm: &'static str, key: &str) -> Rules {
    Rules { key_id: "erp", key: key.to_owned(), algorithm, components: COVERED.to_vec() }
}

#[tokio::test]
async fn every_algorithm_is_let_in_by_the_library_from_npm() {
    every_algorithm_is_let_in_by(Library::Npm).await;
}

#[tokio::test]
async fn every_algorithm_is_let_in_by_the_library_from_pypi() {
    every_algorithm_is_let_in_by(Library::HttpMessageSignatures).await;
}

#[tokio::test]
async fn every_algorithm_is_let_in_by_the_one_for_requests() {
    every_algorithm_is_let_in_by(Library::RequestsHttpSignature).await;
}

/// By way of the host.
async fn every_algorithm_is_let_in_by(library: Library) {
    let shared = PemPair { private: String::new(), public: SECRET.to_owned() };
    for (algorithm, pair) in [
        ("ed25519", keys::ed25519()),
        ("ecdsa-p256-sha256", keys::p256()),
        ("ecdsa-p384-sha384", keys::p384()),
        ("rsa-pss-sha512", keys::rsa()),
        ("rsa-v1_5-sha256", keys::rsa()),
        ("hmac-sha256", shared),
    ] {
        // That library of Node's takes an ECDSA signature for DER, which RFC 9421 §3.3.4 has as two numbers.
        if library == Library::Npm && algorithm.starts_with("ecdsa") {
            continue;
        }
        let mut rules = rules(algorithm, &pair.public);
        if library == Library::RequestsHttpSignature {
            rules.components.push("@authority");
        }
        let Some(api) = Verifier::start(library, &rules) else { return };
        let folder = Folder::new();
        folder.put("key.pem", &pair.private);
        let key = match algorithm {
            "hmac-sha256" => format!("{{ secret = \"{SECRET}\" }}"),
            _ => "\"${file:key.pem}\"".to_owned(),
        };
        let profile = format!(
            "type = \"http-signature\"\nkey = {key}\nkey_id = \"erp\"\nalgorithm = \"{algorithm}\"\nalg = true\nnonce = true\nlifetime = \"1m\"\ncomponents = [\"@method\", \"@target-uri\", \"@authority\", \"@query\", \"@query-param;name=\\\"page\\\"\", \"content-digest\", \"content-type\"]"
        );
        let host = folder.host(&connector("orders", api.url(), &profile)).await;
        for (method, body) in [(Method::POST, BODY), (Method::PUT, "ä"), (Method::GET, "")] {
            let (status, words) = call(&host, "orders", method.clone(), body).await;
            assert_eq!(status, 200, "{library:?} {algorithm} {method}: {words}\n{}", api.errors());
        }
    }
}

#[tokio::test]
async fn requests_signed_by_default_are_let_in_and_changed_ones_are_not() {
    let (ours, theirs) = (keys::ed25519(), keys::ed25519());
    for library in [Library::Npm, Library::HttpMessageSignatures, Library::RequestsHttpSignature] {
        let Some(api) = Verifier::start(library, &rules("ed25519", &ours.public)) else { return };
        let settings = |key: &PemPair| json!({ "key": key.private, "key_id": "erp" });
        let told =
            |npm: &'static str, python: &'static str| if library == Library::Npm { npm } else { python };
        let wrong = told("the signature is wrong", "InvalidSignature: ");
        let sign = |seconds, settings: &Value| Signed::ago(seconds, "http-signature", settings, api.url());
        let good = sign(0, &settings(&ours));
        lets_in(&api, good.clone()).await;
        refuses(good.clone().but(|request| request.method = "PUT"), wrong).await;
        refuses(good.clone().but(|request| request.url.push('1')), wrong).await;
        refuses(good.clone().but(|request| request.header("content-type").push('x')), wrong).await;
        let digest = told("the digest is wrong", "InvalidSignature: ");
        refuses(good.clone().but(|request| request.body.push(' ')), digest).await;
        // The digest is made to fit another body, but is signed.
        let another = good.clone().but(|request| {
            request.body = "{\"hello\": \"world\"}\n".to_owned();
            *request.header("content-digest") =
                "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:".to_owned();
        });
        refuses(another, wrong).await;
        let bare = good.but(|request| request.headers.retain(|(name, _)| name != "signature"));
        refuses(bare, told("Incomplete signature headers", "Expected \"Signature\" header")).await;
        refuses(sign(0, &settings(&theirs)), wrong).await;

        let with = |name: &str, value: Value| {
            let mut settings = settings(&ours);
            settings[name] = value;
            settings
        };
        let unknown = told("Unknown key", "Unable to resolve verification key");
        refuses(sign(0, &with("key_id", "crm".into())), unknown).await;
        refuses(sign(120, &settings(&ours)), told("Signature is too old", "age exceeds")).await;
        refuses(sign(-120, &settings(&ours)), told("Signature is too old", "time in the future")).await;
        let short = with("lifetime", "10s".into());
        lets_in(&api, sign(0, &short)).await;
        refuses(sign(40, &short), told("Signature has expired", "time in the past")).await;
        // What we cover by default is asked for.
        let thin = told("Missing required signed fields", "was not covered");
        refuses(sign(0, &with("components", json!(["@method", "content-digest"]))), thin).await;
    }
}

#[tokio::test]
async fn a_nonce_is_let_in_once() {
    let pair = keys::ed25519();
    let Some(api) = Verifier::start(Library::RequestsHttpSignature, &rules("ed25519", &pair.public)) else {
        return;
    };
    let settings = json!({ "key": pair.private, "key_id": "erp", "nonce": true });
    let once = Signed::now("http-signature", &settings, api.url());
    lets_in(&api, once.clone()).await;
    refuses(once, "nonce was seen").await;
    lets_in(&api, Signed::now("http-signature", &settings, api.url())).await;
}

/// The book's recipe of that name, with these settings in place of its own.
fn recipe(name: &str, settings: &Value) -> Value {
    let book = include_str!("../../docs/src/types/hmac-recipes.md");
    let blocks = book.split("```toml,config\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut table = blocks
        .map(|block| toml::from_str::<Value>(block).unwrap())
        .find_map(|mut block| block["profiles"].get_mut(name).map(Value::take))
        .unwrap_or_else(|| panic!("the book has no {name}"));
    let known = table.as_object_mut().unwrap();
    known.remove("type");
    known.extend(settings.as_object().unwrap().clone());
    table
}

fn toml_of(settings: &Value) -> String {
    let mut settings = settings.clone();
    settings["type"] = "hmac".into();
    toml::to_string(&json!({ "profiles": { "api": settings } })).unwrap()
}

#[tokio::test]
async fn a_library_for_hawk_lets_in_what_its_recipe_signs_and_sees_replays() {
    let rules = Rules { key_id: "erp", key: SECRET.into(), algorithm: "", components: Vec::new() };
    let Some(api) = Verifier::start(Library::Mohawk, &rules) else { return };
    let settings = |secret: &str| recipe("hawk", &json!({ "key_id": "erp", "secret": secret }));
    let folder = Folder::new();
    let url = api.url();
    let host = folder
        .host(&format!(
            "{}\n[connectors.api]\nbase_url = \"{url}\"\nprofile = \"api\"\n",
            toml_of(&settings(SECRET))
        ))
        .await;
    for (method, body) in [(Method::POST, BODY), (Method::GET, "")] {
        let (status, words) = call(&host, "api", method.clone(), body).await;
        assert_eq!((status, words.as_str()), (200, "erp"), "{method}\n{}", api.errors());
    }
    let good = Signed::now("hmac", &settings(SECRET), url);
    lets_in(&api, good.clone()).await;
    refuses(good, "AlreadyProcessed").await;
    let fresh = || Signed::now("hmac", &settings(SECRET), url);
    refuses(fresh().but(|request| request.method = "PUT"), "MacMismatch").await;
    refuses(fresh().but(|request| request.url.push('1')), "MacMismatch").await;
    refuses(fresh().but(|request| request.body.push(' ')), "MisComputedContentHash").await;
    refuses(Signed::now("hmac", &settings("another-secret"), url), "MacMismatch").await;
    refuses(Signed::ago(120, "hmac", &settings(SECRET), url), "TokenExpired").await;
    refuses(Signed::ago(-120, "hmac", &settings(SECRET), url), "TokenExpired").await;
}

#[tokio::test]
async fn a_library_for_webhooks_lets_in_what_its_recipe_signs() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let rules = Rules { key_id: "", key: secret.into(), algorithm: "", components: Vec::new() };
    let Some(api) = Verifier::start(Library::StandardWebhooks, &rules) else { return };
    let settings = |secret: &str| recipe("standard-webhooks", &json!({ "secret": secret }));
    let folder = Folder::new();
    let url = api.url();
    let host = folder
        .host(&format!(
            "{}\n[connectors.api]\nbase_url = \"{url}\"\nprofile = \"api\"\n",
            toml_of(&settings(secret))
        ))
        .await;
    assert_eq!(call(&host, "api", Method::POST, BODY).await.0, 200, "{}", api.errors());
    let good = Signed::now("hmac", &settings(secret), url);
    lets_in(&api, good.clone()).await;
    refuses(good.clone().but(|request| request.body = "{\"n\":2}".into()), "No matching signature").await;
    refuses(
        good.clone().but(|request| *request.header("webhook-id") = "msg_2".into()),
        "No matching signature",
    )
    .await;
    refuses(Signed::now("hmac", &settings("whsec_AAAA"), url), "No matching signature").await;
    refuses(Signed::ago(600, "hmac", &settings(secret), url), "too old").await;
    refuses(Signed::ago(-600, "hmac", &settings(secret), url), "too new").await;
}
