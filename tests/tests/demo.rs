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
    // Once by the library, once through the proxy.
    assert_eq!(out.matches("{\"rockets\":3}").count(), 2, "{out}");
}
