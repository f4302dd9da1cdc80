//! Servers that we did not write let Countersign's calls in, and refuse what is not meant for them.

use std::fmt::Write as _;

use countersign::ErrorKind;
use countersign_host::Host;
use countersign_tests::apache::{self, Apache};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read};
use countersign_tests::jwt_api::{JwtApi, Placement, Rules};
use countersign_tests::nginx::{self, Nginx};
use countersign_tests::oidc_provider::OidcProvider;
use countersign_tests::tls::TestCa;
use countersign_tests::{echo, keys};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

/// A shared secret, as long as the hash.
const SHARED: &str = "a-shared-secret-of-32-characters";

/// A connector with one profile, both of this name.
fn connector(name: &str, base_url: &str, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{base_url}\"\nprofile = \"{name}\"\n[profiles.{name}]\n{profile}\n"
    )
}

async fn call(host: &Host, connector: &str) -> (u16, String) {
    let answer = get(host, connector, "/orders?page=1").await;
    read(answer.unwrap_or_else(|error| panic!("{connector}: {error}"))).await
}

#[tokio::test]
async fn nginx_and_apache_let_in_basic_with_utf_8() {
    let (user, password) = ("jörg", "p:ä\"$1");
    let guard = nginx::Guard::Basic { user: user.into(), password: password.into() };
    let Some(nginx) = Nginx::start(&[("/basic", &[guard])]) else { return };
    let guard = apache::Guard::Basic { user: user.into(), password: password.into() };
    let Some(apache) = Apache::start(&apache::VerifyKeys::default(), &[("/basic", guard)]) else { return };
    let folder = Folder::new();
    // As an editor leaves it, with a line end.
    folder.put("password", format!("{password}\n"));
    let good = format!("type = \"basic\"\nusername = \"{user}\"\npassword = \"${{file:password}}\"");
    let wrong = "type = \"basic\"\nusername = \"jörg\"\npassword = \"p\"";
    let host = folder
        .host(&format!(
            "{}{}{}{}",
            connector("nginx", &nginx.url("/basic"), &good),
            connector("apache", &apache.url("/basic"), &good),
            connector("nginx-wrong", &nginx.url("/basic"), wrong),
            connector("apache-wrong", &apache.url("/basic"), wrong),
        ))
        .await;

    let (status, body) = call(&host, "nginx").await;
    assert_eq!(status, 200, "{}", nginx.errors());
    let seen = echo::parse(&body);
    assert_eq!((seen["user"].as_str(), seen["uri"].as_str()), (user, "/basic/orders?page=1"));
    assert_eq!(call(&host, "apache").await.0, 200, "{}", apache.errors());
    assert_eq!(call(&host, "nginx-wrong").await.0, 401);
    assert_eq!(call(&host, "apache-wrong").await.0, 401);
}

#[tokio::test]
async fn nginx_lets_in_keys_in_header_query_and_cookie_at_once() {
    let guards = [
        nginx::Guard::Header { name: "X-Api-Key".into(), value: "Ab$c\"d\\e.f".into() },
        nginx::Guard::Query { name: "tenant".into(), value: "T%201".into() },
        nginx::Guard::Cookie { name: "session".into(), value: "s+/=".into() },
    ];
    let Some(server) = Nginx::start(&[("/keys", &guards), ("/header", &guards[..1])]) else { return };
    let folder = Folder::new();
    folder.put("key", "Ab$c\"d\\e.f\n");
    let all = r#"
        type = "api-key"
        headers = { X-Api-Key = "${file:key}" }
        query_parameters = { tenant = "T 1" }
        cookies = { session = "s+/=" }
    "#;
    let host = folder
        .host(&format!(
            "{}{}{}",
            connector("all", &server.url("/keys"), all),
            connector(
                "one",
                &server.url("/header"),
                "type = \"api-key\"\nkey = \"${file:key}\"\nheader = \"X-Api-Key\""
            ),
            connector(
                "wrong",
                &server.url("/header"),
                "type = \"api-key\"\nkey = \"ab$$c\"\nheader = \"X-Api-Key\""
            ),
        ))
        .await;

    let (status, body) = call(&host, "all").await;
    assert_eq!(status, 200, "{}", server.errors());
    assert_eq!(echo::parse(&body)["uri"], "/keys/orders?page=1&tenant=T%201");
    assert_eq!(call(&host, "one").await.0, 200);
    assert_eq!(call(&host, "wrong").await.0, 401);
}

fn jwt(key: &str, more: &str) -> String {
    format!(
        "type = \"jwt-bearer\"\nissuer = \"https://erp.example\"\naudience = \"orders-api\"\nsubject = \"u1\"\nkey = {key}\n{more}"
    )
}

#[tokio::test]
async fn apache_lets_in_signed_jwts_and_refuses_other_keys_audiences_and_issuers() {
    let (ours, theirs) = (keys::rsa(), keys::rsa());
    let guard = apache::Guard::Jwt { issuer: "https://erp.example".into(), audience: "orders-api".into() };
    let verify = apache::VerifyKeys {
        pem: vec![("k1".into(), ours.public.clone())],
        secret: Some(SHARED.into()),
        ..apache::VerifyKeys::default()
    };
    let Some(server) = Apache::start(&verify, &[("/jwt", guard)]) else { return };
    let folder = Folder::new();
    folder.put("ours.pem", &ours.private);
    folder.put("theirs.pem", &theirs.private);
    let (ours, theirs) = ("\"${file:ours.pem}\"", "\"${file:theirs.pem}\"");
    let kid = "headers = { kid = \"k1\" }\n";
    let secret = format!("{{ secret = \"{SHARED}\" }}");
    let mut toml = String::new();
    for (name, profile) in [
        ("rs256", jwt(ours, kid)),
        ("ps256", jwt(ours, &format!("{kid}algorithm = \"PS256\""))),
        ("rs512", jwt(ours, &format!("{kid}algorithm = \"RS512\""))),
        ("hs256", jwt(&secret, "")),
        ("fresh", jwt(ours, &format!("{kid}reuse = false"))),
        ("another-key", jwt(theirs, kid)),
        ("another-secret", jwt("{ secret = \"b-shared-secret-of-32-characters\" }", "")),
        ("another-audience", jwt(ours, kid).replace("orders-api", "crm-api")),
        ("another-issuer", jwt(ours, kid).replace("erp.example", "evil.example")),
        ("two-audiences", jwt(ours, kid).replace("\"orders-api\"", "[\"crm-api\", \"orders-api\"]")),
    ] {
        toml.push_str(&connector(name, &server.url("/jwt"), &profile));
    }
    let host = folder.host(&toml).await;

    for (name, expected) in [
        ("rs256", 200),
        ("ps256", 200),
        ("rs512", 200),
        ("hs256", 200),
        ("fresh", 200),
        ("two-audiences", 200),
        ("another-key", 401),
        ("another-secret", 401),
        ("another-audience", 401),
        ("another-issuer", 401),
    ] {
        assert_eq!(call(&host, name).await.0, expected, "{name}: {}", server.errors());
    }
}

#[tokio::test]
async fn a_strict_api_lets_in_each_algorithm_with_its_own_key_and_no_other() {
    let (rsa, p256, p384, ed25519) = (keys::rsa(), keys::p256(), keys::p384(), keys::ed25519());
    let folder = Folder::new();
    for (name, pair) in [("rsa", &rsa), ("p256", &p256), ("p384", &p384), ("ed25519", &ed25519)] {
        folder.put(&format!("{name}.pem"), &pair.private);
    }
    let rsa_key = || DecodingKey::from_rsa_pem(rsa.public.as_bytes()).unwrap();
    let cases = [
        ("RS256", "rsa", Algorithm::RS256, rsa_key()),
        ("RS384", "rsa", Algorithm::RS384, rsa_key()),
        ("RS512", "rsa", Algorithm::RS512, rsa_key()),
        ("PS256", "rsa", Algorithm::PS256, rsa_key()),
        ("PS384", "rsa", Algorithm::PS384, rsa_key()),
        ("PS512", "rsa", Algorithm::PS512, rsa_key()),
        ("ES256", "p256", Algorithm::ES256, DecodingKey::from_ec_pem(p256.public.as_bytes()).unwrap()),
        ("ES384", "p384", Algorithm::ES384, DecodingKey::from_ec_pem(p384.public.as_bytes()).unwrap()),
        ("EdDSA", "ed25519", Algorithm::EdDSA, DecodingKey::from_ed_pem(ed25519.public.as_bytes()).unwrap()),
        ("HS256", "shared", Algorithm::HS256, DecodingKey::from_secret(SHARED.as_bytes())),
    ];
    let mut toml = String::new();
    let mut apis = Vec::new();
    for (name, file, algorithm, key) in cases {
        let mut rules = Rules::bearer("https://erp.example", "orders-api", algorithm, key);
        rules.required = ["sub", "jti", "iat", "nbf"].map(str::to_owned).into();
        let api = JwtApi::start(rules);
        let key = match file {
            "shared" => format!("{{ secret = \"{SHARED}\" }}"),
            file => format!("\"${{file:{file}.pem}}\""),
        };
        let algorithm = format!("algorithm = \"{name}\"");
        let lower = name.to_lowercase();
        toml.push_str(&connector(&lower, &api.url("/api"), &jwt(&key, &algorithm)));
        // The right signature by the wrong key, or of the wrong algorithm.
        let other = if file == "rsa" { "\"${file:p256.pem}\"" } else { "\"${file:rsa.pem}\"" };
        toml.push_str(&connector(&format!("{lower}-wrong"), &api.url("/api"), &jwt(other, "")));
        apis.push((name, api));
    }
    let host = folder.host(&toml).await;

    for (name, api) in &apis {
        let (status, body) = call(&host, &name.to_lowercase()).await;
        assert_eq!(status, 200, "{name}: {:?}", api.requests());
        let seen: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (seen["header"]["alg"].as_str(), seen["claims"]["sub"].as_str()),
            (Some(*name), Some("u1"))
        );
        assert_eq!(call(&host, &format!("{}-wrong", name.to_lowercase())).await.0, 401, "{name}");
    }
}

#[tokio::test]
async fn claims_come_from_the_caller_and_tokens_go_where_the_api_wants_them() {
    let pair = keys::p256();
    let folder = Folder::new();
    folder.put("key.pem", &pair.private);
    let key = "\"${file:key.pem}\"";
    let rules = |placement| Rules {
        placement,
        single_use: true,
        ..Rules::bearer(
            "https://erp.example",
            "orders-api",
            Algorithm::ES256,
            DecodingKey::from_ec_pem(pair.public.as_bytes()).unwrap(),
        )
    };
    let places = [
        (
            "header",
            Placement::Header("x-token".into(), "JWT".into()),
            "header = \"X-Token\"\nscheme = \"JWT\"",
        ),
        ("bare", Placement::Header("x-token".into(), String::new()), "header = \"X-Token\"\nscheme = \"\""),
        ("query", Placement::Query("jwt".into()), "query = \"jwt\""),
        ("cookie", Placement::Cookie("jwt".into()), "cookie = \"jwt\""),
    ];
    let mut toml = String::new();
    let mut apis = Vec::new();
    for (name, placement, settings) in places {
        let api = JwtApi::start(rules(placement));
        let settings = format!(
            "{settings}\nreuse = false\nclaims = {{ tenant = \"{{{{ caller.tenant }}}}\", n = [1, true] }}"
        );
        toml.push_str(&connector(name, &api.url("/api"), &jwt(key, &settings)));
        apis.push((name, api));
    }
    let host = folder.host(&toml).await;

    for (name, _api) in &apis {
        for tenant in ["acme", "globex"] {
            let mut request = countersign_tests::folder::request(http::Method::GET, "/orders", "");
            request
                .extensions_mut()
                .insert([("tenant", tenant)].into_iter().collect::<countersign::Caller>());
            let connector = host.connector(name).unwrap();
            let answer = countersign_host::Client::new().send(&connector, request).await.unwrap();
            let (status, body) = read(answer).await;
            assert_eq!(status, 200, "{name}: each request has a `jti` of its own");
            let seen: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(seen["claims"]["tenant"], tenant, "{name}");
            assert_eq!(seen["claims"]["n"], json!([1, true]));
        }
        let error = get(&host, name, "/orders").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}: no tenant, no call: {error}");
    }
    assert!(apis.iter().all(|(_, api)| api.requests().len() == 2));
}

/// The provider's own keys, as an API fetches them to verify its tokens.
async fn published_key(provider: &OidcProvider, algorithm: &str) -> DecodingKey {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let keys: JwkSet = http.get(provider.url("/jwks")).send().await.unwrap().json().await.unwrap();
    let key = keys
        .keys
        .iter()
        .find(|key| key.common.key_algorithm.is_some_and(|known| known.to_string() == algorithm));
    DecodingKey::from_jwk(key.unwrap()).unwrap()
}

#[tokio::test]
async fn each_way_to_prove_the_client_gets_a_token_that_the_api_accepts() {
    const API: &str = "https://orders.example";
    // With all that form-encoding is there for.
    const SECRET: &str = "p+q%r:s t/!-and-32-characters-long";
    let key = keys::p256();
    let client = |id: &str, method: &str, more: Value| {
        let mut client = json!({
            "client_id": id, "grant_types": ["client_credentials"], "token_endpoint_auth_method": method,
            "scope": "read",
        });
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let secret = json!({ "client_secret": SECRET });
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [
            client("by-basic", "client_secret_basic", secret.clone()),
            client("by-post", "client_secret_post", secret.clone()),
            client("by-hmac", "client_secret_jwt", secret),
            client("by-key", "private_key_jwt", json!({
                "public_key_pem": key.public, "token_endpoint_auth_signing_alg": "ES256",
            })),
        ],
        "scopes": ["read"],
        "resources": { API: { "scope": "read" } },
    })) else {
        return;
    };
    let verify = published_key(&provider, "RS256").await;
    let api = JwtApi::start(Rules::bearer(provider.issuer(), API, Algorithm::RS256, verify));
    let folder = Folder::new();
    folder.put("key.pem", &key.private);
    folder.put("secret", SECRET);
    let by_url = format!("token_url = \"{}\"", provider.url("/token"));
    let by_issuer = format!("issuer = \"{}\"", provider.issuer());
    let mut toml = String::new();
    let mut names = Vec::new();
    for (id, method, proof) in [
        ("by-basic", "client_secret_basic", "client_secret = \"${file:secret}\""),
        ("by-post", "client_secret_post", "client_secret = \"${file:secret}\""),
        ("by-hmac", "client_secret_jwt", "client_secret = \"${file:secret}\""),
        ("by-key", "private_key_jwt", "client_key = \"${file:key.pem}\""),
    ] {
        for (how, endpoint) in [("given", &by_url), ("discovered", &by_issuer)] {
            let name = format!("{id}-{how}");
            let profile = format!(
                "type = \"oauth2\"\n{endpoint}\nclient_id = \"{id}\"\nclient_auth = \"{method}\"\n{proof}\nscope = \"read\"\nresource = \"{API}\""
            );
            toml.push_str(&connector(&name, &api.url("/api"), &profile));
            names.push(name);
        }
    }
    let wrong = |id: &str, more: &str| format!("type = \"oauth2\"\n{by_url}\nclient_id = \"{id}\"\n{more}");
    folder.put("other.pem", &keys::p256().private);
    toml.push_str(&connector("wrong-secret", &api.url("/api"), &wrong("by-basic", "client_secret = \"x\"")));
    toml.push_str(&connector(
        "wrong-key",
        &api.url("/api"),
        &wrong("by-key", "client_key = \"${file:other.pem}\""),
    ));
    let target = "client_secret = \"${file:secret}\"\nresource = \"https://crm.example\"".to_owned();
    toml.push_str(&connector("wrong-resource", &api.url("/api"), &wrong("by-basic", &target)));
    let host = folder.host(&toml).await;

    for name in &names {
        let (status, body) = call(&host, name).await;
        assert_eq!(status, 200, "{name}: {body} {}", provider.errors());
        let seen: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(seen["claims"]["client_id"], name.rsplit_once('-').unwrap().0, "{name}");
        assert_eq!(seen["claims"]["scope"], "read", "{name}");
    }
    let seen = api.requests().len();
    for (name, says) in [
        ("wrong-secret", "invalid_client"),
        ("wrong-key", "invalid_client"),
        ("wrong-resource", "invalid_target"),
    ] {
        let error = get(&host, name, "/orders").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
    assert_eq!(api.requests().len(), seen, "nobody called without a token");
}

#[tokio::test]
async fn refresh_tokens_are_rotated_and_assertions_exchanged() {
    const API: &str = "https://orders.example";
    const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let key = keys::ed25519();
    let Some(provider) = OidcProvider::start(&json!({
        "clients": [
            {
                "client_id": "erp", "client_secret": "s3cret", "grant_types": ["client_credentials", "refresh_token"],
                "token_endpoint_auth_method": "client_secret_basic", "scope": "openid offline_access read",
            },
            { "client_id": "on-behalf", "grant_types": [JWT_BEARER], "token_endpoint_auth_method": "none" },
        ],
        "scopes": ["read"],
        "lifetime": 2,
        "resources": { API: { "scope": "read" } },
        "assertion_issuers": [{ "issuer": "https://erp.example", "alg": "EdDSA", "public_key_pem": key.public }],
    })) else {
        return;
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let refresh = provider.refresh_token(&http, "erp", "openid offline_access", "u1").await;
    // The tokens are opaque: the API asks the provider, as RFC 7662 has it.
    let api = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new();
    folder.put("key.pem", &key.private);
    let mut toml = connector(
        "refresh",
        &api.url("/api"),
        &format!(
            "type = \"oauth2\"\ngrant = \"refresh_token\"\ntoken_url = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"s3cret\"\nrefresh_token = \"{refresh}\"",
            provider.url("/token")
        ),
    );
    write!(
        toml,
        "{}[profiles.on-behalf.assertion]\nkey = \"${{file:key.pem}}\"\nissuer = \"https://erp.example\"\nsubject = \"{{{{ caller.user }}}}\"\n",
        connector(
            "on-behalf",
            &api.url("/api"),
            &format!(
                "type = \"oauth2\"\ngrant = \"jwt-bearer\"\nissuer = \"{}\"\nclient_id = \"on-behalf\"",
                provider.issuer()
            )
        )
    )
    .unwrap();
    let host = folder.host(&toml).await;
    let introspect = async || {
        let carried = api.requests().pop().unwrap();
        let token = carried.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let request = http.post(provider.url("/token/introspection")).basic_auth("erp", Some("s3cret"));
        let answer = request.form(&[("token", token.as_str())]).send().await.unwrap();
        (token, answer.json::<Value>().await.unwrap())
    };

    get(&host, "refresh", "/orders").await.unwrap_or_else(|error| panic!("{error} {}", provider.errors()));
    let (first, about) = introspect().await;
    assert_eq!((&about["active"], &about["sub"]), (&json!(true), &json!("u1")), "{about}");
    // Two seconds later the token has ended, and the refresh token that was given is used up: the rotated one serves.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        get(&host, "refresh", "/orders")
            .await
            .unwrap_or_else(|error| panic!("{error} {}", provider.errors()));
        let (token, about) = introspect().await;
        if token != first {
            assert_eq!(about["active"], true, "{about}");
            break;
        }
        assert!(std::time::Instant::now() < until, "the token is never renewed");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    for user in ["ada", "bob"] {
        let mut request = countersign_tests::folder::request(http::Method::GET, "/orders", "");
        request.extensions_mut().insert([("user", user)].into_iter().collect::<countersign::Caller>());
        let connector = host.connector("on-behalf").unwrap();
        let sent = countersign_host::Client::new().send(&connector, request).await;
        sent.unwrap_or_else(|error| panic!("{error} {}", provider.errors()));
        let (_, about) = introspect().await;
        assert_eq!(about["sub"], user, "{about}");
    }
}

#[tokio::test]
async fn everything_works_over_tls_with_an_authority_of_ones_own() {
    let ca = TestCa::new();
    let config = json!({
        "clients": [{
            "client_id": "erp", "client_secret": "s3cret", "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "client_secret_basic",
        }],
        "resources": { "https://orders.example": {} },
    });
    let Some(provider) = OidcProvider::start_tls(&ca.server(), None, config) else { return };
    let Some(api) = Nginx::start_tls(&ca.server(), &[("/api", &[])]) else { return };
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    let profile = format!(
        "type = \"oauth2\"\nissuer = \"{}\"\nclient_id = \"erp\"\nclient_secret = \"s3cret\"\nresource = \"https://orders.example\"",
        provider.issuer()
    );
    let trusting = format!(
        "[http]\nca_file = \"ca.pem\"\n{}[connectors.trusting]\nca_file = \"ca.pem\"\nbase_url = \"{}\"\nprofile = \"erp\"\n",
        connector("erp", &api.url("/api"), &profile),
        api.url("/api"),
    );
    let host = folder.host(&trusting).await;
    let (status, body) = call(&host, "trusting").await;
    assert_eq!(status, 200, "{}", api.errors());
    assert!(echo::parse(&body)["authorization"].starts_with("Bearer ey"));
    let error = get(&host, "erp", "/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "the API's certificate is nobody's: {error}");
}

#[tokio::test]
async fn dropped_in_plugins_log_in_and_sign() {
    let login = FaultServer::start([Reply::json(r#"{"session":"s-1","ttl_seconds":900}"#)]);
    let api = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new().with_plugins(&["acme-login", "acme-hmac"]);
    let host = folder
        .host(&format!(
            "[plugins]\ndir = \"plugins\"\n{}{}",
            connector(
                "login",
                &api.url("/api"),
                &format!(
                    "type = \"acme-login\"\nlogin_url = \"{}\"\nuser = \"erp\"\npassword = \"pass\"",
                    login.url("/login")
                )
            ),
            connector("hmac", &api.url("/api"), &format!("type = \"acme-hmac\"\nsecret = \"{SHARED}\"")),
        ))
        .await;

    get(&host, "login", "/orders").await.unwrap();
    get(&host, "login", "/orders").await.unwrap();
    assert_eq!(api.requests()[1].header("x-acme-session"), Some("s-1"));
    assert_eq!(login.count(), 1);
    assert_eq!(login.requests()[0].json(), json!({ "user": "erp", "password": "pass" }));

    let request = countersign_tests::folder::request(http::Method::POST, "/orders?page=2", "{}");
    countersign_host::Client::new().send(&host.connector("hmac").unwrap(), request).await.unwrap();
    let signed = api.requests().pop().unwrap();
    let time = signed.header("x-acme-timestamp").unwrap();
    let text = format!(
        "POST\n/api/orders?page=2\n{time}\n{}",
        hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"{}").as_ref())
    );
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SHARED.as_bytes());
    let expected = hex(aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref());
    assert_eq!(signed.header("x-acme-signature"), Some(expected.as_str()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
