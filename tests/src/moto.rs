//! moto as AWS (IAM enforced): botocore verifies signatures, policies decide what is permitted.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::service::Service;

/// A running AWS; `tests/services/aws.py` says who its user is.
#[derive(Debug)]
pub struct Moto {
    service: Service,
    told: Value,
}

impl Moto {
    /// Starts it. `None` only where the tests were told to do without it.
    pub fn start() -> Option<Self> {
        let python = Program::Moto.path()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/aws.py");
        let mut command = Command::new(python);
        command.arg("-B").arg(script).env("PYTHONPATH", program::python_packages());
        let (service, told) = Service::announcing(TempDir::with_prefix("countersign-").unwrap(), &command);
        let told = serde_json::from_str(&told)
            .unwrap_or_else(|error| panic!("{error}: {told} {}", service.output()));
        Some(Self { service, told })
    }

    /// Its only endpoint, for all services.
    pub fn url(&self) -> &str {
        self.told("url")
    }

    /// The user's keys: id and secret.
    pub fn keys(&self) -> (&str, &str) {
        (self.told("access_key_id"), self.told("secret_access_key"))
    }

    /// The role that the user may take; it may read in S3.
    pub fn role(&self) -> &str {
        self.told("role_arn")
    }

    fn told(&self, what: &str) -> &str {
        self.told[what].as_str().unwrap()
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}
