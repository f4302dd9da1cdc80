//! moto, with IAM enforced, lets in what `aws-sigv4` signs, and refuses other keys and what was tampered with.

use std::time::SystemTime;

use countersign::testing::ScriptedHost;
use countersign::{HeaderView, RequestHead};
use countersign_host::registry::Registry;
use countersign_host::{Client, Host};
use countersign_tests::client;
use countersign_tests::folder::{Folder, read, request};
use countersign_tests::moto::Moto;
use http::Method;
use serde_json::json;

const JSON: &str = "application/x-amz-json-1.0";

/// A connector with a profile of its own; keys are the user's where `more` gives none.
fn connector(aws: &Moto, name: &str, service: &str, more: &str) -> String {
    let (id, secret) = aws.keys();
    let keys = match more.contains("access_key_id") {
        true => String::new(),
        false => format!("access_key_id = \"{id}\"\nsecret_access_key = \"{secret}\"\n"),
    };
    format!(
        "[connectors.{name}]\nbase_url = \"{}\"\nprofile = \"{name}\"\n\
         [profiles.{name}]\ntype = \"aws-sigv4\"\nregion = \"us-east-1\"\nservice = \"{service}\"\n{keys}{more}\n",
        aws.url()
    )
}

async fn send(
    host: &Host,
    name: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let mut request = request(method, path, body);
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let api = host.connector(name).unwrap();
    read(Client::new().send(&api, request).await.unwrap_or_else(|error| panic!("{name}: {error}"))).await
}

#[tokio::test]
async fn objects_and_tables_are_the_users() {
    let Some(aws) = Moto::start() else { return };
    let mut toml = connector(&aws, "s3", "s3", "");
    toml += &connector(&aws, "unsigned", "s3", "payload = \"unsigned\"");
    toml += &connector(&aws, "dynamodb", "dynamodb", "");
    toml += &connector(&aws, "iam", "iam", "");
    let folder = Folder::new();
    let host = folder.host(&toml).await;

    let (status, body) = send(&host, "s3", Method::PUT, "/reports", &[], "").await;
    assert_eq!(status, 200, "{body} {}", aws.errors());
    // As AWS wants it on the wire (moto takes the path as it came), and a header of its own with spaces to squeeze.
    let object = "/reports/2026/a%20b%2Bc/d~e/%C3%A4%3D%281%29.txt";
    for name in ["s3", "unsigned"] {
        let (status, body) =
            send(&host, name, Method::PUT, object, &[("x-amz-meta-of", " a  b ")], name).await;
        assert_eq!(status, 200, "{name}: {body} {}", aws.errors());
        assert_eq!(send(&host, name, Method::GET, object, &[], "").await, (200, name.to_owned()));
    }
    let list = "/reports?list-type=2&prefix=2026%2Fa%20b&delimiter=";
    let (status, body) = send(&host, "s3", Method::GET, list, &[], "").await;
    assert!(status == 200 && body.contains("<KeyCount>1</KeyCount>"), "{body} {}", aws.errors());

    let target = [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", JSON)];
    let (status, body) = send(&host, "dynamodb", Method::POST, "/", &target, "{}").await;
    assert_eq!((status, body.as_str()), (200, r#"{"TableNames": []}"#), "{}", aws.errors());

    // Who it is was believed; what it may do is another matter.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (status, body) =
        send(&host, "iam", Method::POST, "/", &form, "Action=ListUsers&Version=2010-05-08").await;
    assert!(status == 403 && body.contains("AccessDenied") && body.contains("user/erp"), "{body}");
}

#[tokio::test]
async fn a_role_is_taken_and_may_do_what_it_may() {
    let Some(aws) = Moto::start() else { return };
    let role = format!(
        "assume_role = {{ role_arn = \"{}\", session_name = \"nightly\" }}\nsts_url = \"{}\"",
        aws.role(),
        aws.url()
    );
    let toml = connector(&aws, "user", "s3", "") + &connector(&aws, "role", "s3", &role);
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    assert_eq!(send(&host, "user", Method::PUT, "/reports", &[], "").await.0, 200, "{}", aws.errors());
    assert_eq!(send(&host, "user", Method::PUT, "/reports/a", &[], "content").await.0, 200);
    let (status, body) = send(&host, "role", Method::GET, "/reports/a", &[], "").await;
    assert_eq!((status, body.as_str()), (200, "content"), "{}", aws.errors());
    let (status, body) = send(&host, "role", Method::PUT, "/reports/a", &[], "other").await;
    assert!(status == 403 && body.contains("AccessDenied"), "{body}");
}

#[tokio::test]
async fn other_keys_are_refused() {
    let Some(aws) = Moto::start() else { return };
    let (id, _) = aws.keys();
    let mut toml = connector(
        &aws,
        "secret",
        "dynamodb",
        &format!("access_key_id = \"{id}\"\nsecret_access_key = \"wrong\""),
    );
    toml +=
        &connector(&aws, "id", "dynamodb", "access_key_id = \"AKIAUNKNOWN\"\nsecret_access_key = \"wrong\"");
    let folder = Folder::new();
    let host = folder.host(&toml).await;
    let target = [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", JSON)];
    let (status, body) = send(&host, "secret", Method::POST, "/", &target, "{}").await;
    assert!((400..=403).contains(&status) && body.contains("SignatureDoesNotMatch"), "{status} {body}");
    let (status, body) = send(&host, "id", Method::POST, "/", &target, "{}").await;
    assert!((400..=403).contains(&status) && body.contains("InvalidClientTokenId"), "{status} {body}");
}

#[test]
fn what_was_tampered_with_is_refused() {
    let Some(aws) = Moto::start() else { return };
    let address = aws.url().strip_prefix("http://").unwrap().parse().unwrap();
    let (id, secret) = aws.keys();
    let settings = json!({
        "region": "us-east-1", "service": "dynamodb", "access_key_id": id, "secret_access_key": secret,
    });
    let profile = Registry::built_in().create("aws-sigv4", &settings).unwrap();
    let mut host = ScriptedHost::new().at(SystemTime::now());
    let signed = |host: &mut ScriptedHost| {
        let credential = host.acquire(&*profile).unwrap();
        let headers = [
            HeaderView::new("content-type", JSON.as_bytes()),
            HeaderView::new("x-amz-target", b"DynamoDB_20120810.ListTables"),
        ];
        let request = RequestHead::new("POST", "http", "aws.example", "/")
            .with_headers(&headers)
            .with_body(Some(b"{}"));
        let edits = host.sign(&*profile, credential, &request).unwrap();
        edits.iter().map(|(_, name, value)| format!("{name}: {value}\r\n")).collect::<String>()
    };
    let send = |method: &str, path: &str, target: &str, body: &str, added: &str| {
        let answer = client::call(
            address,
            format!(
                "{method} {path} HTTP/1.1\r\nHost: aws.example\r\nX-Amz-Target: DynamoDB_20120810.{target}\r\nContent-Type: {JSON}\r\n\
                 {added}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        );
        (answer.status, answer.text())
    };
    let added = signed(&mut host);
    assert_eq!(send("POST", "/", "ListTables", "{}", &added).0, 200, "{}", aws.errors());
    let date = |added: &str| {
        let at = added.find("x-amz-date: ").unwrap() + "x-amz-date: 20".len();
        format!("{}99{}", &added[..at], &added[at + 2..])
    };
    for (what, (status, body)) in [
        ("target", send("POST", "/", "DescribeLimits", "{}", &added)),
        ("body", send("POST", "/", "ListTables", "{\"Limit\":1}", &added)),
        ("query", send("POST", "/?x=1", "ListTables", "{}", &added)),
        ("date", send("POST", "/", "ListTables", "{}", &date(&added))),
    ] {
        assert!(
            (400..=403).contains(&status) && body.contains("SignatureDoesNotMatch"),
            "{what}: {status} {body}"
        );
    }
}
