mod double;
mod faults;
mod life;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use countersign::protocol::{Event, Resume, Start, Step};
use countersign::{Error, RequestHead, SignContext};
use serde_json::{Value, json};

use self::double::{Act, Double};
use super::supervisor::Limits;
use super::{About, Process, Reason};
use crate::instance::{Conversation, Instance, Signing, wait};

const SHORT: Limits = Limits {
    start: Duration::from_millis(300),
    create: Duration::from_millis(300),
    answer: Duration::from_millis(200),
};

fn open(double: &Double, limits: Limits) -> Result<(Process, About), Reason> {
    let (process, about, manifests) = Process::start_by("double", Box::new(double.clone()), limits)?;
    assert_eq!(manifests.len(), 1);
    Ok((process, about))
}

/// The process, and an instance that does so.
fn started(double: &Double, act: &str) -> (Process, Box<dyn Instance>) {
    let (process, _) = open(double, SHORT).unwrap();
    let instance = process.create("double", &json!({ "act": act })).unwrap();
    (process, instance)
}

fn start_of(user: &str) -> Start {
    let mut start = Start::at(SystemTime::now());
    start.caller.set("user", user);
    start
}

fn begin(instance: &dyn Instance) -> (Step, Box<dyn Conversation>) {
    wait(instance.start(start_of("ada")))
}

fn resume() -> Resume {
    Resume { now: SystemTime::now(), event: Event::Slept }
}

/// The header's value, or the error.
fn outcome(step: Step) -> Result<String, Error> {
    match step {
        Step::Done(credential) => Ok(credential.placements()[0].value.expose().clone()),
        Step::Failed(error) => Err(error),
        Step::Need(_) => panic!("it needs something"),
    }
}

fn acquire(instance: &dyn Instance) -> Result<String, Error> {
    outcome(begin(instance).0)
}

fn sign(signing: &Signing) -> Result<String, Error> {
    let Signing::Away(signer) = signing else { panic!("it signs here") };
    let head = RequestHead::new("GET", "https", "a.example", "/orders");
    let edits = wait(signer.sign(&head, &SignContext::at(SystemTime::now())))?;
    Ok(edits[0].value.expose().clone())
}

fn says(error: &Error, words: &str) {
    assert_eq!(error.kind(), countersign::ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains(words), "{error}");
}

fn is(line: &str, name: &str) -> bool {
    line.starts_with(&format!("{{\"{name}\""))
}

/// Does so with the first message of that name, and answers everything else.
fn once(name: &'static str, act: impl Fn() -> Act + Send + Sync + 'static) -> Double {
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    Double::new(move |_, line| {
        if is(line, name) && !done.swap(true, std::sync::atomic::Ordering::SeqCst) {
            act()
        } else {
            Act::Answer
        }
    })
}

fn settings(act: &str) -> Value {
    json!({ "act": act })
}
