//! nginx lets in calls that present the right certificate, and refuses those that do not; identities are never mixed up,
//! and a renewed certificate comes into service without a failed call.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use countersign::ErrorKind;
use countersign_host::{AuthorizeLayer, Host};
use countersign_tests::built;
use countersign_tests::echo;
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, read};
use countersign_tests::load::Line;
use countersign_tests::nginx::Nginx;
use countersign_tests::proxy::{OPEN, Serve};
use countersign_tests::tls::{Identity, TestCa};
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, Service, service_fn};

/// How long a change may take until it is noticed, with a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Throw-away keys and certificates in other formats: see the README beside them.
fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../jose/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn connector(name: &str, base_url: &str, profile: &str) -> String {
    format!(
        "[connectors.{name}]\nca_file = \"ca.pem\"\nbase_url = \"{base_url}\"\nprofile = \"{name}\"\n[profiles.{name}]\n{profile}\n"
    )
}

/// A profile whose certificate and key are in files of this name.
fn presents(name: &str) -> String {
    format!(
        "type = \"client-certificate\"\ncertificate = \"${{file:{name}.crt}}\"\nkey = \"${{file:{name}.key}}\""
    )
}

fn put(folder: &Folder, name: &str, identity: &Identity) {
    folder.put(&format!("{name}.crt"), &identity.certificate);
    folder.put(&format!("{name}.key"), &identity.key);
}

/// An API that wants certificates of this authority, or the one in `jose/tests/data`, which vouches for itself.
fn api(ca: &TestCa, protocol: &str) -> Option<Nginx> {
    let clients = format!("{}{}", ca.pem(), String::from_utf8(data("rsa-certificate.pem")).unwrap());
    Nginx::start_mutual(&ca.server(), &clients, protocol, &[("/api", &[])])
}

async fn call(host: &Host, connector: &str) -> (u16, String) {
    let answer = get(host, connector, "/orders").await;
    read(answer.unwrap_or_else(|error| panic!("{connector}: {error}"))).await
}

#[tokio::test]
async fn nginx_lets_in_the_right_certificate_in_every_format_and_refuses_all_others() {
    let ca = TestCa::new();
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let Some(nginx) = api(&ca, protocol) else { return };
        let url = nginx.url("/api");
        let folder = Folder::new();
        folder.put("ca.pem", ca.pem());
        let ours = ca.client("erp");
        put(&folder, "ours", &ours);
        folder.put("both.pem", format!("{}{}", ours.key, ours.certificate));
        put(&folder, "theirs", &TestCa::new().client("erp"));
        put(&folder, "expired", &ca.expired_client("erp"));
        folder.put("rsa.crt", data("rsa-certificate.pem"));
        folder.put("encrypted.key", data("rsa-pbkdf2.pem"));
        folder.put("store.p12", data("identity.p12"));
        let kind = "type = \"client-certificate\"\n";
        let mut toml = String::new();
        for (name, profile) in [
            ("separate", presents("ours")),
            ("one-file", format!("{kind}key = \"${{file:both.pem}}\"")),
            (
                "encrypted",
                format!(
                    "{kind}certificate = \"${{file:rsa.crt}}\"\nkey = {{ pem = \"${{file:encrypted.key}}\", passphrase = \"throw-away\" }}"
                ),
            ),
            (
                "pkcs12",
                format!("{kind}key = {{ keystore = \"${{base64:store.p12}}\", password = \"changeit\" }}"),
            ),
            ("theirs", presents("theirs")),
            ("expired", presents("expired")),
            ("without", "type = \"api-key\"\nkey = \"k\"\nheader = \"X-Key\"".to_owned()),
        ] {
            toml.push_str(&connector(name, &url, &profile));
        }
        let host = folder.host(&toml).await;
        for (name, subject) in [
            ("separate", "CN=erp"),
            ("one-file", "CN=erp"),
            ("encrypted", "CN=throw-away test key"),
            ("pkcs12", "CN=throw-away test key"),
        ] {
            let (status, body) = call(&host, name).await;
            assert_eq!(status, 200, "{protocol} {name}: {body} {}", nginx.errors());
            let seen = echo::parse(&body);
            assert_eq!((seen["client"].as_str(), seen["protocol"].as_str()), (subject, protocol), "{name}");
        }
        for (name, words) in [("without", "No required SSL certificate"), ("theirs", "certificate error")] {
            let (status, body) = call(&host, name).await;
            assert_eq!(status, 400, "{protocol} {name}");
            assert!(body.contains(words), "{protocol} {name}: {body}");
        }
        // nginx refuses an expired one, and we do not even try.
        let expired = ca.expired_client("erp");
        let identity = format!("{}{}", expired.key, expired.certificate);
        let raw = reqwest::Client::builder()
            .no_proxy()
            .identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap())
            .tls_certs_merge([reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap()])
            .build()
            .unwrap();
        assert_eq!(raw.get(format!("{url}/orders")).send().await.unwrap().status(), 400, "{protocol}");
        let error = get(&host, "expired", "/orders").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("expired at 2021-01-01"), "{error}");
    }
}

/// Calls in turn by two identities, many at a time: who was seen, and on which connections.
fn seen(answers: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut connections = BTreeMap::<String, BTreeSet<String>>::new();
    for (expected, body) in answers {
        let seen = echo::parse(&body);
        assert_eq!(seen["client"], format!("CN={expected}"));
        connections.entry(expected).or_default().insert(seen["connection"].clone());
    }
    connections
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_identities_at_one_address_are_never_mixed_up() {
    let ca = TestCa::new();
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let Some(nginx) = api(&ca, protocol) else { return };
        let folder = Folder::new();
        folder.put("ca.pem", ca.pem());
        let mut toml = OPEN.to_owned();
        for name in ["ada", "grace"] {
            put(&folder, name, &ca.client(name));
            toml.push_str(&connector(name, &nginx.url("/api"), &presents(name)));
        }
        let host = folder.host(&toml).await;
        let calls = (0..200).map(|number| {
            let (host, name) = (host.clone(), ["ada", "grace"][number % 2]);
            tokio::spawn(async move {
                let (status, body) = call(&host, name).await;
                assert_eq!(status, 200, "{body}");
                (name.to_owned(), body)
            })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        let connections = seen(answers);
        assert!(connections["ada"].is_disjoint(&connections["grace"]), "{connections:?}");

        let serve = Serve::start(&folder, &toml);
        let threads = (0..8).map(|thread| {
            let address = serve.address();
            std::thread::spawn(move || {
                let mut line = Line::connect(address).unwrap();
                let one = |number: usize| {
                    let name = ["ada", "grace"][(thread + number) % 2];
                    let answer = line.call("GET", &format!("/{name}/orders"), "", "").unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    (name.to_owned(), answer.body)
                };
                (0..40).map(one).collect::<Vec<_>>()
            })
        });
        let threads: Vec<_> = threads.collect();
        let connections = seen(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        assert!(connections["ada"].is_disjoint(&connections["grace"]), "{connections:?}");
    }
}

/// Renews the certificate while `call` is called without a pause, until the new one is seen: first only one of the two
/// files, so that the pair does not belong together for a while.
/// `half` returns when it was noticed that the half that is there cannot be used.
fn renewed_under_load(
    folder: &Folder,
    ca: &TestCa,
    call: impl Fn() -> Result<String, String> + Sync,
    half: impl FnOnce(),
) {
    let (stop, begun) = (AtomicBool::new(false), Barrier::new(5));
    let until = Instant::now() + PATIENCE;
    let (old, new) = ("CN=first".to_owned(), "CN=second".to_owned());
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut clients = Vec::new();
                    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
                        let client = call().unwrap_or_else(|why| {
                            stop.store(true, Ordering::Relaxed);
                            panic!("a call failed: {why}")
                        });
                        let changed = client == new;
                        clients.push(client);
                        if clients.len() == 1 {
                            begun.wait();
                        }
                        if changed && clients.iter().rev().take(20).all(|client| *client == new) {
                            break;
                        }
                    }
                    clients
                })
            })
            .collect();
        begun.wait();
        let second = ca.client("second");
        folder.put("ours.key", &second.key);
        half();
        folder.put("ours.crt", &second.certificate);
        for caller in callers {
            let clients = caller.join().unwrap();
            assert_eq!((&clients[0], clients.last()), (&old, Some(&new)), "of {} calls", clients.len());
            let turn = clients.iter().position(|client| *client == new).unwrap();
            assert!(clients[..turn].iter().all(|client| *client == old), "nobody else came");
            assert!(clients[turn..].iter().all(|client| *client == new), "there is no way back");
        }
    });
}

#[test]
fn a_renewed_certificate_comes_into_service_without_a_failed_call() {
    let ca = TestCa::new();
    let Some(nginx) = api(&ca, "TLSv1.2 TLSv1.3") else { return };
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    put(&folder, "ours", &ca.client("first"));
    let toml = connector("ours", &nginx.url("/api"), &presents("ours"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let host = runtime.block_on(folder.host(&toml));
    let call = || {
        let answer = runtime.block_on(get(&host, "ours", "/orders")).map_err(|error| error.to_string())?;
        let (status, body) = runtime.block_on(read(answer));
        if status == 200 { Ok(echo::parse(&body)["client"].clone()) } else { Err(body) }
    };
    renewed_under_load(&folder, &ca, call, || {});
}

#[test]
fn the_proxy_takes_a_renewed_certificate_without_a_failed_call() {
    let ca = TestCa::new();
    // Of so few requests, so that connections end while calls are under way: those that were not looked at are sent again.
    let Some(nginx) = api(&ca, "TLSv1.2 TLSv1.3; keepalive_requests 20") else { return };
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    put(&folder, "ours", &ca.client("first"));
    let serve =
        Serve::start(&folder, &format!("{OPEN}{}", connector("ours", &nginx.url("/api"), &presents("ours"))));
    let call = || {
        let answer =
            Line::connect(serve.address()).and_then(|mut line| line.call("GET", "/ours/orders", "", ""));
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status {
            200 => Ok(echo::parse(&answer.body)["client"].clone()),
            status => Err(format!("{status} {}", answer.body)),
        }
    };
    renewed_under_load(&folder, &ca, call, || drop(serve.wait_to_hear("cannot be used")));
}

#[tokio::test]
async fn without_tls_and_without_somebody_who_presents_it_no_call_is_made() {
    let ca = TestCa::new();
    let plain = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new();
    folder.put("ca.pem", ca.pem());
    put(&folder, "ours", &ca.client("erp"));
    let at_plain =
        connector("plain", &plain.url("/api"), &presents("ours")).replace("ca_file = \"ca.pem\"\n", "");
    let findings = folder.refusal(&at_plain).await.to_string();
    assert!(findings.contains("countersign.toml:2:") && findings.contains("use https"), "{findings}");

    // What is known only at the call: an issuer's metadata that name such an endpoint.
    let issuer = FaultServer::start([Reply::status(200)]);
    let metadata = json!({ "issuer": issuer.url(""), "token_endpoint": issuer.url("/token") });
    issuer.rescript([Reply::json(metadata.to_string())]);
    let mutual = "client_certificate = { certificate = \"${file:ours.crt}\", key = \"${file:ours.key}\" }";
    let toml = format!(
        "{}{}",
        connector("tls", "https://bank.example", &presents("ours")),
        connector(
            "issuer",
            "https://bank.example",
            &format!("type = \"oauth2\"\nissuer = \"{}\"\nclient_id = \"erp\"\n{mutual}", issuer.url("")),
        ),
    );
    let host = folder.host(&toml).await;
    let error = get(&host, "issuer", "/orders").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("use https"), "{error}");
    assert_eq!((plain.count(), issuer.count()), (0, 1), "nobody was asked for a token");

    // Somebody else's HTTP service does not know what to do with a certificate, unless it says so.
    let reached = Arc::new(AtomicBool::new(false));
    let inner = service_fn({
        let reached = Arc::clone(&reached);
        move |request: Request<String>| {
            let certificate = request.extensions().get::<countersign::ClientCertificate>();
            assert!(
                certificate.is_some_and(|certificate| certificate.chain_pem.contains("BEGIN CERTIFICATE"))
            );
            reached.store(true, Ordering::Relaxed);
            async { Ok::<_, std::convert::Infallible>(Response::new(String::new())) }
        }
    });
    let request =
        || Request::get("https://bank.example/orders").body(http_body_util::Full::<bytes::Bytes>::default());
    let inner =
        tower::util::MapRequest::new(inner, |request: Request<http_body_util::Full<bytes::Bytes>>| {
            request.map(|_| String::new())
        });
    let layer = AuthorizeLayer::new(host.connector("tls").unwrap());
    let error = layer.layer(inner.clone()).call(request().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("client certificate"), "{error}");
    assert!(!reached.load(Ordering::Relaxed));
    layer.presenting_client_certificates().layer(inner).call(request().unwrap()).await.unwrap();
    assert!(reached.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_found_at_its_place() {
    let ca = TestCa::new();
    let folder = Folder::new();
    put(&folder, "ours", &ca.client("erp"));
    folder.put("ours.key", ca.client("erp").key);
    let toml = format!("[profiles.bank]\n{}\n", presents("ours"));
    let findings = folder.refusal(&toml).await.to_string();
    assert!(findings.contains("countersign.toml:3:") && findings.contains("another key"), "{findings}");
}

#[test]
fn check_finds_a_certificate_that_has_expired_and_warns_of_one_that_soon_has() {
    let ca = TestCa::new();
    let folder = Folder::new();
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    put(&folder, "good", &ca.client_for("erp", 30 * DAY));
    put(&folder, "ending", &ca.client_for("erp", 3 * DAY));
    put(&folder, "expired", &ca.expired_client("erp"));
    let profile = |name: &str| format!("[profiles.{name}]\n{}\n", presents(name));
    let check = || {
        let mut command = Command::new(built::program());
        let output = command
            .arg("check")
            .current_dir(folder.path())
            .env_remove("COUNTERSIGN_CONFIG")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said)
    };
    folder.config(&format!("{}{}", profile("good"), profile("ending")));
    let (status, [said, _]) = check();
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.starts_with("countersign.toml:5:1: warning: profiles.ending: the certificate expires at "),
        "{said}"
    );
    assert_eq!(said.matches("warning").count(), 1, "{said}");

    folder.config(&format!("{}{}", profile("good"), profile("expired")));
    let (status, [_, said]) = check();
    assert_eq!(status, Some(1), "{said}");
    let finding = "countersign.toml:5:1: profiles.expired: the certificate expired at 2021-01-01";
    assert!(said.starts_with(finding) && said.contains("put a renewed one in its place"), "{said}");
}
