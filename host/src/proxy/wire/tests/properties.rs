use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::corpus::cases;
use super::super::{Fault, Guarded, WireLimits, WireState};
use super::server::{Pieces, Seen, raw, serve, serve_unguarded};

/// A request as a client would write it.
#[derive(Debug, Clone)]
struct Written {
    method: &'static str,
    target: String,
    fields: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    None,
    Length(Vec<u8>),
    Chunks { chunks: Vec<(Vec<u8>, &'static str)>, trailers: Vec<(String, String)> },
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.target).into_bytes();
        bytes.extend(lines(&self.fields));
        match &self.body {
            Body::None => bytes.extend(b"\r\n"),
            Body::Length(data) => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", data.len()).bytes());
                bytes.extend(data);
            }
            Body::Chunks { chunks, trailers } => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for (data, extension) in chunks {
                    bytes.extend(format!("{:x}{extension}\r\n", data.len()).bytes());
                    bytes.extend(data);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n");
                bytes.extend(lines(trailers));
                bytes.extend(b"\r\n");
            }
        }
        bytes
    }

    fn is(&self, seen: &Seen) -> bool {
        let body = match &self.body {
            Body::None => Vec::new(),
            Body::Length(data) => data.clone(),
            Body::Chunks { chunks, .. } => chunks.iter().flat_map(|(data, _)| data).copied().collect(),
        };
        let trailers = match &self.body {
            Body::Chunks { trailers, .. } => trailers.as_slice(),
            _ => &[],
        };
        self.method == seen.method
            && self.target == seen.target
            && seen.body.as_ref() == Some(&body)
            && listed(trailers) == sorted(&seen.trailers)
            && seen.refusal.is_none()
    }
}

fn lines(fields: &[(String, String)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| format!("{name}:{value}\r\n").into_bytes()).collect()
}

fn listed(fields: &[(String, String)]) -> Vec<(String, Vec<u8>)> {
    let named = |(name, value): &(String, String)| (name.to_lowercase(), value.trim().as_bytes().to_vec());
    sorted(&fields.iter().map(named).collect::<Vec<_>>())
}

fn sorted(fields: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let mut fields = fields.to_vec();
    fields.sort();
    fields
}

/// Data that looks like framing as often as not.
fn data(least: usize) -> impl Strategy<Value = Vec<u8>> {
    let framing = select(vec!["\r\n", "0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "5;", "\n", "\0"]);
    prop_oneof![
        vec(any::<u8>(), least..200),
        vec(framing, least..5).prop_map(|parts| parts.concat().into_bytes()),
        vec(any::<u8>(), 9000..10000),
    ]
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("X-[a-zA-Z0-9_]{1,20}", "[ \t]?[!-~]{0,40}[ \t]?"), 0..6)
}

fn body() -> impl Strategy<Value = Body> {
    let extension = select(vec!["", "", ";a", ";a=b;c=\"d e\"", ";;"]);
    prop_oneof![
        Just(Body::None),
        data(0).prop_map(Body::Length),
        (vec((data(1), extension), 0..5), fields())
            .prop_map(|(chunks, trailers)| Body::Chunks { chunks, trailers }),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    (
        select(vec!["GET", "POST", "PUT", "DELETE", "PATCH"]),
        "/[a-z0-9/._~-]{0,30}(\\?[a-z=&]{0,20})?",
        fields(),
        body(),
    )
        .prop_map(|(method, target, fields, body)| Written { method, target, fields, body })
}

/// Where the stream is parted.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1_usize..8, 0..400), vec(1_usize..2000, 0..40)]
}

/// A good stream, or one of the corpus, with some bytes of it replaced, put in or left out.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let corpus: Vec<_> = cases(include_str!("../corpus.txt"))
        .into_iter()
        .map(|case| case.bytes)
        .filter(|bytes| bytes.len() < 2000)
        .collect();
    let whole = vec(written(), 1..4)
        .prop_map(|requests| requests.iter().flat_map(Written::bytes).collect::<Vec<u8>>())
        .prop_filter("short", |bytes| bytes.len() < 4000);
    let base = prop_oneof![vec(select(corpus), 1..4).prop_map(|parts| parts.concat()), whole];
    let piece = select(vec![
        "",
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        " ",
        "\t",
        "\0",
        "\x0b",
        ":",
        ";",
        ",",
        "0",
        "5",
        "a",
        "g",
        "-",
        "%",
        "#",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Upgrade: x\r\n",
        "chunked",
        "0\r\n\r\n",
    ]);
    (base, vec((any::<prop::sample::Index>(), 0_usize..3, piece), 0..4)).prop_map(|(mut bytes, changes)| {
        for (index, gone, piece) in changes {
            let at = index.index(bytes.len() + 1);
            let end = bytes.len().min(at + gone);
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

/// What comes out of a guarded connection, up to its end, and why a head was refused.
fn through(bytes: &[u8], sizes: Vec<usize>, buffer: usize) -> (Vec<u8>, Option<String>, Option<Fault>) {
    let state = Arc::new(WireState::default());
    let guarded = Guarded::new(Pieces::new(bytes, sizes), WireLimits::default(), Arc::clone(&state));
    let (out, error) = raw(guarded, buffer);
    (out, error.map(|error| error.to_string()), state.refusal("/%refused"))
}

fn without_refusals(seen: Vec<Seen>) -> Vec<Seen> {
    seen.into_iter().map(|seen| Seen { refusal: None, ..seen }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_what_is_seen(requests in vec(written(), 1..6), sizes in sizes()) {
        let bytes: Vec<u8> = requests.iter().flat_map(Written::bytes).collect();
        let (seen, state, ended) = serve(&bytes, sizes);
        prop_assert!(ended.is_ok(), "{:?}", ended);
        prop_assert_eq!(seen.len(), requests.len());
        prop_assert_eq!(state.heads() as usize, requests.len());
        for (request, seen) in requests.iter().zip(&seen) {
            prop_assert!(request.is(seen), "{:?} was seen as {:?}", request, seen);
        }
        prop_assert_eq!(seen, serve_unguarded(&bytes).0);
    }

    #[test]
    fn how_a_stream_is_parted_changes_nothing(bytes in spoilt(), sizes in sizes(), buffer in 1_usize..300) {
        prop_assert_eq!(through(&bytes, vec![], 100_000), through(&bytes, sizes.clone(), buffer));
        let (whole, parted) = (serve(&bytes, []), serve(&bytes, sizes));
        prop_assert_eq!(whole.0, parted.0);
    }

    #[test]
    fn the_server_reads_what_passed_as_the_guard_did(bytes in spoilt()) {
        let (passed, error, _) = through(&bytes, vec![], 100_000);
        let (seen, state, ended) = serve(&bytes, []);
        prop_assert!(!ended.is_err_and(|error| error.is_parse()));
        prop_assert!(seen.len() <= state.heads() as usize);
        let closes = |part: &[u8]| part.eq_ignore_ascii_case(b"close") || part == b"1.0";
        let stays = !bytes.windows(5).any(closes) && !bytes.windows(3).any(closes);
        // An upgrade that was not answered with 101 goes on as HTTP; a body at fault, or without an end, ends it all.
        if stays && error.is_none() && seen.iter().all(|seen| seen.body.is_some()) {
            prop_assert_eq!(seen.len(), state.heads() as usize);
        }
        let (plainly, ended) = serve_unguarded(&passed);
        prop_assert!(!ended.is_err_and(|error| error.is_parse()));
        prop_assert_eq!(without_refusals(seen), without_refusals(plainly));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..400), sizes in sizes()) {
        let (seen, ..) = serve(&bytes, sizes);
        prop_assert!(seen.iter().all(|seen| seen.refusal.is_some()));
    }
}
