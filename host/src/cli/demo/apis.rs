//! The three APIs of the demonstration. Each looks at its credential as strictly as a real one.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::server::{Answer, Server};

/// Verifies JWTs: signature, algorithm, issuer, audience, times, subject (RFC 7519 §7.2).
pub(super) async fn orders(public_key: Vec<u8>, issuer: &str, audience: &str) -> std::io::Result<Server> {
    let key = DecodingKey::from_ec_der(&public_key);
    let mut strict = Validation::new(Algorithm::ES256);
    strict.set_issuer(&[issuer]);
    strict.set_audience(&[audience]);
    strict.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    strict.validate_nbf = true;
    strict.leeway = 0;
    Server::start(move |request| {
        let Some(token) = bearer(request) else { return Answer::unauthorized("no bearer token") };
        match jsonwebtoken::decode::<Value>(token, &key, &strict) {
            Ok(token) => Answer::ok(json!({ "order": 42, "for": token.claims["sub"] })),
            Err(error) => Answer::unauthorized(&format!("the token is refused: {error}")),
        }
    })
    .await
}

/// A token endpoint (RFC 6749 §4.4, client_secret_basic) and the API behind it, in one server.
pub(super) async fn crm(client_id: &str, client_secret: &str) -> std::io::Result<Server> {
    use base64::Engine as _;
    let client = format!("{client_id}:{client_secret}");
    let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(client));
    let issued = Mutex::new(HashMap::<String, u32>::new());
    let exchanges = AtomicU64::new(0);
    Server::start(move |request| match request.uri().path() {
        "/token" => {
            let authorized = header(request, "authorization") == Some(expected.as_str());
            let grant = form_urlencoded::parse(request.body())
                .any(|(k, v)| k == "grant_type" && v == "client_credentials");
            if !(authorized && grant) {
                return Answer::unauthorized("invalid_client");
            }
            let token = random_token();
            lock(&issued).insert(token.clone(), 0);
            exchanges.fetch_add(1, Ordering::Relaxed);
            Answer::ok(json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
        }
        _ => match bearer(request).and_then(|token| lock(&issued).get_mut(token).map(|uses| *uses += 1)) {
            Some(()) => {
                Answer::ok(json!({ "customers": 7, "tokens_issued": exchanges.load(Ordering::Relaxed) }))
            }
            None => Answer::unauthorized("no valid access token"),
        },
    })
    .await
}

/// An API with a login endpoint of its own kind, which only the plugin `acme-login` knows.
pub(super) async fn acme(user: &str, password: &str) -> std::io::Result<Server> {
    let expected = json!({ "user": user, "password": password });
    let sessions = Mutex::new(HashMap::<String, ()>::new());
    Server::start(move |request| match request.uri().path() {
        "/login" => {
            if serde_json::from_slice::<Value>(request.body()).ok().as_ref() != Some(&expected) {
                return Answer::unauthorized("wrong user or password");
            }
            let session = random_token();
            lock(&sessions).insert(session.clone(), ());
            Answer::ok(json!({ "session": session, "ttl_seconds": 900 }))
        }
        _ => {
            match header(request, "x-acme-session").and_then(|session| lock(&sessions).get(session).copied())
            {
                Some(()) => Answer::ok(json!({ "rockets": 3 })),
                None => Answer::unauthorized("no session"),
            }
        }
    })
    .await
}

fn bearer(request: &Request<Bytes>) -> Option<&str> {
    header(request, AUTHORIZATION.as_str())?.strip_prefix("Bearer ")
}

fn header<'r>(request: &'r Request<Bytes>, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

fn random_token() -> String {
    let mut bytes = [0_u8; 16];
    // Without randomness the token is not accepted by anybody, which the demonstration reports.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A handler that panicked leaves a plain map behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
