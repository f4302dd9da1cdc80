use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use countersign::{Credential, ErrorKind, HeaderView, Place, RequestHead};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use super::certificate::KEY;
use super::*;

/// A proof whose signature was verified by a library that is not ours, with the key that it brings.
struct Seen {
    header: Value,
    claims: Value,
}

fn verified(proof: &str) -> Seen {
    let header = jsonwebtoken::decode_header(proof).unwrap();
    assert_eq!(header.typ.as_deref(), Some("dpop+jwt"));
    let jwk: Jwk = header.jwk.clone().unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let claims = jsonwebtoken::decode::<Value>(proof, &key, &validation).unwrap().claims;
    Seen { header: part(proof, 0), claims }
}

fn part(token: &str, index: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn bound(fields: Value) -> Answer {
    let mut all = json!({ "token_type": "DPoP" });
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    token(all)
}

fn demand(nonce: &str) -> Answer {
    // RFC 9449 §8
    Answer::json(
        400,
        json!({
            "error": "use_dpop_nonce",
            "error_description": "Authorization server requires nonce in DPoP proof",
        }),
    )
    .header("DPoP-Nonce", nonce)
}

fn with_dpop() -> Box<dyn Profile> {
    made(json!({ "dpop": true }))
}

fn acquire(
    profile: &dyn Profile,
    answers: impl IntoIterator<Item = Answer>,
) -> (Result<Credential, Error>, Vec<Seen>) {
    let mut host = answers.into_iter().fold(ScriptedHost::new(), ScriptedHost::answer);
    let outcome = host.acquire(profile);
    let proofs = host.sent().iter().map(|request| verified(header(request, "dpop").unwrap())).collect();
    (outcome, proofs)
}

#[test]
fn the_proof_is_the_one_of_the_rfc() {
    // RFC 9449 §4.2, figure 2: the members of the example, and no others. Its own key is not published.
    let rfc = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpD\
               a0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6\
               IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu\
               Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-F\
               NyJK70nfbV37xRZT3Lg";
    let example = verified(rfc);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<HashSet<_>>();
    let profile =
        made(json!({ "token_url": "https://server.example.com/token?tenant=1", "dpop": { "key": KEY } }));
    let mut host =
        ScriptedHost::new().at(UNIX_EPOCH + Duration::from_secs(1_562_262_616)).answer(bound(json!({})));
    host.acquire(&*profile).unwrap();
    let ours = verified(header(&host.sent()[0], "dpop").unwrap());
    assert_eq!((names(&ours.header), names(&ours.claims)), (names(&example.header), names(&example.claims)));
    assert_eq!(names(&ours.header["jwk"]), names(&example.header["jwk"]));
    for name in ["htm", "htu", "iat"] {
        assert_eq!(ours.claims[name], example.claims[name], "{name}");
    }
}

#[test]
fn the_hash_of_the_token_is_the_one_of_the_rfc() {
    // RFC 9449 §7.1, figures 12 and 13.
    let access_token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let profile = with_dpop();
    let mut host = ScriptedHost::new()
        .at(UNIX_EPOCH + Duration::from_secs(1_562_262_618))
        .answer(bound(json!({ "access_token": access_token })));
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(
        host.placed(&credential),
        [("header", "authorization", format!("DPoP {access_token}").as_str())]
    );
    assert_eq!(credential.learns()[0].header, "dpop-nonce");
    let request = RequestHead::new("GET", "https", "resource.example.org", "/protectedresource")
        .with_query(Some("page=1"));
    let edits = host.sign(&*profile, credential, &request).unwrap();
    let [("header", name, proof)] = &edits[..] else { panic!("{} edits", edits.len()) };
    let seen = verified(proof);
    assert_eq!(name, "dpop");
    assert_eq!(seen.claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert_eq!(
        (&seen.claims["htm"], &seen.claims["htu"], &seen.claims["iat"]),
        (&json!("GET"), &json!("https://resource.example.org/protectedresource"), &json!(1_562_262_618))
    );
    assert!(seen.claims.get("nonce").is_none());
    assert_eq!(seen.header["jwk"], verified(header(&host.sent()[0], "dpop").unwrap()).header["jwk"]);
}

#[test]
fn each_proof_has_a_name_of_its_own() {
    let profile = with_dpop();
    let proofs = |_| {
        let (outcome, proofs) = acquire(&*profile, [bound(json!({}))]);
        let request = RequestHead::new("GET", "https", "api.example", "/");
        let signed = ScriptedHost::new().sign(&*profile, outcome.unwrap(), &request).unwrap();
        [proofs[0].claims["jti"].to_string(), verified(&signed[0].2).claims["jti"].to_string()]
    };
    let names: HashSet<String> = (0..8).flat_map(proofs).collect();
    assert_eq!(names.len(), 16);
}

#[test]
fn a_nonce_that_the_issuer_demands_is_sent_with_one_more_request_and_from_then_on() {
    let profile = with_dpop();
    let (outcome, proofs) = acquire(&*profile, [demand("n-1"), bound(json!({})).header("DPoP-Nonce", "n-2")]);
    outcome.unwrap();
    assert!(proofs[0].claims.get("nonce").is_none());
    assert_eq!(proofs[1].claims["nonce"], "n-1");
    assert_ne!(proofs[0].claims["jti"], proofs[1].claims["jti"]);
    // RFC 9449 §8.2: a good answer may bring the next one.
    let (outcome, proofs) = acquire(&*profile, [bound(json!({}))]);
    outcome.unwrap();
    assert_eq!((proofs.len(), &proofs[0].claims["nonce"]), (1, &json!("n-2")));

    let (outcome, proofs) = acquire(&*profile, [demand("n-3"), demand("n-4")]);
    assert_eq!(proofs.len(), 2, "once more, and not again");
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let no_nonce = Answer::json(400, json!({ "error": "use_dpop_nonce" }));
    assert_eq!(acquire(&*profile, [no_nonce]).1.len(), 1, "there is nothing to send");
}

#[test]
fn only_a_refusal_for_the_nonce_alone_costs_one_more_request() {
    let refusal =
        |status, error: &str| Answer::json(status, json!({ "error": error })).header("DPoP-Nonce", "n");
    let too_long = demand(&"n".repeat(4097));
    for answer in [
        refusal(500, "use_dpop_nonce"),
        refusal(400, "invalid_grant"),
        refusal(401, "invalid_client"),
        too_long,
    ] {
        let (outcome, proofs) = acquire(&*with_dpop(), [answer, bound(json!({}))]);
        assert!(outcome.is_err() && proofs.len() == 1, "{} requests", proofs.len());
    }
    let longest = "n".repeat(4096);
    let (outcome, proofs) = acquire(&*with_dpop(), [demand(&longest), bound(json!({}))]);
    assert!(outcome.is_ok() && proofs[1].claims["nonce"] == longest);
}

#[test]
fn a_nonce_of_one_issuer_is_not_told_to_another() {
    let metadata =
        |url: &str| Answer::json(200, json!({ "issuer": "https://login.example", "token_endpoint": url }));
    let profile = made(json!({ "token_url": null, "issuer": "https://login.example", "dpop": true }));
    let mut host = ScriptedHost::new()
        .answer(metadata("https://a.example/t"))
        .answer(bound(json!({})).header("DPoP-Nonce", "of-a"))
        .answer(metadata("https://b.example/t"))
        .answer(bound(json!({})));
    host.acquire(&*profile).unwrap();
    host.advance(Duration::from_secs(3600));
    host.acquire(&*profile).unwrap();
    assert!(verified(header(&host.sent()[3], "dpop").unwrap()).claims.get("nonce").is_none());
}

#[test]
fn what_the_api_said_last_is_in_the_proof() {
    let profile = with_dpop();
    let (credential, _) = acquire(&*profile, [bound(json!({})).header("DPoP-Nonce", "the-issuers")]);
    let learned = [HeaderView::new("dpop-nonce", b"the-apis")];
    let request = RequestHead::new("GET", "https", "api.example", "/").with_learned(&learned);
    let signed = ScriptedHost::new().sign(&*profile, credential.unwrap(), &request).unwrap();
    assert_eq!(verified(&signed[0].2).claims["nonce"], "the-apis");
}

#[test]
fn the_proofs_header_is_declared() {
    let declared = |profile: &dyn Profile| {
        let places = profile.places().unwrap();
        (places.contains(Place::Header, "DPoP"), places.signs())
    };
    assert_eq!(declared(&*with_dpop()), (true, true));
    assert_eq!(declared(&*made(json!({}))), (false, false));
}

#[test]
fn a_made_key_goes_with_its_token_into_another_process() {
    let (credential, proofs) = acquire(&*with_dpop(), [bound(json!({}))]);
    let crossed = serde_json::to_string(&credential.unwrap()).unwrap();
    let there: Credential = serde_json::from_str(&crossed).unwrap();
    let request = RequestHead::new("GET", "https", "api.example", "/");
    // Another instance, with another key of its own.
    let signed = ScriptedHost::new().sign(&*with_dpop(), there, &request).unwrap();
    assert_eq!(verified(&signed[0].2).header["jwk"], proofs[0].header["jwk"]);
    let given = made(json!({ "dpop": { "key": KEY } }));
    let credential = acquire(&*given, [bound(json!({}))]).0.unwrap();
    assert!(!serde_json::to_string(&credential).unwrap().contains("PRIVATE KEY"), "the settings have it");
}

#[test]
fn a_token_that_is_not_bound_is_refused_unless_told_otherwise() {
    for answer in
        [token(json!({})), token(json!({ "token_type": null })), bound(json!({ "token_type": "mac" }))]
    {
        let error = acquire(&*with_dpop(), [answer]).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
    let lenient = made(json!({ "dpop": { "accept_bearer": true } }));
    let credential = acquire(&*lenient, [token(json!({}))]).0.unwrap();
    assert!(!credential.signs());
    let placed = ScriptedHost::new().placed(&credential).remove(0);
    assert_eq!(placed, ("header", "authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA"));
    assert!(acquire(&*lenient, [bound(json!({}))]).0.unwrap().signs());

    let mut host = ScriptedHost::new().answer(bound(json!({})));
    let error = host.acquire(&*made(json!({}))).unwrap_err();
    assert!(error.message().contains("dpop = true"), "{error}");
}

#[test]
fn a_token_of_another_key_is_refused() {
    use base64::Engine as _;
    let claims = json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }).to_string();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
    let (outcome, _) =
        acquire(&*with_dpop(), [bound(json!({ "access_token": format!("e30.{claims}.c2ln") }))]);
    let error = outcome.unwrap_err();
    assert!(error.kind() == ErrorKind::Denied && error.message().contains("another key"), "{error}");
}
