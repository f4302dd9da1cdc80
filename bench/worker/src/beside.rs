//! What one plugin's harm costs the calls of another: signatures through a healthy process, a second without harm and a
//! second that begins with one, in turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_host::plugin::{Isolation, Plugin};
use rustix::process::Signal;
use serde_json::json;

use crate::{acquire, answer, create, kill, load, percentiles, sign, try_acquire};

/// Seconds of each kind, for each harm.
const PAIRS: usize = 7;
const SECOND: Duration = Duration::from_secs(1);
/// Between two signatures, so that the machine is not theirs alone.
const PAUSE: Duration = Duration::from_micros(200);

/// What the plugin does by itself, in the words of its setting.
const HARMS: [&str; 11] = [
    "abort",
    "segfault",
    "exit",
    "stack-overflow",
    "loop",
    "sleep",
    "memory",
    "garbage",
    "half-a-line",
    "gigabyte",
    "log-flood",
];

/// Prints a row for each harm.
pub fn measure(healthy: &Path, harmful: &Path) {
    println!(
        "| harm, at the beginning of a second | limit | × p50 | × mean | signatures |\n|---|--:|--:|--:|--:|"
    );
    for harm in HARMS {
        row(harm, healthy, harmful, |plugin| {
            // Its callers are answered with an error; how they are is not timed here.
            let profile = plugin.create("harmful", &json!({ "harm": harm, "at": "acquire" }));
            let profile = profile.expect("harm is done later");
            assert!(try_acquire(&*profile, &answer()).is_err(), "{harm} was not done");
        });
    }
    for (name, signal) in [("SIGKILL", Signal::KILL), ("SIGSTOP", Signal::STOP)] {
        row(name, healthy, harmful, |plugin| kill(plugin, signal));
    }
}

fn row(name: &str, healthy: &Path, harmful: &Path, harm: impl Fn(&Plugin) + Sync) {
    let beside = load(healthy, Isolation::Process);
    let harms = load(harmful, Isolation::Process);
    let well = create(&harms, "harmful", json!({}));
    let signer = create(&beside, "bench-signer", json!({}));
    let signer = signer.signer(acquire(&*signer, &answer())).expect("it signs");
    let (over, round) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let taken = std::thread::scope(|scope| {
        let (is_over, rounds) = (Arc::clone(&over), Arc::clone(&round));
        let signing = scope.spawn(move || {
            let mut taken = vec![Vec::new(); 2 * PAIRS + 1];
            while !is_over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                sign(&*signer);
                let spent = begun.elapsed();
                let round = usize::try_from(rounds.load(Ordering::Relaxed)).unwrap_or_default();
                taken[round].push(spent);
                std::thread::sleep(PAUSE);
            }
            taken
        });
        std::thread::sleep(SECOND);
        for _ in 0..PAIRS {
            // Served, as it is before most harm.
            while try_acquire(&*well, &answer()).is_err() {
                std::thread::sleep(Duration::from_millis(20));
            }
            round.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(SECOND);
            round.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            harm(&harms);
            let _ = try_acquire(&*well, &answer());
            std::thread::sleep(SECOND.saturating_sub(begun.elapsed()));
        }
        over.store(true, Ordering::Relaxed);
        signing.join().expect("signatures go on")
    });
    let mut ratios = [Vec::new(), Vec::new()];
    for pair in taken[1..].chunks(2) {
        let [quiet, loud] = [&pair[0], &pair[1]];
        let of = |measure: fn(&[Duration]) -> f64| measure(loud) / measure(quiet);
        ratios[0].push(of(|times| percentiles(times.to_vec())[0].as_secs_f64()));
        ratios[1].push(of(|times| times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64));
    }
    let [p50, mean] = ratios.map(|mut ratios| {
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    });
    let count: usize = taken[1..].iter().skip(1).step_by(2).map(Vec::len).sum();
    println!("| {name} | ≤ 1.10 | {p50:.2} | {mean:.2} | {count} |");
}
