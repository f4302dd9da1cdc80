//! The canary is found wherever it can hide, and its silence is proved only by song elsewhere.

use std::panic::catch_unwind;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::canary::{CANARY, Canary, contains_canary};
use countersign_tests::fault::{FaultServer, Reply};

#[test]
fn every_disguise_is_seen_through() {
    assert!(!contains_canary("nothing here"));
    assert!(contains_canary(&format!("Bearer {CANARY}")));
    assert!(contains_canary(&CANARY.to_uppercase()));
    for user in ["a", "ab", "abc"] {
        assert!(contains_canary(&STANDARD.encode(format!("{user}:{CANARY}:"))), "Basic of {user}");
    }
    assert!(contains_canary(&format!("{:?}", CANARY.as_bytes())));
    assert!(contains_canary(&format!("{:02x?}", CANARY.as_bytes()).replace(", ", "")));
}

#[test]
fn silence_without_use_proves_nothing() {
    tracing::info!("something is logged");
    assert!(catch_unwind(|| Canary::start().assert_silent(&[])).is_err());
}

#[test]
fn what_is_logged_is_found() {
    let mut canary = Canary::start();
    canary.seen_on_wire(CANARY);
    tracing::trace!(key = CANARY, "signing");
    assert!(catch_unwind(|| canary.assert_silent(&[])).is_err());
}

#[tokio::test]
async fn a_header_marked_sensitive_reaches_the_server_and_no_log() {
    let mut canary = Canary::start();
    let server = FaultServer::start([Reply::status(200)]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(server.url("/")).bearer_auth(CANARY).send().await.unwrap();

    canary.seen_on_wire(&server.requests()[0].wire());
    canary.assert_silent(&[&format!("{client:?}")]);
}
