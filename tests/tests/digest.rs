//! Apache httpd (MD5) and lighttpd (MD5 and SHA-256) let in what `digest` answers, and refuse what is not meant for them.
//!
//! What they look at. Apache: user and password, realm, that the address is the request's, that the nonce is its own and not
//! older than `AuthDigestNonceLifetime`, and, with `AuthDigestNcCheck`, that the nonce count is the very next one. lighttpd:
//! all of that but the nonce count, and nonces are good for ten minutes.

use std::net::SocketAddr;
use std::sync::Arc;

use countersign_host::{Client, Host};
use countersign_tests::apache::{Apache, Guard, VerifyKeys};
use countersign_tests::client;
use countersign_tests::folder::{Folder, get, read, request};
use countersign_tests::lighttpd::{self, Lighttpd};
use countersign_tests::relay::Relay;
use http::Method;

const USER: &str = "jörg \"j\"";
const PASSWORD: &str = "p:ä\"1";

fn connector(name: &str, base_url: &str, more: &str) -> String {
    format!(
        "[connectors.{name}]\nbase_url = \"{base_url}\"\nprofile = \"{name}\"\n\
         [profiles.{name}]\ntype = \"digest\"\nusername = '{USER}'\npassword = \"${{file:password}}\"\n{more}\n"
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.put("password", format!("{PASSWORD}\n"));
    folder.put("wrong", "p");
    folder
}

fn guard(realm: &str, more: &str) -> Guard {
    Guard::Digest { user: USER.into(), realm: realm.into(), password: PASSWORD.into(), more: more.into() }
}

fn apache(locations: &[(&str, Guard)]) -> Option<Apache> {
    Apache::start(&VerifyKeys::default(), locations)
}

async fn call(host: &Host, connector: &str) -> u16 {
    let answer = get(host, connector, "/orders?page=1").await;
    read(answer.unwrap_or_else(|error| panic!("{connector}: {error}"))).await.0
}

/// A request as a test writes it, with a header of ours.
fn sent(address: SocketAddr, target: &str, authorization: &str) -> (u16, String) {
    let answer = client::call(
        address,
        format!(
            "GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
        ),
    );
    (answer.status, answer.header("www-authenticate").unwrap_or_default().to_owned())
}

fn parameter<'a>(header: &'a str, name: &str) -> &'a str {
    let rest = header.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{name}: {header}")).1;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => rest.split(',').next().unwrap(),
    }
}

#[tokio::test]
async fn apache_lets_in_md5_in_each_form_that_it_has() {
    // Apache 2.4.71 has neither the form of RFC 2069 any more (`AuthDigestQop none`), nor realms with quotes: it takes the backslashes
    // of what it offers off again, but not of what it compares that with.
    let Some(server) = apache(&[
        ("/auth", guard("countersign", "")),
        ("/domain", guard("countersign", "AuthDigestDomain /domain/")),
    ]) else {
        return;
    };
    let mut toml = String::new();
    for path in ["auth", "domain"] {
        let more = format!("challenge_path = \"/{path}/\"");
        toml += &connector(path, &server.url(&format!("/{path}")), &more);
    }
    toml += &connector("wrong", &server.url("/auth"), "challenge_path = \"/auth/\"")
        .replace("file:password", "file:wrong");
    toml += &connector("other", &server.url("/auth"), "challenge_path = \"/auth/\"\nrealm = \"another\"");
    let host = folder().host(&toml).await;
    for path in ["auth", "domain"] {
        for _ in 0..3 {
            assert_eq!(call(&host, path).await, 200, "{path}: {}", server.errors());
        }
    }
    assert_eq!(call(&host, "wrong").await, 401);
    let error = get(&host, "other", "/orders").await.err().unwrap().to_string();
    assert!(error.contains("another realm"), "{error}");
}

#[tokio::test]
async fn lighttpd_lets_in_md5_and_sha_256_and_the_stronger_one_is_taken() {
    let paths = [
        ("/md5", lighttpd::Guard { algorithms: "MD5", userhash: false }),
        ("/sha", lighttpd::Guard { algorithms: "SHA-256", userhash: false }),
        ("/both", lighttpd::Guard { algorithms: "MD5|SHA-256", userhash: false }),
        ("/hashed", lighttpd::Guard { algorithms: "SHA-256", userhash: true }),
    ];
    let Some(server) = Lighttpd::start("jörg", PASSWORD, &paths) else { return };
    let relay = Relay::to(server.address());
    let mut toml = String::new();
    for (path, _) in &paths {
        let more = format!("challenge_path = \"{path}/orders\"");
        toml += &connector(&path[1..], &relay.url(path), &more);
    }
    toml += &connector("weak", &relay.url("/both"), "algorithms = [\"MD5\"]\nchallenge_path = \"/both/\"");
    toml +=
        &connector("strong", &relay.url("/md5"), "algorithms = [\"SHA-256\"]\nchallenge_path = \"/md5/\"");
    toml += &connector("wrong", &relay.url("/sha"), "challenge_path = \"/sha/\"")
        .replace("file:password", "file:wrong");
    let host = folder().host(&toml.replace(&format!("'{USER}'"), "\"jörg\"")).await;
    let mut before = 0;
    for (name, algorithm, first) in [
        ("md5", "MD5", "username*=UTF-8''j%C3%B6rg"),
        ("sha", "SHA-256", "username*=UTF-8''j%C3%B6rg"),
        ("both", "SHA-256", "username*=UTF-8''j%C3%B6rg"),
        ("hashed", "SHA-256", "username=\""),
        ("weak", "MD5", "username*=UTF-8''j%C3%B6rg"),
    ] {
        for count in ["00000001", "00000002"] {
            assert_eq!(call(&host, name).await, 200, "{name}: {}", server.errors());
            let sent = relay.sent("authorization");
            assert_eq!(sent.len(), before + 1, "{name}: preemptive, without another challenge");
            before += 1;
            let header = sent.last().unwrap();
            assert_eq!((parameter(header, "algorithm"), parameter(header, "nc")), (algorithm, count));
            assert!(header.starts_with(&format!("Digest {first}")), "{header}");
            assert_eq!(header.contains("userhash=true"), name == "hashed", "{header}");
        }
    }
    assert_eq!(call(&host, "wrong").await, 401);
    let error = get(&host, "strong", "/orders").await.err().unwrap().to_string();
    assert!(error.contains("MD5") && error.contains("`algorithms`"), "{error}");
}

/// Calls from many tasks at once, and the nonces and counts that went over the wire.
async fn crowd(host: &Arc<Host>, connector: &'static str, relay: &Relay) -> Vec<(String, String)> {
    let before = relay.sent("authorization").len();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let host = Arc::clone(host);
            tokio::spawn(async move {
                for _ in 0..25 {
                    assert_eq!(call(&host, connector).await, 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let sent = relay.sent("authorization").split_off(before);
    sent.iter()
        .map(|header| (parameter(header, "nonce").to_owned(), parameter(header, "nc").to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_share_a_nonce_and_no_count() {
    let Some(apache) = apache(&[("/auth", guard("countersign", ""))]) else { return };
    let paths = [("/sha", lighttpd::Guard { algorithms: "SHA-256", userhash: false })];
    let Some(lighttpd) = Lighttpd::start(USER, PASSWORD, &paths) else { return };
    let relays = [("apache", apache.address(), "/auth"), ("lighttpd", lighttpd.address(), "/sha")]
        .map(|(name, address, path)| (name, Relay::to(address), path));
    let toml: String = relays
        .iter()
        .map(|(name, relay, path)| {
            connector(name, &relay.url(path), &format!("challenge_path = \"{path}/orders\""))
        })
        .collect();
    let host = Arc::new(folder().host(&toml).await);
    for (name, relay, _) in &relays {
        let mut seen = crowd(&host, name, relay).await;
        seen.sort_unstable();
        let nonce = seen[0].0.clone();
        let expected: Vec<_> = (1..=200).map(|count| (nonce.clone(), format!("{count:08x}"))).collect();
        assert_eq!(seen, expected, "{name}");
    }
}

#[tokio::test]
async fn both_refuse_another_address_and_a_nonce_of_their_own_making() {
    let Some(apache) = apache(&[("/auth", guard("countersign", ""))]) else { return };
    let paths = [("/auth", lighttpd::Guard { algorithms: "SHA-256", userhash: false })];
    let Some(lighttpd) = Lighttpd::start(USER, PASSWORD, &paths) else { return };
    for address in [apache.address(), lighttpd.address()] {
        let relay = Relay::to(address);
        let toml = connector("api", &relay.url("/auth"), "challenge_path = \"/auth/orders\"");
        let host = folder().host(&toml).await;
        assert_eq!(call(&host, "api").await, 200);
        let header = relay.sent("authorization").pop().unwrap();
        let asked = "/auth/orders?page=1";
        assert_eq!(sent(address, asked, &header).0, 200, "they do not count, unless told to");
        for (target, header) in [
            ("/auth/orders?page=2", header.clone()),
            (asked, header.replace(asked, "/auth/orders?page=2")),
            (asked, header.replace("nc=00000001", "nc=00000002")),
            (asked, header.replace(parameter(&header, "cnonce"), "another")),
            (asked, header.replace(parameter(&header, "nonce"), "another")),
        ] {
            let status = sent(address, target, &header).0;
            assert!(matches!(status, 400 | 401), "{address} {target} {header}: {status}");
        }
    }
}

#[tokio::test]
async fn apache_refuses_a_count_that_comes_again_and_takes_the_next_one() {
    let Some(server) = apache(&[("/auth", guard("countersign", "AuthDigestNcCheck On"))]) else { return };
    let relay = Relay::to(server.address());
    let host = folder().host(&connector("api", &relay.url("/auth"), "challenge_path = \"/auth/\"")).await;
    for count in ["00000001", "00000002", "00000003"] {
        assert_eq!(call(&host, "api").await, 200, "{}", server.errors());
        assert_eq!(parameter(relay.sent("authorization").last().unwrap(), "nc"), count);
    }
    let header = relay.sent("authorization").pop().unwrap();
    let (status, _) = sent(server.address(), "/auth/orders?page=1", &header);
    assert_eq!(status, 401, "{}", server.errors());
    assert!(server.errors().contains("nonce-count check failed"), "{}", server.errors());
}

#[tokio::test]
async fn a_stale_nonce_is_given_up_and_the_same_call_succeeds() {
    // A nonce of a second, and nonces that are good for one request.
    let locations = [
        ("/short", guard("countersign", "AuthDigestNonceLifetime 1\nLogLevel auth_digest:info")),
        ("/once", guard("countersign", "AuthDigestNonceLifetime 0")),
    ];
    let Some(server) = apache(&locations) else { return };
    let relay = Relay::to(server.address());
    let mut toml = connector("short", &relay.url("/short"), "challenge_path = \"/short/\"");
    toml += &connector("once", &relay.url("/once"), "challenge_path = \"/once/\"");
    toml += &connector("single", &relay.url("/once"), "challenge_path = \"/once/\"\nreuse = false");
    let host = folder().host(&toml).await;

    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    assert_eq!(call(&host, "short").await, 200);
    while !server.errors().contains("sending new nonce") {
        assert!(std::time::Instant::now() < until, "{}", server.errors());
        // Each answer brings another nonce of a second, so only who says nothing for longer has a stale one.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert_eq!(call(&host, "short").await, 200);
    }
    let sent = relay.sent("authorization");
    let [.., before, after] = &sent[..] else { panic!("{sent:?}") };
    assert_ne!(parameter(before, "nonce"), parameter(after, "nonce"));
    assert_eq!(parameter(after, "nc"), "00000001");
    let (status, challenge) = self::sent(server.address(), "/short/orders?page=1", before);
    assert!(status == 401 && challenge.contains("stale=true"), "{status} {challenge}");

    // Each answer names the next nonce.
    let before = relay.sent("authorization").len();
    for _ in 0..5 {
        assert_eq!(call(&host, "once").await, 200, "{}", server.errors());
    }
    let sent = relay.sent("authorization").split_off(before);
    let nonces: std::collections::BTreeSet<_> = sent.iter().map(|sent| parameter(sent, "nonce")).collect();
    assert_eq!((sent.len(), nonces.len()), (5, 5), "none was rejected: {sent:?}");
    assert!(sent.iter().all(|sent| parameter(sent, "nc") == "00000001"), "{sent:?}");
    for _ in 0..5 {
        assert_eq!(call(&host, "single").await, 200, "{}", server.errors());
    }
}

#[tokio::test]
async fn a_call_that_may_not_be_made_twice_has_its_challenge_beforehand() {
    let Some(server) = apache(&[("/auth", guard("countersign", ""))]) else { return };
    let relay = Relay::to(server.address());
    let host = folder().host(&connector("api", &relay.url("/auth"), "challenge_path = \"/auth/\"")).await;
    let api = host.connector("api").unwrap();
    let answer = Client::new().send(&api, request(Method::POST, "/orders", "a=1")).await.unwrap();
    // Whoever got in is told that a file takes no POST.
    assert!(matches!(answer.status().as_u16(), 200 | 405), "{}", answer.status());
    assert_eq!(relay.sent("authorization").len(), 1);
}
