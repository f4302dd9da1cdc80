//! A program made by `plugin_main!`, over real pipes: its log goes out as messages, as far as the host wants it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// What the example says to these messages.
fn said(log_level: u8) -> Vec<Value> {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/plugin-program");
    let mut child =
        Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo test -p countersign` builds it", program.display())
        });
    let settings = json!({ "badge": "canary" });
    let messages = [
        json!({ "hello": { "protocol": "1.0", "log_level": log_level } }),
        json!({ "create": { "id": 1, "profile": 1, "type": "acme-badge", "settings": settings } }),
        json!({ "start": { "id": 2, "profile": 1, "conversation": 1, "input": { "now": 0 } } }),
    ];
    let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
    // Closed when it is dropped: the program ends.
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn its_log_goes_out_before_the_answer_that_it_belongs_to() {
    let said = said(3);
    assert_eq!(said.len(), 4, "{said:?}");
    let record = &said[2]["log"];
    assert_eq!((&record["level"], &record["message"]), (&json!(3), &json!("the badge is shown")));
    assert_eq!(record["fields"]["length"], "6");
    assert!(!record.to_string().contains("canary"));
    assert_eq!(said[3]["step"]["step"]["done"]["placements"][0]["value"], "canary");
}

#[test]
fn what_the_host_does_not_want_is_not_said() {
    let said = said(2);
    assert_eq!(said.len(), 3, "{said:?}");
}
