//! A plugin's process in tests: a thread that speaks the protocol as a script says.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::protocol::frame::PluginHello;
use countersign::protocol::{Event, Need, Resume, Start, Step};
use countersign::respondent::{Respondent, TypeSource};
use countersign::{
    Credential, Error, Flow, Inputs, Manifest, Place, PlaceEdit, Profile, RequestHead, SignContext, Signer,
};
use serde_json::{Value, json};

use super::super::home::{End, Running, Started, Starter};
use crate::plugin::health::Cause;

/// What a process does with a line, before or instead of answering it.
pub(super) enum Act {
    /// Answers it.
    Answer,
    /// Answers it after this was said.
    SayFirst(Vec<u8>),
    /// Says this instead.
    Say(Vec<u8>),
    /// Says this without end.
    SayFor(Vec<u8>),
    /// Says nothing, and reads on.
    Pass,
    /// Says nothing, and reads nothing, until it is killed.
    Hang,
    /// Dies of a signal.
    Die,
    /// Dies of a signal after it was told to.
    DieWhen(Arc<Mutex<Receiver<()>>>),
    /// Ends by itself.
    Exit,
    /// Hangs up, and lives.
    HangUp,
}

/// What the process that was started as the nth (from 0) does with a line.
pub(super) type Script = dyn Fn(usize, &str) -> Act + Send + Sync;

/// Starts threads that are processes. Clones count together.
#[derive(Clone)]
pub(super) struct Double {
    script: Arc<Script>,
    starts: Arc<AtomicUsize>,
    pub(super) heard: Arc<Mutex<Vec<String>>>,
    /// The host's ends of those that run may be cut from here.
    pub(super) running: Arc<Mutex<Vec<UnixStream>>>,
}

impl Double {
    pub(super) fn new(script: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            starts: Arc::default(),
            heard: Arc::default(),
            running: Arc::default(),
        }
    }

    pub(super) fn starts(&self) -> usize {
        self.starts.load(Ordering::SeqCst)
    }

    /// The last process dies between two calls.
    pub(super) fn kill_last(&self) {
        self.running.lock().unwrap().last().unwrap().shutdown(Shutdown::Both).unwrap();
    }

    /// How many lines that begin so were heard.
    pub(super) fn heard(&self, beginning: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|line| line.starts_with(&format!("{{\"{beginning}\""))).count()
    }
}

impl Starter for Double {
    fn start(&self) -> Result<Started, String> {
        let turn = self.starts.fetch_add(1, Ordering::SeqCst);
        let (ours, its) = UnixStream::pair().unwrap();
        let (end, ended) = channel();
        let (script, heard) = (Arc::clone(&self.script), Arc::clone(&self.heard));
        let end_of_it = its.try_clone().unwrap();
        self.running.lock().unwrap().push(its.try_clone().unwrap());
        std::thread::spawn(move || {
            if let Some(cause) = run(&its, turn, &*script, &heard) {
                let _ = end.send(cause);
                its.shutdown(Shutdown::Both).unwrap();
            } else {
                // It lives until it is killed.
                std::mem::forget(end);
            }
        });
        let process = Thread { turn, stream: end_of_it, ended };
        Ok(Started { stream: OwnedFd::from(ours), process: Box::new(process) })
    }
}

struct Thread {
    turn: usize,
    stream: UnixStream,
    ended: Receiver<Cause>,
}

impl Running for Thread {
    fn id(&self) -> u32 {
        1000 + u32::try_from(self.turn).unwrap()
    }

    fn end(&mut self, grace: Duration) -> End {
        let cause = self.ended.recv_timeout(grace).ok();
        let _ = self.stream.shutdown(Shutdown::Both);
        let words = match cause {
            Some(Cause::Exit) => "exited with status 0",
            Some(_) => "was killed by SIGSEGV",
            None => "was killed by SIGKILL",
        };
        End { cause, words: words.to_owned() }
    }

    fn last_words(&self) -> Option<String> {
        None
    }
}

fn run(stream: &UnixStream, turn: usize, script: &Script, heard: &Mutex<Vec<String>>) -> Option<Cause> {
    let hello = PluginHello {
        protocol: String::new(),
        name: "double".to_owned(),
        version: "1.2.3".to_owned(),
        description: String::new(),
        features: Vec::new(),
    };
    let mut respondent = Respondent::new(hello, Types);
    let mut lines = BufReader::new(stream);
    let (mut line, mut answer) = (String::new(), Vec::new());
    loop {
        line.clear();
        answer.clear();
        // Who hangs up while the host lives was killed.
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            return Some(Cause::Crash);
        }
        heard.lock().unwrap().push(line.clone());
        match script(turn, &line) {
            Act::Answer => respondent.answer(line.as_bytes(), &mut answer).unwrap(),
            Act::SayFirst(said) => {
                answer.extend_from_slice(&said);
                respondent.answer(line.as_bytes(), &mut answer).unwrap();
            }
            Act::Say(said) => answer = said,
            Act::SayFor(said) => while (&mut &*stream).write_all(&said).is_ok() {},
            Act::Pass => {}
            Act::Hang => return None,
            Act::Die => return Some(Cause::Crash),
            Act::DieWhen(told) => {
                told.lock().unwrap().recv().unwrap();
                return Some(Cause::Crash);
            }
            Act::Exit => return Some(Cause::Exit),
            Act::HangUp => {
                stream.shutdown(Shutdown::Both).unwrap();
                return None;
            }
        }
        let _ = (&mut &*stream).write_all(&answer);
    }
}

/// One type, which does as its setting `act` says.
struct Types;

impl TypeSource for Types {
    fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        Ok(vec![Manifest { name: "double".to_owned(), summary: "for tests".to_owned(), schema: json!({}) }])
    }

    fn create(&self, _: &str, settings: &Value) -> Result<Box<dyn Profile>, Error> {
        match settings["act"].as_str() {
            Some("refuse") => Err(Error::config("is wrong; make it right").at("key").at("keys[1]")),
            act => Ok(Box::new(Scripted(act.unwrap_or_default().to_owned()))),
        }
    }
}

#[derive(Clone)]
struct Scripted(String);

impl Profile for Scripted {
    fn inputs(&self) -> Inputs {
        Inputs::none().caller("user")
    }

    fn start(&self, start: Start) -> (Step, Box<dyn Flow>) {
        let step = match &*self.0 {
            "deny" => Step::Failed(Error::denied("no")),
            "sleep" => Step::Need(Need::Sleep(Duration::from_secs(1))),
            _ => Step::Done(Credential::header("x-user", start.caller.get("user").unwrap_or("nobody"))),
        };
        (step, Box::new(self.clone()))
    }

    fn signer(&self, _: Credential) -> Result<Box<dyn Signer>, Error> {
        Ok(Box::new(self.clone()))
    }

    fn public_keys(&self) -> Result<Vec<Value>, Error> {
        Ok(vec![json!({"kid": "1"})])
    }
}

impl Flow for Scripted {
    fn resume(&mut self, resume: Resume) -> Step {
        match resume.event {
            Event::Slept => Step::Done(Credential::header("x-slept", "yes")),
            _ => Step::Failed(Error::internal("unexpected")),
        }
    }
}

impl Signer for Scripted {
    fn sign(
        &self,
        request: &RequestHead<'_>,
        _: &SignContext,
        place: &mut PlaceEdit<'_>,
    ) -> Result<(), Error> {
        place(Place::Header, "x-path", request.path());
        Ok(())
    }
}
