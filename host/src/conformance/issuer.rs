//! The issuer that the conversations of the suite are with.

use countersign::protocol::{Event, Ran};
use countersign::{Error, HttpHeader, HttpResponse, Secret};

use super::CANARY;
use super::script::{Script, Stated};

/// How an issuer is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NoAnswer,
    Internal,
    Busy,
    Limited,
    Denied,
    Redirect,
    Html,
    Cut,
    Other,
    Empty,
    Noise,
}

/// Answers the exchanges of one conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issuer<'a> {
    pub(super) script: &'a Script,
    /// Which conversation it is with.
    pub(super) conversation: usize,
    pub(super) stated: Stated,
    /// From which exchange on it is not well, and how.
    pub(super) fault: Option<(usize, Fault)>,
}

impl<'a> Issuer<'a> {
    pub(super) const fn of(script: &'a Script, conversation: usize) -> Self {
        Self { script, conversation, stated: Stated::AsWritten, fault: None }
    }

    pub(super) const fn stating(self, stated: Stated) -> Self {
        Self { stated, ..self }
    }

    pub(super) const fn failing(self, from: usize, fault: Fault) -> Self {
        Self { fault: Some((from, fault)), ..self }
    }

    /// The answer to the `nth` exchange.
    pub(super) fn answer(&self, nth: usize) -> Event {
        let good = self.script.answer(nth, self.conversation, self.stated);
        match self.fault {
            Some((from, fault)) if nth >= from => fault.instead_of(&good),
            _ => Event::Http(good),
        }
    }
}

impl Issuer<'_> {
    /// What a program prints that is run.
    pub(super) fn printed(&self) -> Ran {
        let output = self.script.printed(self.conversation, self.stated);
        Ran { status: Some(0), output, errors: Secret::default() }
    }
}

impl Fault {
    /// Those that are no answer worth the name.
    pub(super) const BROKEN: [Self; 5] = [Self::Html, Self::Cut, Self::Other, Self::Empty, Self::Noise];

    /// As words.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer",
            Self::Internal => "500",
            Self::Busy => "503",
            Self::Limited => "429",
            Self::Denied => "401",
            Self::Redirect => "a redirect",
            Self::Html => "a page of HTML",
            Self::Cut => "JSON that is cut off",
            Self::Other => "other JSON",
            Self::Empty => "an empty answer",
            Self::Noise => "256 KiB of noise",
        }
    }

    fn instead_of(self, good: &HttpResponse) -> Event {
        let canary = CANARY;
        let page = format!("<!doctype html><title>{canary}</title>");
        Event::Http(match self {
            Self::NoAnswer => return Event::Failed(Error::unavailable("the connection was refused")),
            Self::Internal => response(500, &[("content-type", "text/html")], page.into_bytes()),
            Self::Busy => response(503, &[], canary.into()),
            Self::Limited => response(429, &[("retry-after", "7")], canary.into()),
            Self::Denied => {
                let body = format!(r#"{{"error":"invalid_client","error_description":"{canary}"}}"#);
                response(401, &[("content-type", "application/json")], body.into_bytes())
            }
            Self::Redirect => response(302, &[("location", "https://elsewhere.example/")], canary.into()),
            Self::Html => response(200, &[("content-type", "text/html")], page.into_bytes()),
            Self::Cut => {
                let body = good.body.expose();
                response(200, &[("content-type", "application/json")], body[..body.len() / 2].to_vec())
            }
            Self::Other => {
                let body = format!(r#"[{{"{canary}":null}}]"#);
                response(200, &[("content-type", "application/json")], body.into_bytes())
            }
            Self::Empty => response(200, &[], Vec::new()),
            Self::Noise => {
                let noise =
                    (0..256 << 10).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
                response(200, &[("content-type", "application/json")], noise)
            }
        })
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> HttpResponse {
    let headers = headers
        .iter()
        .map(|(name, value)| HttpHeader { name: (*name).into(), value: (*value).into() })
        .collect();
    HttpResponse { status, headers, body: Secret::new(body) }
}
