//! The layer around somebody else's HTTP service: it gets its requests with a credential, or not at all.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use countersign::{Caller, ErrorKind};
use countersign_host::{AuthorizeError, AuthorizeLayer, Host};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneService;
use tower::{Layer, Service, ServiceExt, service_fn};

type Body = Full<Bytes>;
type Seen = (Method, String, HeaderMap, Bytes);

/// A service that answers with these statuses, the last one from then on, and remembers what it was asked.
#[derive(Clone)]
struct Inner {
    statuses: Arc<[u16]>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Inner {
    fn answering(statuses: &[u16]) -> Self {
        Self { statuses: statuses.into(), seen: Arc::default() }
    }

    fn service(&self) -> BoxCloneService<Request<Body>, Response<Body>, Infallible> {
        let inner = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<Body>| {
            let inner = inner.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let mut seen = inner.seen.lock().unwrap();
                let status = inner.statuses[seen.len().min(inner.statuses.len() - 1)];
                seen.push((head.method, head.uri.to_string(), head.headers, body));
                let answer = Response::builder().status(status).header("x-call", seen.len());
                Ok(answer.body(Full::from("words of the API")).unwrap())
            }
        }))
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The values of a header, call by call, however many a call has.
    fn all(&self, name: &str) -> Vec<String> {
        let seen = self.seen();
        let values = seen.iter().flat_map(|(_, _, headers, _)| headers.get_all(name));
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

fn token(name: &str) -> Reply {
    Reply::json(format!(r#"{{"access_token":"{name}","token_type":"Bearer","expires_in":3600}}"#))
}

/// A host whose connector `orders` gets its tokens from this issuer; `more` goes into the connector's table.
async fn host(folder: &Folder, issuer: &FaultServer, more: &str) -> Host {
    let toml = format!(
        r#"
        [profiles.erp]
        type = "oauth2"
        token_url = "{}"
        client_id = "erp"
        client_secret = "s"

        [connectors.orders]
        base_url = "https://orders.example/api"
        profile = "erp"
        {more}
        "#,
        issuer.url("/token")
    );
    folder.host(&toml).await
}

fn layered(
    host: &Host,
    connector: &str,
    inner: &Inner,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = AuthorizeError<Infallible>, Future: Send> + Clone
{
    AuthorizeLayer::new(host.connector(connector).unwrap()).layer(inner.service())
}

fn request(method: Method, body: &'static str) -> Request<Body> {
    let uri = "https://orders.example/api/42?x=1";
    Request::builder().method(method).uri(uri).header("x-own", "kept").body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn each_request_gets_the_credential_and_is_otherwise_as_it_was() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[200]));
    let issuer = FaultServer::start([token("t1")]);
    let host = host(&folder, &issuer, "").await;
    let service = layered(&host, "orders", &inner);
    for _ in 0..3 {
        let answer = service.clone().oneshot(request(Method::POST, "the body")).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(inner.all("authorization"), ["Bearer t1"; 3]);
    for (method, uri, headers, body) in inner.seen() {
        assert_eq!((method, uri.as_str()), (Method::POST, "https://orders.example/api/42?x=1"));
        assert_eq!(headers["x-own"], "kept");
        assert_eq!(body, "the body");
    }
    assert_eq!(issuer.count(), 1);
}

#[tokio::test]
async fn a_rejected_idempotent_call_is_made_once_more_with_a_new_credential() {
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (folder, inner) = (Folder::new(), Inner::answering(&[401, 200]));
        let issuer = FaultServer::start([token("t1"), token("t2")]);
        let host = host(&folder, &issuer, "").await;
        let answer =
            layered(&host, "orders", &inner).oneshot(request(method.clone(), "the body")).await.unwrap();
        assert_eq!(answer.status(), 200, "{method}");
        assert_eq!(answer.headers()["x-call"], "2");
        // One credential each: the rejected one is not left on the replay.
        assert_eq!(inner.all("authorization"), ["Bearer t1", "Bearer t2"], "{method}");
        let seen = inner.seen();
        assert!(seen.iter().all(|(asked, _, _, body)| *asked == method && body == "the body"));
        assert_eq!(seen[0].1, seen[1].1);
    }
}

#[tokio::test]
async fn a_second_rejection_is_the_answer() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[401]));
    let issuer = FaultServer::start([token("t1"), token("t2"), token("t3")]);
    let host = host(&folder, &issuer, "").await;
    let answer = layered(&host, "orders", &inner).oneshot(request(Method::GET, "")).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-call"]), (401, &"2".parse().unwrap()));
    assert_eq!(inner.all("authorization"), ["Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn a_rejected_post_is_not_replayed_but_the_next_one_gets_a_new_credential() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[401, 201]));
    let issuer = FaultServer::start([token("t1"), token("t2")]);
    let host = host(&folder, &issuer, "").await;
    let service = layered(&host, "orders", &inner);
    let first = service.clone().oneshot(request(Method::POST, "pay")).await.unwrap();
    assert_eq!(first.status(), 401);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "words of the API");
    assert_eq!(inner.seen().len(), 1);
    assert_eq!(service.oneshot(request(Method::POST, "pay")).await.unwrap().status(), 201);
    assert_eq!(inner.all("authorization"), ["Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn a_rule_decides_what_a_rejection_is_and_whether_a_post_is_replayed() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[403, 201]));
    let issuer = FaultServer::start([token("t1"), token("t2")]);
    let rule = "rejection = { status = [403], replay = \"always\" }";
    let host = host(&folder, &issuer, rule).await;
    let answer = layered(&host, "orders", &inner).oneshot(request(Method::POST, "pay")).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(inner.all("authorization"), ["Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn without_a_credential_the_inner_service_is_never_called() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[200]));
    let issuer = FaultServer::start([Reply::status(500)]);
    let host = host(&folder, &issuer, "").await;
    let service = layered(&host, "orders", &inner);
    for _ in 0..2 {
        let outcome = service.clone().oneshot(request(Method::GET, "")).await;
        let AuthorizeError::Unauthorized(error) = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(inner.seen().len(), 0);
}

#[tokio::test]
async fn a_request_that_leads_elsewhere_is_not_sent_at_all() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[200]));
    let issuer = FaultServer::start([token("t1")]);
    let host = host(&folder, &issuer, "").await;
    let service = layered(&host, "orders", &inner);
    for elsewhere in [
        "https://orders.example/apiary",
        "https://orders.example/other",
        "https://orders.example:444/api/42",
        "http://orders.example/api/42",
        "https://evil.example/api/42",
        "/api/42",
    ] {
        let request = Request::get(elsewhere).body(Full::default()).unwrap();
        let error = service.clone().oneshot(request).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::Unauthorized(_)), "{elsewhere}: {error}");
    }
    assert_eq!((inner.seen().len(), issuer.count()), (0, 0));
}

#[tokio::test]
async fn when_no_other_credential_can_be_had_the_rejection_is_the_answer() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[401, 200]));
    let issuer = FaultServer::start([token("t1"), Reply::status(500)]);
    let host = host(&folder, &issuer, "").await;
    let answer = layered(&host, "orders", &inner).oneshot(request(Method::GET, "")).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!((inner.seen().len(), issuer.count()), (1, 2));
}

#[tokio::test]
async fn the_caller_of_a_request_is_the_one_of_its_extensions() {
    let (folder, inner) = (Folder::new(), Inner::answering(&[200]));
    let toml = r#"
        [profiles.keys]
        type = "api-key"
        headers = { X-Tenant = "{{ caller.tenant }}" }
        [connectors.orders]
        base_url = "https://orders.example/api"
        profile = "keys"
    "#;
    let host = folder.host(toml).await;
    let service = layered(&host, "orders", &inner);
    for tenant in ["t-1", "t-2"] {
        let mut request = request(Method::GET, "");
        request.extensions_mut().insert(Caller::from_iter([("tenant", tenant)]));
        service.clone().oneshot(request).await.unwrap();
    }
    assert!(matches!(
        service.oneshot(request(Method::GET, "")).await,
        Err(AuthorizeError::Unauthorized(error)) if error.kind() == ErrorKind::Config
    ));
    assert_eq!(inner.all("x-tenant"), ["t-1", "t-2"]);
}
