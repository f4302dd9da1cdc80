//! Plugin files when the configuration is read again: what runs already is not loaded again.

#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod support;

use std::fs;
use std::path::PathBuf;

use countersign_host::cache::Status;
use countersign_host::plugin::{Lock, Locked, SecretKey};
use countersign_host::{BodyBytes, Host};
use support::{Folder, file_name, mode, plugin};

const CONFIG: &str = "[plugins]\nisolation = \"in-process\"\n[profiles.p]\ntype = \"acme-hmac\"\nsecret = \"s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t\"\n\
                      [connectors.c]\nbase_url = \"https://c.example\"\nprofile = \"p\"\n";

/// A configuration with `acme-hmac` in its plugins folder.
struct Place {
    folder: Folder,
    plugin: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::new();
        folder.put("countersign.toml", CONFIG.as_bytes());
        fs::create_dir(folder.path().join("plugins")).unwrap();
        mode(&folder.path().join("plugins"), 0o755);
        let place = Self { plugin: folder.path().join("plugins").join(file_name("acme-hmac")), folder };
        place.put(&Self::bytes());
        place
    }

    fn bytes() -> Vec<u8> {
        fs::read(plugin("acme-hmac")).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        let beside = self.folder.put("new", bytes);
        fs::rename(beside, &self.plugin).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("countersign.toml")
    }

    async fn reload(&self, host: &Host) -> Host {
        host.reload(&self.config()).await.unwrap()
    }
}

/// How many plugin files run in this process: each from a file in memory of its own, which is never closed.
fn loaded() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    open.filter(|file| file.to_string_lossy().contains("memfd:countersign-plugin")).count()
}

async fn call(host: &Host) -> Status {
    let mut parts = http::Request::get("https://c.example/x").body(()).unwrap().into_parts().0;
    // The type signs the body.
    parts.extensions.insert(BodyBytes(Default::default()));
    host.connector("c").unwrap().authorize(&mut parts).await.unwrap();
    host.profiles().next().unwrap().status
}

#[tokio::test]
async fn a_plugin_file_is_loaded_once_however_often_the_configuration_is_read() {
    let place = Place::new();
    let mut host = Host::start(&place.config()).await.unwrap();
    let first = call(&host).await.generation;
    for _ in 0..3 {
        host = place.reload(&host).await;
    }
    assert_eq!(loaded(), 1);
    assert_eq!(call(&host).await.generation, first, "its profile goes on");

    // Other bytes are another plugin, ...
    let mut other = Place::bytes();
    other.push(0);
    place.put(&other);
    host = place.reload(&host).await;
    let second = call(&host).await.generation;
    assert_ne!(second, first, "the profile is another one");
    assert_eq!(loaded(), 2);
    // ... and those before are still there when they come back.
    for bytes in [Place::bytes(), other] {
        place.put(&bytes);
        host = place.reload(&host).await;
        call(&host).await;
    }
    assert_eq!(loaded(), 2);
}

#[tokio::test]
async fn a_plugin_file_that_is_gone_is_an_error_of_those_who_want_it_and_changes_nothing() {
    let place = Place::new();
    let host = Host::start(&place.config()).await.unwrap();
    let first = call(&host).await.generation;
    fs::remove_file(&place.plugin).unwrap();
    let findings = host.reload(&place.config()).await.unwrap_err().to_string();
    assert!(
        findings.contains("countersign.toml:4:8: profiles.p.type: there is no profile type `acme-hmac`"),
        "{findings}"
    );
    assert_eq!(call(&host).await.generation, first);
}

#[tokio::test]
async fn the_lock_file_and_the_files_of_keys_are_watched_as_the_configuration_is() {
    let place = Place::new();
    let key = SecretKey::generate().unwrap();
    place.folder.put("vendor.pub", key.public().to_file().as_bytes());
    place.folder.put(
        "countersign.toml",
        CONFIG.replace("[plugins]", "[plugins]\nkeys = [\"vendor.pub\"]").as_bytes(),
    );
    let mut host = Host::start(&place.config()).await.unwrap();
    assert!(!host.config_changed());

    // A lock file that comes holds from the next reading on: the file is another, and what runs goes on.
    let locked = |byte| {
        let locked = Locked { sha256: [byte; 32], version: None };
        Lock::new("plugins.lock", [("acme-hmac".to_owned(), locked)].into()).to_file()
    };
    place.folder.put("plugins.lock", locked(7).as_bytes());
    assert!(host.config_changed());
    let refused = host.reload(&place.config()).await.unwrap_err().to_string();
    assert!(refused.contains("plugins.lock pins"), "{refused}");
    assert!(!host.config_changed(), "what cannot be used is left alone for a while");
    place.folder.put("plugins.lock", &[]);
    assert!(host.config_changed());
    let refused = host.reload(&place.config()).await.unwrap_err().to_string();
    assert!(refused.contains("plugins.lock: is no lock file"), "{refused}");
    fs::remove_file(place.folder.path().join("plugins.lock")).unwrap();
    assert!(host.config_changed());
    host = place.reload(&host).await;
    assert!(!host.config_changed());

    place.folder.put("vendor.pub", SecretKey::generate().unwrap().public().to_file().as_bytes());
    assert!(host.config_changed());
}
