//! What was taken down of a run, put as evidence, without what must not be told.

use std::sync::Arc;
use std::time::SystemTime;

use countersign::{Inputs, Place, Places};
use http::{StatusCode, Uri};

use super::Trial;
use super::body::Said;
use super::challenge::ApiChallenge;
use super::clocks::clocks;
use super::evidence::{
    Answer, Asked, Evidence, Exchange, Obtained, Placed, Problem, ProfileEvidence, RedirectTo, Sent, millis,
};
use super::record::{Attempt, Exchanged, Head, Pages};
use super::redact::Redactor;
use super::secrets::{PARAMETERS, is_public};
use super::signature::Signed;
use super::token::Token;
use super::told_url::quiet;
use super::value::value;
use crate::Host;
use crate::config::Probe;
use crate::connector::Connector;
use crate::transport::Trouble;

/// What was taken down, about to be told.
pub(super) struct Seen<'a> {
    pub(super) host: &'a Host,
    pub(super) connector: &'a Connector,
    pub(super) pages: &'a Pages,
    pub(super) redactor: &'a Redactor,
    pub(super) body: &'a [u8],
}

impl Seen<'_> {
    pub(super) fn evidence(
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
            clocks: clocks(self.pages, self.connector.base_url()),
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

fn is_scheme(word: &str) -> bool {
    word.len() <= 24 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
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
