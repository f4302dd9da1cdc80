//! The files of `docs/src/deploy/` are what they say: the unit, the container's command, the pod and its probes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::built;
use countersign_tests::client::call;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::proxy::Serve;
use serde_json::Value;

fn docs(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A program of this machine, if it has it.
fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
}

#[test]
fn systemd_accepts_the_unit_and_its_socket() {
    let Some(systemd) = on_path("systemd-analyze") else {
        println!("SKIPPED: there is no systemd-analyze on this machine");
        return;
    };
    let folder = Folder::new();
    let unit = docs("deploy/countersign.service");
    let program = built::program().display().to_string();
    let installed = unit.replace("/usr/local/bin/countersign", &program);
    let mut files = Vec::new();
    for (name, text) in [("service", installed), ("socket", docs("deploy/countersign.socket"))] {
        files.push(folder.path().join(format!("countersign.{name}")));
        fs::write(files.last().unwrap(), text).unwrap();
    }
    let verified = Command::new(systemd).args(["verify", "--man=no"]).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

/// Where these are not allowed the kernel kills the program with the first plugin that it starts: systemd counts them among
/// `@system-service` only since 254, and Debian 12 has 252.
#[test]
fn the_unit_lets_plugins_processes_lock_themselves_up() {
    let unit = docs("deploy/countersign.service");
    let allowed: Vec<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("SystemCallFilter="))
        .flat_map(str::split_whitespace)
        .collect();
    for call in [
        "@system-service",
        "seccomp",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
    ] {
        assert!(allowed.contains(&call), "{call} is not among {allowed:?}");
    }
}

/// What a line of the container file says, which is a list in JSON.
fn list(containerfile: &str, instruction: &str) -> Vec<String> {
    let line = containerfile.lines().find_map(|line| line.strip_prefix(instruction)).unwrap();
    serde_json::from_str::<Value>(line)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_containers_command_and_its_configuration_are_the_programs() {
    let containerfile = docs("deploy/Containerfile");
    let command = [list(&containerfile, "ENTRYPOINT "), list(&containerfile, "CMD ")].concat();
    assert_eq!(command, ["countersign", "-c", "/etc/countersign/countersign.toml", "serve"]);
    assert!(docs("deploy/sidecar.yaml").contains("mountPath: /etc/countersign,"));
    assert!(docs("deploy/countersign.service").contains(&command[1..].join(" ")));
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    let rust = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    let rust = rust.trim_end_matches('"');
    assert!(containerfile.contains(&format!("FROM rust:{rust}-")), "built by the Rust that it needs: {rust}");
}

#[test]
fn the_pods_proxy_answers_its_probes_and_its_application() {
    let page = docs("sidecar.md");
    let (_, after) = page.split_once("```toml,config\n").unwrap();
    let (shown, _) = after.split_once("```").unwrap();
    let pod = docs("deploy/sidecar.yaml");
    let folder = Folder::new();
    let api = FaultServer::start([Reply::status(200)]);
    let token = "/run/countersign/token";
    assert!(pod.contains(&format!("name: ORDERS_TOKEN_FILE, value: {token}")));
    let mut here = shown.replace(token, &folder.path().join("token").display().to_string());
    for port in ["7070", "7071"] {
        assert!(here.contains(port) && pod.contains(port));
        here = here.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:0");
    }
    let toml = format!(
        "{here}\n[connectors.orders]\nbase_url = \"{}\"\nprofile = \"key\"\n\
         [profiles.key]\ntype = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"\n",
        api.url("/api")
    );
    let serve = Serve::start(&folder, &toml);

    let probes: Vec<_> = pod.split("\"http://127.0.0.1:7071").skip(1).collect();
    let paths = probes.iter().map(|rest| rest.split('"').next().unwrap());
    let mut asked = 0;
    for path in paths {
        let url = serve.admin_url(path);
        let address = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        assert_eq!(call(address.parse().unwrap(), request).status, 200, "{path}");
        asked += 1;
    }
    assert_eq!(asked, 3);

    assert!(pod.contains("name: ORDERS_URL, value: \"http://127.0.0.1:7070/orders\""));
    let token = fs::read_to_string(folder.path().join("token")).unwrap();
    let token = format!("Authorization: Bearer {}\r\nX-User: ada\r\n", token.trim_end());
    assert_eq!(serve.get("/orders/42", &token).status, 200);
    assert_eq!(serve.get("/orders/42", "").status, 401);
}
