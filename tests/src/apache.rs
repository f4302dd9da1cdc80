//! Apache httpd as an API behind Basic or Digest authentication, or behind JWTs that `mod_auth_openidc` verifies.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use md5::Digest as _;

use crate::lighttpd::hex;
use crate::nginx::sha1;
use crate::program::{self, Program};
use crate::service::Service;

/// What a request must carry to get in; without it, it is answered 401.
#[derive(Clone, Debug)]
pub enum Guard {
    /// The `Authorization: Basic` of this user (RFC 7617).
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
    /// The `Authorization: Digest` of this user with MD5 (RFC 7616).
    Digest {
        /// User name.
        user: String,
        /// The realm, `AuthName`.
        realm: String,
        /// Password.
        password: String,
        /// Further directives of `mod_auth_digest`, one a line.
        more: String,
    },
    /// A signed, unexpired JWT as bearer token (RFC 6750), from this issuer and for this audience.
    Jwt {
        /// `iss` must be this.
        issuer: String,
        /// `aud` must be, or contain, this.
        audience: String,
    },
}

/// What signatures of JWTs are verified with.
#[derive(Clone, Debug, Default)]
pub struct VerifyKeys {
    /// RSA public keys, PEM, by `kid`.
    pub pem: Vec<(String, String)>,
    /// A secret for HS256 to HS512.
    pub secret: Option<String>,
    /// Where a JWK set is fetched: an `https` URL, and the CA (PEM) of its server.
    pub jwks: Option<(String, String)>,
}

/// A running Apache httpd.
///
/// Answers `ok` and says in headers what it received: `Echo-Authorization`, `Echo-User`, `Echo-Uri`.
#[derive(Debug)]
pub struct Apache {
    service: Service,
    port: u16,
}

impl Apache {
    /// Starts Apache httpd with these locations (path prefix and guard); every other path is open. `None` only where
    /// the tests were told to do without it.
    pub fn start(keys: &VerifyKeys, locations: &[(&str, Guard)]) -> Option<Self> {
        let program = Program::Apache.path()?;
        let (service, port) = Service::on_free_port(|folder, port, word| {
            write_config(folder, port, word, keys, locations);
            let mut command = Command::new(&program);
            command.arg("-d").arg(folder).arg("-f").arg(folder.join("httpd.conf")).arg("-DFOREGROUND");
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

const MODULES: &[&str] = &[
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "auth_digest",
    "auth_openidc",
    "alias",
    "dir",
    "headers",
];

fn write_config(folder: &Path, port: u16, word: &str, keys: &VerifyKeys, locations: &[(&str, Guard)]) {
    let mut config = String::new();
    for module in MODULES {
        let file = program::installed(&format!("usr/lib/apache2/modules/mod_{module}.so"));
        let file = file.unwrap_or_else(|| panic!("mod_{module}.so is missing: run `tests/run`"));
        writeln!(config, "LoadModule {module}_module {}", file.display()).unwrap();
    }
    let folder_name = folder.display();
    if rustix::process::geteuid().is_root() {
        // Its workers leave root behind, and must be able to read the folder.
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        config.push_str("User nobody\nGroup nogroup\n");
    }
    write!(
        config,
        "Listen 127.0.0.1:{port}
ServerName 127.0.0.1
StartServers 1
ServerLimit 1
ThreadsPerChild 16
ThreadLimit 16
MaxRequestWorkers 16
PidFile {folder_name}/httpd.pid
DefaultRuntimeDir {folder_name}
ErrorLog /dev/stderr
DocumentRoot {folder_name}/www
FallbackResource /ok
Header always set Echo-Authorization expr=%{{HTTP:Authorization}}
Header always set Echo-User expr=%{{REMOTE_USER}}
Header always set Echo-Uri expr=%{{THE_REQUEST}}
"
    )
    .unwrap();
    for (kid, pem) in &keys.pem {
        let file = folder.join(format!("{kid}.pem"));
        std::fs::write(&file, pem).unwrap();
        writeln!(config, "OIDCOAuthVerifyCertFiles {kid}#{}", file.display()).unwrap();
    }
    if let Some(secret) = &keys.secret {
        writeln!(config, "OIDCOAuthVerifySharedKeys plain##{secret}").unwrap();
    }
    if let Some((uri, ca)) = &keys.jwks {
        std::fs::write(folder.join("ca.pem"), ca).unwrap();
        writeln!(config, "OIDCOAuthVerifyJwksUri {uri}\nOIDCCABundlePath {folder_name}/ca.pem").unwrap();
    }
    for (place, (path, guard)) in locations.iter().enumerate() {
        let rules = match guard {
            Guard::Basic { user, password } => {
                let file = folder.join(format!("users_{place}"));
                std::fs::write(&file, format!("{user}:{}\n", sha1(password))).unwrap();
                format!(
                    "AuthType Basic\nAuthName countersign\nAuthUserFile {}\nRequire valid-user",
                    file.display()
                )
            }
            Guard::Digest { user, realm, password, more } => {
                let file = folder.join(format!("users_{place}"));
                let key = hex(&md5::Md5::digest(format!("{user}:{realm}:{password}")));
                std::fs::write(&file, format!("{user}:{realm}:{key}\n")).unwrap();
                let name = realm.replace('\\', "\\\\").replace('"', "\\\"");
                format!(
                    "AuthType Digest\nAuthName \"{name}\"\nAuthDigestProvider file\nAuthUserFile {}\n{more}\nRequire valid-user",
                    file.display()
                )
            }
            Guard::Jwt { issuer, audience } => format!(
                "AuthType oauth20\n<RequireAll>\nRequire claim iss:{issuer}\nRequire claim aud:{audience}\n</RequireAll>"
            ),
        };
        writeln!(config, "<Location {path}>\n{rules}\n</Location>").unwrap();
    }
    std::fs::create_dir(folder.join("www")).unwrap();
    std::fs::write(folder.join("www/ok"), "ok\n").unwrap();
    std::fs::write(folder.join("www/.ready"), word).unwrap();
    std::fs::write(folder.join("httpd.conf"), config).unwrap();
}
