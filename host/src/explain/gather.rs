//! Makes the call, and puts down what was seen of it, without what must not be told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use countersign::{Error, HttpHeader, HttpResponse, Inputs, Place, Places};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::Value;

use super::body::{Said, tag};
use super::challenge::ApiChallenge;
use super::evidence::{
    Answer, Asked, Evidence, Exchange, Obtained, Placed, Problem, ProfileEvidence, RedirectTo, Sent, Skew,
    millis,
};
use super::record::{Attempt, Exchanged, Head, Pages, Record, Recorded};
use super::redact::Redactor;
use super::signature::Signed;
use super::token::Token;
use super::{Trial, keys};
use crate::config::Probe;
use crate::connector::{Connector, MOST_BODY};
use crate::transport::Trouble;
use crate::{Client, Host};

/// Makes the call that is to be tried, and tells what was seen.
pub(crate) async fn gather(
    host: &Host,
    connector: &Connector,
    record: &Arc<Record>,
    trial: &Trial,
) -> Evidence {
    let probe = trial.probe.as_ref().unwrap_or(connector.probe());
    let (body, failure) = match request(connector, record, probe, trial) {
        Ok(request) => match Client::new().send(connector, request).await {
            Ok(answer) => (read(answer.into_body()).await, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
        Err(error) => (Vec::new(), Some(error.message().to_owned())),
    };
    let pages = std::mem::take(&mut *record.pages());
    let redactor = redactor(&pages);
    let issuer_keys = match token_to_verify(&pages).filter(|_| !trial.offline) {
        Some(token) => keys::of_issuer(host.exchange(), &token, &redactor).await,
        None => None,
    };
    let as_expected = is_as_expected(connector, probe, &pages, &body);
    Seen { host, connector, pages: &pages, redactor: &redactor, body: &body }.evidence(
        probe,
        trial,
        failure,
        issuer_keys,
        as_expected,
    )
}

fn request(
    connector: &Connector,
    record: &Arc<Record>,
    probe: &Probe,
    trial: &Trial,
) -> Result<Request<Bytes>, Error> {
    let uri = connector.base_url().join(&probe.path)?;
    let mut request = Request::builder().method(probe.method.clone()).uri(uri);
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    request
        .extension(trial.caller.clone())
        .extension(Recorded(Arc::clone(record)))
        .body(Bytes::from(probe.body.clone()))
        .map_err(|_| Error::config("the probe makes no valid request"))
}

/// The beginning of a body.
async fn read(mut body: reqwest::Body) -> Vec<u8> {
    let mut seen = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            seen.extend_from_slice(frame.data_ref().map_or(&[][..], Bytes::as_ref));
            if seen.len() >= MOST_BODY {
                break;
            }
        }
    };
    // What comes too late is not needed.
    let _ = tokio::time::timeout(Duration::from_secs(10), reading).await;
    seen.truncate(MOST_BODY);
    seen
}

fn is_as_expected(connector: &Connector, probe: &Probe, pages: &Pages, body: &[u8]) -> bool {
    let Some(Some(Ok(head))) = pages.attempts.last().map(|attempt| &attempt.outcome) else { return false };
    if !probe.statuses.is_empty() {
        return probe.statuses.contains(&head.status);
    }
    head.status.is_success() && !connector.rejection().matches(head.status, &head.headers, body)
}

/// The JWT of an answer that was no success.
fn token_to_verify(pages: &Pages) -> Option<String> {
    let attempt = pages.attempts.last()?;
    let refused = matches!(&attempt.outcome, Some(Ok(head)) if head.status == StatusCode::UNAUTHORIZED);
    let values = attempt.placed.iter().filter_map(|(place, name, _)| value(&attempt.after, *place, name));
    let mut tokens = values.map(|value| value.rsplit(' ').next().unwrap_or_default().to_owned());
    tokens.find(|token| super::token::jwt(token).is_some()).filter(|_| refused)
}

/// Knows every secret of the run.
fn redactor(pages: &Pages) -> Redactor {
    let mut redactor = Redactor::default();
    pages.secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    for attempt in &pages.attempts {
        for (place, name, _) in &attempt.placed {
            match value(&attempt.after, *place, name) {
                Some(value) if !is_public(name) && *place == Place::Header => redactor.add_field(&value),
                Some(value) if !is_public(name) => redactor.add(&value),
                _ => {}
            }
        }
    }
    for Exchanged { request, outcome, .. } in &pages.exchanges {
        for HttpHeader { name, value } in &request.headers {
            if !["accept", "content-type", "user-agent", "host"].contains(&name.to_ascii_lowercase().as_str())
                && !is_public(name)
            {
                redactor.add_field(value.expose());
            }
        }
        for (name, value) in form_urlencoded::parse(request.body.expose()) {
            if !PARAMETERS.contains(&&*name) && !value.contains("://") {
                redactor.add(&value);
            }
        }
        if let Ok(answer) = outcome
            && request.method != "GET"
            && answer.is_success()
        {
            issued(answer, &mut redactor);
        }
    }
    redactor
}

/// What an issuer gave out: every text of its answer but those that say what it is.
fn issued(answer: &HttpResponse, redactor: &mut Redactor) {
    let text = String::from_utf8_lossy(answer.body.expose());
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        return strings(&json, "", redactor);
    }
    for name in ["SecretAccessKey", "SessionToken", "token", "access_token"] {
        if let Some(value) = tag(&text, name) {
            redactor.add(&value);
        }
    }
}

fn strings(value: &Value, name: &str, redactor: &mut Redactor) {
    const PUBLIC: [&str; 6] =
        ["token_type", "scope", "expires_in", "expires_on", "issued_token_type", "resource"];
    match value {
        Value::String(text) if !PUBLIC.contains(&name) && !text.starts_with("http") => redactor.add(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, redactor)),
        Value::Object(entries) => entries.iter().for_each(|(name, value)| strings(value, name, redactor)),
        _ => {}
    }
}

/// The parameters of a token request that say what is asked for, and prove nothing (RFC 6749, 7521, 8693, 8707).
const PARAMETERS: [&str; 12] = [
    "grant_type",
    "scope",
    "audience",
    "resource",
    "client_id",
    "client_assertion_type",
    "requested_token_type",
    "subject_token_type",
    "actor_token_type",
    "response_type",
    "redirect_uri",
    "username",
];

/// Whether what stands there under that name is no secret although a profile placed it.
fn is_public(name: &str) -> bool {
    const PUBLIC: [&str; 12] = [
        "x-amz-date",
        "x-amz-content-sha256",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-expires",
        "x-amz-signedheaders",
        "date",
        "signature-input",
        "content-digest",
        "digest",
        "x-amz-target",
        "content-type",
    ];
    // Of OAuth 1.0 (RFC 5849 §3.1) only the signature proves something, and the token may.
    let oauth = name.strip_prefix("oauth_").is_some_and(|name| !matches!(name, "signature" | "token"));
    oauth || PUBLIC.iter().any(|public| name.eq_ignore_ascii_case(public))
}

/// What stands on a request.
fn value(parts: &Parts, place: Place, name: &str) -> Option<String> {
    match place {
        Place::Header => Some(String::from_utf8_lossy(parts.headers.get(name)?.as_bytes()).into_owned()),
        Place::Query => {
            let wanted = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            let mut pairs = form_urlencoded::parse(parts.uri.query()?.as_bytes());
            pairs.find(|(known, _)| *known == wanted).map(|(_, value)| value.into_owned())
        }
        Place::Cookie => {
            let fields = parts.headers.get_all("cookie").iter().filter_map(|field| field.to_str().ok());
            let mut pairs =
                fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
        }
    }
}

/// What was taken down, about to be told.
struct Seen<'a> {
    host: &'a Host,
    connector: &'a Connector,
    pages: &'a Pages,
    redactor: &'a Redactor,
    body: &'a [u8],
}

impl Seen<'_> {
    fn evidence(
        &self,
        probe: &Probe,
        trial: &Trial,
        failure: Option<String>,
        issuer_keys: Option<super::IssuerKeys>,
        as_expected: bool,
    ) -> Evidence {
        let base_url = self.connector.base_url();
        let path = probe.path.split('?').next().unwrap_or_default();
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let query = if probe.path.contains('?') { "?…" } else { "" };
        let last = self.pages.attempts.len().saturating_sub(1);
        let attempts = self.pages.attempts.iter().enumerate();
        Evidence {
            connector: self.connector.name().to_owned(),
            base_url: base_url.to_string(),
            request: Asked {
                method: probe.method.to_string(),
                url: self.redactor.clean(&format!("{base_url}{slash}{path}{query}")),
                caller: trial.caller.as_map().keys().cloned().collect(),
                expected: probe.statuses.iter().map(StatusCode::as_u16).collect(),
            },
            profiles: self.connector.profiles().map(|name| self.profile(name)).collect(),
            attempts: attempts.map(|(number, attempt)| self.attempt(attempt, number == last)).collect(),
            failure: failure.map(|words| self.redactor.clean(&words)),
            clocks: self.clocks(),
            keys: issuer_keys,
            as_expected,
        }
    }

    fn profile(&self, name: &str) -> ProfileEvidence {
        let status = self.host.profiles().find(|known| known.name == name);
        let acquire = self.host.profile(name).map(|running| running.bound.cache.acquire());
        let obtained = self.pages.obtained.iter().rev().find(|obtained| *obtained.profile == *name);
        let exchanges = self.pages.exchanges.iter().filter(|exchanged| *exchanged.profile == *name);
        let signs = obtained.is_some_and(|obtained| obtained.outcome.as_ref().is_ok_and(|had| had.signs));
        let places = acquire.as_ref().and_then(|acquire| acquire.places());
        ProfileEvidence {
            name: name.to_owned(),
            type_name: status.as_ref().map(|status| status.type_name.to_owned()).unwrap_or_default(),
            home: status.as_ref().map(|status| home(&status.home.to_string())).unwrap_or_default(),
            reads: acquire.map(|acquire| reads(acquire.inputs())).unwrap_or_default(),
            places: places.as_ref().map(told),
            signs: signs || places.is_some_and(|places| places.signs()),
            exchanges: exchanges.map(|exchanged| self.exchange(exchanged)).collect(),
            outcome: obtained.map(|obtained| match &obtained.outcome {
                Ok(had) => Obtained::Credential {
                    took_ms: millis(obtained.took),
                    valid_for_s: had
                        .life
                        .expires_at
                        .map(|end| end.duration_since(SystemTime::now()).unwrap_or_default().as_secs()),
                    single_use: had.life.single_use,
                    certificate: had.certificate,
                },
                Err(error) => Obtained::Failed {
                    kind: error.kind().to_string(),
                    message: self.redactor.clean(error.message()),
                    field: error.field().map(str::to_owned),
                },
            }),
        }
    }

    fn exchange(&self, exchanged: &Exchanged) -> Exchange {
        let Exchanged { request, took, outcome, .. } = exchanged;
        let form = || form_urlencoded::parse(request.body.expose());
        let parameters = form().filter(|(name, _)| PARAMETERS.contains(&&**name));
        let assertion = form().find(|(name, _)| name == "client_assertion" || name == "assertion");
        let (status, said, trouble) = match outcome {
            Ok(answer) => {
                let kind = answer.header("content-type");
                // What comes with a success is the secret.
                let said =
                    (!answer.is_success()).then(|| Said::read(kind, answer.body.expose(), self.redactor));
                (Some(answer.status), said, None)
            }
            Err((_, trouble)) => (None, None, trouble.as_ref().map(|trouble| self.problem(trouble))),
        };
        Exchange {
            method: request.method.clone(),
            url: quiet(&request.url, self.redactor),
            took_ms: millis(*took),
            parameters: parameters
                .map(|(name, value)| (name.to_string(), self.redactor.clean(&value)))
                .collect(),
            assertion: assertion.map(|(_, value)| Token::of(None, &value, self.redactor)),
            status,
            said,
            trouble,
        }
    }

    fn attempt(&self, attempt: &Attempt, last: bool) -> Sent {
        let mut placed: Vec<Placed> =
            attempt.placed.iter().filter_map(|of| self.placed(attempt, of)).collect();
        let order = |placed: &Placed| self.connector.profiles().position(|name| name == placed.profile);
        placed.sort_by_key(|placed| (order(placed), placed.place.clone(), placed.name.clone()));
        let (body, nothing) = (self.body, &[][..]);
        let (answer, trouble) = match &attempt.outcome {
            Some(Ok(head)) => (Some(self.answer(attempt, head, last)), None),
            Some(Err((_, trouble))) => (None, trouble.as_ref().map(|trouble| self.problem(trouble))),
            // Given up by the deadline of the call.
            None => (None, Some(Problem::Late)),
        };
        let text = String::from_utf8_lossy(if last { body } else { nothing });
        let authority = self.connector.base_url().authority();
        Sent {
            placed,
            certificate: attempt.certificate,
            proof: attempt.after.headers.contains_key("dpop"),
            signed: Signed::of(&attempt.after, authority, &attempt.body, &text, self.redactor),
            at: attempt.at,
            took_ms: millis(attempt.took),
            answer,
            trouble,
        }
    }

    fn placed(
        &self,
        attempt: &Attempt,
        (place, name, profile): &(Place, String, Arc<str>),
    ) -> Option<Placed> {
        let text = value(&attempt.after, *place, name)?;
        let scheme = text
            .split_once(' ')
            .filter(|(scheme, rest)| *place == Place::Header && is_scheme(scheme) && !rest.is_empty());
        let (scheme, value) = match scheme {
            Some((scheme, rest)) => (Some(scheme), rest.trim()),
            None => (None, text.as_str()),
        };
        let value = if is_public(name) {
            Token::Parameters { parameters: vec![(name.clone(), self.redactor.clean(value))] }
        } else {
            Token::of(scheme, value, self.redactor)
        };
        Some(Placed {
            profile: profile.to_string(),
            place: place.to_string(),
            name: name.clone(),
            scheme: scheme.map(str::to_owned),
            value,
        })
    }

    fn answer(&self, attempt: &Attempt, head: &Head, last: bool) -> Answer {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let challenges = head.headers.get_all("www-authenticate").iter();
        let challenges =
            challenges.flat_map(|value| ApiChallenge::read(&text(value), self.redactor)).collect();
        let mut headers: Vec<(String, String)> = Vec::new();
        for name in HELPFUL {
            for value in head.headers.get_all(name) {
                headers.push((name.to_owned(), self.redactor.clean(&text(value))));
            }
        }
        for name in ["dpop-nonce", "set-cookie"] {
            if head.headers.contains_key(name) {
                headers.push((name.to_owned(), "[present]".to_owned()));
            }
        }
        let content_type = head.headers.get("content-type").map(text);
        Answer {
            status: head.status.as_u16(),
            headers,
            challenges,
            redirect: head.status.is_redirection().then(|| self.redirect(attempt, head)).flatten(),
            said: last.then(|| Said::read(content_type.as_deref(), self.body, self.redactor)),
        }
    }

    fn redirect(&self, attempt: &Attempt, head: &Head) -> Option<RedirectTo> {
        let location = String::from_utf8_lossy(head.headers.get("location")?.as_bytes()).into_owned();
        let to = crate::client::resolve(&attempt.before.uri, &location)?;
        let here = |uri: &Uri| countersign::Origin::of(uri).ok();
        let path = to.path().to_ascii_lowercase();
        let login = ["login", "signin", "sign-in", "sign_in", "/authorize", "/sso", "/saml", "/oauth2/auth"];
        Some(RedirectTo {
            elsewhere: here(&to) != here(&attempt.before.uri),
            login: login.iter().any(|word| path.contains(word)),
            url: quiet(&to.to_string(), self.redactor),
        })
    }

    /// This clock against those of all who answered.
    fn clocks(&self) -> Vec<Skew> {
        let mut clocks: Vec<Skew> = Vec::new();
        let mut note = |against: String, skew: Option<(i64, i64)>| {
            let Some((ahead_s, margin_s)) = skew else { return };
            clocks.retain(|known| known.against != against);
            clocks.push(Skew { against, ahead_s, margin_s });
        };
        for Exchanged { request, at, took, outcome, .. } in &self.pages.exchanges {
            let Ok(answer) = outcome else { continue };
            let origin = request.url.parse::<countersign::Origin>().map(|origin| origin.to_string());
            let date = answer.header("date").filter(|_| answer.header("age").is_none());
            note(origin.unwrap_or_default(), date.and_then(|date| skew(*at, *took, date)));
        }
        for attempt in &self.pages.attempts {
            let Some(Ok(head)) = &attempt.outcome else { continue };
            note(
                self.connector.base_url().origin().to_string(),
                date(&head.headers).and_then(|date| skew(attempt.at, attempt.took, date)),
            );
        }
        clocks
    }

    fn problem(&self, trouble: &Trouble) -> Problem {
        match trouble {
            Trouble::Unresolved => Problem::Unresolved,
            Trouble::Refused => Problem::Refused,
            Trouble::Late => Problem::Late,
            Trouble::Alert(alert) => Problem::Alert(self.redactor.clean(alert)),
            Trouble::Certificate(why) => Problem::Certificate(self.redactor.clean(why)),
            Trouble::Cut => Problem::Cut,
            Trouble::Other => Problem::Other,
        }
    }
}

/// The fields of an answer that help to understand it.
const HELPFUL: [&str; 18] = [
    "date",
    "server",
    "via",
    "content-type",
    "retry-after",
    "allow",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "traceparent",
    "cf-ray",
    "x-error",
    "x-error-message",
    "x-ms-diagnostics",
    "authentication-info",
];

fn date(headers: &HeaderMap) -> Option<&str> {
    headers.get("date").filter(|_| !headers.contains_key("age"))?.to_str().ok()
}

/// How far this clock is ahead, and how sure that is: `Date` has whole seconds, and was written while the exchange lasted.
fn skew(at: SystemTime, took: Duration, date: &str) -> Option<(i64, i64)> {
    let theirs = httpdate::parse_http_date(date).ok()? + Duration::from_millis(500);
    let ours = at + took / 2;
    let ahead = match ours.duration_since(theirs) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).ok()?,
        Err(behind) => -i64::try_from(behind.duration().as_secs()).ok()?,
    };
    Some((ahead, i64::try_from((took / 2).as_secs()).ok()? + 1))
}

fn is_scheme(word: &str) -> bool {
    word.len() <= 24 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A URL without query, and without those parts of its path that may be keys.
fn quiet(url: &str, redactor: &Redactor) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return redactor.clean("[not a URL]") };
    let origin = countersign::Origin::of(&uri).map(|origin| origin.to_string()).unwrap_or_default();
    let segments: Vec<String> = uri
        .path()
        .split('/')
        .map(|segment| if may_be_key(segment) { "…".into() } else { segment.to_owned() })
        .collect();
    redactor.clean(&format!("{origin}{}", segments.join("/")))
}

fn may_be_key(segment: &str) -> bool {
    let uuid = segment.len() == 36 && segment.matches('-').count() == 4;
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let letters = segment.bytes().filter(u8::is_ascii_alphabetic).count();
    segment.len() >= 16 && digits >= 3 && letters >= 3 && !uuid
}

fn reads(inputs: &Inputs) -> Vec<String> {
    let attributes = inputs.caller_attributes().map(|name| format!("caller.{name}"));
    let others = [("target", inputs.reads_target()), ("body", inputs.reads_body())];
    attributes
        .chain(others.into_iter().filter(|(_, reads)| *reads).map(|(name, _)| name.to_owned()))
        .collect()
}

fn told(places: &Places) -> Vec<String> {
    let mut told: Vec<String> = places.iter().map(|(place, name)| format!("{place} {name}")).collect();
    if places.presents_certificate() {
        told.push("client certificate".to_owned());
    }
    told
}

/// A plugin's file by its name: its folder is nobody's business.
fn home(home: &str) -> String {
    home.rsplit('/').next().unwrap_or_default().to_owned()
}
