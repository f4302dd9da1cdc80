//! An API that lets signed requests in, and has them verified by a library that others wrote.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::service::Service;

/// A library that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `http-message-signatures` from npm (RFC 9421).
    Npm,
    /// `http-message-signatures` from PyPI, another one, which verifies the body's digest, too.
    HttpMessageSignatures,
    /// `requests-http-signature` from PyPI.
    RequestsHttpSignature,
    /// `mohawk` from PyPI, for Hawk.
    Mohawk,
    /// `standardwebhooks` from PyPI.
    StandardWebhooks,
}

/// What signatures are verified with.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The one key that is known.
    pub key_id: &'static str,
    /// Its public half as PEM, or the secret.
    pub key: String,
    /// The algorithm of an HTTP message signature.
    pub algorithm: &'static str,
    /// What an HTTP message signature must cover.
    pub components: Vec<&'static str>,
}

/// A running API. It answers 200, or 401 with the library's words.
#[derive(Debug)]
pub struct Verifier {
    service: Service,
    url: String,
}

impl Verifier {
    /// Starts it. `None` only where the tests were told to do without it.
    pub fn start(library: Library, rules: &Rules) -> Option<Self> {
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("services");
        let mut config = json!({ "key_id": rules.key_id, "key": rules.key, "components": rules.components, "max_age": 60 });
        let mut command;
        if library == Library::Npm {
            command = Command::new(Program::HttpMessageSignatures.path()?);
            command.arg(services.join("verify.mjs")).arg(program::node_modules());
            config["algorithm"] = rules.algorithm.into();
        } else {
            command = Command::new(Program::Verifiers.path()?);
            command.arg("-B").arg(services.join("verify.py")).env("PYTHONPATH", program::python_packages());
            config["with"] = library.name().into();
            config["algorithm"] = class(rules.algorithm);
        }
        let file = folder.path().join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        command.arg(file);
        let (service, url) = Service::announcing(folder, &command);
        Some(Self { service, url: url.trim().to_owned() })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}

impl Library {
    const fn name(self) -> &'static str {
        match self {
            Self::Npm | Self::HttpMessageSignatures => "http-message-signatures",
            Self::RequestsHttpSignature => "requests-http-signature",
            Self::Mohawk => "mohawk",
            Self::StandardWebhooks => "standardwebhooks",
        }
    }
}

/// What Python's library calls an algorithm.
fn class(algorithm: &str) -> Value {
    algorithm.to_ascii_uppercase().replace('-', "_").into()
}
