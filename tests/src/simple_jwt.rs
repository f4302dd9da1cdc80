//! Django REST framework with Simple JWT, from Debian: a login for a pair of tokens, of which one prolongs the other.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::program::{self, Program};
use crate::service::Service;

/// A running server, which knows the user `erp` with the password [`PASSWORD`]. `tests/services/simplejwt.py` is its configuration.
#[derive(Debug)]
pub struct SimpleJwt {
    service: Service,
    url: String,
}

/// The user's password.
pub const PASSWORD: &str = "throw-away-password";

impl SimpleJwt {
    /// Starts it. `None` only where the tests were told to do without it.
    pub fn start() -> Option<Self> {
        let program = Program::SimpleJwt.path()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/simplejwt.py");
        let mut command = Command::new(program);
        command.arg(script).env("PYTHONPATH", program::python_path()).env("PASSWORD", PASSWORD);
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let (service, url) = Service::announcing(folder, &command);
        Some(Self { service, url: url.trim().to_owned() })
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}
