//! How `countersign serve` ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn config(token: &str) -> String {
    format!(
        "[serve]\nlisten = 'unix:proxy.sock'\n[profiles.key]\ntype = 'bearer'\ntoken = {token}\n\
         [connectors.orders]\nprofile = 'key'\nbase_url = 'http://127.0.0.1:9'\n"
    )
}

#[test]
fn a_reload_that_takes_its_time_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, begun) = (folder.path().join("countersign.toml"), folder.path().join("begun"));
    std::fs::write(&path, config("'cAnArY'")).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--config".as_ref(), path.as_os_str(), "serve".as_ref()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(program.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("listening on"), "{said}");
    let slow = format!("\"${{command:sh -c 'touch {}; sleep 9'}}\"", begun.display());
    std::fs::write(&path, config(&slow)).unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    while !begun.exists() {
        assert!(Instant::now() < patience, "the configuration is not read anew");
        std::thread::sleep(Duration::from_millis(10));
    }
    let asked = Instant::now();
    kill_process(Pid::from_child(&program), Signal::TERM).unwrap();
    assert!(program.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
}
