//! A running `countersign serve`: the program as it is shipped, in a process of its own.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::built;
use crate::client::{Answer, call};
use crate::folder::Folder;
use crate::service::Service;

/// The beginning of a configuration that every local process may use, on a port that the system chooses.
pub const OPEN: &str = "[serve]\nlisten = \"127.0.0.1:0\"\naccess = \"any-local-process\"\n";

/// How long the proxy may take to listen, to say something, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy that serves a folder's configuration until this is dropped, or the test is killed, or it is told to end.
///
/// Configurations listen on `127.0.0.1:0`: the port is the one that the program says.
#[derive(Debug)]
pub struct Serve {
    service: Mutex<Service>,
    pid: Pid,
    stderr: PathBuf,
    config: PathBuf,
    listeners: Vec<String>,
}

impl Serve {
    /// Writes `countersign.toml` and serves it; returns when it listens.
    ///
    /// # Panics
    /// If it ends, or does not listen in time: with what it said.
    pub fn start(folder: &Folder, toml: &str) -> Self {
        Self::start_with(folder, toml, |_| {})
    }

    /// The same, with more arguments (after `serve`) or with environment variables.
    ///
    /// # Panics
    /// If it ends, or does not listen in time: with what it said.
    pub fn start_with(folder: &Folder, toml: &str, adjust: impl FnOnce(&mut Command)) -> Self {
        Self::start_of(built::program(), folder, toml, adjust)
    }

    /// The same of another build of the program.
    ///
    /// # Panics
    /// If it ends, or does not listen in time: with what it said.
    pub fn start_of(program: &Path, folder: &Folder, toml: &str, adjust: impl FnOnce(&mut Command)) -> Self {
        let config = folder.config(toml);
        let mut command = command(program, &config);
        adjust(&mut command);
        let service = Service::start(&command);
        let mut serve = Self {
            pid: service.pid(),
            stderr: service.folder().join("stderr"),
            service: service.into(),
            config,
            listeners: Vec::new(),
        };
        let said = serve.wait_to_hear(LISTENING);
        let line = said.lines().find_map(|line| line.strip_prefix(LISTENING)).unwrap_or_default();
        serve.listeners = line.split(", ").map(str::to_owned).collect();
        serve
    }

    /// What it says when it refuses to serve a configuration.
    ///
    /// # Panics
    /// If it serves.
    pub fn refusal(folder: &Folder, toml: &str) -> String {
        let config = folder.config(toml);
        let mut service = Service::start(&command(built::program(), &config));
        let status = service.end(PATIENCE);
        let said = service.output();
        assert_eq!(status.and_then(|status| status.code()), Some(1), "not refused: {said}\n{toml}");
        said
    }

    /// All that it listens on, as it said it: first `[serve]`'s, in its order, then the connectors'.
    pub fn listeners(&self) -> &[String] {
        &self.listeners
    }

    /// The address of the first TCP listener.
    ///
    /// # Panics
    /// If there is none.
    pub fn address(&self) -> SocketAddr {
        self.listeners.iter().find_map(|listener| listener.parse().ok()).expect("a TCP listener")
    }

    /// The URL of a path, which begins with `/`, at the first TCP listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Calls through the first TCP listener, on a connection of its own. `fields` are more fields, each with its line end.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let address = self.address();
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        call(address, format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{fields}{length}\r\n{body}"))
    }

    /// The same with a body in chunks, so that nobody knows its length beforehand.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn call_chunked(&self, method: &str, path: &str, chunks: &[&str]) -> Answer {
        let chunks: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
        let address = self.address();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
        call(address, format!("{head}{chunks}0\r\n\r\n"))
    }

    /// A `GET` through the first TCP listener.
    ///
    /// # Panics
    /// If there is no answer.
    #[track_caller]
    pub fn get(&self, path: &str, fields: &str) -> Answer {
        self.call("GET", path, fields, "")
    }

    /// The URL of a path where health, metrics and status are told, for `admin = "127.0.0.1:0"`.
    ///
    /// # Panics
    /// If it does not say that it tells them.
    pub fn admin_url(&self, path: &str) -> String {
        const TELLS: &str = "tells health, metrics and status addresses=\"";
        let said = self.wait_to_hear(TELLS);
        let (_, after) = said.split_once(TELLS).unwrap();
        format!("http://{}{path}", after.split('"').next().unwrap_or_default())
    }

    /// The token that clients send, for `access = "token"` with the default `token_file`.
    pub fn token(&self) -> String {
        let file = self.config.with_file_name("countersign.token");
        std::fs::read_to_string(file).unwrap().trim_end().to_owned()
    }

    /// All that it said and logged so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Returns all that it said when these words are among it.
    ///
    /// # Panics
    /// If it ends or does not say them in time.
    pub fn wait_to_hear(&self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended();
            let said = self.said();
            // A line is said when it is whole.
            if said.split_inclusive('\n').any(|line| line.contains(words) && line.ends_with('\n')) {
                return said;
            }
            assert!(ended.is_none() && Instant::now() < until, "{words:?} was not said ({ended:?}):\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process, which is the program's and no shell's.
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its exit status, or 128 and the signal that ended it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn wait_for_end(&self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            }
            assert!(Instant::now() < until, "it goes on:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner).end(Duration::ZERO)
    }

    /// How much of its memory is resident now, in bytes.
    pub fn resident(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

const LISTENING: &str = "countersign: listening on ";

/// The program with none of this machine's settings, talkative enough to tell a failing test something.
fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--config").arg(config).arg("serve");
    for name in ["COUNTERSIGN_CONFIG", "COUNTERSIGN_LOG", "NO_COLOR", "http_proxy", "HTTP_PROXY", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    command.env("COUNTERSIGN_LOG", "info");
    command
}
