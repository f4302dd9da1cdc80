//! A configuration in a folder of its own, and the host that runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign_host::config::Findings;
use countersign_host::{Answer, Client, Error, Host};
use http::{Method, Request};
use http_body_util::BodyExt;
use tempfile::TempDir;

use crate::built;

/// The folder of a `countersign.toml` and of the files that it names. It goes with its value.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// An empty one, which only its owner may write.
    pub fn new() -> Self {
        let builder = fs::Permissions::from_mode(0o755);
        Self(tempfile::Builder::new().prefix("countersign-").permissions(builder).tempdir().unwrap())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that only its owner may read.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    /// Drops the plugin files of these packages into `plugins/`.
    #[must_use]
    pub fn with_plugins(self, packages: &[&str]) -> Self {
        let plugins = self.path().join("plugins");
        fs::create_dir_all(&plugins).unwrap();
        for package in packages {
            let built = built::plugin(package);
            let file = plugins.join(built.file_name().unwrap());
            fs::copy(built, &file).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        self
    }

    /// Drops a program into `plugins/`.
    #[must_use]
    pub fn with_executable(self, program: &Path) -> Self {
        let plugins = self.path().join("plugins");
        fs::create_dir_all(&plugins).unwrap();
        let file = plugins.join(program.file_name().unwrap());
        fs::copy(program, &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Writes `countersign.toml`.
    pub fn config(&self, toml: &str) -> PathBuf {
        self.put("countersign.toml", toml)
    }

    /// Runs this configuration; its plugins, unless it says otherwise, in processes of their own.
    ///
    /// # Panics
    /// If it is refused: with the findings.
    pub async fn host(&self, toml: &str) -> Host {
        crate::built::be_host_of_workers();
        Host::start(&self.config(toml))
            .await
            .unwrap_or_else(|findings| panic!("refused:\n{findings}\n{toml}"))
    }

    /// Why this configuration is refused.
    pub async fn refusal(&self, toml: &str) -> Findings {
        Host::start(&self.config(toml)).await.err().unwrap_or_else(|| panic!("not refused:\n{toml}"))
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// A request with a path below the connector's base URL.
pub fn request(method: Method, path: &str, body: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(path).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// Calls a connector's API by `GET`.
pub async fn get(host: &Host, connector: &str, path: &str) -> Result<Answer, Error> {
    Client::new().send(&*host.connector(connector)?, request(Method::GET, path, "")).await
}

/// The status and the body of an answer.
pub async fn read(answer: Answer) -> (u16, String) {
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}
