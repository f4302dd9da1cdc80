use std::sync::Arc;
use std::time::Duration;

use countersign::protocol::frame::{Created, Forget, FromPlugin, PluginHello, SignRequest};
use countersign::protocol::{Declared, Resume, Start, Step};
use countersign::{Credential, Error, Inputs, Placement, Places, RequestHead, SignContext};
use serde_json::Value;

use super::message::{self, Question};
use super::supervisor::{For, Running, Said, Supervisor};
use crate::instance::{AwaySigner, BoxFuture, Conversation, Instance, Signing};
use crate::plugin::loaded::About;
use crate::plugin::refusal::Reason;

/// An instance of a type in a plugin's process. It is made again in each new process when it is needed there.
pub(super) struct Remote {
    made: Arc<Profile>,
    declared: Declared,
}

/// The instance as its conversations and signers share it. It is given up when none of them is left.
struct Profile {
    supervisor: Arc<Supervisor>,
    key: u64,
    create: Question,
}

/// Why a call came to nothing.
enum Failure {
    /// The plugin's own answer.
    Told(Error),
    /// There was none. `again` when the process surely did not read the question.
    Lost { error: Error, again: bool },
}

impl Remote {
    /// Makes one. This is the operator's act: a plugin in quarantine is tried.
    pub(super) async fn create(
        supervisor: &Arc<Supervisor>,
        type_name: &str,
        settings: &Value,
    ) -> Result<Self, Error> {
        let create = Question::create(type_name, settings)?;
        let made = Arc::new(Profile { supervisor: Arc::clone(supervisor), key: supervisor.number(), create });
        let declared = made.with_process(For::Operator, |running| {
            let made = Arc::clone(&made);
            Box::pin(async move { made.first_create_in(&running).await })
        });
        let declared = declared.await?;
        Ok(Self { made, declared })
    }
}

impl Instance for Remote {
    fn inputs(&self) -> &Inputs {
        &self.declared.inputs
    }

    fn places(&self) -> Option<Places> {
        self.declared.places.clone()
    }

    fn start(&self, start: Start) -> BoxFuture<'_, (Step, Box<dyn Conversation>)> {
        Box::pin(async move {
            let mut talk = Talk { profile: Arc::clone(&self.made), at: None };
            let step = match talk.begin(start).await {
                Ok(step) => step,
                Err(error) => Step::Failed(error),
            };
            (talk.after(step), Box::new(talk) as Box<dyn Conversation>)
        })
    }

    fn signer(&self, credential: Credential) -> BoxFuture<'_, Result<Signing, Error>> {
        Box::pin(async move {
            let make = Question::signer(&credential)?;
            drop(credential);
            let signer = Signer { profile: Arc::clone(&self.made), key: self.made.supervisor.number(), make };
            let ensured = signer.profile.with_process(For::Call, |running| {
                let signer = &signer;
                Box::pin(async move { signer.number_in(&running).await })
            });
            ensured.await?;
            Ok(Signing::Away(Box::new(signer)))
        })
    }

    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<Value>, Error>> {
        Box::pin(async move {
            let profile = &self.made;
            let question = &Question::public_keys()?;
            let asked = profile.with_process(For::Call, |running| {
                Box::pin(async move {
                    let number = profile.number_in(&running).await?;
                    match profile.ask(&running, question, &[number]).await? {
                        FromPlugin::Keys(keys) => Ok(keys.keys),
                        other => Err(profile.unfit(&running, other)),
                    }
                })
            });
            asked.await
        })
    }
}

impl Profile {
    /// Does something in the process, and once again in a new one if the process had ended before it knew of it.
    async fn with_process<'a, T>(
        &self,
        whose: For,
        act: impl Fn(Arc<Running>) -> BoxFuture<'a, Result<T, Failure>>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let running = self.supervisor.process(whose).await?;
            match act(running).await {
                Ok(done) => {
                    self.supervisor.health().succeeded();
                    return Ok(done);
                }
                Err(Failure::Told(error)) => {
                    self.supervisor.health().succeeded();
                    return Err(error);
                }
                Err(Failure::Lost { again: true, .. }) if tries == 0 => tries += 1,
                Err(Failure::Lost { error, .. }) => return Err(error),
            }
        }
    }

    /// The instance's number in the process; it is made there if it is not.
    async fn number_in(&self, running: &Running) -> Result<u64, Failure> {
        let make = async { self.create_in(running).await.map(|(number, _)| number) };
        running.made.once(self.key, make).await
    }

    /// Makes the instance in the process for the first time.
    async fn first_create_in(&self, running: &Running) -> Result<Declared, Failure> {
        let mut declared = Declared::default();
        let make = async {
            let (number, its) = self.create_in(running).await?;
            declared = its;
            Ok(number)
        };
        running.made.once(self.key, make).await?;
        Ok(declared)
    }

    async fn create_in(&self, running: &Running) -> Result<(u64, Declared), Failure> {
        let limit = self.supervisor.limits().create;
        let told = Told::of(running, self.supervisor.number(), Forget::Profile);
        match self.ask_within(running, &self.create, &[told.number], limit).await? {
            FromPlugin::Created(Created { inputs, places, .. }) => {
                Ok((told.keep(), Declared { inputs, places }))
            }
            other => Err(self.unfit(running, other)),
        }
    }

    async fn ask(&self, running: &Running, question: &Question, of: &[u64]) -> Result<FromPlugin, Failure> {
        self.ask_within(running, question, of, self.supervisor.limits().answer).await
    }

    async fn ask_within(
        &self,
        running: &Running,
        question: &Question,
        of: &[u64],
        limit: Duration,
    ) -> Result<FromPlugin, Failure> {
        running.link.ask(question, of, limit).await.map_err(|lost| {
            let again = lost.is_unsent();
            Failure::Lost { error: self.supervisor.lost(lost), again }
        })
    }

    /// An answer that is not the question's: its error, or a break of the protocol, which ends the process.
    fn unfit(&self, running: &Running, answer: FromPlugin) -> Failure {
        unfit(&self.supervisor, running, answer)
    }
}

/// See [`Profile::unfit`].
fn unfit(supervisor: &Supervisor, running: &Running, answer: FromPlugin) -> Failure {
    if let FromPlugin::Error(failed) = answer {
        return Failure::Told(failed.error);
    }
    const WORDS: &str = "answered something else than it was asked";
    running.link.break_off(WORDS);
    Failure::Lost { error: supervisor.lost(super::lost::Lost::new(WORDS, false)), again: false }
}

impl Drop for Profile {
    fn drop(&mut self) {
        forget(&self.supervisor, self.key, Forget::Profile);
    }
}

/// A number that a process was told of and may make something by; forgotten there, unless it is kept.
struct Told<'a> {
    running: &'a Running,
    number: u64,
    forget: Option<fn(u64) -> Forget>,
}

impl<'a> Told<'a> {
    const fn of(running: &'a Running, number: u64, forget: fn(u64) -> Forget) -> Self {
        Self { running, number, forget: Some(forget) }
    }

    fn keep(mut self) -> u64 {
        self.forget = None;
        self.number
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if let Some(forget) = self.forget
            && let Ok(line) = message::forget(forget(self.number))
        {
            self.running.link.tell(&line);
        }
    }
}

/// Gives up what has that key, if the process has made it.
fn forget(supervisor: &Supervisor, key: u64, forget: fn(u64) -> Forget) {
    if let Some(running) = supervisor.running()
        && let Some(number) = running.made.forget(key)
        && let Ok(line) = message::forget(forget(number))
    {
        running.link.tell(&line);
    }
}

/// A conversation; it lives and ends with the process in which it began.
struct Talk {
    profile: Arc<Profile>,
    /// Where it is under way, and its number there.
    at: Option<(Arc<Running>, u64)>,
}

impl Talk {
    async fn begin(&mut self, start: Start) -> Result<Step, Error> {
        let Self { profile, at } = self;
        let question = Question::start(&start)?;
        drop(start);
        let mut tries = 0;
        loop {
            let running = profile.supervisor.process(For::Call).await?;
            let asked = async {
                let instance = profile.number_in(&running).await?;
                let number = profile.supervisor.number();
                *at = Some((Arc::clone(&running), number));
                profile.ask(&running, &question, &[instance, number]).await
            };
            match asked.await {
                Ok(FromPlugin::Step(stepped)) => return Ok(stepped.step),
                Ok(other) => return Err(profile.unfit(&running, other).into_error(&profile.supervisor)),
                Err(Failure::Lost { again: true, .. }) if tries == 0 => tries += 1,
                Err(failure) => return Err(failure.into_error(&profile.supervisor)),
            }
        }
    }

    async fn go_on(&mut self, resume: Resume) -> Result<Step, Error> {
        let over = || Error::internal("the conversation is over");
        let (running, number) = self.at.as_ref().ok_or_else(over)?;
        let profile = &self.profile;
        let question = Question::resume(&resume)?;
        drop(resume);
        match profile.ask(running, &question, &[*number]).await {
            Ok(FromPlugin::Step(stepped)) => Ok(stepped.step),
            Ok(other) => Err(profile.unfit(running, other).into_error(&profile.supervisor)),
            Err(Failure::Lost { error, .. }) => {
                let retry = error.retry_after().unwrap_or_default();
                let words = format!("{}; the conversation is lost with it", error.message());
                Err(Error::unavailable(words).with_retry_after(retry))
            }
            Err(Failure::Told(error)) => Err(error),
        }
    }

    /// Takes note of what a step means for the conversation.
    fn after(&mut self, step: Step) -> Step {
        match &step {
            Step::Need(_) => {}
            Step::Done(_) => {
                self.profile.supervisor.health().succeeded();
                self.at = None;
            }
            Step::Failed(_) => self.at = None,
        }
        step
    }
}

impl Conversation for Talk {
    fn resume(&mut self, resume: Resume) -> BoxFuture<'_, Step> {
        Box::pin(async move {
            let step = self.go_on(resume).await.unwrap_or_else(Step::Failed);
            self.after(step)
        })
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if let Some((running, number)) = self.at.take()
            && let Ok(line) = message::cancel(number)
        {
            running.link.tell(&line);
        }
    }
}

impl Failure {
    /// As a call's error; an answer shows that the plugin works.
    fn into_error(self, supervisor: &Supervisor) -> Error {
        match self {
            Self::Told(error) => {
                supervisor.health().succeeded();
                error
            }
            Self::Lost { error, .. } => error,
        }
    }
}

/// Signs in the plugin's process with one credential.
struct Signer {
    profile: Arc<Profile>,
    key: u64,
    make: Question,
}

impl Signer {
    /// The signer's number in the process; it is made there if it is not.
    async fn number_in(&self, running: &Running) -> Result<u64, Failure> {
        let profile = &*self.profile;
        let make = async {
            let instance = profile.number_in(running).await?;
            let told = Told::of(running, profile.supervisor.number(), Forget::Signer);
            match profile.ask(running, &self.make, &[instance, told.number]).await? {
                FromPlugin::Ready(_) => Ok(told.keep()),
                other => Err(profile.unfit(running, other)),
            }
        };
        running.made.once(self.key, make).await
    }
}

impl AwaySigner for Signer {
    fn sign(
        &self,
        request: &RequestHead<'_>,
        cx: &SignContext,
    ) -> BoxFuture<'_, Result<Vec<Placement>, Error>> {
        let question = Question::sign(cx.now(), &SignRequest::of(request));
        Box::pin(async move {
            let question = &question?;
            let signed = self.profile.with_process(For::Call, |running| {
                Box::pin(async move {
                    let number = self.number_in(&running).await?;
                    match self.profile.ask(&running, question, &[number]).await? {
                        FromPlugin::Signed(signed) => Ok(signed.edits),
                        other => Err(self.profile.unfit(&running, other)),
                    }
                })
            });
            signed.await
        })
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        forget(&self.profile.supervisor, self.key, Forget::Signer);
    }
}

/// What a plugin says of itself, and the types that it brings, sorted by name. It starts, if it has not.
///
/// # Errors
/// Why there is none, as words whose subject is the plugin's file.
pub(super) async fn types(supervisor: &Arc<Supervisor>) -> Result<Said, Reason> {
    let failed = |error: Error| -> Reason { supervisor.words_of(&error).to_owned().into() };
    let question = Question::manifest().map_err(failed)?;
    let running = supervisor.process(For::Operator).await.map_err(failed)?;
    let answer = running.link.ask(&question, &[], supervisor.limits().create).await;
    let mut manifests = match answer.map_err(|lost| failed(supervisor.lost(lost)))? {
        FromPlugin::Types(types) => types.types,
        other => match unfit(supervisor, &running, other) {
            Failure::Told(error) => return Err(error.message().to_owned().into()),
            Failure::Lost { error, .. } => return Err(failed(error)),
        },
    };
    manifests.sort_by(|one, other| one.name.cmp(&other.name));
    let PluginHello { name, version, description, .. } = running.hello.clone();
    let said = Said { about: About { name, version, description }, manifests };
    supervisor.says(said.clone());
    Ok(said)
}
