//! Real servers in front of an API: they take calls by HTTP/1.1 and HTTP/2, verify credentials, and pass on what is let
//! in. The API is `tests/services/app.mjs`, which says what there is to call.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::nginx::sha1;
use crate::program::{self, Program};
use crate::service::{Service, free_port};
use crate::tls::Identity;

/// The API itself, which asks for no credential.
#[derive(Debug)]
pub struct App {
    _service: Service,
    address: String,
}

impl App {
    /// Starts it; `payload` is a file that it gives back. `None` only where the tests were told to do without it.
    pub fn start(payload: &Path) -> Option<Self> {
        let program = Program::WebSockets.path()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/app.mjs");
        let mut command = Command::new(program);
        command.arg(script).arg(program::node_modules()).arg(payload);
        let folder = TempDir::with_prefix("countersign-").unwrap();
        let (service, address) = Service::announcing(folder, &command);
        Some(Self { _service: service, address: address.trim().to_owned() })
    }
}

/// What a call must carry to be passed on.
#[derive(Clone, Debug)]
pub enum Check {
    /// The field `X-Api-Key` with this value.
    Key(String),
    /// The `Authorization: Basic` of this user with this password.
    Basic(String, String),
    /// A JWT as bearer token for this audience, from this issuer, with this subject, signed with the RSA key of this public
    /// half (PEM), whose `kid` is `k1`. Only httpd verifies such.
    Jwt {
        /// `aud`.
        audience: String,
        /// `iss`.
        issuer: String,
        /// `sub`.
        subject: String,
        /// PEM.
        key: String,
    },
}

/// A server in front of the API. It says who calls, and by which protocol.
#[derive(Debug)]
pub struct Front {
    service: Service,
    origin: String,
}

impl Front {
    /// nginx; with an identity over TLS, by HTTP/2 or HTTP/1.1 as clients want it. `None` only where the tests were told to
    /// do without it.
    pub fn nginx(app: &App, check: &Check, identity: Option<&Identity>) -> Option<Self> {
        let program = Program::Nginx.path()?;
        let (service, port) = Service::on_free_port(|folder, port, word| {
            let mut listen = format!("listen 127.0.0.1:{port};");
            if let Some(identity) = identity {
                let tls = tls_port(folder, identity);
                listen += &format!(
                    " listen 127.0.0.1:{tls} ssl http2; ssl_certificate server.pem; ssl_certificate_key server.key;"
                );
            }
            std::fs::write(folder.join("nginx.conf"), nginx_config(folder, &listen, word, app, check))
                .unwrap();
            let mut command = Command::new(&program);
            command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder);
            command.env("LD_LIBRARY_PATH", program::library_path());
            command
        });
        Some(Self { origin: origin(&service, port), service })
    }

    /// Apache httpd with mod_http2, over TLS. `None` only where the tests were told to do without it.
    pub fn apache(app: &App, check: &Check, identity: &Identity) -> Option<Self> {
        let program = Program::Apache.path()?;
        let (service, port) = Service::on_free_port(|folder, port, word| {
            let tls = tls_port(folder, identity);
            std::fs::write(folder.join("httpd.conf"), apache_config(folder, [port, tls], app, check))
                .unwrap();
            std::fs::create_dir(folder.join("www")).unwrap();
            std::fs::write(folder.join("www/.ready"), word).unwrap();
            let mut command = Command::new(&program);
            command.arg("-d").arg(folder).arg("-f").arg(folder.join("httpd.conf")).arg("-DFOREGROUND");
            command.env("LD_LIBRARY_PATH", program::library_path());
            command
        });
        Some(Self { origin: origin(&service, port), service })
    }

    /// The URL of a path, which begins with `/api/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// What it complained of, to put into a failing test's words.
    pub fn errors(&self) -> String {
        self.service.output()
    }
}

/// A port for TLS beside the one that tells when the server is ready.
fn tls_port(folder: &Path, identity: &Identity) -> u16 {
    let port = free_port();
    std::fs::write(folder.join("server.pem"), &identity.certificate).unwrap();
    std::fs::write(folder.join("server.key"), &identity.key).unwrap();
    std::fs::write(folder.join("tls_port"), port.to_string()).unwrap();
    port
}

fn origin(service: &Service, port: u16) -> String {
    match std::fs::read_to_string(service.folder().join("tls_port")) {
        Ok(port) => format!("https://127.0.0.1:{port}"),
        Err(_) => format!("http://127.0.0.1:{port}"),
    }
}

fn users(folder: &Path, user: &str, password: &str) {
    std::fs::write(folder.join("users"), format!("{user}:{}\n", sha1(password))).unwrap();
}

fn nginx_config(folder: &Path, listen: &str, word: &str, app: &App, check: &Check) -> String {
    let (key, check) = match check {
        Check::Key(key) => (key.as_str(), "if ($let_in = 0) { return 401; }"),
        Check::Basic(user, password) => {
            users(folder, user, password);
            ("", "auth_basic \"countersign\"; auth_basic_user_file users;")
        }
        Check::Jwt { .. } => panic!("nginx verifies no JWT"),
    };
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes 1; pid nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off; client_max_body_size 0;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    map $http_x_api_key $let_in {{ default 0; \"~^\\Q{key}\\E$\" 1; }}
    map $http_upgrade $for_app {{ default upgrade; '' ''; }}
    server {{
        {listen}
        location = /.ready {{ return 200 \"{word}\"; }}
        location / {{ return 404; }}
        location /api/ {{
            {check}
            proxy_pass http://{};
            proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $for_app;
            proxy_set_header X-Front \"nginx $server_protocol\"; proxy_set_header X-Front-User $remote_user;
            proxy_set_header X-Front-Scheme $scheme; proxy_set_header X-Front-Connection $connection;
        }}
    }}
}}
",
        app.address
    )
}

const MODULES: &[&str] = &[
    "mpm_event",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_user",
    "auth_basic",
    "auth_openidc",
    "headers",
    "http2",
    "proxy",
    "proxy_http",
    "ssl",
];

fn apache_config(folder: &Path, [port, tls]: [u16; 2], app: &App, check: &Check) -> String {
    let mut config = String::new();
    for module in MODULES {
        let file = program::installed(&format!("usr/lib/apache2/modules/mod_{module}.so"));
        let file = file.unwrap_or_else(|| panic!("mod_{module}.so is missing: run `tests/run`"));
        config += &format!("LoadModule {module}_module {}\n", file.display());
    }
    if rustix::process::geteuid().is_root() {
        // Its workers leave root behind, and must be able to read the folder.
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        config += "User nobody\nGroup nogroup\n";
    }
    let (keys, check) = match check {
        Check::Key(_) => panic!("httpd is not told to look at keys"),
        Check::Basic(user, password) => {
            users(folder, user, password);
            let users = folder.join("users");
            let check = format!(
                "AuthType Basic\nAuthName countersign\nAuthUserFile {}\nRequire valid-user",
                users.display()
            );
            (String::new(), check)
        }
        Check::Jwt { audience, issuer, subject, key } => {
            std::fs::write(folder.join("k1.pem"), key).unwrap();
            let keys = format!(
                "OIDCOAuthVerifyCertFiles k1#{}/k1.pem\nOIDCOAuthRemoteUserClaim sub",
                folder.display()
            );
            let check = format!(
                "AuthType oauth20\n<RequireAll>\nRequire claim iss:{issuer}\nRequire claim aud:{audience}\nRequire claim sub:{subject}\n</RequireAll>"
            );
            (keys, check)
        }
    };
    let (name, address) = (folder.display(), &app.address);
    config
        + &format!(
            "Listen 127.0.0.1:{port}
Listen 127.0.0.1:{tls}
ServerName 127.0.0.1
StartServers 1
ServerLimit 1
ThreadsPerChild 32
ThreadLimit 32
MaxRequestWorkers 32
PidFile {name}/httpd.pid
DefaultRuntimeDir {name}
ErrorLog /dev/stderr
DocumentRoot {name}/www
{keys}
<VirtualHost 127.0.0.1:{tls}>
SSLEngine on
SSLCertificateFile {name}/server.pem
SSLCertificateKeyFile {name}/server.key
Protocols h2 http/1.1
ProxyPreserveHost On
ProxyPass /api/ http://{address}/api/
RequestHeader set X-Front \"expr=httpd %{{SERVER_PROTOCOL}}\"
RequestHeader set X-Front-User expr=%{{REMOTE_USER}}
RequestHeader set X-Front-Scheme https
<Location /api/>
{check}
</Location>
</VirtualHost>
"
        )
}
