//! qBittorrent, from Debian: an API that gives a session cookie for a login, and says 200 to a wrong password.

use std::path::Path;
use std::process::Command;

use crate::program::{self, Program};
use crate::service::Service;

/// A running server, which knows the user `erp` with the password [`PASSWORD`].
#[derive(Debug)]
pub struct QBittorrent {
    service: Service,
    port: u16,
}

/// The user's password.
pub const PASSWORD: &str = "throw-away-password";

/// Its PBKDF2-HMAC-SHA512 with 100000 iterations, as `base64(salt):base64(hash)`, by Python's hashlib.
const HASH: &str = "Y291bnRlcnNpZ24tdGVzdA==:r32b8xxgUJc8SndYcAujgf2mq0MuT2Q0FlC9ZAqNhwkIxaK+sf8patzHQytXmVwUy0iv/vRd3/DeIXf7ywREmA==";

impl QBittorrent {
    /// Starts it, without anything of BitTorrent. `None` only where the tests were told to do without it.
    pub fn start() -> Option<Self> {
        let program = Program::QBittorrent.path()?;
        let (service, port) = Service::on_free_port(|folder, port, word| {
            write_config(folder, port, word);
            let mut command = Command::new(&program);
            command.arg(format!("--profile={}", folder.display()));
            command.env("HOME", folder).env("LD_LIBRARY_PATH", program::library_path());
            command
        });
        Some(Self { service, port })
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}

fn write_config(folder: &Path, port: u16, word: &str) {
    let config = folder.join("qBittorrent/config");
    std::fs::create_dir_all(&config).unwrap();
    let text = format!(
        r#"[LegalNotice]
Accepted=true

[BitTorrent]
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
Session\Interface=lo
Session\InterfaceName=lo

[Preferences]
WebUI\Address=127.0.0.1
WebUI\Port={port}
WebUI\Username=erp
WebUI\Password_PBKDF2="@ByteArray({HASH})"
WebUI\LocalHostAuth=true
WebUI\UseUPnP=false
WebUI\CustomHTTPHeadersEnabled=true
WebUI\CustomHTTPHeaders=X-Ready: {word}
"#
    );
    std::fs::write(config.join("qBittorrent.conf"), text).unwrap();
}
