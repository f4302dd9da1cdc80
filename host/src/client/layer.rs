use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};

use super::body::ReplayableBody;
use crate::Error;
use crate::connector::{BodyBytes, Connector, PresentsClientCertificate, Verdict, challenge};

/// Puts a connector's credential on every request of an HTTP service, and replays a rejected call once.
///
/// The caller on whose behalf a request goes is the [`Caller`](countersign::Caller) in its extensions. A request that
/// cannot be authorized does not reach the inner service.
#[derive(Debug, Clone)]
pub struct AuthorizeLayer {
    connector: Arc<Connector>,
    presents: bool,
}

impl AuthorizeLayer {
    /// A layer for a connector's calls. Credentials that come with a client certificate are refused.
    pub const fn new(connector: Arc<Connector>) -> Self {
        Self { connector, presents: false }
    }

    /// Says that the inner service presents the [`ClientCertificate`](countersign::ClientCertificate) that it finds among
    /// a request's extensions, on connections that it shares with no other identity.
    #[must_use]
    pub const fn presenting_client_certificates(mut self) -> Self {
        self.presents = true;
        self
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authorize { inner, connector: Arc::clone(&self.connector), presents: self.presents }
    }
}

/// The service that [`AuthorizeLayer`] makes.
#[derive(Debug, Clone)]
pub struct Authorize<S> {
    inner: S,
    connector: Arc<Connector>,
    presents: bool,
}

/// What goes wrong in an authorized service.
#[derive(Debug)]
pub enum AuthorizeError<E> {
    /// No credential: the request was not sent.
    Unauthorized(Error),
    /// The inner service's own error.
    Inner(E),
}

impl<E: std::fmt::Display> std::fmt::Display for AuthorizeError<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unauthorized(error) => error.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for AuthorizeError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unauthorized(error) => Some(error),
            Self::Inner(error) => Some(error),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Authorize<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: ReplayableBody + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = AuthorizeError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(task).map_err(AuthorizeError::Inner)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.presents {
            request.extensions_mut().insert(PresentsClientCertificate);
        }
        // The service that is ready is the one to call; the clone takes its place.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let connector = Arc::clone(&self.connector);
        Box::pin(call(inner, connector, request))
    }
}

async fn call<S, B, R>(
    mut inner: S,
    connector: Arc<Connector>,
    request: Request<B>,
) -> Result<Response<R>, AuthorizeError<S::Error>>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: ReplayableBody,
{
    let (mut head, body) = request.into_parts();
    if let Some(bytes) = body.in_memory() {
        head.extensions.insert(BodyBytes(bytes));
    }
    let (replay, bytes) = (body.again(), head.extensions.get::<BodyBytes>().map(|body| body.0.clone()));
    let pristine = head.clone();
    let authorization = connector.authorize(&mut head).await.map_err(AuthorizeError::Unauthorized)?;
    let answer = inner.call(Request::from_parts(head, body)).await.map_err(AuthorizeError::Inner)?;
    connector.answered(answer.headers());
    let rule = connector.rejection();
    // A streamed body cannot be looked at here without taking it from the caller; such rules are the client's.
    if rule.verdict(answer.status(), answer.headers()) != Verdict::Rejected {
        return Ok(answer);
    }
    let challenge = challenge(answer.status(), answer.headers());
    let replayable = rule
        .allows_replay(&pristine.method, bytes.as_ref(), || connector.is_demand(&authorization, &challenge));
    let hope = connector.reject(&authorization, &challenge);
    let Some(body) = replay.filter(|_| hope && replayable) else { return Ok(answer) };
    let mut head = pristine;
    if connector.authorize(&mut head).await.is_err() {
        return Ok(answer);
    }
    std::future::poll_fn(|task| inner.poll_ready(task)).await.map_err(AuthorizeError::Inner)?;
    let answer = inner.call(Request::from_parts(head, body)).await.map_err(AuthorizeError::Inner)?;
    connector.answered(answer.headers());
    Ok(answer)
}
