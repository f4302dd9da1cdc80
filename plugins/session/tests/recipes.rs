//! The recipes of the book, each against the answers of the vendor's documentation.
#![allow(missing_docs, clippy::unwrap_used)] // a test

use std::time::{Duration, SystemTime};

use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Credential, Error, ErrorKind, HttpRequest, Lifetime, Profile};
use countersign_session::Session;
use serde_json::{Value, json};

/// The profile of that name in the book, with a password in place of each variable.
fn recipe(name: &str) -> Box<dyn Profile> {
    let page = include_str!("../../../docs/src/types/session-recipes.md");
    let blocks = page.split("```toml,config\n").skip(1).filter_map(|rest| rest.split("```").next());
    let profiles = blocks.map(|block| {
        let mut text = block.to_owned();
        while let Some((before, rest)) = text.clone().split_once("${env:") {
            text = format!("{before}c4nary{}", rest.split_once('}').unwrap().1);
        }
        serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap()["profiles"].clone()
    });
    let mut settings =
        profiles.map(|profiles| profiles[name].clone()).find(|found| !found.is_null()).unwrap();
    assert_eq!(settings.as_object_mut().unwrap().remove("type"), Some(json!("session")));
    profile::<Session>(settings).unwrap()
}

struct Seen {
    credential: Credential,
    host: ScriptedHost,
}

impl Seen {
    fn placed(&self) -> Vec<(&str, &str, &str)> {
        self.host.placed(&self.credential)
    }

    fn sent(&self) -> &HttpRequest {
        &self.host.sent()[0]
    }

    fn body(&self) -> Value {
        serde_json::from_slice(self.sent().body.expose()).unwrap()
    }
}

fn login(name: &str, answer: Answer) -> Seen {
    login_at(name, ScriptedHost::new().now(), answer)
}

fn login_at(name: &str, now: SystemTime, answer: Answer) -> Seen {
    let mut host = ScriptedHost::new().at(now).answer(answer);
    let credential = host.acquire(&*recipe(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Seen { credential, host }
}

fn refusal(name: &str, answer: Answer) -> Error {
    let error = ScriptedHost::new().answer(answer).acquire(&*recipe(name)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(!error.to_string().contains("c4nary"), "{error}");
    error
}

/// The request that ends a session, as it is made once the session has been replaced twice.
fn logout(name: &str, answer: impl Fn() -> Answer) -> HttpRequest {
    let recipe = recipe(name);
    let mut host = ScriptedHost::new();
    let mut state = None;
    for _ in 0..3 {
        host = ScriptedHost::new().answer(answer()).answer(Answer::new(204, ""));
        host = if let Some(state) = state.take() { host.previous(state) } else { host };
        // A refresh is answered as a login would be, and so would end nothing.
        host = host.challenge(countersign::Challenge { status: 401, headers: Vec::new() });
        let credential = host.acquire(&*recipe).unwrap();
        state = credential.renewal().cloned();
    }
    host.sent().last().unwrap().clone()
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers.iter().find(|header| header.name == name).map(|header| header.value.expose().as_str())
}

#[test]
fn sap_business_one() {
    let answer = || {
        Answer::json(
            200,
            json!({
                "odata.metadata": "https://sap.example:50000/b1s/v1/$metadata#B1Sessions/@Element",
                "SessionId": "0dacaec2-f5fa-11e7-8000-002655851f48", "Version": "920200", "SessionTimeout": 30,
            }),
        )
        .header("Set-Cookie", "B1SESSION=0dacaec2-f5fa-11e7-8000-002655851f48;HttpOnly;")
    };
    let seen = login("sap-b1", answer().header("Set-Cookie", "ROUTEID=.node2; path=/b1s"));
    assert_eq!(seen.body(), json!({ "CompanyDB": "SBODEMO", "UserName": "erp", "Password": "c4nary" }));
    assert_eq!(
        seen.placed(),
        [("cookie", "B1SESSION", "0dacaec2-f5fa-11e7-8000-002655851f48"), ("cookie", "ROUTEID", ".node2")]
    );
    assert_eq!(seen.credential.lifetime(), Lifetime::For(Duration::from_secs(1800)));
    let seen = login("sap-b1", answer());
    assert_eq!(seen.placed().len(), 1, "without a load balancer");
    let ended = logout("sap-b1", answer);
    assert_eq!(ended.url, "https://sap.example:50000/b1s/v2/Logout");
    assert_eq!(header(&ended, "cookie"), Some("B1SESSION=0dacaec2-f5fa-11e7-8000-002655851f48"));
    let words = json!({ "lang": "en-us", "value": "Fail to get DB Credentials from SLD" });
    let error =
        refusal("sap-b1", Answer::json(401, json!({ "error": { "code": 100000027, "message": words } })));
    assert!(error.message().ends_with("it says: \"Fail to get DB Credentials from SLD\""), "{error}");
}

#[test]
fn redfish() {
    let answer = || {
        Answer::json(
            201,
            json!({
                "@odata.id": "/redfish/v1/SessionService/Sessions/6", "Password": null,
                "@odata.type": "#Session.v1_2_1.Session", "Id": "6", "Name": "6", "UserName": "erp",
            }),
        )
        .header("X-Auth-Token", "13ab2c3d4e5f")
        .header("Location", "/redfish/v1/SessionService/Sessions/6")
    };
    let seen = login("bmc", answer());
    assert_eq!(seen.body(), json!({ "UserName": "erp", "Password": "c4nary" }));
    assert_eq!(seen.placed(), [("header", "x-auth-token", "13ab2c3d4e5f")]);
    let ended = logout("bmc", answer);
    assert_eq!(
        (ended.method.as_str(), ended.url.as_str()),
        ("DELETE", "https://bmc.example/redfish/v1/SessionService/Sessions/6")
    );
    assert_eq!(header(&ended, "x-auth-token"), Some("13ab2c3d4e5f"));
    let info = json!([{ "MessageId": "Base.1.0.SessionLimitExceeded", "Message": "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation." }]);
    let error = refusal(
        "bmc",
        Answer::json(
            403,
            json!({ "error": { "code": "x", "message": "See @Message.ExtendedInfo", "@Message.ExtendedInfo": info } }),
        ),
    );
    assert!(error.message().contains("exceeding the limit"), "{error}");
}

#[test]
fn zabbix() {
    let answer = || {
        Answer::json(200, json!({ "jsonrpc": "2.0", "result": "0424bd59b807674191e7d77572075f33", "id": 1 }))
    };
    let seen = login("zabbix", answer());
    assert_eq!(
        seen.body(),
        json!({ "jsonrpc": "2.0", "method": "user.login", "params": { "username": "erp", "password": "c4nary" }, "id": 1 })
    );
    assert_eq!(header(seen.sent(), "content-type"), Some("application/json-rpc"));
    assert_eq!(seen.placed(), [("header", "authorization", "Bearer 0424bd59b807674191e7d77572075f33")]);
    assert_eq!(seen.credential.lifetime(), Lifetime::UntilRejected);
    assert_eq!(
        header(&logout("zabbix", answer), "authorization"),
        Some("Bearer 0424bd59b807674191e7d77572075f33")
    );
    let error = json!({ "code": -32602, "message": "Invalid params.", "data": "Incorrect user name or password or account is temporarily blocked." });
    let error = refusal("zabbix", Answer::json(200, json!({ "jsonrpc": "2.0", "error": error, "id": 1 })));
    assert!(
        error.message().contains("\"Incorrect user name or password or account is temporarily blocked.\""),
        "{error}"
    );
}

#[test]
fn openstack() {
    let answer = || {
        let token = json!({ "methods": ["password"], "expires_at": "2015-11-07T01:58:43.578929Z", "user": { "name": "erp" } });
        Answer::json(201, json!({ "token": token })).header("X-Subject-Token", "gAAAAABW-x")
    };
    let before = countersign::timestamp("2015-11-07T00:58:43.578929Z").unwrap();
    let seen = login_at("openstack", before, answer());
    assert_eq!(seen.body()["auth"]["identity"]["password"]["user"]["password"], "c4nary");
    assert_eq!(
        seen.body()["auth"]["scope"],
        json!({ "project": { "name": "orders", "domain": { "id": "default" } } })
    );
    assert_eq!(seen.placed(), [("header", "x-auth-token", "gAAAAABW-x")]);
    assert_eq!(seen.credential.lifetime(), Lifetime::Until(before + Duration::from_secs(3600)));
    let error = json!({ "code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized" });
    let error = refusal("openstack", Answer::json(401, json!({ "error": error })));
    assert!(error.message().contains("requires authentication."), "{error}");
}

#[test]
fn vcenter() {
    let answer = || Answer::json(201, json!("b00db39f948d13ea1e59b4d6fce56389"));
    let seen = login("vcenter", answer());
    // `erp@vsphere.local:c4nary`, by coreutils' base64.
    assert_eq!(header(seen.sent(), "authorization"), Some("Basic ZXJwQHZzcGhlcmUubG9jYWw6YzRuYXJ5"));
    assert!(seen.sent().body.expose().is_empty());
    assert_eq!(seen.placed(), [("header", "vmware-api-session-id", "b00db39f948d13ea1e59b4d6fce56389")]);
    assert_eq!(
        header(&logout("vcenter", answer), "vmware-api-session-id"),
        Some("b00db39f948d13ea1e59b4d6fce56389")
    );
    let messages = json!([{ "args": [], "default_message": "Authentication required.", "id": "com.vmware.vapi.endpoint.method.authentication.required" }]);
    let error = refusal(
        "vcenter",
        Answer::json(401, json!({ "error_type": "UNAUTHENTICATED", "messages": messages })),
    );
    assert!(error.message().contains("\"Authentication required.\"; \"UNAUTHENTICATED\""), "{error}");
}

#[test]
fn veeam() {
    let answer = |number: u32| {
        let body = json!({
            "access_token": format!("access-{number}"), "token_type": "bearer", "refresh_token": format!("refresh-{number}"),
            "expires_in": 900, ".issued": "2023-08-01T10:00:00", ".expires": "2023-08-01T10:15:00",
        });
        Answer::json(200, body)
    };
    let seen = login("veeam", answer(1));
    assert_eq!(seen.sent().body.expose(), b"grant_type=password&password=c4nary&username=erp");
    assert_eq!(header(seen.sent(), "x-api-version"), Some("1.2-rev0"));
    assert_eq!(
        seen.placed(),
        [("header", "authorization", "Bearer access-1"), ("header", "x-api-version", "1.2-rev0")]
    );
    assert_eq!(seen.credential.lifetime(), Lifetime::For(Duration::from_secs(900)));
    let mut host = ScriptedHost::new().previous(seen.credential.renewal().unwrap().clone()).answer(answer(2));
    let next = host.acquire(&*recipe("veeam")).unwrap();
    assert_eq!(host.sent()[0].body.expose(), b"grant_type=refresh_token&refresh_token=refresh-1");
    assert_eq!(host.placed(&next)[0].2, "Bearer access-2");
    assert_eq!(header(&logout("veeam", || answer(1)), "authorization"), Some("Bearer access-1"));
    let error = json!({ "errorCode": "AccessDenied", "message": "The user name or password provided is incorrect.", "resourceId": null });
    let error = refusal("veeam", Answer::json(401, error));
    assert!(error.message().contains("provided is incorrect."), "{error}");
}

#[test]
fn splunk() {
    let seen =
        login("splunk", Answer::json(200, json!({ "sessionKey": "192fd3e46a31246da7ea7f109e7f95fd" })));
    assert_eq!(seen.sent().body.expose(), b"output_mode=json&password=c4nary&username=erp");
    assert_eq!(seen.placed(), [("header", "authorization", "Splunk 192fd3e46a31246da7ea7f109e7f95fd")]);
    assert!(seen.credential.renewal().is_none());
    let messages =
        json!([{ "type": "WARN", "code": "incorrect_username_or_password", "text": "Login failed" }]);
    let error = refusal("splunk", Answer::json(401, json!({ "messages": messages })));
    assert!(error.message().ends_with("it says: \"Login failed\""), "{error}");
}

#[test]
fn metabase() {
    let seen = login("metabase", Answer::json(200, json!({ "id": "38f4939c-ad7f-4cbe-ae54-30946daf8593" })));
    assert_eq!(seen.body(), json!({ "username": "erp@example.com", "password": "c4nary" }));
    assert_eq!(seen.placed(), [("header", "x-metabase-session", "38f4939c-ad7f-4cbe-ae54-30946daf8593")]);
    let error = refusal(
        "metabase",
        Answer::json(401, json!({ "errors": { "password": "did not match stored password" } })),
    );
    assert!(error.message().contains("did not match stored"), "{error}");
}

#[test]
fn qbittorrent() {
    let answer = || {
        Answer::new(200, "Ok.")
            .header("Content-Type", "text/plain; charset=UTF-8")
            .header("Set-Cookie", "SID=hBc7TxF76ERhvIw0jQQ4LZ7Z1jQUV0tQ; HttpOnly; path=/")
    };
    let seen = login("qbittorrent", answer());
    assert_eq!(seen.sent().body.expose(), b"password=c4nary&username=erp");
    assert_eq!(header(seen.sent(), "referer"), Some("https://qbittorrent.example"));
    assert_eq!(seen.placed(), [("cookie", "SID", "hBc7TxF76ERhvIw0jQQ4LZ7Z1jQUV0tQ")]);
    let error = refusal(
        "qbittorrent",
        Answer::new(200, "Fails.").header("Content-Type", "text/plain; charset=UTF-8"),
    );
    assert!(error.message().ends_with("it says: \"Fails.\""), "{error}");
}
