//! A request is signed: how much that costs beside the bare hashes and keys, and beside who else does it.

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use countersign::testing::ScriptedHost;
use countersign::{Challenge, HeaderView, ProfileType, RequestHead, SignContext, Signer};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Group, Table, repeat};
use crate::mint::{ED25519, der};
use crate::requests::{HEADERS, URL};

const ROUNDS: usize = 301;
const OPERATIONS: u32 = 200;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: &[u8] = br#"{"article":"4711","amount":12,"deliver":{"to":"Hauptstr. 1","before":"2026-12-24"},"note":"leave it with the neighbours"}"#;

/// Measures each type that signs.
pub fn measure() -> Vec<Table> {
    vec![sigv4(), hmac(), http_signature(), digest()]
}

fn hmac() -> Table {
    let settings = json!({
        "secret": SECRET, "sign": "{{ timestamp }}.{{ body }}",
        "headers": { "X-Timestamp": "{{ timestamp }}", "X-Signature": "{{ signature | hex }}" },
    });
    let (ours, headers) = (Signing::with("hmac", settings, ScriptedHost::new()), headers());
    let request = request(&headers);
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key may have any length");
    let bare = || {
        let mut mac = key.clone();
        mac.update(b"1790000000.");
        mac.update(black_box(BODY));
        mac.finalize()
    };
    let mut group = Group::new("A request is signed: a recipe of `hmac` over time and body", ROUNDS);
    group.lane("hmac, the bare HMAC", OPERATIONS, || repeat(OPERATIONS, bare));
    group.lane("Countersign, `hmac`", OPERATIONS, || repeat(OPERATIONS, || ours.sign(&request)));
    group.at_most_times(3.0);
    group.run()
}

fn http_signature() -> Table {
    let settings = json!({ "key": ED25519, "key_id": "k1" });
    let (ours, headers) = (Signing::with("http-signature", settings, ScriptedHost::new()), headers());
    let request = request(&headers);
    let key = Ed25519KeyPair::from_pkcs8(&der(ED25519)).expect("the key is Ed25519");
    // As long as the base of this request's signature.
    let base = [b'x'; 330];
    let mut group = Group::new(
        "A request is signed: HTTP Message Signatures (RFC 9421), Ed25519, with `Content-Digest`",
        ROUNDS,
    );
    group.lane("aws-lc-rs, the bare signature", OPERATIONS, || {
        repeat(OPERATIONS, || key.sign(black_box(&base)))
    });
    group.lane("Countersign, `http-signature`", OPERATIONS, || repeat(OPERATIONS, || ours.sign(&request)));
    group.at_most_times(1.3);
    group.run()
}

fn digest() -> Table {
    let mut group = Group::new("A request is signed: Digest (RFC 7616), the challenge known", ROUNDS);
    for algorithm in ["SHA-256", "MD5"] {
        let challenge = Challenge {
            status: 401,
            headers: vec![(
                "www-authenticate".to_owned(),
                format!(
                    "Digest realm=\"orders\", qop=\"auth\", algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
                ),
            )],
        };
        let host = ScriptedHost::new()
            .target("https://orders.example".parse().expect("an origin"))
            .challenge(challenge);
        let settings = json!({ "username": "integration", "password": SECRET });
        let (ours, headers) = (Signing::with("digest", settings, host), headers());
        group.lane(&format!("Countersign, `digest`, {algorithm}"), OPERATIONS, move || {
            let request = request(&headers);
            repeat(OPERATIONS, || ours.sign(&request))
        });
        group.at_most(Duration::from_micros(3));
    }
    group.run()
}

fn sigv4() -> Table {
    let settings = json!({
        "region": "eu-central-1", "service": "execute-api",
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET,
    });
    let (ours, headers) = (Signing::with("aws-sigv4", settings, ScriptedHost::new()), headers());
    let request = request(&headers);

    let key = key_of_the_day();
    // As long as the canonical request and the string to sign of this request.
    let (canonical, to_sign) = ([b'x'; 211], [b'x'; 138]);
    let bare = || {
        black_box(Sha256::digest(black_box(BODY)));
        black_box(Sha256::digest(black_box(canonical)));
        keyed(&key, &to_sign)
    };

    let identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "bench").into();
    let theirs = || {
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name("execute-api")
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .expect("nothing is missing")
            .into();
        let request = SignableRequest::new("POST", URL, HEADERS.into_iter(), SignableBody::Bytes(BODY))
            .expect("the request is valid");
        let signed = aws_sigv4::http_request::sign(request, &parameters).expect("it signs");
        assert_eq!(signed.output().headers().count(), 2);
        signed
    };

    let mut group =
        Group::new("A request is signed: AWS Signature Version 4, its key of the day known", ROUNDS);
    group.lane("sha2 and hmac, the three bare hashes", OPERATIONS, || repeat(OPERATIONS, bare));
    group.lane("Countersign, `aws-sigv4`", OPERATIONS, || repeat(OPERATIONS, || ours.sign(&request)));
    group.at_most_times(3.0);
    group.lane("the crate `aws-sigv4`", OPERATIONS, || repeat(OPERATIONS, theirs));
    group.run()
}

/// A type's signer, as it is for a credential that is in the cache.
struct Signing {
    signer: Box<dyn Signer>,
    context: SignContext,
}

impl Signing {
    fn with(name: &str, settings: Value, mut host: ScriptedHost) -> Self {
        let profile_type =
            ProfileType::all().into_iter().find(|it| it.name() == name).expect("it is built in");
        let profile = profile_type.create(&settings).expect("the settings are right");
        let credential = host.acquire(&*profile).expect("the keys are given");
        Self { signer: profile.signer(credential).expect("it signs"), context: SignContext::at(now()) }
    }

    fn sign(&self, request: &RequestHead<'_>) {
        let mut edits = 0;
        let mut place = |place, name: &str, value: &str| {
            black_box((place, name, value));
            edits += 1;
        };
        self.signer.sign(request, &self.context, &mut place).expect("it signs");
        assert!(edits > 0);
    }
}

fn headers() -> Vec<HeaderView<'static>> {
    HEADERS.iter().map(|(name, value)| HeaderView::new(name, value.as_bytes())).collect()
}

fn request<'a>(headers: &'a [HeaderView<'a>]) -> RequestHead<'a> {
    RequestHead::new("POST", "https", "orders.example", "/api/orders/4711")
        .with_query(Some("expand=lines"))
        .with_headers(headers)
        .with_body(Some(BODY))
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn key_of_the_day() -> [u8; 32] {
    keyed(SECRET.as_bytes(), b"20260921")
}

fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
