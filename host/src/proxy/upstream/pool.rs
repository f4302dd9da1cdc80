use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use countersign::Origin;
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode};
use tokio::task::yield_now;

use super::connect::{Purpose, connect};
use super::http1::Http1;
use super::http2::Http2;
use super::idle::Idle;
use super::shared::Shared;
use super::unanswered::{Cause, Unanswered};
use super::{InBody, OutBody, Target, UpstreamError, UpstreamErrorKind, head, upgrade};

/// How often one request asks for a new connection.
const MOST_OPENED: usize = 2;

/// One connector's upstream as one identity reaches it, on one thread: it holds the connections that are open.
///
/// Nothing of it may be shared by identities, for an upstream may take what comes on a connection for the one whose
/// certificate came on it.
#[derive(Debug)]
pub(crate) struct Upstream {
    target: Target,
    scheme: Scheme,
    authority: Option<Authority>,
    idle: Idle,
    shared: Shared,
    /// Whether the last connection agreed upon HTTP/2.
    speaks_http2: Cell<bool>,
}

/// Whether a request may be sent a second time, when the connection it went on had been open for a while and ended
/// without a byte of an answer: then it is not known whether the upstream acted on it.
///
/// Apart from that, what certainly was not looked at is sent again on another connection, whatever this says.
#[derive(Clone, Copy)]
pub(crate) enum Retry<'a> {
    /// It may not.
    Never,
    /// The method is idempotent (RFC 9110 §9.2.2). A copy is held while the request is under way, if its body is in memory.
    Idempotent,
    /// As [`Idempotent`](Self::Idempotent), and the caller can make the request once more, so that none is copied.
    Remade(&'a dyn Fn() -> Option<Request<OutBody>>),
}

impl fmt::Debug for Retry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Idempotent => "Idempotent",
            Self::Remade(_) => "Remade(…)",
        })
    }
}

/// A connection for one request.
#[derive(Debug)]
enum Connection {
    Own(Box<Http1>),
    Shared(Http2, u64),
}

impl Upstream {
    /// Opens nothing yet.
    pub(crate) fn new(target: Target) -> Self {
        let origin = &target.origin;
        let scheme = if origin.is_https() { Scheme::HTTPS } else { Scheme::HTTP };
        let text = origin.to_string();
        let authority = text.split_once("://").and_then(|(_, authority)| authority.parse().ok());
        Self {
            target,
            scheme,
            authority,
            idle: Idle::default(),
            shared: Shared::default(),
            speaks_http2: Cell::new(false),
        }
    }

    /// Where it is.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.target.origin
    }

    /// Sends a request, whose URI is in origin form and which has a `Host`, and waits for the head of its answer.
    ///
    /// The time that takes is the caller's to bound, but for connecting. Who drops the future ends the exchange: an HTTP/1.1
    /// connection is closed, an HTTP/2 stream reset.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn send(
        self: &Rc<Self>,
        mut request: Request<OutBody>,
        retry: Retry<'_>,
    ) -> Result<Response<InBody>, UpstreamError> {
        if !retry.can_repeat(request.body()) && self.idle() > 0 {
            // Lets the sockets be looked at first, for this request cannot be sent again on another connection when
            // the one that was kept turns out to have been closed.
            yield_now().await;
        }
        let began = Instant::now();
        // Kept connections cost nothing to try; new ones are not made without end.
        let (mut look, mut opened) = (true, 0);
        loop {
            let kept = if look { self.kept(began) } else { None };
            let was_kept = kept.is_some();
            let connection = match kept {
                Some(connection) => connection,
                None => {
                    opened += 1;
                    // Boxed, for it is large and rare, and a call's future is moved as a whole.
                    Box::pin(self.open()).await?
                }
            };
            let copy = connection.copy(&request, retry);
            let stays = connection.leaves(&request);
            let failed = match self.exchange(connection, &mut request, began).await {
                Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    let what = "101 to a request that asks for no upgrade";
                    return Err(UpstreamError::new(UpstreamErrorKind::Protocol, self.origin(), what));
                }
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if opened == MOST_OPENED {
                return Err(self.unanswered(&failed));
            }
            look = matches!(failed, Unanswered::Unsent(..));
            request = match failed {
                Unanswered::Unsent(unsent, _) => *unsent,
                failed => {
                    let same = if stays { Some(request) } else { copy };
                    retry.again(was_kept, same, &failed).ok_or_else(|| self.unanswered(&failed))?
                }
            };
        }
    }

    /// Sends a request that asks for an upgrade, on an HTTP/1.1 connection of its own. When the answer's status is 101,
    /// `hyper::upgrade::on` gives the connection; any other answer is an ordinary one.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn send_for_upgrade(
        self: &Rc<Self>,
        request: Request<OutBody>,
    ) -> Result<Response<InBody>, UpstreamError> {
        let (stream, _) = connect(&self.target, Purpose::Upgrade).await?;
        let answer = upgrade::send(stream, request).await.map_err(|error| self.broke(&error))?;
        Ok(answer.map(|body| InBody::of_hyper(body, self.clone())))
    }

    /// Drops connections that were closed, and those that have been unused for too long at `now`. Called now and then.
    pub(crate) fn sweep(&self, now: Instant) {
        self.idle.sweep(now, self.target.idle_timeout);
        self.shared.sweep(now, self.target.idle_timeout);
    }

    /// How many connections are kept for the next request.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len() + self.shared.len()
    }

    pub(super) fn give_back(&self, connection: Box<Http1>) {
        let used = connection.used_until();
        self.idle.put(connection, used);
    }

    fn kept(&self, now: Instant) -> Option<Connection> {
        if let Some(connection) = self.idle.take(now, self.target.idle_timeout) {
            return Some(Connection::Own(connection));
        }
        self.shared
            .get(self.target.idle_timeout)
            .map(|(connection, number)| Connection::Shared(connection, number))
    }

    /// A new connection; or, where HTTP/2 is spoken, the one that another request made meanwhile.
    async fn open(&self) -> Result<Connection, UpstreamError> {
        if !self.speaks_http2.get() {
            return self.connect().await;
        }
        let turn = self.shared.turn().await?;
        if let Some((connection, number)) = self.shared.get(self.target.idle_timeout) {
            return Ok(Connection::Shared(connection, number));
        }
        let turn = self.speaks_http2.get().then_some(turn);
        let connected = self.connect().await;
        if let (Some(_), Err(error)) = (&turn, &connected) {
            self.shared.failed(error);
        }
        connected
    }

    async fn connect(&self) -> Result<Connection, UpstreamError> {
        let (stream, http2) = connect(&self.target, Purpose::Exchange).await?;
        self.speaks_http2.set(http2);
        if !http2 {
            return Ok(Connection::Own(Box::new(Http1::new(stream))));
        }
        if let Some((connection, number)) = self.shared.get(self.target.idle_timeout) {
            return Ok(Connection::Shared(connection, number));
        }
        let connection = Http2::start(stream).await.map_err(|error| self.broke(&error))?;
        let number = self.shared.put(connection.clone());
        Ok(Connection::Shared(connection, number))
    }

    async fn exchange(
        self: &Rc<Self>,
        connection: Connection,
        request: &mut Request<OutBody>,
        began: Instant,
    ) -> Result<Response<InBody>, Unanswered> {
        match connection {
            Connection::Own(mut connection) => {
                let answer = connection.send(request, began).await?;
                Ok(answer.map(|()| InBody::of_http1(connection, self.clone())))
            }
            Connection::Shared(mut connection, number) => {
                if let Some(authority) = &self.authority {
                    head::for_http2(request, &self.scheme, authority);
                }
                let outcome = connection.send(request).await;
                if outcome.as_ref().is_err_and(Unanswered::ends_connection) {
                    self.shared.retire(number);
                }
                Ok(outcome?.map(|body| InBody::of_hyper(body, self.clone())))
            }
        }
    }

    fn unanswered(&self, failed: &Unanswered) -> UpstreamError {
        match failed.cause() {
            Cause::Http1(error) => UpstreamError::over_http1(self.origin(), error),
            Cause::Http2(error) => self.broke(error),
        }
    }

    fn broke(&self, error: &hyper::Error) -> UpstreamError {
        UpstreamError::exchanging(self.origin(), error)
    }
}

impl Connection {
    /// A copy of a request, where it may come to be needed: HTTP/2 may refuse any.
    fn copy(&self, request: &Request<OutBody>, retry: Retry<'_>) -> Option<Request<OutBody>> {
        match (self, retry) {
            (Self::Shared(..), Retry::Never | Retry::Idempotent) => copy(request),
            _ => None,
        }
    }

    /// Whether a request is still all there after an exchange.
    fn leaves(&self, request: &Request<OutBody>) -> bool {
        matches!(self, Self::Own(_)) && request.body().is_in_memory()
    }
}

impl Retry<'_> {
    fn can_repeat(self, body: &OutBody) -> bool {
        match self {
            Self::Never => false,
            Self::Idempotent => body.is_in_memory(),
            Self::Remade(_) => true,
        }
    }

    /// The request once more, if what happened to it allows that.
    fn again(
        self,
        kept: bool,
        copy: Option<Request<OutBody>>,
        failed: &Unanswered,
    ) -> Option<Request<OutBody>> {
        let allowed = match failed {
            Unanswered::Refused(_) => true,
            Unanswered::Silent(_) => kept && !matches!(self, Self::Never),
            Unanswered::Unsent(..) | Unanswered::Broken(_) => false,
        };
        match self {
            _ if !allowed => None,
            Self::Remade(make) => make(),
            Self::Never | Self::Idempotent => copy,
        }
    }
}

fn copy(request: &Request<OutBody>) -> Option<Request<OutBody>> {
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
