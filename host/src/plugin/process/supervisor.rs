use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use countersign::protocol::frame::{FromPlugin, PluginHello, VERSION};
use countersign::{Error, Manifest};
use tokio::sync::watch;

use super::home::Starter;
use super::link::Link;
use super::lost::Lost;
use super::message;
use super::reader::Reader;
use crate::plugin::health::{Admission, Cause, Health, PluginStatus};
use crate::plugin::loaded::About;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the start of a process to its greeting.
    pub(super) start: Duration,
    /// For the making of an instance, and for the manifest.
    pub(super) create: Duration,
    /// For any other answer.
    pub(super) answer: Duration,
}

/// Keeps a plugin's process: starts it when it is needed and is not there, and leaves it alone for a while if it keeps
/// failing.
pub(super) struct Supervisor {
    name: String,
    starter: Box<dyn Starter>,
    limits: Limits,
    health: Arc<Health>,
    numbers: AtomicU64,
    current: Mutex<Current>,
    said: OnceLock<Said>,
}

/// What a plugin says of itself.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) about: About,
    /// Sorted by name.
    pub(super) manifests: Vec<Manifest>,
}

enum Current {
    None,
    Starting(watch::Receiver<Option<Outcome>>),
    Running(Arc<Running>),
}

type Outcome = Result<Arc<Running>, Error>;

/// A process that has greeted.
pub(super) struct Running {
    pub(super) link: Link,
    pub(super) hello: PluginHello,
    /// What it has been told of, by number: instances and signers.
    pub(super) made: super::made::Made,
}

/// Who asks for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// A call, which a plugin in quarantine does not get.
    Call,
    /// The operator, whose act is a trial of it.
    Operator,
}

impl Supervisor {
    pub(super) fn new(name: impl Into<String>, starter: Box<dyn Starter>, limits: Limits) -> Arc<Self> {
        let name = name.into();
        Arc::new(Self {
            health: Arc::new(Health::new(&*name)),
            name,
            starter,
            limits,
            numbers: AtomicU64::new(1),
            current: Mutex::new(Current::None),
            said: OnceLock::new(),
        })
    }

    /// What the plugin said of itself, if it has.
    pub(super) fn said(&self) -> Option<&Said> {
        self.said.get()
    }

    /// Takes note of what the plugin says of itself.
    pub(super) fn says(&self, said: Said) {
        let _ = self.said.set(said);
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// A number for an instance, a conversation or a signer; none is given twice.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How the plugin is.
    pub(super) fn status(&self) -> PluginStatus {
        let process = self.running().map(|running| running.link.process_id());
        self.health.status(Instant::now()).with_process(process)
    }

    /// The process, if there is one.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        match &*self.current.lock().unwrap_or_else(PoisonError::into_inner) {
            Current::Running(running) if running.link.is_open() => Some(Arc::clone(running)),
            _ => None,
        }
    }

    /// The process; it is started if it is not there.
    pub(super) async fn process(self: &Arc<Self>, whose: For) -> Outcome {
        let wait = match self.health.admit(Instant::now()) {
            Admission::Go | Admission::Trial => Duration::ZERO,
            Admission::Wait(wait) => wait,
            Admission::Refused if whose == For::Operator => Duration::ZERO,
            Admission::Refused => return Err(self.quarantined()),
        };
        let mut starting = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            match &*current {
                Current::Running(running) if running.link.is_open() => return Ok(Arc::clone(running)),
                // A thread that panicked leaves a closed channel behind.
                Current::Starting(starting) if starting.has_changed().is_ok() => starting.clone(),
                _ => {
                    let starting = self.start(wait)?;
                    *current = Current::Starting(starting.clone());
                    starting
                }
            }
        };
        let outcome = starting.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(self.unavailable("could not be started")))
    }

    /// An answer was lost: as an error that says when to come again.
    pub(super) fn lost(&self, lost: Lost) -> Error {
        let error = lost.into_error(&self.name);
        let wait = self.health.wait(Instant::now());
        error.with_retry_after(wait)
    }

    /// What an error of [`lost`](Supervisor::lost) says, without its subject.
    pub(super) fn words_of<'a>(&self, error: &'a Error) -> &'a str {
        let words = error.message().strip_prefix("the plugin ");
        let words = words.and_then(|words| words.strip_prefix(self.name.as_str()));
        words.map_or(error.message(), str::trim_start)
    }

    fn unavailable(&self, words: &str) -> Error {
        self.lost(Lost::new(words.to_owned(), false))
    }

    fn quarantined(&self) -> Error {
        let last = self.health.last_words().unwrap_or_default();
        self.unavailable(&format!("is in quarantine, for it failed again and again; the last time it {last}"))
    }

    /// Starts a process on a thread of its own, which becomes its reader.
    fn start(self: &Arc<Self>, wait: Duration) -> Result<watch::Receiver<Option<Outcome>>, Error> {
        let (tell, told) = watch::channel(None);
        let supervisor = Arc::clone(self);
        let thread = std::thread::Builder::new().name("plugin".to_owned());
        let spawned = thread.spawn(move || {
            std::thread::sleep(wait);
            let (outcome, reader) = match supervisor.open() {
                Ok((running, reader)) => (Ok(Arc::new(running)), Some(reader)),
                Err(words) => (Err(supervisor.unavailable(&words)), None),
            };
            let current = match &outcome {
                Ok(running) => Current::Running(Arc::clone(running)),
                Err(_) => Current::None,
            };
            let before = std::mem::replace(
                &mut *supervisor.current.lock().unwrap_or_else(PoisonError::into_inner),
                current,
            );
            // Nothing here may keep the process: it ends when nobody else has use for it.
            drop((before, supervisor));
            let _ = tell.send(Some(outcome));
            drop(tell);
            if let Some(reader) = reader {
                reader.run();
            }
        });
        spawned.map(|_| told).map_err(|error| self.unavailable(&format!("gets no thread: {}", error.kind())))
    }

    /// Starts a process and has it greet.
    fn open(&self) -> Result<(Running, Reader), String> {
        self.health.started();
        let failed = |words: String| {
            self.health.failed(Instant::now(), Cause::Start, words.clone());
            words
        };
        let started = self.starter.start().map_err(failed)?;
        let (link, reader) = Link::new(started, Arc::clone(&self.health), &self.name)
            .map_err(|errno| failed(format!("gets no descriptor: {}", std::io::Error::from(errno).kind())))?;
        let hello = message::hello().map_err(|error| failed(error.message().to_owned()))?;
        // It has been told no secret yet.
        let end = |reader: Reader| {
            let words = reader.end();
            reader.last_words().map_or(words.clone(), |said| format!("{words}, and said: {said}"))
        };
        match link.greet(&reader, &hello, self.limits.start) {
            Some(FromPlugin::Hello(hello)) => match judge(&hello) {
                Ok(()) => Ok((Running { link, hello, made: super::made::Made::default() }, reader)),
                Err(words) => {
                    link.fail_start(words);
                    Err(end(reader))
                }
            },
            Some(_) => {
                link.fail_start("did not greet its host".to_owned());
                Err(end(reader))
            }
            None => Err(end(reader)),
        }
    }
}

impl Limits {
    /// Those of calls of the host.
    pub(super) const USUAL: Self = Self {
        start: Duration::from_secs(10),
        create: Duration::from_secs(10),
        answer: Duration::from_secs(2),
    };
}

/// Whether the greeting is one, and in a version that is understood.
fn judge(hello: &PluginHello) -> Result<(), String> {
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major(&hello.protocol).is_none() || major(&hello.protocol) != major(VERSION) {
        let spoken: String = hello.protocol.chars().filter(|letter| !letter.is_control()).take(20).collect();
        return Err(format!(
            "speaks version {spoken:?} of the protocol, and this host {VERSION:?}; build it with an SDK that speaks that"
        ));
    }
    let words = [&hello.name, &hello.version, &hello.description];
    let fit = words.iter().all(|word| word.len() <= 200 && !word.contains(char::is_control));
    if hello.name.is_empty() || !fit {
        return Err("does not say its name as the protocol wants it: one line, of up to 200 bytes".to_owned());
    }
    Ok(())
}
