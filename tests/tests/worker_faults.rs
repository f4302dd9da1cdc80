//! What a plugin does to its process, and what comes of it: every caller is answered in time, other profiles' calls go
//! on, and so do the plugin's own, in a new process. The book's page on isolation names each of these tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign::testing::ScriptedHost;
use countersign::{Credential, Error, ErrorKind, Profile, RequestHead, SignContext, Signer};
use countersign_host::plugin::{
    Cause, Condition, FolderSettings, Isolation, Plugin, PluginSettings, load_folder,
};
use countersign_tests::built;
use countersign_tests::folder::Folder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The host's deadline for an answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// What a busy machine may take on top.
const SLACK: Duration = Duration::from_millis(1500);
/// In so much time the plugin serves again.
const RESUMED: Duration = Duration::from_secs(1);

/// A host with the harmful plugin, and another one beside it, each in its process.
struct Scene {
    harms: Plugin,
    healthy: Arc<dyn Profile>,
    beside: Beside,
    _folder: Folder,
}

impl Scene {
    fn new() -> Self {
        built::be_host_of_workers();
        let folder = Folder::new().with_plugins(&["countersign-fixture-harms", "acme-hmac"]);
        let default = PluginSettings { isolation: Isolation::Process, ..PluginSettings::default() };
        let settings = FolderSettings { default, ..FolderSettings::default() };
        let loaded = load_folder(&folder.path().join("plugins"), &settings, &[]);
        assert_eq!(loaded.refusals, []);
        let mut plugins = loaded.plugins;
        let harms = plugins.pop().unwrap();
        let healthy = Arc::from(harms.create("harmful", &json!({})).unwrap());
        let beside = Beside::start(plugins.pop().unwrap());
        let scene = Self { harms, healthy, beside, _folder: folder };
        acquire(&*scene.healthy).unwrap();
        scene
    }

    fn harmful(&self, harm: &str, at: &str) -> Arc<dyn Profile> {
        Arc::from(self.harms.create("harmful", &json!({ "harm": harm, "at": at })).unwrap())
    }

    /// Several callers meet the harm and one who does not is under way in the same process: each is answered in time.
    /// Returns what the harmed were told.
    fn call(&self, harmful: &Arc<dyn Profile>, call: fn(&dyn Profile) -> Result<(), Error>) -> Vec<Error> {
        let callers: Vec<_> = std::iter::repeat_n(harmful, 3)
            .map(|profile| {
                let profile = Arc::clone(profile);
                std::thread::spawn(move || timed(|| call(&*profile)))
            })
            .collect();
        let neighbour = Arc::clone(&self.healthy);
        let neighbour = std::thread::spawn(move || timed(|| acquire(&*neighbour).map(drop)));
        let in_time = |caller: JoinHandle<(Result<(), Error>, Duration)>| {
            let (outcome, taken) = caller.join().unwrap();
            // Its own process may have to be started first.
            assert!(taken < DEADLINE + SLACK, "answered after {taken:?}: {outcome:?}");
            outcome
        };
        let told = callers.into_iter().map(|caller| in_time(caller).unwrap_err()).collect();
        if let Err(error) = in_time(neighbour) {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        told
    }

    /// The plugin's other profile is served again.
    fn resumes(&self) {
        let begun = Instant::now();
        while let Err(error) = acquire(&*self.healthy) {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(begun.elapsed() < RESUMED, "not served after {:?}: {error}", begun.elapsed());
            std::thread::sleep(error.retry_after().unwrap_or_default().min(Duration::from_millis(20)));
        }
        let taken = begun.elapsed();
        assert!(taken < RESUMED, "served after {taken:?}");
        assert_eq!(self.harms.status().condition, Condition::Well);
    }

    /// The harm, wherever it can be done but at the making of an instance.
    fn meets(self, harm: &str, kind: ErrorKind, words: &[&str], causes: &[Cause]) {
        self.beside.quiet();
        for (at, call) in
            [("acquire", acquires as fn(&dyn Profile) -> _), ("later", acquires), ("sign", signs)]
        {
            let harmful = self.harmful(harm, at);
            for error in self.call(&harmful, call) {
                assert_eq!(error.kind(), kind, "{at}: {error}");
                assert!(words.iter().any(|words| error.message().contains(words)), "{at}: {error}");
            }
            self.resumes();
        }
        let status = self.harms.status();
        assert_eq!(status.failures.is_empty(), causes.is_empty(), "{status:?}");
        assert!(status.failures.iter().all(|(cause, _)| causes.contains(cause)), "{status:?}");
        self.beside.went_on(harm);
    }
}

/// Calls that go on beside: signatures in a process of another plugin.
struct Beside {
    over: Arc<AtomicBool>,
    loud: Arc<AtomicBool>,
    thread: JoinHandle<[Vec<Duration>; 2]>,
}

impl Beside {
    fn start(plugin: Plugin) -> Self {
        let (over, loud) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_over, is_loud) = (Arc::clone(&over), Arc::clone(&loud));
        let thread = std::thread::spawn(move || {
            let settings = json!({ "secret": "throw-away-throw-away-throw-away" });
            let profile = plugin.create("acme-hmac", &settings).unwrap();
            let signer = profile.signer(acquire(&*profile).unwrap()).unwrap();
            let mut taken = [Vec::new(), Vec::new()];
            while !is_over.load(Ordering::Relaxed) {
                let (outcome, time) = timed(|| sign(&*signer));
                outcome.unwrap();
                taken[usize::from(is_loud.load(Ordering::Relaxed))].push(time);
                std::thread::sleep(Duration::from_micros(200));
            }
            assert_eq!(plugin.status().starts, 1);
            taken
        });
        Self { over, loud, thread }
    }

    /// Some time without harm, to compare with.
    fn quiet(&self) {
        std::thread::sleep(Duration::from_millis(300));
        self.loud.store(true, Ordering::Relaxed);
    }

    /// They were served all the time, and about as fast as before. The bound is wide: the machine is the tests', too.
    fn went_on(self, harm: &str) {
        self.over.store(true, Ordering::Relaxed);
        let [before, during] = self.thread.join().unwrap().map(|mut times| {
            times.sort_unstable();
            (times[times.len() / 2], times.len(), *times.last().unwrap())
        });
        println!(
            "{harm}: beside it p50 {:?} of {} before, {:?} of {} during, at most {:?}",
            before.0, before.1, during.0, during.1, during.2
        );
        assert!(during.0 < before.0 * 5 + Duration::from_millis(100), "{before:?} {during:?}");
        assert!(during.2 < DEADLINE, "{during:?}");
    }
}

fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (call(), begun.elapsed())
}

fn acquire(profile: &dyn Profile) -> Result<Credential, Error> {
    ScriptedHost::new().acquire(profile)
}

fn acquires(profile: &dyn Profile) -> Result<(), Error> {
    acquire(profile).map(drop)
}

fn signs(profile: &dyn Profile) -> Result<(), Error> {
    let credential = Credential::signing(&()).unwrap();
    sign(&*profile.signer(credential)?)
}

fn sign(signer: &dyn Signer) -> Result<(), Error> {
    let head = RequestHead::new("GET", "https", "acme.example", "/orders");
    signer.sign(&head, &SignContext::at(SystemTime::now()), &mut |_, _, _| {})
}

#[test]
fn panic() {
    Scene::new().meets("panic", ErrorKind::Internal, &["panicked"], &[]);
}

#[test]
fn abort() {
    Scene::new().meets("abort", ErrorKind::Unavailable, &["was killed by SIGABRT"], &[Cause::Crash]);
}

#[test]
fn segfault() {
    Scene::new().meets("segfault", ErrorKind::Unavailable, &["was killed by SIGSEGV"], &[Cause::Crash]);
}

#[test]
fn stack_overflow() {
    let words = ["was killed by SIGABRT", "was killed by SIGSEGV"];
    Scene::new().meets("stack-overflow", ErrorKind::Unavailable, &words, &[Cause::Crash]);
}

#[test]
fn exit_0() {
    Scene::new().meets("exit", ErrorKind::Unavailable, &["exited with status 0"], &[Cause::Exit]);
}

#[test]
fn infinite_loop() {
    let words = ["did not answer within 2 s"];
    Scene::new().meets("loop", ErrorKind::Unavailable, &words, &[Cause::Stuck]);
}

#[test]
fn endless_sleep() {
    let words = ["did not answer within 2 s"];
    Scene::new().meets("sleep", ErrorKind::Unavailable, &words, &[Cause::Stuck]);
}

#[test]
fn memory_bomb() {
    let words = ["was killed by SIGABRT"];
    Scene::new().meets("memory", ErrorKind::Unavailable, &words, &[Cause::Crash]);
}

#[test]
fn descriptor_exhaustion() {
    Scene::new().meets("descriptors", ErrorKind::Internal, &["dup is refused"], &[]);
}

#[test]
fn fork_bomb() {
    Scene::new().meets("fork", ErrorKind::Internal, &["fork is refused"], &[]);
}

#[test]
fn protocol_garbage() {
    let words = ["said what is not a message of the protocol"];
    Scene::new().meets("garbage", ErrorKind::Unavailable, &words, &[Cause::Protocol]);
}

#[test]
fn half_a_message() {
    let words = ["did not answer within 2 s"];
    Scene::new().meets("half-a-line", ErrorKind::Unavailable, &words, &[Cause::Stuck]);
}

#[test]
fn gigabyte_message() {
    let words = ["a line that is longer than the protocol allows"];
    Scene::new().meets("gigabyte", ErrorKind::Unavailable, &words, &[Cause::Protocol]);
}

#[test]
fn log_flood() {
    // A busy machine may not read that many records before the deadline.
    let words = ["logs far more than the host takes", "did not answer within 2 s"];
    Scene::new().meets("log-flood", ErrorKind::Unavailable, &words, &[Cause::Flood, Cause::Stuck]);
}

#[test]
fn harm_at_the_making_of_an_instance() {
    let scene = Scene::new();
    scene.beside.quiet();
    let create = |harm: &str| timed(|| scene.harms.create("harmful", &json!({ "harm": harm, "at": "new" })));
    for (harm, words) in [
        ("abort", "was killed by SIGABRT"),
        ("segfault", "was killed by SIGSEGV"),
        ("exit", "exited with status 0"),
        ("garbage", "said what is not a message of the protocol"),
        ("memory", "was killed by SIGABRT"),
        // The deadline of a making is longer.
        ("sleep", "did not answer within 10 s"),
    ] {
        let (outcome, taken) = create(harm);
        let error = outcome.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{harm}: {error}");
        assert!(error.message().contains(words), "{harm}: {error}");
        assert!(taken < Duration::from_secs(10) + SLACK, "{harm}: {taken:?}");
        scene.resumes();
    }
    assert_eq!(create("panic").0.err().unwrap().kind(), ErrorKind::Internal);
    scene.beside.went_on("new");
}

fn process_of(plugin: &Plugin) -> Pid {
    Pid::from_raw(plugin.status().process.unwrap().try_into().unwrap()).unwrap()
}

#[test]
fn sigkill_between_two_calls() {
    let scene = Scene::new();
    scene.beside.quiet();
    let signer = scene.healthy.signer(acquire(&*scene.healthy).unwrap()).unwrap();
    for _ in 0..3 {
        kill_process(process_of(&scene.harms), Signal::KILL).unwrap();
        // Whether the death is known already or not: nobody notices.
        sign(&*signer).unwrap();
        acquire(&*scene.healthy).unwrap();
    }
    let status = scene.harms.status();
    assert_eq!((status.condition, status.failures), (Condition::Well, vec![(Cause::Crash, 3)]));
    scene.beside.went_on("SIGKILL between calls");
}

#[test]
fn sigkill_while_callers_wait() {
    let scene = Scene::new();
    scene.beside.quiet();
    let harmful = scene.harmful("sleep", "acquire");
    let process = process_of(&scene.harms);
    let killer = std::thread::spawn(move || {
        // Until the callers wait, more or less: those who come later meet the deadline.
        std::thread::sleep(Duration::from_millis(300));
        kill_process(process, Signal::KILL).unwrap();
    });
    let told = scene.call(&harmful, acquires);
    let killed = told.iter().filter(|error| error.message().contains("was killed by SIGKILL")).count();
    // A question that the process surely had not read is asked again, and sleeps in the next one.
    let again = told.iter().filter(|error| error.message().contains("did not answer within 2 s")).count();
    assert!(killed > 0 && killed + again == told.len(), "{told:?}");
    killer.join().unwrap();
    scene.resumes();
    scene.beside.went_on("SIGKILL");
}

#[test]
fn sigstop() {
    let scene = Scene::new();
    scene.beside.quiet();
    kill_process(process_of(&scene.harms), Signal::STOP).unwrap();
    let healthy = Arc::clone(&scene.healthy);
    for error in scene.call(&healthy, acquires) {
        assert!(error.message().contains("did not answer within 2 s"), "{error}");
    }
    scene.resumes();
    scene.beside.went_on("SIGSTOP");
}

#[test]
fn a_plugin_that_fails_again_and_again_is_quarantined_and_serves_within_a_second_of_its_recovery() {
    let scene = Scene::new();
    scene.beside.quiet();
    let well_at = SystemTime::now() + Duration::from_secs(3);
    let until = u64::try_from(well_at.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let settings = json!({ "harm": "abort", "at": "acquire", "until": until });
    let sick = scene.harms.create("harmful", &settings).unwrap();
    let mut refused = 0;
    while let Err(error) = acquire(&*sick) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        if error.message().contains("is in quarantine") {
            refused += 1;
            assert_eq!(scene.harms.status().condition, Condition::Quarantined);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let late = SystemTime::now().duration_since(well_at).unwrap();
    assert!(late < RESUMED, "served {late:?} after its recovery");
    let status = scene.harms.status();
    // Five in a row, then one trial in 0.8 s.
    assert!(refused > 20 && (5..=10).contains(&status.failures[0].1), "{refused} {status:?}");
    assert_eq!(status.condition, Condition::Well);
    scene.beside.went_on("quarantine");
}
