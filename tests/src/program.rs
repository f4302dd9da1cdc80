//! Where the programs are that the tests start: in the system, or unpacked by `tests/run`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that `tests/run` installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// nginx.
    Nginx,
    /// Apache httpd with `mod_auth_openidc`.
    Apache,
    /// lighttpd.
    Lighttpd,
    /// Node.js with the npm package `oidc-provider`.
    OidcProvider,
    /// Node.js with the npm package `ws`.
    WebSockets,
    /// curl.
    Curl,
    /// qBittorrent without a window; it needs [`library_path`].
    QBittorrent,
    /// Python with `requests`; it needs [`python_path`].
    Requests,
    /// Python with moto; it needs [`python_packages`].
    Moto,
    /// Python with oauthlib; it needs [`python_packages`].
    OauthLib,
    /// Node.js with the npm package `http-message-signatures`.
    HttpMessageSignatures,
    /// Python with the packages of `tests/services/requirements.txt`.
    Verifiers,
    /// Python with Django REST framework and Simple JWT; it needs [`python_path`].
    SimpleJwt,
    /// minisign.
    Minisign,
    /// Java, of which `tests/run` installs none: it is big.
    Java,
}

impl Program {
    /// Its executable; `None` if the tests were told to do without, by `COUNTERSIGN_TESTS_WITHOUT_SERVICES=1`.
    ///
    /// # Panics
    /// If it is missing and nobody said that this is fine.
    pub fn path(self) -> Option<PathBuf> {
        if let Some(path) = self.find() {
            return Some(path);
        }
        let name = self.name();
        if self == Self::Java {
            println!("SKIPPED: {name} is not on this machine, and is too big to be installed for this");
            return None;
        }
        assert!(
            std::env::var_os("COUNTERSIGN_TESTS_WITHOUT_SERVICES").is_some_and(|value| value == "1"),
            "{name} is missing: run `tests/run`, which installs it (COUNTERSIGN_TESTS_WITHOUT_SERVICES=1 skips)"
        );
        println!("SKIPPED: {name} is missing and COUNTERSIGN_TESTS_WITHOUT_SERVICES=1");
        None
    }

    fn find(self) -> Option<PathBuf> {
        match self {
            Self::Nginx => installed("usr/sbin/nginx"),
            Self::Apache => {
                installed("usr/lib/apache2/modules/mod_auth_openidc.so")?;
                installed("usr/sbin/apache2")
            }
            Self::Lighttpd => installed("usr/sbin/lighttpd"),
            Self::OidcProvider => {
                existing(node_modules().join("oidc-provider"))?;
                node()
            }
            Self::WebSockets => {
                existing(node_modules().join("ws"))?;
                node()
            }
            Self::Curl => on_path("curl"),
            Self::Requests => python_with("requests", &python_path()),
            Self::Moto => python_with("moto, flask, flask_cors", &python_packages()),
            Self::OauthLib => python_with("oauthlib.oauth1, cryptography.hazmat", &python_packages()),
            Self::HttpMessageSignatures => {
                existing(node_modules().join("http-message-signatures"))?;
                node()
            }
            Self::Verifiers => python_with(
                "http_message_signatures, mohawk, requests_http_signature, standardwebhooks",
                &python_packages(),
            ),
            Self::QBittorrent => installed("usr/bin/qbittorrent-nox"),
            Self::SimpleJwt => python_with("rest_framework, rest_framework_simplejwt", &python_path()),
            Self::Minisign => installed("usr/bin/minisign"),
            // A runtime alone does not run a source file.
            Self::Java => on_path("javac").and(on_path("java")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache httpd with mod_auth_openidc",
            Self::Lighttpd => "lighttpd",
            Self::OidcProvider => "Node.js or its package oidc-provider",
            Self::WebSockets => "Node.js or its package ws",
            Self::Curl => "curl",
            Self::QBittorrent => "qBittorrent",
            Self::Requests => "Python or its package requests",
            Self::Moto => "Python or its package moto",
            Self::OauthLib => "Python or its package oauthlib",
            Self::HttpMessageSignatures => "Node.js or its package http-message-signatures",
            Self::Verifiers => "Python or one of its packages that verify signatures",
            Self::SimpleJwt => "Python or its packages Django REST framework and Simple JWT",
            Self::Minisign => "minisign",
            Self::Java => "a JDK",
        }
    }
}

/// Where `tests/run` puts what it installs.
pub fn services() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".services")
}

/// Where the packages of `tests/services/package.json` are.
pub fn node_modules() -> PathBuf {
    services().join("npm/node_modules")
}

/// A file of a Debian package, by its path without the leading `/`: the system's, else the unpacked one.
pub fn installed(path: &str) -> Option<PathBuf> {
    existing(Path::new("/").join(path)).or_else(|| existing(services().join("debian").join(path)))
}

/// Where Debian's Python packages are, unpacked or the system's, as `PYTHONPATH`: a Python that is not Debian's does not look
/// there by itself.
pub fn python_path() -> String {
    let packages = "usr/lib/python3/dist-packages";
    format!("{}:/{packages}", services().join("debian").join(packages).display())
}

/// Where the packages of `tests/services/requirements.txt` are, as `PYTHONPATH`.
pub fn python_packages() -> String {
    services().join("python").display().to_string()
}

/// Python, if it can import these.
fn python_with(modules: &str, path: &str) -> Option<PathBuf> {
    let python = on_path("python3")?;
    let asked = Command::new(&python)
        .args(["-c", &format!("import {modules}")])
        .env("PYTHONPATH", path)
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success()).then_some(python)
}

/// What the dynamic linker needs as `LD_LIBRARY_PATH` to find the libraries of unpacked packages.
pub fn library_path() -> String {
    let lib = services().join("debian/usr/lib");
    std::fs::read_dir(lib)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned))
        .filter(|path| path.ends_with("-linux-gnu"))
        .collect::<Vec<_>>()
        .join(":")
}

fn node() -> Option<PathBuf> {
    existing(services().join("node/bin/node")).or_else(|| on_path("node"))
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find_map(|folder| existing(folder.join(name)))
}
