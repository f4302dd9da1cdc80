//! What hostile clients send never becomes a request that nobody sent: neither to an upstream that forgives nothing, nor to
//! upstreams that read whatever they can.

use std::io::Cursor;

use countersign_tests::client::Client;
use countersign_tests::folder::Folder;
use countersign_tests::http1::{Recorded, read_request};
use countersign_tests::proxy::Serve;
use countersign_tests::upstream::{Reading, Rules, Upstream};

#[path = "../../host/src/proxy/wire/corpus.rs"]
mod corpus;

use corpus::{Case, Verdict, cases};

const CREDENTIAL: &str = "Bearer of-the-connector";

/// An upstream and the proxy in front of it.
fn start(folder: &Folder, reading: Reading) -> (Upstream, Serve) {
    let rules = Rules { prefix: "/api".into(), credential: CREDENTIAL.into() };
    let upstream = Upstream::start(reading, rules);
    let serve = Serve::start(
        folder,
        &format!(
            r#"
[serve]
listen = "127.0.0.1:0"
access = "any-local-process"
hosts = ["localhost", "localhost:7070", "127.0.0.1:7070", "[::1]:7070", "elsewhere.test"]

[connectors.orders]
base_url = "{}"
profile = "token"

[connectors."v1.orders-eu_1"]
base_url = "{}"
profile = "token"
hosts = ["eu.test"]

[profiles.token]
type = "bearer"
token = "of-the-connector"
"#,
            upstream.url("/api"),
            upstream.url("/api"),
        ),
    );
    (upstream, serve)
}

#[test]
fn the_corpus_gets_its_verdicts_in_front_of_a_strict_upstream() {
    the_corpus_gets_its_verdicts(Reading::Strict);
}

#[test]
fn the_corpus_gets_its_verdicts_in_front_of_a_lenient_upstream_that_counts_lengths_first() {
    the_corpus_gets_its_verdicts(Reading::LengthFirst);
}

#[test]
fn the_corpus_gets_its_verdicts_in_front_of_a_lenient_upstream_that_counts_encodings_first() {
    the_corpus_gets_its_verdicts(Reading::EncodingFirst);
}

/// Cases whose framing is good, but whose path or host leads to no connector: the status instead of 200.
const LEAD_NOWHERE: [(&str, u16); 5] = [
    ("get-root", 404),
    ("get-absolute-form-without-path", 404),
    ("get-absolute-form-other-host", 400),
    ("get-http-1.0-without-host", 421),
    ("get-percent-encoded", 400),
];

fn the_corpus_gets_its_verdicts(reading: Reading) {
    let folder = Folder::new();
    let (upstream, serve) = start(&folder, reading);
    let cases = cases(include_str!("../../host/src/proxy/wire/corpus.txt"));
    assert!(cases.len() >= 200, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let mut client = Client::connect(serve.address());
        client.send(&case.bytes);
        let mut complain = |what: String| wrong.push(format!("{}: {what}", case.name));
        let nowhere = LEAD_NOWHERE.iter().find(|(name, _)| *name == case.name).map(|(_, status)| *status);
        let mut came = true;
        for verdict in &case.verdicts {
            let answer = client.next(case.bytes.starts_with(b"HEAD"));
            let status = match &answer {
                Ok(Some(answer)) => answer.status,
                _ => 0,
            };
            let right = match (verdict, nowhere) {
                (Verdict::Passes, None) => status == 200,
                (Verdict::Passes, Some(nowhere)) => status == nowhere,
                (Verdict::Refused(refused), _) => status == *refused,
                // An answer that says so, or an end: the upstream was never told that the body is whole.
                (Verdict::Cut, _) => status == 400 || status == 0,
            };
            if !right {
                complain(format!("{verdict:?}, but {answer:?}"));
            }
            came &= status != 0;
        }
        client.finish();
        let rest = if came { client.rest() } else { Vec::new() };
        if !rest.is_empty() {
            complain(format!("more than the answers: {}", String::from_utf8_lossy(&rest)));
        }
        let seen = upstream.take();
        let sent = if nowhere.is_some() { Vec::new() } else { sent(case) };
        let as_sent = seen.whole.len() == sent.len() && seen.whole.iter().zip(&sent).all(same);
        if !as_sent {
            complain(format!("sent {sent:#?}\nseen {:#?}", seen.whole));
        }
        for fault in seen.faults {
            complain(format!("{reading:?}: {fault}"));
        }
    }
    // What came after it was asked for.
    drop(serve);
    let late = upstream.take();
    assert_eq!((late.whole.len(), late.faults), (0, Vec::new()));
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

/// The requests of a case that pass, by a reader of our own.
fn sent(case: &Case) -> Vec<Recorded> {
    let passing = case.verdicts.iter().filter(|verdict| **verdict == Verdict::Passes).count();
    let mut bytes = Cursor::new(&case.bytes[..]);
    (0..passing)
        .map(|_| {
            let at = usize::try_from(bytes.position()).unwrap();
            if case.bytes[at..].starts_with(b"\r\n") {
                bytes.set_position(bytes.position() + 2);
            }
            read_request(&mut bytes).unwrap().unwrap()
        })
        .collect()
}

/// Whether what an upstream saw is what a client sent: method, path, body, and the fields that are meant for it.
fn same((seen, sent): (&Recorded, &Recorded)) -> bool {
    let target = match sent.target.get(..7) {
        Some("http://" | "HTTP://") => {
            sent.target[7..].find('/').map_or("/", |slash| &sent.target[7 + slash..])
        }
        _ => &sent.target,
    };
    let target = target.strip_prefix("/orders").map(|rest| format!("/api{rest}"));
    let own = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "trailer", "expect"];
    let ends = |(name, _): &&(String, String)| {
        !own.contains(&&**name) && name != "http2-settings" && name != "x-mine"
    };
    let fields = |request: &Recorded| {
        let mut fields: Vec<_> = request.headers.iter().filter(ends).cloned().collect();
        fields.retain(|(name, _)| name != "authorization");
        fields.sort();
        fields
    };
    // A name with an underscore stands for one with a hyphen at some servers, and goes no further.
    let mut meant = fields(sent);
    meant.retain(|(name, _)| !name.contains('_'));
    seen.method == sent.method
        && Some(&seen.target) == target.as_ref()
        && seen.body == sent.body
        && fields(seen) == meant
}

/// Where a path leads: to this target of the upstream, or to a refusal.
enum Leads {
    To(&'static str),
    Nowhere(&'static [u16]),
}

use Leads::{Nowhere, To};

const PATHS: [(&str, Leads); 62] = [
    // As they are meant.
    ("/orders", To("/api")),
    ("/orders/", To("/api/")),
    ("/orders?x=/../y", To("/api?x=/../y")),
    ("/orders/a//b", To("/api/a//b")),
    ("/orders/a;v=1/b", To("/api/a;v=1/b")),
    ("/orders/a%2Fb", To("/api/a%2Fb")),
    ("/orders/a@b:c", To("/api/a@b:c")),
    ("/orders/...", To("/api/...")),
    ("/orders/a..b/.c/d.", To("/api/a..b/.c/d.")),
    ("/orders/http://elsewhere.test/", To("/api/http://elsewhere.test/")),
    ("/orders?http://elsewhere.test/", To("/api?http://elsewhere.test/")),
    ("/orders/?@elsewhere.test/", To("/api/?@elsewhere.test/")),
    ("/v1.orders-eu_1/x", To("/api/x")),
    ("http://localhost/orders/x", To("/api/x")),
    // Out of the prefix, in some reading.
    ("/orders/..", Nowhere(&[400])),
    ("/orders/../", Nowhere(&[400])),
    ("/orders/../admin", Nowhere(&[400])),
    ("/orders/x/../../admin", Nowhere(&[400])),
    ("/orders/./x", Nowhere(&[400])),
    ("/orders/%2e%2e/admin", Nowhere(&[400])),
    ("/orders/%2E./admin", Nowhere(&[400])),
    ("/orders/.%2e/admin", Nowhere(&[400])),
    ("/orders/..%2fadmin", Nowhere(&[400])),
    ("/orders/x%2f..%2f..%2fadmin", Nowhere(&[400])),
    ("/orders/%252e%252e/admin", Nowhere(&[400])),
    ("/orders/..%252fadmin", Nowhere(&[400])),
    ("/orders/..;/admin", Nowhere(&[400])),
    ("/orders/..;x=1/admin", Nowhere(&[400])),
    ("/orders/%2e%2e;/admin", Nowhere(&[400])),
    ("/orders/..%3b/admin", Nowhere(&[400])),
    ("/orders/..%5cadmin", Nowhere(&[400])),
    ("/orders/x%5c..%5c..%5cadmin", Nowhere(&[400])),
    ("/orders\\..\\admin", Nowhere(&[400])),
    ("/orders/..\\admin", Nowhere(&[400])),
    ("/orders/%c0%ae%c0%ae/admin/..", Nowhere(&[400])),
    ("/orders//elsewhere.test/x", Nowhere(&[400])),
    ("/orders///x", Nowhere(&[400])),
    ("/orders/..%00/x", Nowhere(&[400])),
    ("/orders/x/%2e", Nowhere(&[400])),
    ("/orders/%u002e%u002e/admin", Nowhere(&[400])),
    ("/orders/x#/../..", Nowhere(&[400])),
    // To no connector.
    ("/", Nowhere(&[404])),
    ("//orders/x", Nowhere(&[404])),
    ("/./orders/x", Nowhere(&[404])),
    ("/x/../orders", Nowhere(&[404])),
    ("/Orders/x", Nowhere(&[404])),
    ("/ORDERS", Nowhere(&[404])),
    ("/orders%2fx", Nowhere(&[404])),
    ("/orders%2f..%2fadmin", Nowhere(&[404])),
    ("/%6frders/x", Nowhere(&[404])),
    ("/orders;v=1/x", Nowhere(&[404])),
    ("/orders%00/x", Nowhere(&[404])),
    ("/orders@elsewhere.test/x", Nowhere(&[404])),
    ("/orders.", Nowhere(&[404])),
    ("/orders..", Nowhere(&[404])),
    ("/v1/orders-eu_1", Nowhere(&[404])),
    ("/http://elsewhere.test/orders", Nowhere(&[404])),
    // Elsewhere.
    ("http://elsewhere.test/orders/x", Nowhere(&[400])),
    ("http://elsewhere.example/orders/x", Nowhere(&[400])),
    ("http://localhost@elsewhere.test/orders", Nowhere(&[400])),
    ("https://localhost/orders", Nowhere(&[400])),
    ("@elsewhere.test/orders", Nowhere(&[400])),
];

#[test]
fn no_path_leads_out_of_a_connectors_prefix() {
    let folder = Folder::new();
    let (upstream, serve) = start(&folder, Reading::LengthFirst);
    let mut wrong = Vec::new();
    let mut see = |host: &str, target: &str, leads: &Leads| {
        let mut client = Client::connect(serve.address());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let status = client.answer().status;
        let seen = upstream.take();
        let targets: Vec<&str> = seen.whole.iter().map(|request| &*request.target).collect();
        let right = match leads {
            To(expected) => status == 200 && targets == [*expected],
            Nowhere(statuses) => statuses.contains(&status) && targets.is_empty() && seen.parts == 0,
        };
        if !right || !seen.faults.is_empty() {
            wrong.push(format!("{host} {target}: {status}, {targets:?}, {:?}", seen.faults));
        }
    };
    for (target, leads) in &PATHS {
        see("localhost", target, leads);
    }
    // A connector that is known by its host: the whole path is the upstream's, and stays below the prefix.
    see("eu.test", "/x", &To("/api/x"));
    see("EU.test", "/orders/x", &To("/api/orders/x"));
    see("eu.test", "/", &To("/api/"));
    see("eu.test", "http://eu.test/x", &To("/api/x"));
    for target in ["/../x", "/%2e%2e/x", "//elsewhere.test/x", "/..%2fx", "/a/..;/..", "http://localhost/x"] {
        see("eu.test", target, &Nowhere(&[400]));
    }
    let long = format!("/orders/{}", "x".repeat(65_000));
    let mut client = Client::connect(serve.address());
    client.send(format!("GET {long} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.take().whole[0].target.len(), long.len() - "/orders".len() + "/api".len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
