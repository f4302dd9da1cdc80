//! A scripted host: unit-test a profile in five lines, time included, without a network.
//!
//! ```
//! use countersign::testing::{Answer, ScriptedHost, profile};
//! use serde_json::json;
//! # use countersign::{AuthProfile, Context, Credential, Error, HttpRequest};
//! # struct Login(String);
//! # impl AuthProfile for Login {
//! #     const TYPE: &'static str = "login";
//! #     const SUMMARY: &'static str = "";
//! #     type Config = std::collections::BTreeMap<String, String>;
//! #     fn new(config: Self::Config) -> Result<Self, Error> { Ok(Self(config["url"].clone())) }
//! #     async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
//! #         let answer = cx.http().send(HttpRequest::new("POST", &self.0)).await?.success()?;
//! #         Ok(Credential::bearer(answer.json::<String>()?))
//! #     }
//! # }
//!
//! let login = profile::<Login>(json!({ "url": "https://acme.example/login" }))?;
//! let mut host = ScriptedHost::new().answer(Answer::json(200, json!("t0k3n")));
//! let credential = host.acquire(&*login)?;
//! assert_eq!(host.sent()[0].url, "https://acme.example/login");
//! assert_eq!(host.placed(&credential), [("header", "authorization", "Bearer t0k3n")]);
//! # Ok::<(), Error>(())
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::protocol::{Event, Need, Ran, Resume, Run, Start, Step};
use crate::{
    AuthProfile, Caller, Challenge, Credential, Error, HttpHeader, HttpRequest, HttpResponse, Origin,
    Profile, ProfileType, RequestHead, Secret, SignContext,
};

/// Makes an instance from settings the way the host does: parsed, then [`new`](AuthProfile::new).
///
/// # Errors
/// What the host would report to the operator.
#[allow(clippy::needless_pass_by_value)] // `json!` at the call reads best by value
pub fn profile<P: AuthProfile>(settings: Value) -> Result<Box<dyn Profile>, Error> {
    ProfileType::of::<P>().create(&settings)
}

/// Plays the host: gives scripted answers, in order, and keeps what was asked.
#[derive(Debug)]
pub struct ScriptedHost {
    now: SystemTime,
    caller: Caller,
    target: Option<Origin>,
    challenge: Option<Challenge>,
    previous: Option<Secret>,
    answers: VecDeque<Result<HttpResponse, Error>>,
    sent: Vec<HttpRequest>,
    files: BTreeMap<String, Vec<u8>>,
    variables: BTreeMap<String, String>,
    programs: VecDeque<Result<Ran, Error>>,
    ran: Vec<Run>,
}

impl ScriptedHost {
    /// A host at 2026-01-01T00:00:00Z, whose script is empty.
    pub fn new() -> Self {
        Self {
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            caller: Caller::new(),
            target: None,
            challenge: None,
            previous: None,
            answers: VecDeque::new(),
            sent: Vec::new(),
            files: BTreeMap::new(),
            variables: BTreeMap::new(),
            programs: VecDeque::new(),
            ran: Vec::new(),
        }
    }

    /// Has a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// Has a variable in its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Says what the next program prints, and with which status it exits.
    #[must_use]
    pub fn program(mut self, status: i32, output: impl Into<Vec<u8>>) -> Self {
        let output = Secret::new(output.into());
        self.programs.push_back(Ok(Ran { status: Some(status), output, errors: Secret::default() }));
        self
    }

    /// Says what the next program says on standard error, and with which status it exits; `None` for a signal.
    #[must_use]
    pub fn failing_program(mut self, status: Option<i32>, errors: impl Into<Vec<u8>>) -> Self {
        let errors = Secret::new(errors.into());
        self.programs.push_back(Ok(Ran { status, output: Secret::default(), errors }));
        self
    }

    /// Makes the next program fail to run, as the host would say it.
    #[must_use]
    pub fn no_program(mut self, error: Error) -> Self {
        self.programs.push_back(Err(error));
        self
    }

    /// Sets the wall time.
    #[must_use]
    pub const fn at(mut self, now: SystemTime) -> Self {
        self.now = now;
        self
    }

    /// Gives the caller an attribute.
    #[must_use]
    pub fn caller(mut self, attribute: &str, value: &str) -> Self {
        self.caller.set(attribute, value);
        self
    }

    /// Sets the origin that the call goes to.
    #[must_use]
    pub fn target(mut self, origin: Origin) -> Self {
        self.target = Some(origin);
        self
    }

    /// Says that an upstream rejected the credential before.
    #[must_use]
    pub fn challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Sets the renewal state that the credential before left.
    #[must_use]
    pub fn previous(mut self, state: impl Into<Secret>) -> Self {
        self.previous = Some(state.into());
        self
    }

    /// Adds the answer to the next exchange.
    #[must_use]
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push_back(Ok(answer.0));
        self
    }

    /// Makes the next exchange fail: no name, no connection, no TLS.
    #[must_use]
    pub fn no_answer(mut self) -> Self {
        self.answers.push_back(Err(Error::unavailable("scripted: the connection was refused")));
        self
    }

    /// Moves time on.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// Wall time; waiting moves it on.
    pub const fn now(&self) -> SystemTime {
        self.now
    }

    /// The requests that profiles sent so far.
    pub fn sent(&self) -> &[HttpRequest] {
        &self.sent
    }

    /// The programs that profiles had run so far.
    pub fn ran(&self) -> &[Run] {
        &self.ran
    }

    /// Holds a whole conversation. The profile sees the inputs that it declared and no others, as with the real host.
    ///
    /// # Errors
    /// The profile's error; or [`Internal`](crate::ErrorKind::Internal) when the script has no more answers.
    pub fn acquire(&mut self, profile: &dyn Profile) -> Result<Credential, Error> {
        let (mut step, mut flow) = profile.start(self.start(profile));
        loop {
            let event = match step {
                Step::Done(credential) => return Ok(credential),
                Step::Failed(error) => return Err(error),
                Step::Need(Need::Sleep(duration)) => {
                    self.now += duration;
                    Event::Slept
                }
                Step::Need(Need::Http(request)) => {
                    self.sent.push(request);
                    match self.answers.pop_front() {
                        Some(Ok(response)) => Event::Http(response),
                        Some(Err(error)) => Event::Failed(error),
                        None => Event::Failed(Error::internal("the script has no more answers")),
                    }
                }
                Step::Need(Need::File(path)) => {
                    Event::File(self.files.get(&path).map(|content| Secret::new(content.clone())))
                }
                Step::Need(Need::Variable(name)) => {
                    Event::Variable(self.variables.get(&name).map(|value| value.as_str().into()))
                }
                Step::Need(Need::Run(program)) => {
                    self.ran.push(program);
                    match self.programs.pop_front() {
                        Some(Ok(ran)) => Event::Ran(ran),
                        Some(Err(error)) => Event::Failed(error),
                        None => Event::Failed(Error::internal("the script has no more programs")),
                    }
                }
            };
            step = flow.resume(Resume { now: self.now, event });
        }
    }

    /// What a credential places, as `(place, name, value)`.
    #[allow(clippy::unused_self)] // reads as part of the script
    pub fn placed<'c>(&self, credential: &'c Credential) -> Vec<(&'static str, &'c str, &'c str)> {
        credential
            .placements()
            .iter()
            .map(|placement| {
                (word(placement.place), placement.name.as_str(), placement.value.expose().as_str())
            })
            .collect()
    }

    /// Signs a request; what the signature adds, as `(place, name, value)`.
    ///
    /// # Errors
    /// The profile's error.
    pub fn sign(
        &self,
        profile: &dyn Profile,
        credential: Credential,
        request: &RequestHead<'_>,
    ) -> Result<Vec<(&'static str, String, String)>, Error> {
        let mut edits = Vec::new();
        profile.signer(credential)?.sign(
            request,
            &SignContext::at(self.now),
            &mut |place, name, value| {
                edits.push((word(place), name.to_owned(), value.to_owned()));
            },
        )?;
        Ok(edits)
    }

    fn start(&self, profile: &dyn Profile) -> Start {
        let inputs = profile.inputs();
        let declared = self.caller.as_map().iter().filter(|(name, _)| inputs.reads_caller(name));
        Start {
            now: self.now,
            caller: declared.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            target: self.target.clone().filter(|_| inputs.reads_target()),
            challenge: self.challenge.clone(),
            previous: self.previous.clone(),
        }
    }
}

impl Default for ScriptedHost {
    fn default() -> Self {
        Self::new()
    }
}

/// One scripted answer.
#[derive(Debug)]
pub struct Answer(HttpResponse);

impl Answer {
    /// An answer with a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self(HttpResponse { status, headers: Vec::new(), body: Secret::new(body.into()) })
    }

    /// An answer with a JSON body.
    #[allow(clippy::needless_pass_by_value)] // `json!` at the call reads best by value
    pub fn json(status: u16, body: Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// With a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push(HttpHeader { name: name.to_ascii_lowercase(), value: value.into() });
        self
    }
}

const fn word(place: crate::Place) -> &'static str {
    match place {
        crate::Place::Header => "header",
        crate::Place::Query => "query",
        crate::Place::Cookie => "cookie",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, ErrorKind, Inputs};
    use serde_json::json;

    /// What the test profile does when it is asked for a credential.
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Act {
        Sleep,
        Undeclared,
        Panic,
        AwaitElse,
        Two,
    }

    struct Actor(Act);

    impl AuthProfile for Actor {
        const TYPE: &'static str = "actor";
        const SUMMARY: &'static str = "acts as told";
        type Config = Act;

        fn new(config: Act) -> Result<Self, Error> {
            Ok(Self(config))
        }

        fn inputs(&self) -> Inputs {
            Inputs::none().caller("user")
        }

        async fn acquire(&self, cx: &Context) -> Result<Credential, Error> {
            match self.0 {
                Act::Sleep => {
                    cx.sleep(Duration::from_secs(60)).await?;
                    Ok(Credential::bearer(cx.caller("user")?).valid_until(cx.now()))
                }
                Act::Undeclared => Ok(Credential::bearer(cx.caller("tenant")?)),
                Act::Panic => panic!("canary"),
                Act::AwaitElse => {
                    std::future::pending::<()>().await;
                    Ok(Credential::new())
                }
                Act::Two => {
                    let get = |url| cx.http().send(HttpRequest::new("GET", url));
                    let mut waiting = [Box::pin(get("a")), Box::pin(get("b"))].map(Some);
                    let both = std::future::poll_fn(|task| {
                        for slot in &mut waiting {
                            if slot.as_mut().is_some_and(|get| get.as_mut().poll(task).is_ready()) {
                                *slot = None;
                            }
                        }
                        let done = waiting.iter().all(Option::is_none);
                        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                    });
                    both.await;
                    Ok(Credential::new())
                }
            }
        }
    }

    fn acquire(act: &str, host: &mut ScriptedHost) -> Result<Credential, Error> {
        crate::silence_profile_panics();
        host.acquire(&*profile::<Actor>(json!(act)).unwrap())
    }

    #[test]
    fn waiting_moves_the_clock_and_nothing_else() {
        let mut host = ScriptedHost::new().caller("user", "ada");
        let before = host.now();
        let credential = acquire("sleep", &mut host).unwrap();
        assert_eq!(credential.lifetime(), crate::Lifetime::Until(before + Duration::from_secs(60)));
        assert_eq!(host.placed(&credential), [("header", "authorization", "Bearer ada")]);
    }

    #[test]
    fn an_undeclared_attribute_is_invisible() {
        let error = acquire("undeclared", &mut ScriptedHost::new().caller("tenant", "acme")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }

    #[test]
    fn a_panic_is_an_error_that_names_the_place_and_not_the_payload() {
        let error = acquire("panic", &mut ScriptedHost::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.message().contains("testing.rs:") && !error.message().contains("canary"), "{error}");
    }

    #[test]
    fn awaiting_anything_but_the_host_is_an_error() {
        let error = acquire("await-else", &mut ScriptedHost::new()).unwrap_err();
        assert!(error.message().contains("awaits something other"), "{error}");
    }

    #[test]
    fn two_needs_at_once_are_met_one_after_the_other() {
        let mut host = ScriptedHost::new().answer(Answer::new(200, "")).answer(Answer::new(200, ""));
        acquire("two", &mut host).unwrap();
        assert_eq!(host.sent().iter().map(|request| request.url.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
