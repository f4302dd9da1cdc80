//! `countersign demo`, which shows the product in one command, shows what it says.

use std::process::{Command, Stdio};

use countersign_tests::built;

#[test]
fn plain_http_clients_get_their_users_jwt_and_the_plugins_session_through_the_proxy() {
    let mut command = Command::new(built::program());
    command.arg("demo").arg("--plugin").arg(built::plugin("acme-login")).stdin(Stdio::null());
    for name in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*err), (Some(0), ""), "{out}");
    for shown in ["{\"for\":\"ada\",\"order\":42}", "{\"for\":\"grace\",\"order\":42}", "All of it held."] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    // What came of it stands on the last screen of a terminal, however small that is.
    let last: Vec<&str> = out.trim_end().lines().rev().take(19).collect();
    assert!(last.iter().all(|line| line.chars().count() <= 80), "{out}");
    let row = |start: &str, end: &str| {
        last.iter().any(|line| line.trim_start().starts_with(start) && line.ends_with(end))
    };
    for (start, end) in [
        ("what was called", "outcome"),
        ("GET orders/42          nothing", "401 Unauthorized"),
        ("GET orders/42          a signed JWT", "200 {\"for\":\"ada\",\"order\":42}"),
        ("GET acme/rockets       plugin's session", "200 {\"rockets\":3}"),
        ("curl …/orders/42       X-User: grace", "200 {\"for\":\"grace\",\"order\":42}"),
        ("curl …/orders/42       no user", "400 Bad Request"),
    ] {
        assert!(row(start, end), "{start} {end}: {out}");
    }
    // Once by the library, once through the proxy.
    assert_eq!(out.matches("{\"rockets\":3}").count(), 2, "{out}");
}
