//! Upstreams on loopback: what goes over real sockets, and what comes of it.

mod answers;
mod http1;
mod http2;
mod proxy;
mod refused;
mod server;
mod stale;
mod streams;
mod tls;
mod tls_server;
mod upgrade;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use tokio::task::LocalSet;

use super::{InBody, OutBody, Retry, Target, Tls, Upstream, UpstreamError};

/// Runs a test as a worker thread of the proxy runs its connections.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(20), test).await.expect("the test hangs")
    })
}

fn upstream(url: &str) -> Rc<Upstream> {
    upstream_with(url, None)
}

fn upstream_with(url: &str, tls: Option<Tls>) -> Rc<Upstream> {
    Rc::new(Upstream::new(target(url, tls)))
}

fn target(url: &str, tls: Option<Tls>) -> Target {
    Target {
        origin: url.parse().unwrap(),
        tls,
        proxy: None,
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(60),
    }
}

fn request(method: Method, body: OutBody) -> Request<OutBody> {
    Request::builder()
        .method(method)
        .uri("/orders?of=today")
        .header("host", "orders.example")
        .body(body)
        .unwrap()
}

fn get() -> Request<OutBody> {
    request(Method::GET, OutBody::Empty)
}

fn post(body: impl Into<Bytes>) -> Request<OutBody> {
    request(Method::POST, OutBody::Bytes(body.into()))
}

/// Sends a request and reads its answer to the end.
async fn call(
    upstream: &Rc<Upstream>,
    request: Request<OutBody>,
    retry: Retry<'_>,
) -> Result<(u16, Bytes), UpstreamError> {
    let answer = upstream.send(request, retry).await?;
    let status = answer.status().as_u16();
    Ok((status, whole(answer.into_body()).await?))
}

async fn whole(body: InBody) -> Result<Bytes, UpstreamError> {
    Ok(body.collect().await?.to_bytes())
}

/// Waits until something holds that other tasks bring about.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}
