//! Sessions of real servers, and what a server that misbehaves can do with a login.

use countersign::ErrorKind;
use countersign_host::{Client, Host};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read, request};
use countersign_tests::qbittorrent::{self, QBittorrent};
use countersign_tests::simple_jwt::{self, SimpleJwt};
use http::Method;
use serde_json::{Value, json};

/// The recipe of the book, for a server here, with this password.
fn recipe(name: &str, server: &str, password: &str) -> String {
    let page = include_str!("../../docs/src/types/session-recipes.md");
    let block =
        page.split("```toml,config\n").skip(1).find(|block| block.starts_with(&format!("[profiles.{name}]")));
    let block = block.unwrap().split("```").next().unwrap();
    let (before, rest) = block.split_once("${env:").unwrap();
    let (_, after) = rest.split_once('}').unwrap();
    format!("{before}{password}{after}").replace(&format!("https://{name}.example"), server)
}

async fn call(host: &Host, connector: &str, method: Method, path: &str) -> (u16, String) {
    let connector = host.connector(connector).unwrap();
    let answer = Client::new().send(&connector, request(method, path, "")).await;
    read(answer.unwrap_or_else(|error| panic!("{error}"))).await
}

#[tokio::test]
async fn qbittorrent_lets_in_a_session_and_one_that_it_ended_is_replaced() {
    let Some(server) = QBittorrent::start() else { return };
    let folder = Folder::new();
    let host = folder.host(&recipe("qbittorrent", &server.url(""), qbittorrent::PASSWORD)).await;
    let version = call(&host, "qbittorrent", Method::GET, "/app/version").await;
    assert_eq!(version.0, 200, "{}", server.errors());
    assert!(version.1.starts_with('v'), "{version:?}");
    // The API ends the very session that the call carries, and says 403 from then on.
    assert_eq!(call(&host, "qbittorrent", Method::POST, "/auth/logout").await.0, 200);
    assert_eq!(call(&host, "qbittorrent", Method::GET, "/app/version").await, version);
}

#[tokio::test]
async fn a_wrong_password_to_which_qbittorrent_says_200_is_no_session() {
    let Some(server) = QBittorrent::start() else { return };
    let folder = Folder::new();
    let host = folder.host(&recipe("qbittorrent", &server.url(""), "wrong-password")).await;
    let error = get(&host, "qbittorrent", "/app/version").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("it says: \"Fails.\""), "{error}");
    assert!(!error.to_string().contains("wrong-password"), "{error}");
}

fn simple_jwt(server: &SimpleJwt, password: &str) -> String {
    format!(
        r#"
        [store]
        dir = "state"
        [profiles.jwt]
        type           = "session"
        login          = {{ url = "{login}", json = {{ username = "erp", password = "{password}" }} }}
        answer         = {{ token = "/access", refresh = "/refresh" }}
        expires_with   = "token"
        refresh        = {{ url = "{refresh}", json = {{ refresh = "{{{{ answer.refresh }}}}" }} }}
        errors         = ["/detail"]
        [connectors.jwt]
        base_url = "{base}"
        profile  = "jwt"
        "#,
        login = server.url("/token/"),
        refresh = server.url("/token/refresh/"),
        base = server.url("")
    )
}

async fn whoami(host: &Host) -> Value {
    let (status, body) = call(host, "jwt", Method::GET, "/whoami").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn simple_jwt_prolongs_a_session_once_and_then_wants_a_login() {
    let Some(server) = SimpleJwt::start() else { return };
    let folder = Folder::new();
    let toml = simple_jwt(&server, simple_jwt::PASSWORD);
    let first = whoami(&folder.host(&toml).await).await;
    assert_eq!(first["user"], "erp", "{}", server.errors());
    assert_eq!((&first["issued"], &first["blocked"]), (&json!(1), &json!(0)));
    // Another run begins with the state that the first one left, and rotates the refresh token.
    let second = whoami(&folder.host(&toml).await).await;
    assert_eq!(
        (&second["issued"], &second["blocked"]),
        (&json!(1), &json!(1)),
        "by the refresh request: {second}"
    );
    // Somebody else uses up the refresh token that was kept, which is entered with that; so the next run has to log in.
    let state = std::fs::read_dir(folder.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let kept: String =
        state.map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()).collect();
    let kept = kept.replace('\\', "");
    let refresh = kept.split("\"refresh\":\"").nth(1).unwrap().split('"').next().unwrap();
    let body = json!({ "refresh": refresh });
    let used = reqwest::Client::new().post(server.url("/token/refresh/")).json(&body).send().await.unwrap();
    assert_eq!(used.status(), 200);
    let third = whoami(&folder.host(&toml).await).await;
    assert_eq!((&third["issued"], &third["blocked"]), (&json!(3), &json!(2)), "by a login: {third}");
}

#[tokio::test]
async fn simple_jwt_refuses_a_wrong_password_and_says_so() {
    let Some(server) = SimpleJwt::start() else { return };
    let folder = Folder::new();
    let host = folder.host(&simple_jwt(&server, "wrong-password")).await;
    let error = get(&host, "jwt", "/whoami").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("\"No active account found with the given credentials\""), "{error}");
}

/// A session of a scripted server, which is called itself.
fn scripted(server: &FaultServer, more: &str) -> String {
    format!(
        r#"
        [profiles.s]
        type   = "session"
        login  = {{ url = "{login}", json = {{ password = "s3cr3t-of-the-login" }} }}
        answer = {{ token = "/token" }}
        {more}
        [connectors.s]
        base_url  = "{base}"
        profile   = "s"
        rejection = {{ status = [200], body_contains = "session expired" }}
        "#,
        login = server.url("/login"),
        base = server.url("/api")
    )
}

#[tokio::test]
async fn a_rejection_in_a_200_makes_a_new_session_and_logs_the_old_one_out() {
    let server = FaultServer::start([
        Reply::json(r#"{"token":"t-1"}"#),
        Reply::json(r#"{"error":"your session expired"}"#),
        Reply::json(r#"{"token":"t-2"}"#),
        Reply::status(204),
        Reply::json(r#"{"orders":[]}"#),
    ]);
    let folder = Folder::new();
    let logout = format!(
        r#"logout = {{ method = "DELETE", url = "{}/{{{{ answer.token }}}}" }}"#,
        server.url("/sessions")
    );
    let host = folder.host(&scripted(&server, &logout)).await;
    let (status, body) = call(&host, "s", Method::GET, "/orders").await;
    assert_eq!((status, body.as_str()), (200, r#"{"orders":[]}"#));
    let seen: Vec<_> =
        server.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(
        seen,
        ["POST /login", "GET /api/orders", "POST /login", "DELETE /sessions/t-1", "GET /api/orders"]
    );
    assert_eq!(server.requests()[4].header("authorization"), Some("Bearer t-2"));
}

#[tokio::test]
async fn a_server_that_answers_without_end_or_elsewhere_gets_no_session() {
    for (reply, words) in [
        (Reply::json("{").endless(), "more than 256 KiB"),
        (Reply::json(format!("{{\"token\":\"{}\"}}", "x".repeat(100_000))), "longer than 16 KiB"),
        (Reply::redirect("https://elsewhere.example/login"), "redirects are not followed"),
        (Reply::html("<form>s3cr3t-of-the-login</form>"), "a page (HTML)"),
        (Reply::json(r#"{"token":"a\r\nX-Evil: b"}"#), "control character"),
        (Reply::json("s3cr3t-of-the-login"), "not JSON"),
    ] {
        let server = FaultServer::start([reply]);
        let folder = Folder::new();
        let host = folder.host(&scripted(&server, "")).await;
        let error =
            get(&host, "s", "/orders").await.err().unwrap_or_else(|| panic!("{words}: the call went out"));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(words), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert_eq!(server.count(), 1, "{words}");
    }
}

#[tokio::test]
async fn each_caller_has_a_session_of_its_own() {
    let server = FaultServer::start([
        Reply::json(r#"{"token":"t-ada"}"#),
        Reply::status(200),
        Reply::json(r#"{"token":"t-bob"}"#),
        Reply::status(200),
        Reply::status(200),
    ]);
    let folder = Folder::new();
    let toml =
        scripted(&server, "").replace(r#"{ password ="#, r#"{ user = "{{ caller.user }}", password ="#);
    let host = folder.host(&toml).await;
    let connector = host.connector("s").unwrap();
    for user in ["ada", "bob", "ada"] {
        let mut request = request(Method::GET, "/orders", "");
        request.extensions_mut().insert(countersign::Caller::from_iter([("user", user)]));
        let answer = Client::new().send(&connector, request).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let requests = server.requests();
    assert_eq!(requests[0].json()["user"], "ada");
    assert_eq!(requests[2].json()["user"], "bob");
    assert_eq!(requests[4].header("authorization"), Some("Bearer t-ada"));
}
