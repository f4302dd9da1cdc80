//! What needs a process of its own, so that nothing that came before colours it: this program starts itself again.

use std::process::{Command, Stdio};

/// Runs this program once more and gives the numbers that it prints.
pub fn once_more(arguments: &[&str]) -> Vec<f64> {
    let program = std::env::current_exe().expect("a running program has a file");
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .expect("the program can be started again");
    assert!(output.status.success(), "the measurement failed: {}", output.status);
    String::from_utf8_lossy(&output.stdout).split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The memory of this process that is in use and its own, in bytes.
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux tells of its processes");
    let kilobytes: f64 = status
        .lines()
        .filter(|line| line.starts_with("Private_Dirty:") || line.starts_with("Private_Clean:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
        .sum();
    kilobytes * 1024.0
}
