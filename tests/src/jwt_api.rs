//! An API that lets in only those who carry a JWT it accepts, verified by `jsonwebtoken`: by other code than ours.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::http1::Recorded;

/// What a JWT must be to be accepted.
#[derive(Clone)]
pub struct Rules {
    /// `iss`, exactly.
    pub issuer: String,
    /// `aud` must be, or contain, this.
    pub audience: String,
    /// The one algorithm.
    pub algorithm: Algorithm,
    /// The key of its signature.
    pub key: DecodingKey,
    /// Where the token is carried.
    pub placement: Placement,
    /// Claims that must be there, besides `iss`, `aud` and `exp`.
    pub required: Vec<String>,
    /// Refuse a `jti` that was seen before.
    pub single_use: bool,
}

/// Where a token is carried.
#[derive(Clone, Debug)]
pub enum Placement {
    /// In this header (lower case) after this scheme; an empty scheme is none.
    Header(String, String),
    /// In this query parameter.
    Query(String),
    /// In this cookie.
    Cookie(String),
}

impl Rules {
    /// `Authorization: Bearer` with `exp`, `iss` and `aud`, no leeway.
    pub fn bearer(issuer: &str, audience: &str, algorithm: Algorithm, key: DecodingKey) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithm,
            key,
            placement: Placement::Header("authorization".into(), "Bearer".into()),
            required: Vec::new(),
            single_use: false,
        }
    }
}

/// A running API. A request that is let in is answered 200 with `{"header": …, "claims": …}`; any other 401, with the
/// reason in `WWW-Authenticate` (RFC 6750 §3).
#[derive(Debug)]
pub struct JwtApi {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Recorded>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl JwtApi {
    /// Starts it on a free port of 127.0.0.1, on a thread of its own.
    pub fn start(rules: Rules) -> Self {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Recorded>>>::default();
        let (stop, stopped) = oneshot::channel();
        let gate = Arc::new(Gate { rules, seen: Arc::clone(&seen), used: Mutex::default() });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(socket, gate, stopped));
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, those refused as well.
    pub fn requests(&self) -> Vec<Recorded> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for JwtApi {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(socket: std::net::TcpListener, gate: Arc<Gate>, stopped: oneshot::Receiver<()>) {
    let socket = TcpListener::from_std(socket).unwrap();
    let mut connections = JoinSet::new();
    let accept = async {
        while let Ok((stream, _)) = socket.accept().await {
            let gate = Arc::clone(&gate);
            connections.spawn(async move {
                let answer = service_fn(move |request| answer(Arc::clone(&gate), request));
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    };
    tokio::select! { () = accept => {}, _ = stopped => {} }
}

async fn answer(gate: Arc<Gate>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let headers = head.headers.iter();
    let request = Recorded {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
    };
    let verdict = gate.judge(&request);
    gate.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    let response = match verdict {
        Ok(claims) => {
            Response::builder().header(CONTENT_TYPE, "application/json").body(Full::from(claims.to_string()))
        }
        Err(reason) => Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(WWW_AUTHENTICATE, challenge(&reason))
            .body(Full::default()),
    };
    Ok(response.unwrap())
}

fn challenge(reason: &str) -> String {
    if reason.is_empty() {
        return "Bearer realm=\"jwt-api\"".into();
    }
    let reason: String =
        reason.chars().filter(|c| c.is_ascii_graphic() && *c != '"' && *c != '\\' || *c == ' ').collect();
    format!("Bearer realm=\"jwt-api\", error=\"invalid_token\", error_description=\"{reason}\"")
}

struct Gate {
    rules: Rules,
    seen: Arc<Mutex<Vec<Recorded>>>,
    used: Mutex<Vec<Value>>,
}

impl Gate {
    /// The token's header and claims, or why it is refused (empty: there is none).
    fn judge(&self, request: &Recorded) -> Result<Value, String> {
        let rules = &self.rules;
        let token = rules.placement.find(request)?;
        let mut validation = Validation::new(rules.algorithm);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_issuer(&[&rules.issuer]);
        validation.set_audience(&[&rules.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoded =
            jsonwebtoken::decode::<Value>(&token, &rules.key, &validation).map_err(|e| e.to_string())?;
        let (header, claims): (Header, Value) = (decoded.header, decoded.claims);
        if let Some(missing) = rules.required.iter().find(|name| claims.get(name.as_str()).is_none()) {
            return Err(format!("claim {missing} is missing"));
        }
        if rules.single_use {
            let id = claims.get("jti").cloned().ok_or("claim jti is missing")?;
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.contains(&id) {
                return Err("the token was used before".into());
            }
            used.push(id);
        }
        Ok(json!({ "header": header, "claims": claims }))
    }
}

impl Placement {
    fn find(&self, request: &Recorded) -> Result<String, String> {
        let pair = |text: &str, separator: char, name: &str| {
            let mut pairs = text.split(separator).filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(given, _)| *given == name).map(|(_, value)| value.to_owned())
        };
        match self {
            Self::Header(name, scheme) => {
                let values: Vec<_> = request.headers.iter().filter(|(given, _)| given == name).collect();
                let [(_, value)] = values.as_slice() else {
                    return Err(if values.is_empty() { "" } else { "more than one credential" }.into());
                };
                if scheme.is_empty() {
                    return Ok(value.clone());
                }
                let (given, token) = value.split_once(' ').ok_or("no scheme")?;
                given
                    .eq_ignore_ascii_case(scheme)
                    .then(|| token.to_owned())
                    .ok_or_else(|| "another scheme".into())
            }
            Self::Query(name) => {
                let query = request.target.split_once('?').map_or("", |(_, query)| query);
                pair(query, '&', name).ok_or_else(String::new)
            }
            Self::Cookie(name) => {
                pair(request.header("cookie").unwrap_or(""), ';', name).ok_or_else(String::new)
            }
        }
    }
}
