//! One host after another: what goes on, what begins anew, and that nothing changes by what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use countersign::Challenge;
use http::Request;
use http::request::Parts;
use tempfile::TempDir;

use super::*;
use crate::cache::Counts;
use crate::config::Sources;

const CONFIG: &str = r#"
[http]
timeout = "5s"

[profiles.kept]
type = "bearer"
token = "${file:token}"

[profiles.other]
type = "bearer"
token = "one"

[connectors.kept]
base_url = "https://kept.example"
profile = "kept"

[connectors.other]
base_url = "https://other.example"
profile = "other"
"#;

struct Folder(TempDir);

impl Folder {
    /// With the configuration and the file behind it.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.put("countersign.toml", CONFIG);
        folder.put("token", "secret");
        folder
    }

    fn put(&self, name: &str, content: &str) -> PathBuf {
        let file = self.0.path().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    async fn start(&self) -> Host {
        Host::start(&self.0.path().join("countersign.toml")).await.unwrap()
    }

    /// After an edit of the configuration.
    async fn reload(&self, host: &Host, from: &str, to: &str) -> Result<Host, Findings> {
        let path = self.0.path().join("countersign.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        self.put("countersign.toml", &text.replacen(from, to, 1));
        host.reload(&path).await
    }
}

fn request(connector: &str) -> Parts {
    Request::get(format!("https://{connector}.example/x")).body(()).unwrap().into_parts().0
}

/// What a call carries.
async fn bearer(host: &Host, connector: &str) -> String {
    let mut parts = request(connector);
    host.connector(connector).unwrap().authorize(&mut parts).await.unwrap();
    parts.headers["authorization"].to_str().unwrap().to_owned()
}

fn status(host: &Host, profile: &str) -> Status {
    host.profiles().find(|known| known.name == profile).unwrap().status
}

fn counts(host: &Host, profile: &str) -> Counts {
    status(host, profile).counts
}

fn running<'h>(host: &'h Host, profile: &str) -> &'h Arc<RunningProfile> {
    &host.0.profiles[profile]
}

#[tokio::test]
async fn what_did_not_change_goes_on() {
    for (from, to) in [
        ("[http]", "# A comment that moves everything.\n[http]"),
        ("token = \"one\"", "token = \"two\""),
        ("other.example", "another.example"),
        ("profile = \"other\"\n", "profile = \"other\"\ntimeout = \"1s\"\n"),
        ("[http]", "[serve]\nlisten = \"unix:proxy.sock\"\n[http]"),
        ("[profiles.other]", "[profiles.third]\ntype = \"bearer\"\ntoken = \"t\"\n[profiles.other]"),
        (
            "[profiles.other]\ntype = \"bearer\"\ntoken = \"one\"\n",
            "[profiles.other]\ntoken = \"one\"\ntype = \"bearer\"\n",
        ),
    ] {
        let folder = Folder::new();
        let before = folder.start().await;
        assert_eq!(bearer(&before, "kept").await, "Bearer secret");
        let after = folder.reload(&before, from, to).await.unwrap();
        assert_eq!(bearer(&after, "kept").await, "Bearer secret");
        assert_eq!(status(&after, "kept").generation, status(&before, "kept").generation, "{to}");
        assert_eq!(counts(&after, "kept").acquires, 1, "{to}");
        let connector = |host: &Host| host.connector("kept").unwrap();
        assert!(Arc::ptr_eq(&connector(&before), &connector(&after)), "{to}");
    }
}

#[tokio::test]
async fn a_profile_that_changed_begins_anew_and_counts_on() {
    for (from, to, token) in [
        ("token = \"one\"", "token = \"two\"", "Bearer two"),
        ("token = \"one\"", "token = \"one\"\ndefault_lifetime = \"1m\"", "Bearer one"),
        ("\"5s\"", "\"6s\"", "Bearer one"),
        ("[http]", "[store]\ndir = \"state\"\n[http]", "Bearer one"),
    ] {
        let folder = Folder::new();
        let before = folder.start().await;
        assert_eq!(bearer(&before, "other").await, "Bearer one");
        let after = folder.reload(&before, from, to).await.unwrap();
        assert_eq!(bearer(&after, "other").await, token);
        assert_ne!(status(&after, "other").generation, status(&before, "other").generation, "{to}");
        // Both hosts' calls count, and no counter goes down.
        assert_eq!(bearer(&before, "other").await, "Bearer one");
        assert_eq!((counts(&after, "other").acquires, counts(&after, "other").placements), (2, 3), "{to}");
        let connector = |host: &Host| host.connector("other").unwrap();
        assert!(!Arc::ptr_eq(&connector(&before), &connector(&after)), "{to}");
    }
}

#[tokio::test]
async fn a_connector_that_changed_is_another_one_with_the_same_credentials() {
    for (from, to) in [
        ("profile = \"other\"\n", "profile = \"other\"\ntimeout = \"1s\"\n"),
        ("profile = \"other\"\n", "profile = \"other\"\nmax_concurrent = 1\n"),
        ("profile = \"other\"\n", "profile = \"other\"\nrejection = { status = [403] }\n"),
        ("other.example", "other.example/api"),
    ] {
        let folder = Folder::new();
        let before = folder.start().await;
        bearer(&before, "other").await;
        let after = folder.reload(&before, from, to).await.unwrap();
        let connector = |host: &Host| host.connector("other").unwrap();
        assert!(!Arc::ptr_eq(&connector(&before), &connector(&after)), "{to}");
        assert_eq!(status(&after, "other").generation, status(&before, "other").generation, "{to}");
    }
}

#[tokio::test]
async fn a_source_that_has_another_value_makes_another_profile() {
    let folder = Folder::new();
    let before = folder.start().await;
    assert_eq!(bearer(&before, "kept").await, "Bearer secret");
    folder.put("token", "rotated");
    let after = folder.reload(&before, "", "").await.unwrap();
    assert_eq!(bearer(&after, "kept").await, "Bearer rotated");
}

#[tokio::test]
async fn a_bad_edit_changes_nothing() {
    let folder = Folder::new();
    let host = folder.start().await;
    bearer(&host, "kept").await;
    let generation = status(&host, "kept").generation;
    for (from, to, words) in [
        ("\"5s\"", "5s", "countersign.toml:3:11: "),
        ("\ntoken = \"one\"", "\ntokn = \"one\"", "countersign.toml:11:1: profiles.other.tokn: "),
        ("${file:token}", "${file:gone}", "countersign.toml:7:9: profiles.kept.token: "),
        (
            "profile = \"kept\"",
            "profile = \"kept\"\nca_file = \"token\"",
            "countersign.toml:16:11: connectors.kept.ca_file: ",
        ),
    ] {
        folder.put("countersign.toml", CONFIG);
        let findings = folder.reload(&host, from, to).await.unwrap_err().to_string();
        assert!(findings.contains(words), "{findings}");
        assert_eq!(bearer(&host, "kept").await, "Bearer secret");
        assert_eq!(bearer(&host, "other").await, "Bearer one");
        assert_eq!(status(&host, "kept").generation, generation);
        // Told once, and not again until it changes.
        assert!(!host.config_changed());
    }
    folder.put("countersign.toml", &CONFIG.replace("one", "two"));
    assert!(host.config_changed());
    let after = folder.reload(&host, "", "").await.unwrap();
    assert_eq!(status(&after, "kept").generation, generation);
    assert_eq!(bearer(&after, "other").await, "Bearer two");
    assert!(!after.config_changed());
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_no_change_after_a_reload() {
    let folder = Folder::new();
    let before = folder.start().await;
    bearer(&before, "kept").await;
    let token = folder.put("token", "secret");
    let later = SystemTime::now() + Duration::from_secs(60);
    fs::File::options().append(true).open(token).unwrap().set_modified(later).unwrap();
    let after = folder.reload(&before, "", "").await.unwrap();
    let profile = running(&after, "kept");
    profile.look(&Sources::system());
    assert_eq!(bearer(&after, "kept").await, "Bearer secret");
    assert_eq!(counts(&after, "kept").acquires, 1);
    folder.put("token", "rotated");
    profile.look(&Sources::system());
    assert_eq!(bearer(&after, "kept").await, "Bearer rotated");
}

#[tokio::test]
async fn what_the_watch_made_anew_goes_on() {
    let folder = Folder::new();
    let before = folder.start().await;
    folder.put("token", "rotated");
    running(&before, "kept").look(&Sources::system());
    assert_eq!(bearer(&before, "kept").await, "Bearer rotated");
    let after = folder.reload(&before, "", "").await.unwrap();
    assert_eq!(bearer(&after, "kept").await, "Bearer rotated");
    assert_eq!(status(&after, "kept").generation, status(&before, "kept").generation);
}

#[tokio::test]
async fn the_end_of_the_host_before_ends_nothing_that_goes_on() {
    let folder = Folder::new();
    let before = folder.start().await;
    bearer(&before, "kept").await;
    let after = folder.reload(&before, "one", "two").await.unwrap();
    let (ended, connector) = (running(&before, "other").bound.clone(), before.connector("other").unwrap());
    drop(before);
    // A connector that somebody still holds serves to its end.
    let mut parts = request("other");
    connector.authorize(&mut parts).await.unwrap();
    drop((ended, connector));

    // Conversations begin, ...
    let connector = after.connector("kept").unwrap();
    let mut parts = request("kept");
    let rejected = connector.authorize(&mut parts).await.unwrap();
    assert!(connector.reject(&rejected, &Challenge { status: 401, headers: Vec::new() }));
    assert_eq!(bearer(&after, "kept").await, "Bearer secret");
    assert_eq!(counts(&after, "kept").acquires, 2);
    // ... and files are looked at, by nobody but the thread.
    folder.put("token", "rotated");
    let deadline = SystemTime::now() + Duration::from_secs(30);
    while bearer(&after, "kept").await != "Bearer rotated" {
        assert!(SystemTime::now() < deadline, "the change was never noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn only_what_is_new_is_watched_more_than_before() {
    let folder = Folder::new();
    let mut host = folder.start().await;
    for _ in 0..3 {
        host = folder.reload(&host, "", "").await.unwrap();
    }
    assert_eq!(host.0.ground.watch.len(), 1);
}

#[tokio::test]
async fn profiles_are_told_by_name_type_and_home() {
    let folder = Folder::new();
    let host = folder.start().await;
    let told: Vec<_> =
        host.profiles().map(|known| format!("{} {} {}", known.name, known.type_name, known.home)).collect();
    assert_eq!(told, ["kept bearer built in", "other bearer built in"]);
    assert_eq!(host.connector("kept").unwrap().profiles().collect::<Vec<_>>(), ["kept"]);
    assert!(host.serve().is_none());
    let served = folder.reload(&host, "[http]", "[serve]\nlisten = \"unix:x\"\n[http]").await.unwrap();
    assert_eq!(served.serve().unwrap().listen.len(), 1);
}

#[test]
fn it_is_reloaded_from_any_runtime() {
    let folder = Folder::new();
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = own.block_on(folder.start());
    let passing = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let after = passing.block_on(folder.reload(&host, "one", "two")).unwrap();
    drop(passing);
    assert_eq!(own.block_on(bearer(&after, "other")), "Bearer two");
}
