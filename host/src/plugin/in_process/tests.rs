//! What a plugin's calls can and cannot do to those who make them. The plugin is scripted: it stays in a call until its
//! gate opens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use countersign::protocol::{Event, Need, Resume, Start, Step};
use countersign::{
    Credential, Error, ErrorKind, Flow, Inputs, PlaceEdit, Profile, RequestHead, SignContext, Signer,
};
use serde_json::Value;

use super::crew::{Crew, Limits, MOST_THREADS};
use super::instance::Hosted;
use crate::instance::{Instance, Signing, wait};
use crate::plugin::health::{Cause, Condition};

const LIMIT: Duration = Duration::from_millis(50);
/// Nothing in these tests takes that long.
const LONG: Duration = Duration::from_secs(20);

/// Where a scripted plugin is held.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    /// How many have come to it.
    came: AtomicUsize,
}

impl Gate {
    fn pass(&self) {
        self.came.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        let (open, _) = self.opened.wait_timeout_while(open, LONG, |open| !*open).unwrap();
        assert!(*open, "the test opens its gate");
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

/// What is held, and on which threads what of it was dropped.
#[derive(Clone, Default)]
struct Script {
    gate: Arc<Gate>,
    hold_start: bool,
    hold_sign: bool,
    dropped: Arc<Mutex<Vec<(&'static str, String)>>>,
}

/// Something of the plugin's that tells where it is dropped.
struct Part(&'static str, Script);

impl Drop for Part {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.1.dropped.lock().unwrap().push((self.0, thread));
    }
}

impl Profile for Part {
    fn inputs(&self) -> Inputs {
        Inputs::none()
    }

    fn start(&self, _: Start) -> (Step, Box<dyn Flow>) {
        if self.1.hold_start {
            self.1.gate.pass();
        }
        (Step::Need(Need::Sleep(Duration::ZERO)), Box::new(Part("flow", self.1.clone())))
    }

    fn signer(&self, _: Credential) -> Result<Box<dyn Signer>, Error> {
        Ok(Box::new(Part("signer", self.1.clone())))
    }

    fn public_keys(&self) -> Result<Vec<Value>, Error> {
        Ok(vec![Value::from(std::thread::current().name().unwrap_or_default())])
    }
}

impl Flow for Part {
    fn resume(&mut self, _: Resume) -> Step {
        Step::Done(Credential::header("x", "y"))
    }
}

impl Signer for Part {
    fn sign(&self, _: &RequestHead<'_>, _: &SignContext, _: &mut PlaceEdit<'_>) -> Result<(), Error> {
        if self.1.hold_sign {
            self.1.gate.pass();
        }
        Ok(())
    }
}

fn crew(name: &str) -> Arc<Crew> {
    Arc::new(Crew::with_limits(name, Limits { create: LIMIT, call: LIMIT }))
}

fn instance(crew: &Arc<Crew>, script: &Script) -> Hosted {
    let script = script.clone();
    Hosted::make(crew, move || Ok(Box::new(Part("profile", script)))).unwrap()
}

fn start(instance: &Hosted) -> Step {
    wait(instance.start(Start::at(UNIX_EPOCH))).0
}

fn signer(instance: &Hosted) -> Box<dyn Signer> {
    match wait(instance.signer(Credential::signing(&()).unwrap())).unwrap() {
        Signing::Here(signer) => signer,
        Signing::Away(_) => panic!("it is here"),
    }
}

fn sign(signer: &dyn Signer) -> Result<(), Error> {
    let (request, cx) = (RequestHead::new("GET", "https", "a", "/"), SignContext::at(UNIX_EPOCH));
    signer.sign(&request, &cx, &mut |_, _, _| {})
}

fn unavailable(step: Step) -> String {
    let Step::Failed(error) = step else { panic!("it fails") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    error.message().to_owned()
}

/// Looks until something is true.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}

/// The names of this process's threads, as far as the system keeps them.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|comm| comm.contains(name)).count()
}

#[test]
fn a_call_that_takes_too_long_is_answered_and_the_others_go_on() {
    let (crew, stuck) = (crew("slow"), Script { hold_start: true, ..Script::default() });
    let (slow, quick) = (instance(&crew, &stuck), instance(&crew, &Script::default()));
    let words = unavailable(start(&slow));
    assert_eq!(words, "the plugin slow has not answered `start` within 0.05 s");
    assert!(matches!(start(&quick), Step::Need(_)));
    let status = crew.status(Instant::now());
    assert_eq!((status.condition, status.stuck), (Condition::Well, 1));
    assert_eq!(status.failures, [(Cause::Stuck, 1)]);
    assert_eq!(status.last_failure.unwrap().words, "has not answered `start` within 0.05 s");
    stuck.gate.open();
    until("the thread comes back", || crew.status(Instant::now()).stuck == 0);
}

#[test]
fn with_all_threads_stuck_calls_fail_at_once_until_one_returns() {
    let (crew, stuck) = (crew("hung"), Script { hold_start: true, ..Script::default() });
    let (hung, quick) = (instance(&crew, &stuck), instance(&crew, &Script::default()));
    for _ in 0..MOST_THREADS {
        unavailable(start(&hung));
    }
    assert_eq!(stuck.gate.came.load(Ordering::SeqCst), MOST_THREADS);
    let status = crew.status(Instant::now());
    assert_eq!((status.condition, status.stuck), (Condition::Quarantined, MOST_THREADS));
    let words = unavailable(start(&quick));
    assert!(words.contains("is in quarantine: all its 4 threads are stuck in its calls"), "{words}");
    assert!(words.ends_with("the last one has not answered `start` within 0.05 s"), "{words}");
    // None of these waits for a deadline, and none takes a thread.
    let begun = Instant::now();
    (0..1000).for_each(|_| drop(unavailable(start(&quick))));
    assert!(begun.elapsed() < LIMIT * 500, "they fail at once");
    assert_eq!((crew.status(Instant::now()).refused, threads("plugin hung")), (1001, MOST_THREADS));
    stuck.gate.open();
    until("it works again", || matches!(start(&quick), Step::Need(_)));
    until("all threads are back", || crew.status(Instant::now()).stuck == 0);
    assert_eq!(crew.status(Instant::now()).condition, Condition::Well);
}

#[test]
fn calls_that_find_no_thread_in_time_are_answered() {
    let (crew, stuck) = (crew("full"), Script { hold_start: true, ..Script::default() });
    let hung = Arc::new(instance(&crew, &stuck));
    let callers: Vec<_> = (0..MOST_THREADS * 3)
        .map(|_| {
            let hung = Arc::clone(&hung);
            std::thread::spawn(move || unavailable(start(&hung)))
        })
        .collect();
    let words: Vec<String> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    assert_eq!(stuck.gate.came.load(Ordering::SeqCst), MOST_THREADS, "no more threads than it may have");
    assert!(words.iter().any(|words| words.contains("has not answered")), "{words:?}");
    stuck.gate.open();
}

#[test]
fn making_an_instance_has_a_limit_too() {
    let (crew, gate) = (crew("maker"), Arc::new(Gate::default()));
    let theirs = Arc::clone(&gate);
    let made = Hosted::make(&crew, move || {
        theirs.pass();
        Err(Error::internal("late"))
    });
    assert_eq!(made.err().unwrap().message(), "the plugin maker has not answered `create` within 0.05 s");
    gate.open();
}

#[test]
fn while_a_signature_is_stuck_no_other_is_begun() {
    let (crew, stuck) = (crew("signs"), Script { hold_sign: true, ..Script::default() });
    let (hung, quick) = (signer(&instance(&crew, &stuck)), signer(&instance(&crew, &Script::default())));
    sign(&*quick).unwrap();
    let held = std::thread::spawn(move || sign(&*hung));
    until("it is found out", || sign(&*quick).is_err());
    let error = sign(&*quick).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("signs nothing for now"), "{error}");
    let status = crew.status(Instant::now());
    assert_eq!((status.condition, status.stuck), (Condition::Quarantined, 1));
    stuck.gate.open();
    held.join().unwrap().unwrap();
    until("it signs again", || sign(&*quick).is_ok());
    assert_eq!(crew.status(Instant::now()).condition, Condition::Well);
}

#[test]
fn many_quick_signatures_are_never_taken_for_a_stuck_one() {
    let crew = crew("quick");
    let signer = signer(&instance(&crew, &Script::default()));
    let begun = Instant::now();
    while begun.elapsed() < LIMIT * 6 {
        sign(&*signer).unwrap();
    }
}

#[test]
fn what_lives_in_the_plugin_is_dropped_on_its_threads() {
    let (crew, script) = (crew("drops"), Script::default());
    let instance = instance(&crew, &script);
    let keys = wait(instance.public_keys()).unwrap();
    assert_eq!(keys, ["plugin drops"], "the plugin's code runs on the plugin's threads");
    let (_, conversation) = wait(instance.start(Start::at(UNIX_EPOCH)));
    drop(conversation);
    let (_, mut conversation) = wait(instance.start(Start::at(UNIX_EPOCH)));
    let resume = Resume { now: UNIX_EPOCH, event: Event::Slept };
    assert!(matches!(wait(conversation.resume(resume)), Step::Done(_)));
    drop(signer(&instance));
    drop(instance);
    until("all are dropped", || script.dropped.lock().unwrap().len() == 4);
    let mut dropped = script.dropped.lock().unwrap().clone();
    dropped.sort();
    let on = |what| (what, "plugin drops".to_owned());
    assert_eq!(dropped, [on("flow"), on("flow"), on("profile"), on("signer")]);
}

#[test]
fn what_a_given_up_call_brings_is_dropped_on_the_plugins_thread() {
    let (crew, script) = (crew("late"), Script { hold_start: true, ..Script::default() });
    let instance = instance(&crew, &script);
    unavailable(start(&instance));
    // Another one whose caller goes away.
    let mut cancelled = instance.start(Start::at(UNIX_EPOCH));
    let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(cancelled.as_mut().poll(&mut nobody).is_pending());
    until("it is under way", || script.gate.came.load(Ordering::SeqCst) == 2);
    drop(cancelled);
    script.gate.open();
    until("both are dropped", || script.dropped.lock().unwrap().len() == 2);
    let dropped = script.dropped.lock().unwrap().clone();
    assert_eq!(dropped, vec![("flow", "plugin late".to_owned()); 2]);
}

#[test]
fn the_threads_end_with_the_plugin() {
    let crew = crew("ends");
    let instance = instance(&crew, &Script::default());
    start(&instance);
    assert!(threads("plugin ends") > 0);
    drop((instance, crew));
    until("they end", || threads("plugin ends") + threads("watch ends") == 0);
}

#[test]
fn a_panic_of_the_hosts_own_is_an_error_and_the_thread_goes_on() {
    let crew = crew("panics");
    let error = wait(crew.call("nothing", LONG, || -> u8 { panic!("canary") })).unwrap_err();
    assert!(error.kind() == ErrorKind::Internal && !error.message().contains("canary"), "{error}");
    assert_eq!(wait(crew.call("seven", LONG, || 7)).unwrap(), 7);
}
