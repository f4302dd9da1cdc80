//! oauthlib as an API behind OAuth 1.0 (RFC 5849): it verifies signatures, clocks and nonces.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::service::Service;

/// A running API; `tests/services/oauth1.py` says what it answers.
#[derive(Debug)]
pub struct OauthLib {
    service: Service,
    origin: String,
}

impl OauthLib {
    /// Starts it with these consumers: `{"KEY": {"secret": …, "rsa": PEM, "tokens": {"TOKEN": "SECRET"}}}`, whose keys have 20
    /// to 30 letters and digits. `None` only where the tests were told to do without it.
    pub fn start(consumers: &Value) -> Option<Self> {
        let python = Program::OauthLib.path()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/oauth1.py");
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let file = folder.path().join("consumers.json");
        std::fs::write(&file, consumers.to_string()).unwrap();
        let mut command = Command::new(python);
        command.arg(script).arg(file).env("PYTHONPATH", program::python_packages());
        let (service, origin) = Service::announcing(folder, &command);
        Some(Self { service, origin: origin.trim().to_owned() })
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}
