//! Clients that we did not write, through `countersign serve`, to servers that we did not write.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use countersign_tests::folder::Folder;
use countersign_tests::front::{App, Check, Front};
use countersign_tests::keys;
use countersign_tests::load::Line;
use countersign_tests::program::{self, Program};
use countersign_tests::proxy::Serve;
use countersign_tests::tls::TestCa;

const KEY: &str = "k-0123456789";
const PASSWORD: &str = "open sesame";

/// Connectors, and what the servers behind them say of their calls.
const CONNECTORS: [(&str, &str); 3] = [
    ("nginx", "by - at nginx HTTP/1.1"),
    ("nginx-tls", "by erp at nginx HTTP/2.0"),
    ("httpd-tls", "by ada at httpd HTTP/2.0"),
];

/// A proxy in front of an nginx that wants a key, one that speaks HTTP/2 and wants Basic, and an httpd that speaks HTTP/2 and
/// wants a JWT of the user at hand; all of them in front of one API.
struct Scene {
    serve: Serve,
    fronts: [Front; 3],
    payload: PathBuf,
    folder: Folder,
    _app: App,
}

impl Scene {
    fn start() -> Option<Self> {
        let folder = Folder::new();
        let bytes: Vec<u8> =
            (0..5_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let payload = folder.put("payload", bytes);
        let (ca, key) = (TestCa::new(), keys::rsa());
        let app = App::start(&payload)?;
        let jwt = Check::Jwt {
            audience: "orders-api".into(),
            issuer: "https://erp.example".into(),
            subject: "ada".into(),
            key: key.public,
        };
        let basic = Check::Basic("erp".into(), PASSWORD.into());
        let fronts = [
            Front::nginx(&app, &Check::Key(KEY.into()), None)?,
            Front::nginx(&app, &basic, Some(&ca.server()))?,
            Front::apache(&app, &jwt, &ca.server())?,
        ];
        folder.put("ca.pem", ca.pem());
        folder.put("key.pem", key.private);
        let mut toml = format!(
            r#"
            [serve]
            listen = "127.0.0.1:0"
            access = "any-local-process"
            threads = 1
            [profiles.nginx]
            type = "api-key"
            key = "{KEY}"
            header = "X-Api-Key"
            [profiles.nginx-tls]
            type = "basic"
            username = "erp"
            password = "{PASSWORD}"
            [profiles.httpd-tls]
            type = "jwt-bearer"
            issuer = "https://erp.example"
            audience = "orders-api"
            subject = "{{{{ caller.user }}}}"
            key = "${{file:key.pem}}"
            headers = {{ kid = "k1" }}
            "#
        );
        for ((name, _), front) in CONNECTORS.iter().zip(&fronts) {
            let ca = if name.ends_with("-tls") { "ca_file = \"ca.pem\"" } else { "" };
            write!(
                toml,
                r#"
                [connectors.{name}]
                base_url = "{}"
                profile = "{name}"
                caller = {{ user = {{ header = "X-User" }} }}
                {ca}
                "#,
                front.url("/api")
            )
            .unwrap();
        }
        let serve = Serve::start(&folder, &toml);
        Some(Self { serve, fronts, payload, folder, _app: app })
    }

    /// What a client is to say that calls by way of a connector.
    fn expected(&self, connector: &str, by: &str) -> Vec<String> {
        let (nothing, json) = (sha256(b""), sha256(b"{\"n\":1}"));
        let payload = sha256(&std::fs::read(&self.payload).unwrap());
        let url = self.serve.url(&format!("/{connector}"));
        vec![
            format!("get GET /api/echo?q=a%20b&x=1 - 0 {nothing} {by}"),
            format!("post POST /api/echo application/json 7 {json} {by}"),
            format!("put PUT /api/echo application/octet-stream 5000000 {payload} {by}"),
            format!("upload POST /api/echo application/octet-stream 5000000 {payload} {by}"),
            format!("download {payload}"),
            format!("gzip gzip {}", self.header(connector, "/gzip", "x-digest")),
            "head 200 5000000".into(),
            format!("redirect {url}/landed landed"),
        ]
    }

    /// A header of the answer to a call by way of a connector.
    fn header(&self, connector: &str, path: &str, name: &str) -> String {
        let mut line = Line::connect(self.serve.address()).unwrap();
        line.call("GET", &format!("/{connector}{path}"), "X-User: ada\r\n", "")
            .unwrap()
            .header(name)
            .to_owned()
    }

    /// Has a client make its calls by way of each connector. `connections` is what it says of its own in the end.
    #[track_caller]
    fn visit(&self, client: impl Fn() -> Command, connections: Option<&str>) {
        for ((connector, by), front) in CONNECTORS.iter().zip(&self.fronts) {
            let mut command = client();
            command.arg(self.serve.url(&format!("/{connector}"))).arg(&self.payload).stdin(Stdio::null());
            let said = run(command, || format!("{connector}: {}\n{}", self.serve.said(), front.errors()));
            let mut expected = self.expected(connector, by);
            expected.extend(connections.map(|count| format!("connections {count}")));
            assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{connector}");
        }
    }
}

/// What a program says that ends well.
#[track_caller]
fn run(mut command: Command, why: impl Fn() -> String) -> String {
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "JAVA_TOOL_OPTIONS"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}\n{complained}\n{}", why());
    said.into_owned()
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// A program that is given a script.
fn with(program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(script(name));
    command
}

#[test]
fn curl_gets_through_to_each_server_with_one_connection() {
    if Program::Curl.path().is_none() {
        return;
    }
    let Some(scene) = Scene::start() else { return };
    scene.visit(|| with(Path::new("/bin/sh"), "curl.sh"), Some("100"));
}

#[test]
fn python_requests_get_through_to_each_server_with_one_connection() {
    let Some(python) = Program::Requests.path() else { return };
    let Some(scene) = Scene::start() else { return };
    let client = || {
        let mut command = with(&python, "requests_client.py");
        command.env("PYTHONPATH", program::python_path());
        command
    };
    scene.visit(client, Some("1"));
}

#[test]
fn node_gets_through_to_each_server_with_one_connection() {
    let Some(node) = Program::WebSockets.path() else { return };
    let Some(scene) = Scene::start() else { return };
    scene.visit(|| with(&node, "client.mjs"), Some("1"));
}

#[test]
fn java_gets_through_to_each_server_though_it_offers_to_upgrade() {
    let Some(java) = Program::Java.path() else { return };
    let Some(scene) = Scene::start() else { return };
    scene.visit(|| with(&java, "Client.java"), None);
}

#[test]
fn web_sockets_get_through_nginx_also_where_other_calls_go_by_http_2() {
    let Some(node) = Program::WebSockets.path() else { return };
    let Some(scene) = Scene::start() else { return };
    for connector in ["nginx", "nginx-tls"] {
        // So that there is a connection of HTTP/2, which is not for sockets.
        assert_ne!(scene.header(connector, "/echo", "x-front-connection"), "");
        let mut command = with(&node, "socket.mjs");
        command
            .arg(program::node_modules())
            .arg(scene.serve.url(&format!("/{connector}/socket")).replace("http:", "ws:"));
        let said = run(command, || scene.serve.said());
        assert_eq!(said, "text grüß dich\nbinary true true\nclosed 4001 as you wish\n", "{connector}");
    }
}

#[test]
fn the_servers_refuse_who_comes_without_the_proxy_and_whom_they_do_not_know() {
    let Some(curl) = Program::Curl.path() else { return };
    let Some(scene) = Scene::start() else { return };
    for front in &scene.fronts {
        let mut command = Command::new(&curl);
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert"]);
        command.arg(scene.folder.path().join("ca.pem")).arg(front.url("/api/echo"));
        assert_eq!(run(command, || front.errors()), "401");
    }
    let mut line = Line::connect(scene.serve.address()).unwrap();
    let other = line.call("GET", "/httpd-tls/echo", "X-User: mallory\r\n", "").unwrap();
    assert_eq!(other.status, 401);
}

#[test]
fn calls_to_a_server_share_a_connection_to_it() {
    let Some(scene) = Scene::start() else { return };
    for connector in ["nginx", "nginx-tls"] {
        let seen: BTreeSet<String> =
            (0..10).map(|_| scene.header(connector, "/echo", "x-front-connection")).collect();
        assert_eq!(seen.len(), 1, "{connector}: {seen:?}");
    }
}
