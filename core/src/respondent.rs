//! The plugin's side of the [protocol between processes](crate::protocol::frame).

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;
use serde_json::Value;

use crate::log::{self, Sink};
use crate::panic::guard;
use crate::protocol::Step;
use crate::protocol::frame::{
    Ask, Begin, Cancel, Create, Created, Failed, Forget, FromPlugin, GoOn, Keys, LogRecord, MakeSigner,
    OfProfile, PluginHello, Sign, Signed, Stepped, ToPlugin, Types, VERSION,
};
use crate::{Error, Flow, Manifest, Placement, Profile, ProfileType, Secret, SignContext, Signer};

/// Where the types come from that a [`Respondent`] answers for.
pub trait TypeSource: Send {
    /// What the types say of themselves.
    ///
    /// # Errors
    /// When they cannot.
    fn manifests(&self) -> Result<Vec<Manifest>, Error>;

    /// Makes an instance of a type from its settings.
    ///
    /// # Errors
    /// The type's own, or that there is none of that name.
    fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error>;
}

/// The types registered in this library.
#[derive(Debug, Clone, Copy)]
pub struct Registered;

impl TypeSource for Registered {
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        Ok(ProfileType::all().iter().map(ProfileType::manifest).collect())
    }

    fn create(&self, type_name: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        let known = ProfileType::all().into_iter().find(|known| known.name() == type_name);
        known
            .ok_or_else(|| Error::unsupported(format!("this plugin has no type {type_name}")))?
            .create(settings)
    }
}

/// Answers a host's lines, one by one. It does no I/O: whoever holds it reads the lines and writes what comes of them.
pub struct Respondent<T> {
    hello: PluginHello,
    log_level: u8,
    types: T,
    profiles: HashMap<u64, Box<dyn Profile>>,
    conversations: HashMap<u64, (u64, Box<dyn Flow>)>,
    signers: HashMap<u64, (u64, Box<dyn Signer>)>,
}

impl<T: TypeSource> Respondent<T> {
    /// One that has not heard anything yet. The greeting's `protocol` is set to the version that it speaks.
    pub fn new(mut hello: PluginHello, types: T) -> Self {
        VERSION.clone_into(&mut hello.protocol);
        Self {
            hello,
            log_level: 0,
            types,
            profiles: HashMap::new(),
            conversations: HashMap::new(),
            signers: HashMap::new(),
        }
    }

    /// The most verbose level that the host wants to be told: 0 nothing, 1 error … 5 trace.
    pub const fn log_level(&self) -> u8 {
        self.log_level
    }

    /// Takes a line (its LF may be missing) and appends the answer, a line, if there is one.
    ///
    /// # Errors
    /// The line is not a message of the protocol: the talk is over.
    pub fn answer(&mut self, line: &[u8], answer: &mut Vec<u8>) -> Result<(), Error> {
        let message = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(_) => return unknown(line, answer),
        };
        let reply = match message {
            ToPlugin::Hello(host) => {
                self.log_level = host.log_level;
                Some(FromPlugin::Hello(self.hello.clone()))
            }
            ToPlugin::Manifest(Ask { id }) => {
                Some(or_failed(id, self.types.manifests(), |types| FromPlugin::Types(Types { id, types })))
            }
            ToPlugin::Create(create) => Some(self.create(create)),
            ToPlugin::PublicKeys(OfProfile { id, profile }) => {
                let keys = self.profile(profile).and_then(Profile::public_keys);
                Some(or_failed(id, keys, |keys| FromPlugin::Keys(Keys { id, keys })))
            }
            ToPlugin::Start(begin) => Some(self.start(begin)),
            ToPlugin::Resume(go_on) => Some(self.resume(go_on)),
            ToPlugin::Cancel(Cancel { conversation }) => {
                self.conversations.remove(&conversation);
                None
            }
            ToPlugin::Signer(make) => Some(self.signer(make)),
            ToPlugin::Sign(sign) => Some(self.sign(&sign)),
            ToPlugin::Forget(what) => {
                self.forget(what);
                None
            }
        };
        reply.map_or(Ok(()), |reply| append(&reply, answer))
    }

    fn create(&mut self, create: Create) -> FromPlugin {
        let Create { id, profile: number, type_name, settings } = create;
        let made = self.types.create(&type_name, &settings);
        or_failed(id, made, |profile| {
            let (inputs, places) = (profile.inputs(), profile.places());
            self.profiles.insert(number, profile);
            FromPlugin::Created(Created { id, inputs, places })
        })
    }

    fn start(&mut self, begin: Begin) -> FromPlugin {
        let Begin { id, profile, conversation, input } = begin;
        let started = self.profile(profile).map(|profile| profile.start(input));
        or_failed(id, started, |(step, flow)| {
            if matches!(step, Step::Need(_)) {
                self.conversations.insert(conversation, (profile, flow));
            }
            FromPlugin::Step(Stepped { id, step })
        })
    }

    fn resume(&mut self, go_on: GoOn) -> FromPlugin {
        let GoOn { id, conversation, input } = go_on;
        let Some((_, flow)) = self.conversations.get_mut(&conversation) else {
            return failed(id, no_such("conversation", conversation));
        };
        let step = flow.resume(input);
        if !matches!(step, Step::Need(_)) {
            self.conversations.remove(&conversation);
        }
        FromPlugin::Step(Stepped { id, step })
    }

    fn signer(&mut self, make: MakeSigner) -> FromPlugin {
        let MakeSigner { id, profile, signer: number, credential } = make;
        let made = self.profile(profile).and_then(|profile| profile.signer(credential));
        or_failed(id, made, |signer| {
            self.signers.insert(number, (profile, signer));
            FromPlugin::Ready(Ask { id })
        })
    }

    fn sign(&self, sign: &Sign) -> FromPlugin {
        let Sign { id, signer: number, now, request } = sign;
        let Some((_, signer)) = self.signers.get(number) else {
            return failed(*id, no_such("signer", *number));
        };
        let mut edits = Vec::new();
        let signed = request.with_head(|head| {
            signer.sign(head, &SignContext::at(*now), &mut |place, name, value| {
                edits.push(Placement { place, name: name.to_owned(), value: Secret::new(value.to_owned()) });
            })
        });
        or_failed(*id, signed, |()| FromPlugin::Signed(Signed { id: *id, edits }))
    }

    fn forget(&mut self, what: Forget) {
        match what {
            Forget::Signer(number) => drop(self.signers.remove(&number)),
            Forget::Profile(number) => {
                self.conversations.retain(|_, (profile, _)| *profile != number);
                self.signers.retain(|_, (profile, _)| *profile != number);
                self.profiles.remove(&number);
            }
        }
    }

    fn profile(&self, number: u64) -> Result<&dyn Profile, Error> {
        self.profiles.get(&number).map(Box::as_ref).ok_or_else(|| no_such("profile", number))
    }
}

impl<T> std::fmt::Debug for Respondent<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Respondent")
            .field("profiles", &self.profiles.len())
            .field("conversations", &self.conversations.len())
            .field("signers", &self.signers.len())
            .finish_non_exhaustive()
    }
}

/// Appends a message as a line.
///
/// # Errors
/// It does not serialize to JSON.
pub fn append(message: &impl Serialize, lines: &mut Vec<u8>) -> Result<(), Error> {
    let before = lines.len();
    let written = serde_json::to_writer(&mut *lines, message);
    if written.is_err() {
        lines.truncate(before);
        return Err(Error::internal("a message does not serialize to JSON"));
    }
    lines.push(b'\n');
    Ok(())
}

/// An answer to a message that is not known here.
fn unknown(line: &[u8], answer: &mut Vec<u8>) -> Result<(), Error> {
    let broken = || Error::internal("a line is not a message of the protocol");
    let message: serde_json::Map<String, Value> = serde_json::from_slice(line).map_err(|_| broken())?;
    let (Some((name, value)), 1) = (message.iter().next(), message.len()) else { return Err(broken()) };
    let Some(id) = value.get("id").and_then(Value::as_u64) else { return Ok(()) };
    let error = match name.as_str() {
        "manifest" | "create" | "public-keys" | "start" | "resume" | "signer" | "sign" => {
            Error::internal(format!("the message `{name}` is not what the protocol says it is"))
        }
        _ => Error::unsupported("this plugin does not know the message; build it with a newer SDK"),
    };
    append(&failed(id, error), answer)
}

fn or_failed<T>(id: u64, outcome: Result<T, Error>, reply: impl FnOnce(T) -> FromPlugin) -> FromPlugin {
    outcome.map_or_else(|error| failed(id, error), reply)
}

const fn failed(id: u64, error: Error) -> FromPlugin {
    FromPlugin::Error(Failed { id, error })
}

fn no_such(what: &str, number: u64) -> Error {
    Error::internal(format!("there is no {what} {number} here"))
}

/// Answers a host on standard input and output until it hangs up: the `main` of a plugin that is a program of its own.
///
/// The types are those that [`register_profile!`](crate::register_profile) registered. Name, version and description
/// are the crate's: see [`plugin_main!`](crate::plugin_main).
///
/// # Errors
/// Reading or writing failed, or the host said what is not of the protocol.
#[doc(hidden)]
pub fn answer_on_stdio(name: &str, version: &str, description: &str) -> io::Result<()> {
    crate::silence_profile_panics();
    let hello = PluginHello {
        protocol: VERSION.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        description: description.to_owned(),
        features: Vec::new(),
    };
    let log_level = Arc::new(AtomicU8::new(0));
    log::forward_to(Stdout(Arc::clone(&log_level)));
    let mut respondent = Respondent::new(hello, Registered);
    let mut input = io::stdin().lock();
    let (mut line, mut answer) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        answer.clear();
        let answered = guard("of this plugin", "a message", || respondent.answer(&line, &mut answer));
        answered
            .and_then(|answered| answered)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned()))?;
        log_level.store(respondent.log_level(), Ordering::Relaxed);
        zeroize::Zeroize::zeroize(line.as_mut_slice());
        let mut output = io::stdout().lock();
        output.write_all(&answer)?;
        output.flush()?;
    }
}

/// Standard output, on which a record is one line among the answers. It holds the level that the host wants.
struct Stdout(Arc<AtomicU8>);

impl Sink for Stdout {
    fn log_level(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn log(&self, record: &LogRecord) {
        #[derive(Serialize)]
        struct Log<'a> {
            log: &'a LogRecord,
        }
        let mut line = Vec::new();
        // A host that does not listen any more is found out by the next answer.
        let _ = append(&Log { log: record }, &mut line).map(|()| io::stdout().lock().write_all(&line));
    }
}

#[cfg(test)]
mod tests;
