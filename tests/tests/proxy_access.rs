//! Who may use the proxy: nobody borrows credentials.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign_tests::client::{Client, call};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::Folder;
use countersign_tests::proxy::Serve;
use rustix::process::{Signal, Uid};

/// A configuration whose connector `orders` gives calls an API key. `serve` and `connector` are more lines of theirs.
fn toml(api: &FaultServer, serve: &str, connector: &str) -> String {
    format!(
        r#"
[serve]
{serve}

[connectors.orders]
base_url = "{}"
profile = "key"
{connector}

[profiles.key]
type = "api-key"
key = "of-the-connector"
header = "X-Key"
"#,
        api.url("/api")
    )
}

const TOKEN: &str = "listen = \"127.0.0.1:0\"\naccess = \"token\"";
const ANY: &str = "listen = \"127.0.0.1:0\"\naccess = \"any-local-process\"";

#[test]
fn who_has_no_token_gets_nothing_and_learns_nothing() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &toml(&api, TOKEN, ""));
    let token = serve.token();
    for fields in [
        String::new(),
        "Authorization: Bearer wrong\r\n".into(),
        "Authorization: Bearer\r\n".into(),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Bearer {}\r\n", &token[..token.len() - 1]),
        format!("Authorization: Bearer {token}x\r\n"),
        format!("Authorization: Bearer {}\r\n", token.to_uppercase()),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("X-Authorization: Bearer {token}\r\n"),
        format!("Cookie: token={token}\r\n"),
    ] {
        let answer = serve.get("/orders/1", &fields);
        let problem = answer.problem(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"countersign\""), "{fields}");
        assert_eq!(problem["kind"], "access", "{fields}");
        // Not even which connectors there are.
        let other = serve.get("/nothing/1", &fields);
        assert_eq!((other.status, other.body), (401, answer.body), "{fields}");
    }
    assert_eq!(serve.get(&format!("/orders/1?access_token={token}"), "").status, 401);
    assert_eq!(api.count(), 0);
}

#[test]
fn who_has_the_token_gets_in_and_the_token_goes_no_further() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let pass = "pass_headers = [\"authorization\", \"cookie\"]";
    let serve = Serve::start(&folder, &toml(&api, TOKEN, pass));
    let token = serve.token();
    for fields in [
        format!("Authorization: Bearer {token}\r\n"),
        format!("authorization: bearer {token}\r\n"),
        format!("Proxy-Authorization: Bearer {token}\r\n"),
        format!("Proxy-Authorization: Bearer {token}\r\nAuthorization: Basic eDp5\r\n"),
        format!("Authorization: Basic eDp5\r\nAuthorization: Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nProxy-Authorization: Bearer {token}\r\n"),
    ] {
        assert_eq!(serve.get("/orders/1", &fields).status, 204, "{fields}");
    }
    for request in api.requests() {
        assert_eq!(request.header("x-key"), Some("of-the-connector"));
        assert!(!request.wire().contains(&token), "{}", request.wire());
    }
    assert_eq!(api.count(), 6);
    assert!(!serve.said().contains(&token));
}

#[test]
fn the_token_is_for_its_owner_and_stays_the_same() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let toml = toml(&api, TOKEN, "");
    let serve = Serve::start(&folder, &toml);
    let token = serve.token();
    let file = folder.path().join("countersign.token");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(token.len() >= 43, "{}", token.len());
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait_for_end(), 0);
    assert_eq!(Serve::start(&folder, &toml).token(), token);

    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let said = Serve::refusal(&folder, &toml);
    assert!(said.contains("can be read or written by others") && !said.contains(&token), "{said}");
}

#[test]
fn a_connectors_own_listener_asks_for_the_token_too() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &toml(&api, "access = \"token\"", "listen = \"127.0.0.1:0\""));
    assert_eq!(serve.get("/1", "").status, 401);
    assert_eq!(api.count(), 0);
    let token = format!("Authorization: Bearer {}\r\n", serve.token());
    assert_eq!(serve.get("/1", &token).status, 204);
    assert_eq!(api.requests()[0].target, "/api/1");
}

#[test]
fn any_local_process_gets_in_where_that_was_said() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &toml(&api, ANY, ""));
    assert_eq!(serve.get("/orders/1", "").status, 204);
    assert!(!folder.path().join("countersign.token").exists());
}

#[test]
fn nothing_is_served_that_nobody_said_who_may_use() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    for (serve, said) in [
        ("listen = \"127.0.0.1:0\"", "every process of this machine could borrow credentials"),
        ("listen = \"0.0.0.0:0\"\naccess = \"any-local-process\"", "can be reached from other machines"),
        ("listen = \"[::]:0\"\naccess = \"any-local-process\"", "can be reached from other machines"),
        ("access = \"token\"", "lacks `listen`"),
        ("listen = []\naccess = \"token\"", "listen"),
        ("listen = \"127.0.0.1:0\"\naccess = \"all\"", "must be `token` or `any-local-process`"),
        (
            "listen = \"127.0.0.1:0\"\naccess = \"token\"\nadmin = \"0.0.0.0:0\"",
            "can be reached from other machines",
        ),
    ] {
        let refusal = Serve::refusal(&folder, &toml(&api, serve, ""));
        assert!(refusal.contains(said), "{serve}: {refusal}");
    }
    let own = toml(&api, "listen = \"unix:proxy.sock\"", "listen = \"127.0.0.1:0\"");
    assert!(Serve::refusal(&folder, &own).contains("every process of this machine could borrow credentials"));
    assert!(Serve::refusal(&folder, "").contains("has no `[serve]`"));
}

/// Calls through a unix socket: the status, or that nothing was answered.
fn unix(socket: &Path) -> Result<u16, String> {
    let mut client = Client::connect_unix(socket).map_err(|error| error.kind().to_string())?;
    client.send("GET /orders/1 HTTP/1.1\r\nHost: whatever\r\n\r\n");
    match client.next(false) {
        Ok(Some(answer)) => Ok(answer.status),
        _ => Err("closed".to_owned()),
    }
}

/// What a thread of another user gets.
fn unix_as(user: u32, socket: &Path) -> Result<u16, String> {
    let socket = socket.to_owned();
    let thread = std::thread::spawn(move || {
        rustix::thread::set_thread_uid(Uid::from_raw(user)).unwrap();
        unix(&socket)
    });
    thread.join().unwrap()
}

#[test]
fn a_unix_socket_is_for_its_owner_whatever_becomes_of_its_mode() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let listen = "listen = \"unix:proxy.sock\"";
    let serve = Serve::start(&folder, &toml(&api, listen, ""));
    let socket = folder.path().join("proxy.sock");
    assert_eq!(serve.listeners(), [format!("unix:{}", socket.display())]);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(unix(&socket), Ok(204));
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root can be another user");
        return;
    }
    assert_eq!(unix_as(65_534, &socket), Err("permission denied".into()));
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(unix_as(65_534, &socket), Err("closed".into()));
    assert_eq!(api.count(), 1);
    drop(serve);

    let listen = format!("{listen}\nallow_uids = [65534]");
    let _serve = Serve::start(&folder, &toml(&api, &listen, ""));
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    assert_eq!(unix_as(65_534, &socket), Ok(204));
    assert_eq!(unix_as(65_533, &socket), Err("closed".into()));
    assert_eq!(unix(&socket), Ok(204));
}

#[test]
fn a_host_that_is_not_ours_is_refused_before_the_token_is_asked_for() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let listen = format!("{TOKEN}\nhosts = [\"proxy.test:7070\"]");
    let serve = Serve::start(&folder, &toml(&api, &listen, "hosts = [\"orders.test\"]"));
    let (address, token) = (serve.address(), serve.token());
    let port = address.port();
    let answer = |host: &str, path: &str, token: &str| {
        call(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"))
    };
    let ours = [format!("127.0.0.1:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}")];
    for host in ours.iter().map(String::as_str).chain(["proxy.test:7070", "PROXY.test:7070"]) {
        assert_eq!(answer(host, "/orders/1", &token).status, 204, "{host}");
    }
    assert_eq!(answer("orders.test", "/1", &token).status, 204);
    assert_eq!(answer("orders.test:80", "/1", &token).status, 204);
    assert_eq!(api.count(), 7);
    let others = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".into(),
        "localhost".into(),
        format!("127.0.0.1:{}", port ^ 1),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost.:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0.0.0.0:{port}"),
        "proxy.test".into(),
        "orders.test:7070".into(),
        "x.orders.test".into(),
    ];
    for host in &others {
        for token in [&*token, "wrong"] {
            let problem = answer(host, "/orders/1", token).problem(421);
            assert_eq!(problem["kind"], "host", "{host}");
        }
    }
    assert_eq!(api.count(), 7);
}

#[test]
fn what_a_web_page_could_send_is_refused() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &toml(&api, ANY, ""));
    for fields in [
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".into(),
        format!("Origin: http://{}\r\n", serve.address()),
        "Sec-Fetch-Site: cross-site\r\n".into(),
        "Sec-Fetch-Site: same-origin\r\n".into(),
        "sec-fetch-site: none\r\n".into(),
        "Origin:\r\n".into(),
        "Connection: Origin\r\nOrigin: https://evil.example\r\n".into(),
    ] {
        let problem = serve.get("/orders/1", &fields).problem(403);
        assert_eq!(problem["kind"], "origin", "{fields}");
    }
    let address = serve.address();
    let preflight = format!(
        "OPTIONS /orders/1 HTTP/1.1\r\nHost: {address}\r\nOrigin: https://evil.example\r\n\
         Access-Control-Request-Method: POST\r\n\r\n"
    );
    let answer = call(address, preflight);
    answer.problem(403);
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")));
    assert_eq!(api.count(), 0);
}

#[test]
fn no_method_opens_a_tunnel_or_echoes_a_request() {
    let api = FaultServer::start([Reply::status(204)]);
    let folder = Folder::new();
    let serve = Serve::start(&folder, &toml(&api, ANY, ""));
    let address = serve.address();
    let target = api.url("").replace("http://", "");
    for request in [
        format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"),
        format!("CONNECT {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("CONNECT /orders/1 HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("TRACE /orders/1 HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("TRACK /orders/1 HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    ] {
        let answer = call(address, &request);
        answer.problem(405);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")), "{request}");
        assert!(!answer.text().contains(&target), "{request}");
    }
    assert_eq!((api.count(), api.connections()), (0, 0));
}
