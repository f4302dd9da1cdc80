//! Figures of plugins in processes of their own: `bench/run worker`.
#![allow(dead_code)] // of files that are the other benchmark's, too

mod beside;
#[path = "../../src/hosts.rs"]
mod hosts;
#[path = "../../src/requests.rs"]
mod requests;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use countersign::protocol::{Event, Need, Resume, Start, Step};
use countersign::{Credential, Error, HttpResponse, Profile, RequestHead, Secret, SignContext, Signer};
use countersign_host::plugin::{
    FolderSettings, Isolation, Plugin, PluginSettings, be_worker_if_asked, load_folder,
};
use http::header::AUTHORIZATION;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const ROUNDS: usize = 20_000;
const STARTS: usize = 101;

fn main() -> ExitCode {
    be_worker_if_asked();
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [plugin, harms @ ..] = arguments.as_slice() else {
        eprintln!("usage: countersign-bench-worker PLUGIN [HARMFUL-PLUGIN]");
        return ExitCode::FAILURE;
    };
    let plugin = Path::new(plugin);
    if let [harms] = harms {
        beside::measure(plugin, Path::new(harms));
        return ExitCode::SUCCESS;
    }
    println!("### Calls of a plugin in a process of its own\n");
    println!("| what | home | limit of p50 | p50 µs | p90 | p99 |\n|---|---|--:|--:|--:|--:|");
    for (home, isolation) in [("the host's process", Isolation::InProcess), ("its own", Isolation::Process)] {
        calls(home, &load(plugin, isolation), isolation == Isolation::Process);
    }
    println!("\n### Its process\n\n| what | limit | p50 | p90 | p99 |\n|---|--:|--:|--:|--:|");
    process(&load(plugin, Isolation::Process));
    println!("\n### A cached credential is placed on a request\n\n| type | p50 ns |\n|---|--:|");
    hot_path(plugin);
    ExitCode::SUCCESS
}

fn load(plugin: &Path, isolation: Isolation) -> Plugin {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let default = PluginSettings { isolation, ..PluginSettings::default() };
    let settings = FolderSettings { default, ..FolderSettings::default() };
    let mut loaded = load_folder(&hosts::install(plugin, folder.path()), &settings, &[]);
    assert_eq!(loaded.refusals, []);
    loaded.plugins.pop().expect("the plugin is in order")
}

fn calls(home: &str, plugin: &Plugin, limited: bool) {
    let row = |what: &str, limit: u64, measured: Vec<Duration>| {
        let limit = if limited { format!("≤ {limit}") } else { String::new() };
        let [p50, p90, p99] = percentiles(measured).map(|time| time.as_secs_f64() * 1e6);
        println!("| {what} | {home} | {limit} | {p50:.1} | {p90:.1} | {p99:.1} |");
    };
    let fixed = create(plugin, "bench-signer", json!({}));
    let asking = create(
        plugin,
        "bench-token",
        json!({ "token_url": "https://login.example/token", "client_secret": "s" }),
    );
    let answer = answer();
    let signer = fixed.signer(acquire(&*fixed, &answer)).expect("it signs");
    row("acquire, without an exchange", 25, measured(|| drop(acquire(&*fixed, &answer))));
    row(
        "acquire, with one exchange, answered from memory",
        50,
        measured(|| drop(acquire(&*asking, &answer))),
    );
    row("sign, a request with six headers", 25, measured(|| sign(&*signer)));
}

fn process(plugin: &Plugin) {
    let profile = create(plugin, "bench-signer", json!({}));
    let answer = answer();
    let started: Vec<_> = (0..STARTS)
        .map(|_| {
            kill(plugin, Signal::KILL);
            while plugin.status().process.is_some() {
                std::thread::yield_now();
            }
            let begun = Instant::now();
            acquire(&*profile, &answer);
            begun.elapsed()
        })
        .collect();
    let [p50, p90, p99] = percentiles(started).map(|time| time.as_secs_f64() * 1e3);
    println!(
        "| spawned, sandboxed, loaded, instance made, first credential, ms | ≤ 10 | {p50:.2} | {p90:.2} | {p99:.2} |"
    );
    (0..1000).for_each(|_| drop(acquire(&*profile, &answer)));
    let id = plugin.status().process.expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it is there");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    };
    println!(
        "| resident memory, MiB (of it not shared with a file: {:.2}) | ≤ 6 | {:.2} | | |",
        field("RssAnon:"),
        field("VmRSS:")
    );
}

fn kill(plugin: &Plugin, signal: Signal) {
    let id = plugin.status().process.expect("it runs");
    let process = i32::try_from(id).ok().and_then(Pid::from_raw).expect("it is a process");
    kill_process(process, signal).expect("a signal can be sent");
}

/// A token is a token: wherever it came from, it is placed by the same code. In turn, round by round.
fn hot_path(plugin: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a thread can be started");
    let hosts = [
        ("`bearer`, linked in", format!("type = \"bearer\"\ntoken = \"{}\"", requests::token()), None),
        ("`bench-fixed`, in a process of its own", "type = \"bench-fixed\"".to_owned(), Some(plugin)),
    ]
    .map(|(name, settings, plugin)| (name, hosts::start_isolated(&runtime, &settings, plugin)));
    let mut taken = [const { Vec::new() }; 2];
    let mut requests = requests::heads();
    for _ in 0..301 {
        for ((_, host), taken) in hosts.iter().zip(&mut taken) {
            let spent = requests::place_on(
                &mut requests,
                Duration::ZERO,
                |request| assert!(host.connector.try_authorize(request).is_some()),
                |request| assert!(request.headers.remove(AUTHORIZATION).is_some()),
            );
            taken.push(spent / requests::OPERATIONS);
        }
    }
    for ((name, _), taken) in hosts.iter().zip(taken) {
        println!("| {name} | {} |", percentiles(taken)[0].as_nanos());
    }
}

fn create(plugin: &Plugin, type_name: &str, settings: Value) -> Box<dyn Profile> {
    plugin.create(type_name, &settings).expect("the settings are right")
}

/// The whole conversation, as the host has it, that a plugin in order has.
fn acquire(profile: &dyn Profile, answer: &HttpResponse) -> Credential {
    try_acquire(profile, answer).expect("the type takes what it is given")
}

fn try_acquire(profile: &dyn Profile, answer: &HttpResponse) -> Result<Credential, Error> {
    let now = SystemTime::UNIX_EPOCH;
    let (mut step, mut flow) = profile.start(Start::at(now));
    loop {
        match step {
            Step::Done(credential) => return Ok(credential),
            Step::Failed(error) => return Err(error),
            Step::Need(Need::Http(_)) => {
                step = flow.resume(Resume { now, event: Event::Http(answer.clone()) });
            }
            Step::Need(_) => panic!("the type needs nothing else"),
        }
    }
}

fn sign(signer: &dyn Signer) {
    let headers: Vec<_> = requests::HEADERS
        .iter()
        .map(|(name, value)| countersign::HeaderView::new(name, value.as_bytes()))
        .collect();
    let head = RequestHead::new("GET", "https", "orders.example", "/api/orders/4711").with_headers(&headers);
    let mut edits = 0;
    signer
        .sign(&head, &SignContext::at(SystemTime::UNIX_EPOCH), &mut |_, _, _| edits += 1)
        .expect("it signs");
    assert_eq!(edits, 1);
}

fn answer() -> HttpResponse {
    let body = json!({ "access_token": requests::token(), "token_type": "Bearer", "expires_in": 3600 });
    HttpResponse { status: 200, headers: Vec::new(), body: Secret::new(body.to_string().into_bytes()) }
}

fn measured(mut call: impl FnMut()) -> Vec<Duration> {
    (0..ROUNDS / 10).for_each(|_| call());
    let timed = |_| {
        let begun = Instant::now();
        call();
        begun.elapsed()
    };
    (0..ROUNDS).map(timed).collect()
}

fn percentiles(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort_unstable();
    [50, 90, 99].map(|percent| times[(times.len() - 1) * percent / 100])
}
