//! Tokens that are bound to a certificate (RFC 8705) or to a key (DPoP, RFC 9449): `oidc-provider` issues them and, at its
//! userinfo endpoint, verifies what they are bound to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::ErrorKind;
use countersign_host::registry::Registry;
use countersign_host::{Client, Connector, Host, PresentsClientCertificate};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read, request};
use countersign_tests::http1::Recorded;
use countersign_tests::keys;
use countersign_tests::oidc_provider::OidcProvider;
use countersign_tests::proxy::{OPEN, Serve};
use countersign_tests::tls::{self, Identity, TestCa};
use http::{Method, Request};
use serde_json::{Value, json};

fn put(folder: &Folder, name: &str, identity: &Identity) {
    folder.put(&format!("{name}.crt"), &identity.certificate);
    folder.put(&format!("{name}.key"), &identity.key);
}

/// A connector with one profile, both of this name.
fn connector(name: &str, base_url: &str, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nca_file = \"ca.pem\"\nbase_url = \"{base_url}\"\nprofile = \"{name}\"\n[profiles.{name}]\ntype = \"oauth2\"\n{profile}\n"
    )
}

fn with_certificate(name: &str) -> String {
    format!(
        "client_certificate = {{ certificate = \"${{file:{name}.crt}}\", key = \"${{file:{name}.key}}\" }}\n"
    )
}

async fn call(host: &Host, connector: &str) -> (u16, String) {
    let answer = get(host, connector, "/me").await;
    read(answer.unwrap_or_else(|error| panic!("{connector}: {error}"))).await
}

/// What a request for `path` would carry: its `Authorization` and its `DPoP`.
async fn carried(connector: &Connector, method: Method, path: &str) -> (String, String) {
    let uri = connector.base_url().join(path).unwrap();
    let request =
        Request::builder().method(method).uri(uri).extension(PresentsClientCertificate).body(()).unwrap();
    let (mut head, ()) = request.into_parts();
    connector.authorize(&mut head).await.unwrap();
    let field = |name| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (field("authorization"), field("dpop"))
}

fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

/// An HTTP client that is not ours.
fn raw(ca: &TestCa, identity: Option<&Identity>) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_merge([reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap()]);
    let identity = identity.map(|identity| format!("{}{}", identity.key, identity.certificate));
    match identity {
        Some(pem) => builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap()),
        None => builder,
    }
    .build()
    .unwrap()
}

#[tokio::test]
async fn certificates_prove_clients_and_tokens_are_bound_to_them() {
    let ca = TestCa::new();
    let (erp, other, registered) = (ca.client("erp"), ca.client("other"), tls::self_signed_client("own"));
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    for (name, identity) in
        [("erp", &erp), ("other", &other), ("own", &registered), ("unknown", &tls::self_signed_client("own"))]
    {
        put(&folder, name, identity);
    }
    // What `countersign jwks` prints is what the issuer is told.
    let settings = json!({
        "token_url": "https://login.example/token", "client_id": "own",
        "client_auth": "self_signed_tls_client_auth",
        "client_certificate": { "certificate": registered.certificate, "key": registered.key },
    });
    let keys = Registry::built_in().create("oauth2", &settings).unwrap().public_keys().unwrap();
    let client = |id: &str, method: &str, more: Value| {
        let mut client = json!({
            "client_id": id, "grant_types": ["client_credentials", "refresh_token"], "scope": "openid offline_access",
            "token_endpoint_auth_method": method, "tls_client_certificate_bound_access_tokens": true,
        });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let config = json!({
        "clients": [
            client("erp", "tls_client_auth", json!({ "client_certificate_subject": "CN=erp" })),
            client("own", "self_signed_tls_client_auth", json!({ "jwks": { "keys": keys } })),
            client("unbound", "tls_client_auth", json!({
                "client_certificate_subject": "CN=erp", "tls_client_certificate_bound_access_tokens": false,
            })),
        ],
        "mtls": true,
        "resources": { "https://orders.example": {} },
    });
    let Some(provider) = OidcProvider::start_tls(&ca.server(), Some(&ca.pem()), config) else { return };
    let http = raw(&ca, None);
    let metadata: Value = http
        .get(provider.url("/.well-known/openid-configuration"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let alias = metadata["mtls_endpoint_aliases"]["token_endpoint"].as_str().unwrap();
    let api = alias.strip_suffix("/token").unwrap();
    assert_ne!(api, provider.issuer());

    let mut toml = "[http]\nca_file = \"ca.pem\"\n".to_owned();
    for (name, id, certificate, base_url, more) in [
        ("erp", "erp", "erp", api, ""),
        ("own", "own", "own", api, "client_auth = \"self_signed_tls_client_auth\"\n"),
        // Bound to the certificate, and not presented: the address that asks for none, or told not to.
        ("elsewhere", "erp", "erp", provider.issuer(), ""),
        ("withheld", "erp", "erp", api, "certificate_bound = false\n"),
    ] {
        let refresh = provider.refresh_token(&http, id, "openid offline_access", "u1").await;
        let profile = format!(
            "issuer = \"{}\"\ngrant = \"refresh_token\"\nrefresh_token = \"{refresh}\"\nclient_id = \"{id}\"\n{}{more}",
            provider.issuer(),
            with_certificate(certificate)
        );
        toml.push_str(&connector(name, base_url, &profile));
    }
    for (name, id, certificate, more) in [
        ("jwt", "erp", "erp", "resource = \"https://orders.example\"\ncertificate_bound = true\n"),
        ("unbound", "unbound", "erp", "resource = \"https://orders.example\"\ncertificate_bound = true\n"),
        ("another", "erp", "other", ""),
        ("of-nobody", "erp", "unknown", ""),
        ("unregistered", "own", "unknown", "client_auth = \"self_signed_tls_client_auth\"\n"),
    ] {
        let profile = format!(
            "issuer = \"{}\"\nclient_id = \"{id}\"\n{}{more}",
            provider.issuer(),
            with_certificate(certificate)
        );
        toml.push_str(&connector(name, api, &profile));
    }
    let host = folder.host(&toml).await;

    for name in ["erp", "own"] {
        let (status, body) = call(&host, name).await;
        assert_eq!(status, 200, "{name}: {body} {}", provider.errors());
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["sub"], "u1");
    }
    // The provider looks: without the certificate, or with another one, the token is of no use.
    for name in ["elsewhere", "withheld"] {
        assert_eq!(call(&host, name).await.0, 401, "{name}");
    }
    let (token, _) = carried(&host.connector("erp").unwrap(), Method::GET, "/me").await;
    for (identity, status) in [(Some(&erp), 200), (Some(&other), 401), (None, 401)] {
        let answer = raw(&ca, identity).get(format!("{api}/me")).header("authorization", &token);
        assert_eq!(answer.send().await.unwrap().status(), status);
    }
    // A JWT says what it is bound to, and we hold it to that.
    let (token, _) = carried(&host.connector("jwt").unwrap(), Method::GET, "/me").await;
    assert!(part(&token, 1)["cnf"]["x5t#S256"].is_string());
    let error = get(&host, "unbound", "/me").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.to_string().contains("not bound"), "{error}");
    for name in ["another", "of-nobody", "unregistered"] {
        let error = get(&host, name, "/me").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
        assert!(error.to_string().contains("invalid_client"), "{name}: {error}");
    }
}

#[tokio::test]
async fn proofs_with_the_nonces_of_both_servers_are_accepted_and_others_refused() {
    let own = keys::p256();
    let client = |id: &str, bound: bool| {
        json!({
            "client_id": id, "client_secret": "s3cret", "grant_types": ["client_credentials", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic", "scope": "openid offline_access",
            "dpop_bound_access_tokens": bound,
        })
    };
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [client("erp", true), client("bearer", false)],
        "dpop_nonce": true,
        "resources": { "https://orders.example": {} },
    })) else {
        return;
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let folder = Folder::new();
    folder.put("own.pem", &own.private);
    folder.put("ed25519.pem", keys::ed25519().private);
    let mut toml = OPEN.to_owned();
    for (name, id, more) in [
        ("made", "erp", "dpop = true"),
        ("given", "erp", "dpop = { key = \"${file:own.pem}\" }"),
        ("ed25519", "erp", "dpop = { key = \"${file:ed25519.pem}\" }"),
        ("proxied", "erp", "dpop = true"),
        ("without", "erp", ""),
    ] {
        let refresh = provider.refresh_token(&http, id, "openid offline_access", "u1").await;
        let profile = format!(
            "issuer = \"{}\"\ngrant = \"refresh_token\"\nrefresh_token = \"{refresh}\"\nclient_id = \"{id}\"\nclient_secret = \"s3cret\"\n{more}",
            provider.issuer()
        );
        toml.push_str(&connector(name, provider.issuer(), &profile).replace("ca_file = \"ca.pem\"\n", ""));
    }
    let profile = format!(
        "issuer = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"s3cret\"\nresource = \"https://orders.example\"\ndpop = true",
        provider.issuer()
    );
    toml.push_str(&connector("jwt", provider.issuer(), &profile).replace("ca_file = \"ca.pem\"\n", ""));
    let host = folder.host(&toml).await;

    for name in ["made", "given", "ed25519"] {
        for method in [Method::GET, Method::POST, Method::GET] {
            let sent =
                Client::new().send(&host.connector(name).unwrap(), request(method.clone(), "/me", "")).await;
            let (status, body) =
                read(sent.unwrap_or_else(|error| panic!("{name}: {error} {}", provider.errors()))).await;
            assert_eq!(status, 200, "{name} {method}: {body} {}", provider.errors());
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["sub"], "u1");
        }
    }
    let serve = Serve::start(&folder, &toml);
    for _ in 0..3 {
        let answer = serve.get("/proxied/me", "");
        assert_eq!(answer.status, 200, "{} {}", answer.text(), provider.errors());
    }
    let error = get(&host, "without", "/me").await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "a proof is wanted: {error}");

    // The provider looks: a proof is for one request, this method and this URL, and by the key of the token.
    let (made, given) = (host.connector("made").unwrap(), host.connector("given").unwrap());
    let send = async |method: Method, (token, proof): &(String, String)| {
        let sent =
            http.request(method, provider.url("/me")).header("authorization", token).header("dpop", proof);
        let answer = sent.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned()),
        )
    };
    let good = carried(&made, Method::GET, "/me").await;
    assert_eq!(send(Method::GET, &good).await.0, 200);
    let (status, says) = send(Method::GET, &good).await;
    assert_eq!(status, 401, "replayed: {says:?}");
    let elsewhere = carried(&made, Method::GET, "/other").await;
    let (status, says) = send(Method::GET, &elsewhere).await;
    assert!(
        status == 401 && says.as_deref().is_some_and(|says| says.contains("invalid_dpop_proof")),
        "{status} {says:?}"
    );
    let by_get = carried(&made, Method::GET, "/me").await;
    assert_eq!(send(Method::POST, &by_get).await.0, 401, "another method");
    let (token, _) = carried(&made, Method::GET, "/me").await;
    let (_, proof) = carried(&given, Method::GET, "/me").await;
    assert_eq!(send(Method::GET, &(token, proof)).await.0, 401, "another key");

    // A JWT says what it is bound to.
    let (token, proof) = carried(&host.connector("jwt").unwrap(), Method::GET, "/me?page=1").await;
    assert!(part(&token, 1)["cnf"]["jkt"].is_string());
    assert_eq!(part(&proof, 1)["htu"], provider.url("/me"));
}

fn proof(of: &Recorded) -> Value {
    part(of.header("dpop").unwrap(), 1)
}

fn demand(nonce: &str) -> Reply {
    // RFC 9449 §9
    Reply::status(401)
        .header("WWW-Authenticate", "DPoP error=\"use_dpop_nonce\", error_description=\"nonce needed\"")
        .header("DPoP-Nonce", nonce)
}

fn issuer(tokens: usize) -> FaultServer {
    let token = |number| {
        let token =
            json!({ "access_token": format!("t-{number}"), "token_type": "DPoP", "expires_in": 3600 });
        Reply::json(token.to_string()).header("DPoP-Nonce", "of-the-issuer")
    };
    FaultServer::start((1..=tokens).map(token))
}

fn client(login: &FaultServer) -> String {
    format!(
        "token_url = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"s\"\ndpop = true",
        login.url("/token")
    )
}

#[tokio::test]
async fn a_demanded_nonce_costs_one_replay_and_no_token_and_the_latest_is_sent() {
    let login = issuer(2);
    let api = FaultServer::start([
        demand("n-1"),
        Reply::status(200).header("DPoP-Nonce", "n-2"),
        Reply::status(200),
        demand("n-3"),
        Reply::status(200),
        // No demand: the token is bad.
        Reply::status(401)
            .header("WWW-Authenticate", "DPoP error=\"invalid_token\"")
            .header("DPoP-Nonce", "n-4"),
        Reply::status(200),
    ]);
    let other = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new();
    let toml = format!(
        "{}[connectors.other]\nbase_url = \"{}\"\nprofile = \"orders\"\n",
        connector("orders", &api.url("/api"), &client(&login)).replace("ca_file = \"ca.pem\"\n", ""),
        other.url("/api")
    );
    let host = folder.host(&toml).await;
    // Not idempotent, and yet replayed: nothing but the nonce was looked at.
    for (method, body) in [(Method::POST, "{}"), (Method::GET, ""), (Method::POST, "{}")] {
        let orders = host.connector("orders").unwrap();
        let answer = Client::new().send(&orders, request(method, "/orders?page=1", body)).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(login.count(), 1, "the token was never the question");
    let seen = api.requests();
    let nonces: Vec<Value> = seen.iter().map(|one| proof(one)["nonce"].clone()).collect();
    assert_eq!(nonces, [json!(null), json!("n-1"), json!("n-2"), json!("n-2"), json!("n-3")]);
    assert!(seen.iter().all(|one| one.header("authorization") == Some("DPoP t-1")));
    assert!(seen.iter().all(|one| proof(one)["htu"] == api.url("/api/orders")));
    assert_eq!(
        (proof(&seen[0])["htm"].as_str(), proof(&seen[2])["htm"].as_str()),
        (Some("POST"), Some("GET"))
    );

    get(&host, "other", "/").await.unwrap();
    assert!(proof(&other.requests()[0]).get("nonce").is_none(), "one API's nonce is not told to another");

    let answer = get(&host, "orders", "/orders").await.unwrap();
    assert_eq!((answer.status().as_u16(), login.count()), (200, 2), "a bad token is replaced");
    assert_eq!(proof(&login.requests()[1])["nonce"], "of-the-issuer");
    let last = api.requests().pop().unwrap();
    assert_eq!((last.header("authorization"), &proof(&last)["nonce"]), (Some("DPoP t-2"), &json!("n-4")));
}

#[test]
fn the_proxy_answers_a_demand_for_a_nonce_too() {
    let login = issuer(1);
    let api = FaultServer::start([
        demand("n-1"),
        Reply::status(200).header("DPoP-Nonce", "n-2"),
        demand("n-3"),
        Reply::status(200),
    ]);
    let folder = Folder::new();
    let serve = Serve::start(
        &folder,
        &format!(
            "{OPEN}{}",
            connector("orders", &api.url("/api"), &client(&login)).replace("ca_file = \"ca.pem\"\n", "")
        ),
    );
    assert_eq!(serve.get("/orders/x", "").status, 200);
    assert_eq!(serve.call("POST", "/orders/x", "", "{}").status, 200);
    let nonces: Vec<Value> = api.requests().iter().map(|one| proof(one)["nonce"].clone()).collect();
    assert_eq!(nonces, [json!(null), json!("n-1"), json!("n-2"), json!("n-3")]);
    assert_eq!(login.count(), 1);
}

#[tokio::test]
async fn an_api_that_demands_the_nonce_that_it_got_is_not_asked_for_ever() {
    let login = issuer(8);
    let api = FaultServer::start([demand("n-1")]);
    let folder = Folder::new();
    let toml = connector("orders", &api.url("/api"), &client(&login)).replace("ca_file = \"ca.pem\"\n", "");
    let host = folder.host(&toml).await;
    assert_eq!(get(&host, "orders", "/").await.unwrap().status(), 401);
    assert_eq!((api.count(), login.count()), (2, 1), "one replay");
    assert_eq!(get(&host, "orders", "/").await.unwrap().status(), 401);
    assert_eq!(api.count(), 4, "now the token is suspected, once");
    assert_eq!(login.count(), 2);
}
