use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use countersign::{ClientCertificate, Error, ErrorKind};
use http::header::{CONNECTION, CONTENT_LOCATION, HOST, HeaderValue, LOCATION, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::access::{Access, refuse_web_pages};
use super::again::Again;
use super::answer::{AnswerBody, Passing};
use super::call::Call;
use super::client::Client;
use super::deadline::Limit;
use super::generation::{Entrance, Served};
use super::local::Local;
use super::problem::Problem;
use super::route::{Route, below};
use super::secrets::{Before, Secrets};
use super::stats::Refusal;
use super::upstream::{InBody, Moves, OutBody, Retry, UpstreamError};
use super::worker::Worker;
use super::{inbound, location, tunnel};
use crate::connector::{Authorization, BodyBytes, MOST_BODY, PresentsClientCertificate, Verdict, challenge};

/// Answers a client's request: with the upstream's answer to the same request with its credential, or with a problem.
pub(crate) async fn answer(
    worker: &Worker,
    client: &Rc<Client>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let local = worker.local();
    let (entrance, route) = match admit(&local, client, &request) {
        Ok(admitted) => admitted,
        Err(problem) => {
            if let Some(why) = problem.refusal() {
                local.stats().refused(why);
            }
            tracing::info!(target: ACCESS, method = %request.method(), status = problem.status().as_u16(), reason = problem.kind(), "refused");
            return problem.answer(None);
        }
    };
    let Some(call) = Call::begin(&local, client, route.connector) else {
        local.stats().connector(route.connector).refused(Refusal::TooMany);
        let detail = "the connector has as many calls under way as `max_concurrent` allows; try again";
        let problem = Problem::refused(Refusal::TooMany, StatusCode::SERVICE_UNAVAILABLE, detail);
        return problem.answer(Some(local.generation().served(route.connector).connector.name()));
    };
    let served = Arc::clone(call.served());
    let log = AccessLog::of(&request, call.began());
    #[cfg(feature = "otel")]
    let (trace, request) = traced(&served, request);
    #[cfg(feature = "otel")]
    let outcome = trace.around(forward(client, &entrance, &route, &served, call, request)).await;
    #[cfg(not(feature = "otel"))]
    let outcome = forward(client, &entrance, &route, &served, call, request).await;
    match outcome {
        Ok(answer) => {
            #[cfg(feature = "otel")]
            trace.answered(answer.status(), None);
            log.answered(&served, answer.status());
            answer
        }
        Err(problem) => {
            let stats = local.stats().connector(route.connector);
            if let Some(why) = problem.refusal() {
                stats.refused(why);
            }
            #[cfg(feature = "otel")]
            trace.answered(problem.status(), Some(problem.kind()));
            log.answered(&served, problem.status());
            tracing::debug!(
                connector = served.connector.name(),
                kind = problem.kind(),
                "{}",
                problem.detail()
            );
            problem.answer(Some(served.connector.name()))
        }
    }
}

#[cfg(feature = "otel")]
fn traced(served: &Served, request: Request<Incoming>) -> (crate::otel::CallTrace, Request<Incoming>) {
    let (mut head, body) = request.into_parts();
    let trace = crate::otel::CallTrace::begin(served.connector.name(), &head.method, &mut head.headers);
    (trace, Request::from_parts(head, body))
}

/// Whether the request may be taken on, and where it goes.
fn admit(
    local: &Local,
    client: &Client,
    request: &Request<Incoming>,
) -> Result<(Arc<Entrance>, Route), Problem> {
    if let Some(fault) = client.wire.refusal(request.uri().path()) {
        return Err(Problem::of_fault(fault));
    }
    let entrance = client.entrance(local.generation()).ok_or_else(|| {
        let detail = "the configuration has this listener no more, or not for this user";
        Problem::refused(Refusal::Host, StatusCode::MISDIRECTED_REQUEST, detail).and_close()
    })?;
    refuse_web_pages(request.headers())?;
    let route = entrance.routes.route(request, local.generation());
    // Who may not come in is not told which connectors there are; but that the host is another's is told first, for that is
    // no matter of a token.
    if let Err(problem) = &route
        && problem.refusal() == Some(Refusal::Host)
    {
        return route.map(|route| (Arc::clone(&entrance), route));
    }
    entrance.access.check(request.headers())?;
    Ok((entrance, route?))
}

/// A call that was taken on, with its credential, to the upstream and back.
// What takes long and comes seldom is boxed: hyper moves a call's future as a whole, so each call pays for its size.
async fn forward(
    client: &Client,
    entrance: &Entrance,
    route: &Route,
    served: &Served,
    call: Call,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Problem> {
    let connector = &served.connector;
    let serve = connector.serve();
    let limit = Rc::new(call.local().deadlines().limit(connector.timeout()));
    let (mut head, body) = request.into_parts();
    let upgrade = head.extensions.remove::<OnUpgrade>().zip(inbound::upgrade(&head.headers));
    if !serve.caller.is_empty() {
        let caller = inbound::caller(&serve.caller, &head.headers)?;
        head.extensions.insert(caller);
    }
    served.strip.request(&mut head.headers, matches!(entrance.access, Access::Token(_)));
    head.headers.insert(HOST, served.host.clone());
    connector.ask_for_plain_bodies(&mut head.headers);
    head.uri = upstream_uri(served, &head.uri, route)?;
    let body = taken(&mut head, body, &call, &limit).await?;

    let mut again = if upgrade.is_some() { None } else { Again::of(served, &head, &body) };
    let Authorized { authorization, secrets, waited } = authorize(&mut head, &call, &limit).await?;
    let way = Way { ours: if route.skip == 0 { "" } else { &served.ours }, asked: head.uri.clone(), secrets };
    if let Some((ours, protocol)) = upgrade {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, protocol.clone());
        let upstream = upstream_of(&mut head, &call)?;
        let sent = Box::pin(upstream.send_for_upgrade(Request::from_parts(head, body)));
        let mut answer = in_time(limit.bound(sent).await, &call)?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            way.secrets.conceal(answer.headers_mut());
            call.answered(answer.status());
            return Ok(tunnel::open(client, ours, answer, protocol, call));
        }
        let mut answer = Ahead::unread(answer);
        connector.answered(&answer.head.headers);
        if Box::pin(is_rejection(&mut answer, &call, &limit)).await? {
            connector.reject(&authorization, &challenge(answer.head.status, &answer.head.headers));
        }
        return Ok(deliver(answer, call, limit, &way));
    }

    let upstream = upstream_of(&mut head, &call)?;
    if waited && let Some(again) = &mut again {
        again.keep_sent(&head);
    }
    let remake = || again.as_ref()?.at_once(served);
    let retry = match &again {
        Some(again) if again.idempotent => Retry::Remade(&remake),
        _ => Retry::Never,
    };
    let mut answer = {
        // In its place before it is bounded: every hand that a request goes through copies some hundred bytes.
        let sent = pin!(upstream.send(Request::from_parts(head, body), retry));
        Ahead::unread(in_time(limit.bound(sent).await, &call)?)
    };
    connector.answered(&answer.head.headers);
    if answer.may_be_rejection(&call)
        && Box::pin(is_rejection(&mut answer, &call, &limit)).await?
        && let Some((answer, way)) =
            Box::pin(replay(&answer, &authorization, again, &way, &call, &limit)).await
    {
        return Ok(deliver(answer, call, limit, &way));
    }
    Ok(deliver(answer, call, limit, &way))
}

/// Where the request goes at the upstream.
fn upstream_uri(served: &Served, asked: &Uri, route: &Route) -> Result<Uri, Problem> {
    let root = PathAndQuery::from_static("/");
    let path =
        below(served.connector.base_url().prefix(), asked.path_and_query().unwrap_or(&root), route.skip)?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(served.scheme.clone());
    parts.authority = Some(served.authority.clone());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| {
        Problem::refused(Refusal::Path, StatusCode::BAD_REQUEST, "the path is not valid in a URL")
    })
}

/// The body as it goes on: as a stream, or in memory where a profile signs it, or where the call could come to be made
/// once more.
async fn taken(head: &mut Parts, body: Incoming, call: &Call, limit: &Rc<Limit>) -> Result<OutBody, Problem> {
    let connector = &call.served().connector;
    let (signed, rule) = (connector.reads_body(), connector.rejection());
    if body.is_end_stream() {
        if signed {
            head.extensions.insert(BodyBytes(Bytes::new()));
        }
        return Ok(OutBody::Empty);
    }
    let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let for_replay = length.is_some_and(|length| length <= rule.max_replay_body)
        && rule.allows_replay(&head.method, Some(&Bytes::new()), || connector.learns());
    let most = match signed {
        true => call.local().generation().limits().max_buffered_body,
        false if for_replay => rule.max_replay_body,
        false => {
            let moves = Moves { limit: Rc::clone(limit) };
            return Ok(OutBody::Stream(body, Some(moves)));
        }
    };
    let bytes = Box::pin(collected(body, most, limit)).await?;
    if signed {
        head.extensions.insert(BodyBytes(bytes.clone()));
    }
    Ok(OutBody::Bytes(bytes))
}

/// A whole body, in memory.
async fn collected(body: Incoming, most: usize, limit: &Limit) -> Result<Bytes, Problem> {
    let refuse = |status, detail: String| Err(Problem::refused(Refusal::Body, status, detail).and_close());
    match limit.bound(Limited::new(body, most).collect()).await {
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is signed, and longer than the {most} bytes that `max_buffered_body` allows"),
        ),
        Some(Err(_)) => {
            refuse(StatusCode::BAD_REQUEST, "the body ended before its end, or is not framed right".into())
        }
        None => refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time".into()),
    }
}

/// What came of placing a credential.
struct Authorized {
    authorization: Authorization,
    secrets: Secrets,
    /// Whether it was not to be had on the hot path.
    waited: bool,
}

async fn authorize(head: &mut Parts, call: &Call, limit: &Limit) -> Result<Authorized, Problem> {
    let connector = &call.served().connector;
    if let Some(authorization) = connector.try_authorize(head) {
        return Ok(Authorized { authorization, secrets: Secrets::default(), waited: false });
    }
    Box::pin(authorize_waiting(head, call, limit)).await
}

async fn authorize_waiting(head: &mut Parts, call: &Call, limit: &Limit) -> Result<Authorized, Problem> {
    let connector = &call.served().connector;
    let before = Before::of(head);
    head.extensions.insert(PresentsClientCertificate);
    let outcome = limit.bound(connector.authorize(head)).await;
    let late = outcome.is_none();
    let outcome = outcome.unwrap_or_else(|| {
        let seconds = connector.timeout().as_secs_f32();
        Err(connector.error_of_waiting(Error::unavailable(format!("no credential within {seconds} s"))))
    });
    match outcome {
        Ok(authorization) => {
            let secrets = Secrets::placed(&before, head);
            Ok(Authorized { authorization, secrets, waited: true })
        }
        Err(error) => {
            call.stats().failed(error.kind());
            Err(Problem::no_credential(&error, late))
        }
    }
}

fn upstream_of(head: &mut Parts, call: &Call) -> Result<Rc<super::upstream::Upstream>, Problem> {
    let certificate = head.extensions.remove::<ClientCertificate>();
    call.local().upstream(call.index(), certificate.as_ref()).map_err(|error| {
        call.stats().failed(ErrorKind::Config);
        Problem::no_credential(&call.served().connector.error(error), false)
    })
}

fn in_time(
    sent: Option<Result<Response<InBody>, UpstreamError>>,
    call: &Call,
) -> Result<Response<InBody>, Problem> {
    sent.transpose()
        .map_err(Some)
        .and_then(|answer| answer.ok_or(None))
        .map_err(|error| no_answer(error, call))
}

/// There is no answer: why, or that it took too long.
fn no_answer(error: Option<UpstreamError>, call: &Call) -> Problem {
    call.stats().unreachable(error.as_ref().is_none_or(UpstreamError::is_timeout));
    error.map_or_else(
        || {
            let connector = &call.served().connector;
            let seconds = connector.timeout().as_secs_f32();
            Problem::late(format!("{} gave no answer within {seconds} s", connector.base_url().origin()))
        },
        |error| {
            tracing::debug!(connector = call.connector(), kind = error.kind().as_str(), %error, "no answer");
            Problem::no_answer(&error)
        },
    )
}

/// An answer of which the front of the body was read, where the connector's rule looks at bodies.
struct Ahead {
    head: http::response::Parts,
    front: VecDeque<Bytes>,
    rest: InBody,
}

/// Whether an answer means that the credential was rejected.
async fn is_rejection(answer: &mut Ahead, call: &Call, limit: &Limit) -> Result<bool, Problem> {
    let rule = call.served().connector.rejection();
    match rule.verdict(answer.head.status, &answer.head.headers) {
        Verdict::Accepted => return Ok(false),
        Verdict::Rejected => return Ok(true),
        Verdict::AskBody => {}
    }
    let mut seen = Vec::new();
    while seen.len() < MOST_BODY {
        match limit.bound(answer.rest.frame()).await {
            Some(Some(Ok(frame))) => {
                if let Ok(bytes) = frame.into_data() {
                    seen.extend_from_slice(&bytes);
                    answer.front.push_back(bytes);
                }
            }
            Some(Some(Err(error))) => return Err(no_answer(Some(error), call)),
            Some(None) => break,
            None => return Err(no_answer(None, call)),
        }
    }
    Ok(rule.matches(answer.head.status, &answer.head.headers, &seen))
}

/// The call made once more with another credential, if the connector's rule allows it and there is one. `None` when the
/// first answer stands.
async fn replay<'w>(
    rejected: &Ahead,
    authorization: &Authorization,
    again: Option<Again>,
    way: &'w Way<'w>,
    call: &Call,
    limit: &Limit,
) -> Option<(Ahead, Way<'w>)> {
    let connector = &call.served().connector;
    let challenge = challenge(rejected.head.status, &rejected.head.headers);
    let demand = connector.is_demand(authorization, &challenge);
    let hope = connector.reject(authorization, &challenge);
    let again = again.filter(|again| hope && (again.replays || demand && again.replays_demands))?;
    let mut head = again.before();
    let Authorized { secrets, .. } = authorize(&mut head, call, limit).await.ok()?;
    call.stats().replayed();
    let way = Way { ours: way.ours, asked: head.uri.clone(), secrets };
    let retry = if again.idempotent { Retry::Idempotent } else { Retry::Never };
    let upstream = upstream_of(&mut head, call).ok()?;
    let sent = pin!(upstream.send(Request::from_parts(head, again.body()), retry));
    let answer = in_time(limit.bound(sent).await, call).ok()?;
    connector.answered(answer.headers());
    Some((Ahead::unread(answer), way))
}

/// How a call went, for addresses in its answer.
struct Way<'a> {
    /// What of our path named the connector.
    ours: &'a str,
    asked: Uri,
    secrets: Secrets,
}

impl Ahead {
    fn unread(answer: Response<InBody>) -> Self {
        let (head, rest) = answer.into_parts();
        Self { head, front: VecDeque::new(), rest }
    }

    /// Whether its head is that of a rejection.
    fn may_be_rejection(&self, call: &Call) -> bool {
        call.served().connector.rejection().verdict(self.head.status, &self.head.headers) != Verdict::Accepted
    }
}

/// The upstream's answer, as the client gets it.
fn deliver(answer: Ahead, call: Call, limit: Rc<Limit>, way: &Way<'_>) -> Response<AnswerBody> {
    let Ahead { mut head, front, rest } = answer;
    inbound::strip_answer(&mut head.headers);
    if head.headers.contains_key(LOCATION) || head.headers.contains_key(CONTENT_LOCATION) {
        let base = call.served().connector.base_url();
        location::map_back(&mut head.headers, base, way.ours, &way.asked, way.secrets.query());
    }
    way.secrets.conceal(&mut head.headers);
    head.version = Version::HTTP_11;
    call.answered(head.status);
    let idle_timeout = call.served().connector.serve().idle_timeout;
    limit.restart(idle_timeout);
    call.client().passes(&limit);
    let passing = Passing { front, rest, idle: limit, idle_timeout, call, broken: None };
    Response::from_parts(head, AnswerBody::Upstream(Box::new(passing)))
}

/// What the access log says of a request, where somebody listens.
struct AccessLog(Option<(http::Method, String, Instant)>);

impl AccessLog {
    fn of(request: &Request<Incoming>, began: Instant) -> Self {
        // Asked between two listeners with filters of their own, `enabled!` leaves a verdict behind that the next span or
        // event is held to.
        let wanted = cfg!(feature = "otel") || tracing::enabled!(target: ACCESS, tracing::Level::INFO);
        // Without the query, in which clients put what nobody should read.
        Self(wanted.then(|| (request.method().clone(), request.uri().path().to_owned(), began)))
    }

    fn answered(self, served: &Served, status: StatusCode) {
        let Some((method, path, began)) = self.0 else { return };
        let (connector, status) = (served.connector.name(), status.as_u16());
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(target: ACCESS, connector, %method, path, status, milliseconds);
    }
}

/// The target of the access log's events.
const ACCESS: &str = "countersign::access";
