//! Countersign's figures, each beside its peers. `bench/run` builds and runs it; `bench/README.md` holds what came out.

mod acquire;
mod allocations;
#[path = "../plugin/src/bench_token.rs"]
mod bench_token;
mod harness;
mod hosts;
mod hot_path;
mod idle;
mod mint;
mod peers;
mod plugin_file;
mod process;
mod requests;
mod rows;
mod signatures;
mod token_endpoint;
mod two_threads;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str =
    "usage: countersign-bench PLUGIN [hot-path] [mint] [acquire] [plugin-file] [idle] [signatures]";
const PARTS: [&str; 6] = ["hot-path", "mint", "acquire", "plugin-file", "idle", "signatures"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // How the program starts itself again.
        ["load-once", file] => plugin_file::load_once(file.as_ref()),
        ["start-once", count] => idle::start_once(count.parse().unwrap_or_default()),
        [plugin, parts @ ..] if parts.iter().all(|part| PARTS.contains(part)) => {
            let parts = if parts.is_empty() { &PARTS } else { parts };
            parts.iter().for_each(|part| measure(part, plugin.into()));
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(part: &str, plugin: PathBuf) {
    match part {
        "hot-path" => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a thread can be started");
            hot_path::measure(&plugin, &runtime).iter().for_each(|table| println!("{table}"));
        }
        "mint" => mint::measure().iter().for_each(|table| println!("{table}")),
        "signatures" => signatures::measure().iter().for_each(|table| println!("{table}")),
        "acquire" => println!("{}", acquire::measure(&plugin)),
        "plugin-file" => println!("{}", plugin_file::measure(&plugin)),
        _ => println!("{}", idle::measure()),
    }
}
