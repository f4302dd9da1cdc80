//! nginx as an API behind Basic authentication or API keys.
//!
//! Whoever gets in is answered with what nginx received; read it with [`crate::echo`].

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::program::{self, Program};
use crate::service::Service;
use crate::tls::Identity;

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
    /// This header with exactly this value.
    Header {
        /// Header name.
        name: String,
        /// Its value, case-sensitive.
        value: String,
    },
    /// This query parameter.
    Query {
        /// Parameter name: letters, digits and `_`.
        name: String,
        /// Its value as it stands in the URL (nginx does not decode it).
        value: String,
    },
    /// This cookie.
    Cookie {
        /// Cookie name: letters, digits and `_`.
        name: String,
        /// Its value.
        value: String,
    },
}

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    service: Service,
    port: u16,
    scheme: &'static str,
    _client_ca: Option<tempfile::TempDir>,
}

impl Nginx {
    /// Starts nginx with these locations (path prefix and all the guards that must be passed); every other path
    /// answers 404. `None` only where the tests were told to do without it.
    pub fn start(locations: &[(&str, &[Guard])]) -> Option<Self> {
        let program = Program::Nginx.path()?;
        let (service, port) = Service::on_free_port(|folder, port, word| {
            write_config(folder, &format!("listen 127.0.0.1:{port};"), word, locations);
            command(&program, folder)
        });
        Some(Self { service, port, scheme: "http", _client_ca: None })
    }

    /// The same over TLS 1.2 or 1.3. (Plain HTTP goes on at another port, and is only used to see that it is ready.)
    pub fn start_tls(identity: &Identity, locations: &[(&str, &[Guard])]) -> Option<Self> {
        Self::start_secured(identity, "ssl_protocols TLSv1.2 TLSv1.3;", locations)
    }

    /// The same over `protocols` (`TLSv1.3`), with clients that must present a certificate of this authority (PEM): without
    /// one, and with another one, they are answered 400. Answers say whose it was (`client`), and on which `connection`.
    pub fn start_mutual(
        identity: &Identity,
        client_ca: &str,
        protocols: &str,
        locations: &[(&str, &[Guard])],
    ) -> Option<Self> {
        let folder = tempfile::TempDir::with_prefix("countersign-").unwrap();
        let ca = folder.path().join("clients.pem");
        std::fs::write(&ca, client_ca).unwrap();
        let more = format!(
            "ssl_protocols {protocols}; ssl_client_certificate {}; ssl_verify_client on; ssl_verify_depth 2;",
            ca.display()
        );
        let mut server = Self::start_secured(identity, &more, locations)?;
        server._client_ca = Some(folder);
        Some(server)
    }

    fn start_secured(identity: &Identity, tls: &str, locations: &[(&str, &[Guard])]) -> Option<Self> {
        let program = Program::Nginx.path()?;
        let (service, _plain) = Service::on_free_port(|folder, port, word| {
            std::fs::write(folder.join("server.pem"), &identity.certificate).unwrap();
            std::fs::write(folder.join("server.key"), &identity.key).unwrap();
            let tls_port = crate::service::free_port();
            std::fs::write(folder.join("tls_port"), tls_port.to_string()).unwrap();
            let listen = format!(
                "listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl http2;
                 ssl_certificate server.pem; ssl_certificate_key server.key; {tls}"
            );
            write_config(folder, &listen, word, locations);
            command(&program, folder)
        });
        let port = std::fs::read_to_string(service.folder().join("tls_port")).unwrap().parse().unwrap();
        Some(Self { service, port, scheme: "https", _client_ca: None })
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// What nginx complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder);
    command.env("LD_LIBRARY_PATH", program::library_path());
    command
}

fn write_config(folder: &Path, listen: &str, word: &str, locations: &[(&str, &[Guard])]) {
    let mut maps = String::new();
    let mut bodies = String::new();
    let mut headers = String::new();
    for (place, (path, guards)) in locations.iter().enumerate() {
        let mut body = String::new();
        for (number, guard) in guards.iter().enumerate() {
            let (variable, value) = match guard {
                Guard::Basic { user, password } => {
                    let file = format!("users_{place}_{number}");
                    std::fs::write(folder.join(&file), format!("{user}:{}\n", sha1(password))).unwrap();
                    write!(body, "auth_basic \"countersign\"; auth_basic_user_file {file}; ").unwrap();
                    continue;
                }
                Guard::Header { name, value } => {
                    let variable = format!("http_{}", name.to_lowercase().replace('-', "_"));
                    write!(headers, "{}: ${variable}\\n", name.to_lowercase()).unwrap();
                    (variable, value)
                }
                Guard::Query { name, value } => (format!("arg_{name}"), value),
                Guard::Cookie { name, value } => (format!("cookie_{name}"), value),
            };
            // A regular expression, because plain strings in a map ignore case.
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(maps, "map ${variable} $pass_{place}_{number} {{ default 0; \"~^\\Q{value}\\E$\" 1; }}")
                .unwrap();
            write!(body, "if ($pass_{place}_{number} = 0) {{ return 401; }} ").unwrap();
        }
        // `return` here would answer before the password is looked at; `try_files` comes after it.
        writeln!(bodies, "location {path} {{ {body} try_files /nothing @echo; }}").unwrap();
    }
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let config = format!(
        "daemon off; {user} worker_processes 1; pid nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    map_hash_bucket_size 1024; large_client_header_buffers 8 64k;
    {maps}
    server {{
        {listen}
        root .;
        location = /.ready {{ return 200 \"{word}\"; }}
        location / {{ return 404; }}
        location @echo {{
            default_type text/plain;
            return 200 \"method: $request_method\\nuri: $request_uri\\nhost: $http_host\\nuser: $remote_user\\nauthorization: $http_authorization\\ncookie: $http_cookie\\nclient: $ssl_client_s_dn\\nprotocol: $ssl_protocol\\nconnection: $connection\\n{headers}\";
        }}
        {bodies}
    }}
}}
"
    );
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
}

/// A password as both nginx and Apache httpd read it from a file of users.
pub(crate) fn sha1(password: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    format!("{{SHA}}{}", STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())))
}
