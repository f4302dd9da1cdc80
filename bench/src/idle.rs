//! Ten thousand connectors with a profile each: how long from the file to readiness, and the memory of an idle one.

use std::fmt::Write;
use std::fs;
use std::time::Instant;

use countersign_host::Host;

use crate::process::{once_more, resident};
use crate::rows::Rows;

const MANY: usize = 10_000;
const FEW: usize = 10;
const STARTS: usize = 7;

/// Measures both, each start in a process of its own; what a host with hardly any connectors uses is taken off.
pub fn measure() -> Rows {
    let mut rows = Rows::new("10,000 connectors with a profile each");
    let (mut seconds, mut kilobytes) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (few, many) = (start(FEW), start(MANY));
        seconds.push(many.0);
        kilobytes.push((many.1 - few.1) / (MANY - FEW) as f64 / 1024.0);
    }
    rows.many("from the file to ready, s", seconds, Some(1.0));
    rows.many("memory of an idle one, KiB", kilobytes, Some(4.0));
    rows
}

fn start(connectors: usize) -> (f64, f64) {
    match once_more(&["start-once", &connectors.to_string()]).as_slice() {
        [seconds, bytes] => (*seconds, *bytes),
        _ => (f64::NAN, f64::NAN),
    }
}

/// Starts a host, once, and prints how many seconds that took and how many bytes it uses.
pub fn start_once(connectors: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a thread can be started");
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let file = folder.path().join("countersign.toml");
    fs::write(&file, config(connectors)).expect("a temporary file can be written");

    let start = Instant::now();
    let host = runtime.block_on(Host::start(&file)).expect("the configuration is right");
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(host.connectors().len(), connectors);
    println!("{seconds} {}", resident());
}

/// A quarter of each: what an operator writes for so many upstreams.
fn config(connectors: usize) -> String {
    let mut text = String::new();
    for index in 0..connectors {
        let settings = match index % 4 {
            0 => "type = \"basic\"\nusername = \"erp\"\npassword = \"throw-away\"".to_owned(),
            1 => "type = \"bearer\"\ntoken = \"throw-away\"".to_owned(),
            2 => format!(
                "type = \"oauth2\"\ngrant = \"client_credentials\"\n\
                 token_url = \"https://login-{index}.example/token\"\n\
                 client_id = \"erp\"\nclient_secret = \"throw-away\""
            ),
            _ => format!(
                "type = \"jwt-bearer\"\nalgorithm = \"HS256\"\nissuer = \"https://erp.example\"\n\
                 audience = \"api-{index}\"\nsubject = \"erp\"\nkey = {{ secret = \"throw-away-throw-away-throw-away\" }}"
            ),
        };
        write!(
            text,
            "[profiles.api-{index}]\n{settings}\n\n\
             [connectors.api-{index}]\nbase_url = \"https://api-{index}.example/v1\"\nprofile = \"api-{index}\"\n\n"
        )
        .expect("a text takes whatever is written to it");
    }
    text
}
