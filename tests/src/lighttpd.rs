//! lighttpd as an API behind Digest authentication (RFC 7616).

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use md5::Digest;

use crate::program::{self, Program};
use crate::service::Service;

/// What a path asks for.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The algorithms, as the configuration has them: `MD5`, `SHA-256`, `MD5|SHA-256`.
    pub algorithms: &'static str,
    /// Whether user names may come hashed.
    pub userhash: bool,
}

/// A running lighttpd. It serves `orders` below each path, which says `ok`.
#[derive(Debug)]
pub struct Lighttpd {
    service: Service,
    port: u16,
}

/// The realm of all paths.
pub const REALM: &str = "countersign";

impl Lighttpd {
    /// Starts it with these paths, which let this user in. `None` only where the tests were told to do without it.
    pub fn start(user: &str, password: &str, paths: &[(&str, Guard)]) -> Option<Self> {
        let program = Program::Lighttpd.path()?;
        let modules = program::installed("usr/lib/lighttpd").unwrap();
        let (service, port) = Service::on_free_port(|folder, port, word| {
            write_config(folder, port, word, user, password, paths);
            let mut command = Command::new(&program);
            command.arg("-D").arg("-f").arg(folder.join("lighttpd.conf")).arg("-m").arg(&modules);
            command.env("LD_LIBRARY_PATH", program::library_path());
            command
        });
        Some(Self { service, port })
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}

fn write_config(folder: &Path, port: u16, word: &str, user: &str, password: &str, paths: &[(&str, Guard)]) {
    let www = folder.join("www");
    std::fs::create_dir(&www).unwrap();
    std::fs::write(www.join(".ready"), word).unwrap();
    let mut require = String::new();
    for (path, guard) in paths {
        std::fs::create_dir_all(www.join(&path[1..])).unwrap();
        std::fs::write(www.join(&path[1..]).join("orders"), "ok\n").unwrap();
        let userhash = if guard.userhash { "\"userhash\" => \"enable\", " } else { "" };
        writeln!(
            require,
            "\"{path}\" => ( \"method\" => \"digest\", \"algorithm\" => \"{}\", \"realm\" => \"{REALM}\", {userhash}\
             \"require\" => \"valid-user\" ),",
            guard.algorithms
        )
        .unwrap();
    }
    // One line for each algorithm; the last part is the hash of the user's name.
    let (key, name) = (format!("{user}:{REALM}:{password}"), format!("{user}:{REALM}"));
    let users = format!(
        "{user}:{REALM}:{}:{}\n{user}:{REALM}:{}:{}\n",
        hex(&md5::Md5::digest(&key)),
        hex(&md5::Md5::digest(&name)),
        hex(&sha2::Sha256::digest(&key)),
        hex(&sha2::Sha256::digest(&name)),
    );
    std::fs::write(folder.join("users"), users).unwrap();
    let folder = folder.display();
    let config = format!(
        "server.modules = ( \"mod_auth\", \"mod_authn_file\" )
server.document-root = \"{folder}/www\"
server.bind = \"127.0.0.1\"
server.port = {port}
server.errorlog = \"/dev/stderr\"
auth.backend = \"htdigest\"
auth.backend.htdigest.userfile = \"{folder}/users\"
auth.require = (
{require})
"
    );
    std::fs::write(folder.to_string() + "/lighttpd.conf", config).unwrap();
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
