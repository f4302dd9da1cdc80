//! Where settings come from, seen from the API: what a file, a program or a variable holds is what arrives, and a
//! file that changes is noticed while the host runs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_host::Host;
use countersign_tests::canary::Canary;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get};
use countersign_tests::keys;
use serde_json::Value;

/// How long a change may take until it is noticed, with a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(30);

fn api() -> FaultServer {
    FaultServer::start([Reply::status(204)])
}

/// A profile and its connector, both of this name.
fn toml(name: &str, api: &FaultServer, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"{name}\"\n[profiles.{name}]\n{profile}\n",
        api.url("/api")
    )
}

/// Calls the API once, and returns what it was given as `Authorization`.
async fn arrives(host: &Host, name: &str, api: &FaultServer) -> String {
    assert_eq!(get(host, name, "/orders").await.unwrap().status(), 204);
    api.requests().pop().unwrap().header("authorization").unwrap().to_owned()
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} never happened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Calls until another credential arrives, which must be `new`, and before it nothing but `old`.
async fn changes(host: &Host, name: &str, api: &FaultServer, old: &str, new: &str) {
    until("the change", async || {
        let arrived = arrives(host, name, api).await;
        assert!(arrived == old || arrived == new, "{arrived}");
        arrived == new
    })
    .await;
}

#[tokio::test]
async fn a_token_file_that_is_swapped_or_written_anew_is_used_from_then_on() {
    let (folder, api) = (Folder::new(), api());
    folder.put("token", "t1\n");
    let host = folder.host(&toml("swapped", &api, "type = \"bearer\"\ntoken = \"${file:token}\"")).await;
    assert_eq!(arrives(&host, "swapped", &api).await, "Bearer t1");

    let next = folder.put("next", "t2\n");
    fs::rename(next, folder.path().join("token")).unwrap();
    changes(&host, "swapped", &api, "Bearer t1", "Bearer t2").await;

    folder.put("token", "t3\n");
    changes(&host, "swapped", &api, "Bearer t2", "Bearer t3").await;
}

#[tokio::test]
async fn a_kubernetes_secret_whose_folder_is_swapped_behind_a_link_is_noticed() {
    let (folder, api) = (Folder::new(), api());
    for (version, token) in [("..v1", "t1"), ("..v2", "t2")] {
        fs::create_dir(folder.path().join(version)).unwrap();
        folder.put(&format!("{version}/token"), token);
    }
    symlink("..v1", folder.path().join("..data")).unwrap();
    symlink("..data/token", folder.path().join("token")).unwrap();
    let host = folder.host(&toml("mounted", &api, "type = \"bearer\"\ntoken = \"${file:token}\"")).await;
    assert_eq!(arrives(&host, "mounted", &api).await, "Bearer t1");

    symlink("..v2", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    fs::remove_dir_all(folder.path().join("..v1")).unwrap();
    changes(&host, "mounted", &api, "Bearer t1", "Bearer t2").await;
}

/// Who signed the token, by its key's thumbprint.
fn kid(authorization: &str) -> String {
    let header = authorization.strip_prefix("Bearer ").unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_half_written_key_leaves_the_old_one_in_service_until_the_new_one_is_whole() {
    let (folder, api, canary) = (Folder::new(), api(), Canary::start());
    let (old, new) = (keys::p256().private, keys::p256().private);
    folder.put("key.pem", &old);
    let profile = "type = \"jwt-bearer\"\nkey = \"${file:key.pem}\"\nheaders = { kid = true }";
    let host = folder.host(&toml("half-written", &api, profile)).await;
    let first = kid(&arrives(&host, "half-written", &api).await);

    folder.put("key.pem", &new[..new.len() / 2]);
    let told = || {
        let logs = canary.logs();
        let mut lines = logs.lines().map(str::to_owned);
        lines.find(|line| line.contains("half-written") && line.contains("cannot be used"))
    };
    until("the warning", async || told().is_some()).await;
    let warning = told().unwrap();
    assert!(
        warning.contains("countersign.toml:6:") && warning.contains("profiles.half-written.key"),
        "{warning}"
    );
    let key_lines = || new.lines().filter(|line| !line.starts_with("-----"));
    assert!(key_lines().all(|line| !canary.logs().contains(line)), "the key is in the logs");
    for _ in 0..20 {
        assert_eq!(kid(&arrives(&host, "half-written", &api).await), first);
    }

    folder.put("key.pem", &new);
    until("the new key", async || kid(&arrives(&host, "half-written", &api).await) != first).await;
    assert!(key_lines().all(|line| !canary.logs().contains(line)), "the key is in the logs");
}

#[tokio::test]
async fn a_file_that_is_gone_for_a_while_is_used_when_it_is_back() {
    let (folder, api, canary) = (Folder::new(), api(), Canary::start());
    let file = folder.put("token", "t1");
    let host = folder.host(&toml("away", &api, "type = \"bearer\"\ntoken = \"${file:token}\"")).await;
    assert_eq!(arrives(&host, "away", &api).await, "Bearer t1");

    fs::remove_file(file).unwrap();
    let told = || canary.logs().lines().any(|line| line.contains("away") && line.contains("no such file"));
    until("the warning", async || told()).await;
    assert_eq!(arrives(&host, "away", &api).await, "Bearer t1");

    folder.put("token", "t2");
    changes(&host, "away", &api, "Bearer t1", "Bearer t2").await;
}

#[tokio::test]
async fn a_rotated_client_secret_is_what_the_next_token_is_asked_with() {
    let (folder, api) = (Folder::new(), api());
    let issuer = FaultServer::start(["t1", "t2"].map(|token| {
        Reply::json(format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#))
    }));
    folder.put("secret", "old\n");
    let profile = format!(
        "type = \"oauth2\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"${{file:secret}}\"",
        issuer.url("/token")
    );
    let host = folder.host(&toml("rotated", &api, &profile)).await;
    assert_eq!(arrives(&host, "rotated", &api).await, "Bearer t1");

    folder.put("secret", "new\n");
    changes(&host, "rotated", &api, "Bearer t1", "Bearer t2").await;
    let proofs: Vec<_> =
        issuer.requests().iter().map(|asked| asked.header("authorization").unwrap().to_owned()).collect();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("erp:{secret}")));
    assert_eq!(proofs, [basic("old"), basic("new")]);
}

#[tokio::test]
async fn programs_and_variables_give_what_they_print_and_hold() {
    let (folder, api) = (Folder::new(), api());
    let program = folder.put("tell", "#!/bin/sh\necho noise >&2\nprintf '%s-' \"$@\"\ncat name\n");
    fs::set_permissions(program, fs::Permissions::from_mode(0o700)).unwrap();
    folder.put("name", "ada\n");
    let cases = [
        // In the configuration's folder, without a shell.
        ("program", "${command:./tell 'a' $HOME}", "a-$HOME-ada"),
        ("found-in-path", "${command:printf %s-%s x y}", "x-y"),
        // What cargo tells every test.
        ("variable", "v-${env:CARGO_PKG_NAME}", "v-countersign-tests"),
        ("default", "${env:COUNTERSIGN_TESTS_UNSET:-instead}", "instead"),
        ("dollar", "a$$${env:CARGO_PKG_NAME}", "a$countersign-tests"),
        ("several", "${command:./tell}.${env:CARGO_PKG_NAME}", "-ada.countersign-tests"),
    ];
    let text: String = cases
        .iter()
        .map(|(name, token, _)| toml(name, &api, &format!("type = \"bearer\"\ntoken = \"{token}\"")))
        .collect();
    let host = folder.host(&text).await;
    for (name, _, expected) in cases {
        assert_eq!(arrives(&host, name, &api).await, format!("Bearer {expected}"), "{name}");
    }
}

#[tokio::test]
async fn sources_without_a_value_are_all_named_where_they_stand_and_nothing_starts() {
    let (folder, api) = (Folder::new(), api());
    let cases = [
        ("variable", "${env:COUNTERSIGN_TESTS_UNSET}", "environment variable"),
        ("file", "${file:missing}", "there is no such file"),
        ("program", "${command:./missing}", "there is no such program"),
        ("failing", "${command:sh -c 'echo said-out; echo said-err >&2; exit 3'}", "exit status 3"),
        ("silent", "${command:true}", "printed nothing"),
    ];
    let text: String = cases
        .iter()
        .map(|(name, token, _)| toml(name, &api, &format!("type = \"bearer\"\ntoken = \"{token}\"")))
        .collect();
    let findings = folder.refusal(&text).await;
    assert_eq!(findings.len(), cases.len(), "{findings}");
    for ((name, _, words), line) in cases.iter().zip((6..).step_by(6)) {
        let path = format!("profiles.{name}.token");
        let finding = findings.iter().find(|finding| finding.path == path).unwrap();
        assert!(finding.message.contains(words), "{finding}");
        assert_eq!((finding.line, finding.column), (line, 9), "{finding}");
    }
    let said = findings.to_string();
    assert!(!said.contains("said-out") && !said.contains("said-err"), "{said}");
    assert_eq!(api.connections(), 0);
}
