//! A small API that verifies JWTs strictly, for a first try of the type `jwt-bearer`.
//!
//! `cargo run --release --example jwt_api -- orders.jwks.json` listens on 127.0.0.1:8080 until it is stopped.
#![allow(clippy::print_stdout)] // it is a program

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::{Value, json};

const ISSUER: &str = "https://erp.example";
const AUDIENCE: &str = "orders-api";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("which keys? give the output of `countersign jwks PROFILE`")?;
    let keys: Arc<JwkSet> = Arc::new(serde_json::from_slice(&std::fs::read(file)?)?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}: wants a JWT of {ISSUER} for {AUDIENCE}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let keys = Arc::clone(&keys);
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let answer = answer(&keys, request.headers(), request.uri().path());
            async move { answer }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn answer(keys: &JwkSet, headers: &HeaderMap, path: &str) -> http::Result<Response<Full<Bytes>>> {
    let (status, body) = match verified(keys, headers) {
        Ok(claims) => (StatusCode::OK, json!({ "path": path, "for": claims["sub"] })),
        Err(why) => (StatusCode::UNAUTHORIZED, json!({ "error": why.to_string() })),
    };
    println!("{path}: {status} {body}");
    let mut answer = Response::builder().status(status).header("content-type", "application/json");
    if status == StatusCode::UNAUTHORIZED {
        answer = answer.header(WWW_AUTHENTICATE, "Bearer");
    }
    answer.body(Full::from(format!("{body}\n")))
}

/// The claims, if signature, algorithm, issuer, audience, times and subject are in order (RFC 7519 §7.2).
fn verified(keys: &JwkSet, headers: &HeaderMap) -> Result<Value, Box<dyn Error>> {
    let header = headers.get(AUTHORIZATION).ok_or("no credential")?.to_str()?;
    let token = header.strip_prefix("Bearer ").ok_or("the scheme is not Bearer")?;
    let jwk = keys.keys.first().ok_or("the key set is empty")?;
    // The key says which algorithm is right; the token does not (RFC 8725 §3.1).
    let algorithm = jwk.common.key_algorithm.ok_or("the key names no algorithm")?.to_string().parse()?;
    let mut strict = Validation::new(algorithm);
    strict.set_issuer(&[ISSUER]);
    strict.set_audience(&[AUDIENCE]);
    strict.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    strict.validate_nbf = true;
    Ok(decode::<Value>(token, &DecodingKey::from_jwk(jwk)?, &strict)?.claims)
}
