//! A credential is acquired: what the framework itself costs when the token endpoint answers at once, from memory.

use std::path::Path;
use std::time::{Duration, SystemTime};

use countersign::protocol::{Event, Need, Resume, Start, Step};
use countersign::{Credential, HttpHeader, HttpRequest, HttpResponse, Profile, ProfileType, Secret};
use countersign_host::plugin::{FolderSettings, Isolation, load_folder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bench_token::BenchToken;
use crate::harness::{Group, Table, repeat};
use crate::hosts;
use crate::requests::token;

const URL: &str = "https://login.example/token";
const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const OPERATIONS: u32 = 100;
const ROUNDS: usize = 301;

/// Measures the same profile type in both of its homes; the base is what any code for it has to do.
pub fn measure(plugin: &Path) -> Table {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let plugins = load_folder(
        &hosts::install(plugin, folder.path()),
        &FolderSettings::isolated(Isolation::InProcess),
        &[],
    )
    .plugins;
    let [plugin] = plugins.as_slice() else { panic!("the plugin is in order") };
    let linked = ProfileType::of::<BenchToken>().create(&settings()).expect("the settings are right");
    let loaded = plugin.create("bench-token", &settings()).expect("the settings are right");

    let answer = answer();
    let mut group = Group::new("A credential is acquired, its exchange answered from memory", ROUNDS);
    group.lane("by hand: make the request, read the answer, make the value", OPERATIONS, || {
        repeat(OPERATIONS, || by_hand(&answer))
    });
    group.lane("start → need → resume → done, linked in", OPERATIONS, || {
        repeat(OPERATIONS, || acquire(linked.as_ref(), &answer))
    });
    group.at_most(Duration::from_micros(10));
    group.lane("start → need → resume → done, through a `.so`", OPERATIONS, || {
        repeat(OPERATIONS, || acquire(loaded.as_ref(), &answer))
    });
    group.at_most(Duration::from_micros(25));
    group.run()
}

/// The whole conversation, as the host has it.
fn acquire(profile: &dyn Profile, answer: &HttpResponse) -> Credential {
    let (step, mut flow) = profile.start(Start::at(NOW));
    let Step::Need(Need::Http(_request)) = step else { panic!("the type asks its token endpoint") };
    match flow.resume(Resume { now: NOW, event: Event::Http(answer.clone()) }) {
        Step::Done(credential) => credential,
        _ => panic!("the type takes what the token endpoint gives"),
    }
}

/// What every code for this token endpoint has to do, without any framework.
fn by_hand(answer: &HttpResponse) -> (HttpRequest, String, Duration) {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        expires_in: u64,
    }
    let fields = [("grant_type", "client_credentials"), ("client_secret", "secret")];
    let request = HttpRequest::new("POST", URL).form(fields);
    let answer = answer.clone();
    let Answer { access_token, expires_in } =
        serde_json::from_slice(answer.body.expose()).expect("the answer is JSON");
    (request, format!("Bearer {access_token}"), Duration::from_secs(expires_in))
}

fn settings() -> Value {
    json!({ "token_url": URL, "client_secret": "secret" })
}

/// What a token endpoint answers (RFC 6749 §5.1).
fn answer() -> HttpResponse {
    let body = json!({ "access_token": token(), "token_type": "Bearer", "expires_in": 3600 });
    let header = HttpHeader { name: "content-type".into(), value: "application/json".into() };
    HttpResponse { status: 200, headers: vec![header], body: Secret::new(body.to_string().into_bytes()) }
}
