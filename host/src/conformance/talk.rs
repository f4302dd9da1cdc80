//! A conversation with an instance, held to its bounds.

use std::time::{Duration, SystemTime};

use countersign::protocol::{Event, Need, Resume, Start, Step};
use countersign::{Credential, Error, Flow, HttpRequest, Inputs, Origin, Profile};

use super::issuer::Issuer;

/// The most needs of a conversation, as in the host.
pub(super) const MOST_NEEDS: usize = 64;
/// The longest that a conversation may wait, as in the host.
const LONGEST: Duration = Duration::from_secs(60);

/// 2026-01-01T00:00:00Z.
pub(super) fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

pub(super) const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// What came of a conversation.
pub(super) struct Talked {
    pub(super) outcome: Result<Credential, Error>,
    pub(super) sent: Vec<HttpRequest>,
    pub(super) needs: usize,
    /// Why it was broken off.
    pub(super) unbounded: Option<String>,
}

/// What a conversation begins with: the declared inputs and no others.
pub(super) fn start(inputs: &Inputs, conversation: usize) -> Start {
    let mut start = Start::at(today());
    for attribute in inputs.caller_attributes() {
        start.caller.set(attribute, format!("ada-{conversation:06}"));
    }
    start.target = target().filter(|_| inputs.reads_target());
    start
}

/// The origin that calls go to.
pub(super) fn target() -> Option<Origin> {
    "https://api.example".parse().ok()
}

/// Holds a whole conversation.
pub(super) fn talk(profile: &dyn Profile, start: Start, issuer: &Issuer<'_>) -> Talked {
    let now = start.now;
    let (step, flow) = profile.start(start);
    let mut talk =
        Talk { flow, step: Some(step), issuer: *issuer, now, began: now, sent: Vec::new(), needs: 0 };
    loop {
        if let Some(talked) = talk.turn() {
            return talked;
        }
    }
}

/// A conversation under way.
pub(super) struct Talk<'a> {
    flow: Box<dyn Flow>,
    /// `None` only after the end.
    step: Option<Step>,
    issuer: Issuer<'a>,
    now: SystemTime,
    began: SystemTime,
    sent: Vec<HttpRequest>,
    needs: usize,
}

impl<'a> Talk<'a> {
    pub(super) fn begin(profile: &dyn Profile, start: Start, issuer: Issuer<'a>) -> Self {
        let now = start.now;
        let (step, flow) = profile.start(start);
        Self { flow, step: Some(step), issuer, now, began: now, sent: Vec::new(), needs: 0 }
    }

    /// One turn; what came of the conversation, if it has ended.
    pub(super) fn turn(&mut self) -> Option<Talked> {
        let need = match self.step.take() {
            Some(Step::Done(credential)) => return Some(self.end(Ok(credential), None)),
            Some(Step::Failed(error)) => return Some(self.end(Err(error), None)),
            Some(Step::Need(need)) => need,
            None => return Some(self.end(Err(Error::unavailable("it is over")), None)),
        };
        if self.needs == MOST_NEEDS {
            return Some(self.broken_off(format!("it asks for more than {MOST_NEEDS} things")));
        }
        self.needs += 1;
        let event = match need {
            Need::Http(request) => {
                let event = self.issuer.answer(self.sent.len());
                self.sent.push(request);
                self.now += Duration::from_millis(50);
                event
            }
            Need::Sleep(duration) => {
                self.now = self.now.checked_add(duration).unwrap_or(self.now + LONGEST * 2);
                Event::Slept
            }
            Need::Run(_) => Event::Ran(self.issuer.printed()),
            _ => Event::Failed(Error::unsupported("this host does not know what the profile needs")),
        };
        if self.now.duration_since(self.began).unwrap_or_default() > LONGEST {
            return Some(self.broken_off(format!("it waits for more than {} s", LONGEST.as_secs())));
        }
        self.step = Some(self.flow.resume(Resume { now: self.now, event }));
        None
    }

    fn broken_off(&mut self, why: String) -> Talked {
        self.end(Err(Error::unavailable("the suite broke it off")), Some(why))
    }

    fn end(&mut self, outcome: Result<Credential, Error>, unbounded: Option<String>) -> Talked {
        Talked { outcome, sent: std::mem::take(&mut self.sent), needs: self.needs, unbounded }
    }
}
