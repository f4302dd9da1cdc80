//! A server in a process of its own, which never outlives the test that started it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// How long a server may take to answer for the first time.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A port that was just taken by somebody else is no failure: so many ports are tried.
const PORTS_TO_TRY: usize = 5;

/// A running server, its folder, and its end: dropping it kills the whole process group.
///
/// The shell that becomes the server leaves a watcher behind, which reads from a pipe that this process holds: when
/// the test is killed, however hard, the pipe closes and the watcher kills the group.
#[derive(Debug)]
pub struct Service {
    child: Child,
    folder: TempDir,
}

/// `$$` is the server's pid and its group's, because of `exec`. The pipe is moved to 3 first, since a shell gives its
/// background jobs `/dev/null` as stdin.
const WATCHED: &str =
    r#"exec 3<&0 </dev/null; (read -r _ <&3; kill -KILL -$$) >/dev/null 2>&1 & exec "$@" 3<&-"#;

impl Service {
    /// Starts a program that chooses its own port and says so in the first line it prints, which is returned.
    pub fn announcing(folder: TempDir, command: &Command) -> (Self, String) {
        let mut service = Self::spawn(folder, command, Stdio::piped());
        let mut line = String::new();
        let stdout = service.child.stdout.take().unwrap();
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = send.send(line);
            let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        });
        if let Ok(announced) = receive.recv_timeout(READY_WITHIN) {
            line = announced;
        }
        assert!(!line.is_empty(), "{command:?} did not announce itself:\n{}", service.output());
        (service, line)
    }

    /// Starts a program on a free port, and returns when it answers `GET /.ready` with the word that it was
    /// configured with. `configure` writes its files into the folder, for the port and the word, and says what to run.
    ///
    /// # Panics
    /// If it ends, or does not answer in time: with what it printed.
    pub fn on_free_port(configure: impl Fn(&Path, u16, &str) -> Command) -> (Self, u16) {
        let mut output = String::new();
        for _ in 0..PORTS_TO_TRY {
            let folder = TempDir::with_prefix("countersign-").unwrap();
            let port = free_port();
            let word = folder.path().file_name().unwrap().to_string_lossy().into_owned();
            let command = configure(folder.path(), port, &word);
            let mut service = Self::spawn(folder, &command, Stdio::null());
            if service.answers(port, &word) {
                return (service, port);
            }
            output = service.output();
            if !output.contains("in use") {
                break;
            }
        }
        panic!("the server did not become ready:\n{output}");
    }

    /// Starts a program, in an empty folder, of which nothing is expected yet.
    pub(crate) fn start(command: &Command) -> Self {
        Self::spawn(TempDir::with_prefix("countersign-").unwrap(), command, Stdio::null())
    }

    /// The process that runs the program.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How it ended, if it does in time.
    pub(crate) fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() >= until {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The server's own folder, which goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it printed to stderr, to put into a failing test's words.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    fn spawn(folder: TempDir, command: &Command, stdout: Stdio) -> Self {
        let stderr = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHED).arg("sh").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let child = shell
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { child, folder }
    }

    fn answers(&mut self, port: u16, word: &str) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if ready(address, word).is_ok_and(|ready| ready) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Whether what answers there says the word. Some servers keep the connection after that.
fn ready(address: SocketAddr, word: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /.ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    while answer.len() < 4096 {
        match stream.read(&mut chunk)? {
            0 => break,
            more => answer.extend_from_slice(&chunk[..more]),
        }
        if String::from_utf8_lossy(&answer).contains(word) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
