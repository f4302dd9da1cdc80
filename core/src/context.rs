use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use crate::protocol::{Event, Need, Ran, Run, Start};
use crate::{Challenge, Error, HttpRequest, HttpResponse, Inputs, Origin, Secret};

/// What the host lends a profile for one [`acquire`](crate::AuthProfile::acquire): the network, the clock, the
/// inputs that the profile declared.
///
/// A profile does no I/O of its own. Awaiting anything but the methods of this type ends the conversation with an
/// error, for there is no executor on this side.
#[derive(Debug, Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    start: Start,
    inputs: Inputs,
    exchange: Mutex<Exchange>,
}

#[derive(Debug)]
struct Exchange {
    now: SystemTime,
    last: u64,
    /// Needs that the host has not been told yet, in order.
    asked: VecDeque<(u64, Need)>,
    /// The need that the host is working on.
    current: Option<u64>,
    answered: HashMap<u64, Event>,
}

impl Context {
    /// What is not declared is not there, whatever the host sends.
    pub(crate) fn new(mut start: Start, inputs: Inputs) -> Self {
        let declared = start.caller.as_map().iter().filter(|(name, _)| inputs.reads_caller(name));
        start.caller = declared.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        start.target = start.target.filter(|_| inputs.reads_target());
        let exchange = Exchange {
            now: start.now,
            last: 0,
            asked: VecDeque::new(),
            current: None,
            answered: HashMap::new(),
        };
        Self { shared: Arc::new(Shared { start, inputs, exchange: Mutex::new(exchange) }) }
    }

    /// HTTP, done by the host: its TLS, its proxies, its deadline and its size cap; redirects are not followed.
    pub const fn http(&self) -> Http<'_> {
        Http(self)
    }

    /// Wall time, as of the host's last answer.
    pub fn now(&self) -> SystemTime {
        self.exchange().now
    }

    /// An attribute of the caller.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the profile did not declare that it reads the attribute;
    /// [`Config`](crate::ErrorKind::Config) when this caller lacks it.
    pub fn caller(&self, attribute: &str) -> Result<&str, Error> {
        if !self.shared.inputs.reads_caller(attribute) {
            return Err(Error::internal(format!(
                "reads the caller's `{attribute}`, which its inputs do not declare"
            )));
        }
        self.shared
            .start
            .caller
            .get(attribute)
            .ok_or_else(|| Error::config(format!("the caller has no attribute `{attribute}`")))
    }

    /// All declared attributes that this caller has; what a [`Template`](crate::Template) is rendered over.
    pub fn callers(&self) -> &crate::Caller {
        &self.shared.start.caller
    }

    /// The origin that the call goes to.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the profile did not declare that it reads the target.
    pub fn target(&self) -> Result<&Origin, Error> {
        self.shared
            .start
            .target
            .as_ref()
            .ok_or_else(|| Error::internal("reads the target, which its inputs do not declare"))
    }

    /// What the upstream demanded when it rejected the credential before, if this is such a case.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.shared.start.challenge.as_ref()
    }

    /// The state that the credential before left by [`renewed_by`](crate::Credential::renewed_by).
    pub fn previous(&self) -> Option<&Secret> {
        self.shared.start.previous.as_ref()
    }

    /// Random bytes from the operating system, for nonces and token identifiers.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the operating system has none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        random()
    }

    /// Waits; the host does the waiting.
    ///
    /// # Errors
    /// Whatever the host says: the deadline of the whole conversation may be near.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Error> {
        match self.ask(Need::Sleep(duration)).await {
            Event::Slept => Ok(()),
            Event::Failed(error) => Err(error),
            _ => Err(Error::internal("the host answered a wait with something else")),
        }
    }

    /// What a file of the host's machine holds; `None` if there is no such file. A relative path is relative to the
    /// configuration.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the operator does not allow this plugin to read it (built-in
    /// types may); [`Config`](crate::ErrorKind::Config) when it cannot be read, or is larger than 1 MiB.
    pub async fn file(&self, path: &str) -> Result<Option<Secret<Vec<u8>>>, Error> {
        match self.ask(Need::File(path.to_owned())).await {
            Event::File(content) => Ok(content),
            Event::Failed(error) => Err(error),
            _ => Err(Error::internal("the host answered for a file with something else")),
        }
    }

    /// A variable of the host's environment; `None` if it is not set.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the operator does not allow this plugin to read it (built-in
    /// types may); [`Config`](crate::ErrorKind::Config) when it is not UTF-8.
    pub async fn variable(&self, name: &str) -> Result<Option<Secret>, Error> {
        match self.ask(Need::Variable(name.to_owned())).await {
            Event::Variable(value) => Ok(value),
            Event::Failed(error) => Err(error),
            _ => Err(Error::internal("the host answered for a variable with something else")),
        }
    }

    /// Has the host run a program, without a shell, and waits for its end. Whatever its exit status, that is no error here.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the operator does not allow this plugin to run programs (built-in
    /// types may); [`Config`](crate::ErrorKind::Config) when there is no such program;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it does not end in time or prints more than 1 MiB.
    pub async fn run(&self, program: Run) -> Result<Ran, Error> {
        match self.ask(Need::Run(program)).await {
            Event::Ran(ran) => Ok(ran),
            Event::Failed(error) => Err(error),
            _ => Err(Error::internal("the host answered for a program with something else")),
        }
    }

    async fn ask(&self, need: Need) -> Event {
        let id = {
            let mut exchange = self.exchange();
            exchange.last += 1;
            let id = exchange.last;
            exchange.asked.push_back((id, need));
            id
        };
        let asked = Asked { context: self, id };
        poll_fn(|_| match asked.context.exchange().answered.remove(&asked.id) {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        })
        .await
    }

    pub(crate) fn next_need(&self) -> Option<Need> {
        let mut exchange = self.exchange();
        let (id, need) = exchange.asked.pop_front()?;
        exchange.current = Some(id);
        Some(need)
    }

    pub(crate) fn answer(&self, now: SystemTime, event: Event) {
        let mut exchange = self.exchange();
        exchange.now = now;
        if let Some(id) = exchange.current.take() {
            exchange.answered.insert(id, event);
        }
    }

    /// A panic while the lock is held leaves plain values behind, so a poisoned lock is as good as another.
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.shared.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Withdraws a need whose future is dropped (a lost `select!`), so that the host is not asked in vain.
struct Asked<'a> {
    context: &'a Context,
    id: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut exchange = self.context.exchange();
        exchange.asked.retain(|(id, _)| *id != self.id);
        exchange.answered.remove(&self.id);
    }
}

/// HTTP by way of the host.
#[derive(Debug, Clone, Copy)]
pub struct Http<'a>(&'a Context);

impl Http<'_> {
    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when no answer came: name, connection, TLS, deadline, size.
    /// An answer of whatever status is no error; see [`HttpResponse::success`].
    pub async fn send(self, request: HttpRequest) -> Result<HttpResponse, Error> {
        match self.0.ask(Need::Http(request)).await {
            Event::Http(response) => Ok(response),
            Event::Failed(error) => Err(error),
            _ => Err(Error::internal("the host answered an exchange with something else")),
        }
    }
}

/// What the host lends [`sign`](crate::AuthProfile::sign): the clock and random bytes. No I/O, no waiting.
#[derive(Debug, Clone, Copy)]
pub struct SignContext {
    now: SystemTime,
}

impl SignContext {
    /// A context as of an instant (wall time).
    pub const fn at(now: SystemTime) -> Self {
        Self { now }
    }

    /// Wall time.
    pub const fn now(&self) -> SystemTime {
        self.now
    }

    /// Random bytes from the operating system.
    ///
    /// # Errors
    /// [`Internal`](crate::ErrorKind::Internal) when the operating system has none.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        random()
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::internal("the operating system gives no random bytes"))?;
    Ok(bytes)
}
