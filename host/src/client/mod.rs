//! Sending requests with their credentials: the HTTP client and the `tower` layer.
//!
//! Here live redirects, the replay after a rejection, and deadlines. Not here: which credential a request gets; that is
//! the connector's.

mod body;
mod layer;
mod redirect;
mod touched;

use bytes::{Bytes, BytesMut};
use countersign::{ClientCertificate, ErrorKind, Origin};
use http::request::Parts;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tracing::{debug, warn};

use self::redirect::{Redirect, strip_body_headers, strip_for_elsewhere};
use self::touched::Touched;
use crate::Error;
use crate::connector::{
    Authorization, BodyBytes, Connector, MOST_BODY, PresentsClientCertificate, Verdict, challenge,
};
use crate::delivery::deliver;
use crate::explain::{Attempt, Head, Record, Stopwatch};
use crate::transport::{Trouble, unreachable};

pub use body::ReplayableBody;
pub use layer::{Authorize, AuthorizeError, AuthorizeLayer};
pub(crate) use redirect::resolve;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// Sends requests to connectors' APIs, with their credentials.
///
/// A rejected call is made once more with a new credential where the connector's rule allows it. Redirects are handed
/// back, or followed when asked: within the connector's base URL with its credential, elsewhere only for methods
/// without side effects and without anything that a profile touched.
#[derive(Debug, Clone, Default)]
pub struct Client {
    follows_redirects: bool,
}

/// A streamed answer.
pub type Answer = Response<reqwest::Body>;

impl Client {
    /// A client that hands redirects back.
    pub const fn new() -> Self {
        Self { follows_redirects: false }
    }

    /// Follows redirects, or does not.
    #[must_use]
    pub const fn follow_redirects(mut self, follow: bool) -> Self {
        self.follows_redirects = follow;
        self
    }

    /// Sends a request. Its URI is absolute and below the connector's base URL, or a path relative to it; the
    /// [`Caller`](countersign::Caller) of its extensions is the one on whose behalf it goes.
    ///
    /// # Errors
    /// When no credential can be had (the request was not sent), or no answer came.
    pub async fn send(&self, connector: &Connector, request: Request<Bytes>) -> Result<Answer, Error> {
        let deadline = connector.timeout();
        tokio::time::timeout(deadline, self.send_within(connector, request)).await.unwrap_or_else(|_| {
            let late = format!("no answer within {} s", deadline.as_secs_f32());
            Err(connector.error(countersign::Error::unavailable(late)))
        })
    }

    async fn send_within(&self, connector: &Connector, request: Request<Bytes>) -> Result<Answer, Error> {
        let (mut head, mut body) = request.into_parts();
        if head.uri.scheme().is_none() {
            let path = head.uri.path_and_query().map_or("", |path| path.as_str());
            head.uri = connector.base_url().join(path).map_err(|error| connector.error(error))?;
        }
        connector.ask_for_plain_bodies(&mut head.headers);
        let (mut answer, mut touched) = exchange(connector, &head, &body).await?;
        for _ in 0..MOST_REDIRECTS {
            let next = Redirect::of(answer.status(), answer.headers(), &head.method, &head.uri);
            let Some(next) = next.filter(|_| self.follows_redirects) else { return Ok(answer) };
            let elsewhere = !connector.base_url().covers(&next.to);
            if elsewhere && !(next.method.is_safe() && may_go(&next.to) && !touched.is_echoed_by(&next.to)) {
                debug!(connector = connector.name(), "a redirect elsewhere is handed back, not followed");
                return Ok(answer);
            }
            head.uri = next.to;
            head.method = next.method;
            if !next.keeps_body || elsewhere {
                body = Bytes::new();
                strip_body_headers(&mut head.headers);
            }
            if elsewhere {
                touched.strip(&mut head.headers);
                strip_for_elsewhere(&mut head.headers);
                // Where that leads is another origin's business: its own redirects are handed back.
                return transmit(connector, head, body).await;
            }
            (answer, touched) = exchange(connector, &head, &body).await?;
        }
        let error =
            countersign::Error::new(ErrorKind::Unavailable, format!("more than {MOST_REDIRECTS} redirects"));
        Err(connector.error(error))
    }
}

/// One call with its credential, and its replay if the credential was rejected.
async fn exchange(connector: &Connector, head: &Parts, body: &Bytes) -> Result<(Answer, Touched), Error> {
    let (authorization, answer, touched) = authorized(connector, head, body).await?;
    let (rejected, answer) = is_rejection(connector, answer).await?;
    if !rejected {
        return Ok((answer, touched));
    }
    let challenge = challenge(answer.status(), answer.headers());
    let replayable = connector
        .rejection()
        .allows_replay(&head.method, Some(body), || connector.is_demand(&authorization, &challenge));
    if !connector.reject(&authorization, &challenge) || !replayable {
        return Ok((answer, touched));
    }
    match authorized(connector, head, body).await {
        Ok((_, second, touched)) => Ok((second, touched)),
        Err(error) => {
            warn!(%error, "rejected, and no other credential can be had");
            Ok((answer, touched))
        }
    }
}

async fn authorized(
    connector: &Connector,
    head: &Parts,
    body: &Bytes,
) -> Result<(Authorization, Answer, Touched), Error> {
    let mut authorized = head.clone();
    authorized.extensions.insert(BodyBytes(body.clone()));
    authorized.extensions.insert(PresentsClientCertificate);
    let authorization = connector.authorize(&mut authorized).await?;
    let touched = Touched::between(head, &authorized);
    if let Some(record) = Record::of(head) {
        record.sending(Attempt::of(head, &authorized, body));
    }
    let answer = transmit(connector, authorized, body.clone()).await?;
    connector.answered(answer.headers());
    Ok((authorization, answer, touched))
}

async fn transmit(connector: &Connector, head: Parts, body: Bytes) -> Result<Answer, Error> {
    let origin = Origin::of(&head.uri).map_err(|error| connector.error(error))?;
    let record = Record::of(&head);
    let certificate = head.extensions.get::<ClientCertificate>().cloned();
    let transport = connector.transport(certificate.as_ref()).map_err(|error| connector.error(error))?;
    let request = reqwest::Request::try_from(Request::from_parts(head, reqwest::Body::default()))
        .map_err(|_| connector.error(countersign::Error::config("the request is not valid")))?;
    let stopwatch = Stopwatch::start();
    let answer = deliver(transport.to(origin.is_loopback()), &request, body).await.map_err(|error| {
        let cause = unreachable(&origin, &error);
        if let Some(record) = &record {
            record.answered(stopwatch.took(), Err((cause.clone(), Some(Trouble::of(&error)))));
        }
        connector.error(cause)
    })?;
    if let Some(record) = &record {
        let (status, headers) = (answer.status(), answer.headers().clone());
        record.answered(stopwatch.took(), Ok(Head { status, headers }));
    }
    Ok(answer.into())
}

/// Applies the connector's rule. An answer whose body had to be looked at comes back with what was read in front.
async fn is_rejection(connector: &Connector, answer: Answer) -> Result<(bool, Answer), Error> {
    let rule = connector.rejection();
    match rule.verdict(answer.status(), answer.headers()) {
        Verdict::Accepted => return Ok((false, answer)),
        Verdict::Rejected => return Ok((true, answer)),
        Verdict::AskBody => {}
    }
    let (head, mut body) = answer.into_parts();
    let mut seen = BytesMut::new();
    while seen.len() < MOST_BODY {
        match body.frame().await {
            Some(Ok(frame)) => seen.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref)),
            Some(Err(error)) => {
                let origin = connector.base_url().origin();
                return Err(connector.error(unreachable(origin, &error)));
            }
            None => {
                let rejected = rule.matches(head.status, &head.headers, &seen);
                return Ok((rejected, Response::from_parts(head, reqwest::Body::from(seen.freeze()))));
            }
        }
    }
    let rejected = rule.matches(head.status, &head.headers, &seen);
    let whole = Replayed { front: Some(seen.freeze()), rest: body };
    Ok((rejected, Response::from_parts(head, reqwest::Body::wrap(whole))))
}

/// Whether an address elsewhere may be gone to: over TLS, or on this machine.
fn may_go(to: &Uri) -> bool {
    Origin::of(to).is_ok_and(|origin| origin.is_https() || origin.is_loopback())
}

/// A body of which the front was read already.
struct Replayed {
    front: Option<Bytes>,
    rest: reqwest::Body,
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, reqwest::Error>>> {
        match self.front.take() {
            Some(front) => std::task::Poll::Ready(Some(Ok(http_body::Frame::data(front)))),
            None => std::pin::Pin::new(&mut self.rest).poll_frame(task),
        }
    }
}
