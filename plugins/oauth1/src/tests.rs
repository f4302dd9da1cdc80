use countersign::testing::{ScriptedHost, profile};
use countersign::{ErrorKind, HeaderView, Lifetime, Profile};
use serde_json::{Value, json};

use super::*;
use crate::base_string::base_string;
use crate::method::{SignatureMethod, Signer};
use crate::parameters::Parameters;

fn settings(more: Value) -> Value {
    let mut settings = json!({
        "consumer_key": "dpf43f3p2l4k3l03", "consumer_secret": "kd94hf93k423kf44",
        "token": "nnch734d00sl2jdk", "token_secret": "pfkkdhi9sl3r4s00",
    });
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(settings.as_object_mut().unwrap().remove(name)),
            value => settings[name] = value.clone(),
        }
    }
    settings
}

fn signature(more: Value) -> Signature {
    let config: OAuth1Config = serde_json::from_value(settings(more)).unwrap();
    config.into_signature().unwrap()
}

fn made(more: Value) -> Box<dyn Profile> {
    profile::<OAuth1>(settings(more)).unwrap()
}

fn refused(more: Value) -> Error {
    let error = profile::<OAuth1>(settings(more)).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!error.to_string().contains("canary"), "{error}");
    error
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

fn header(edits: &Edits) -> String {
    let (place, name, value) = edits.iter().next().unwrap();
    assert_eq!((place, name, edits.iter().len()), (countersign::Place::Header, "authorization", 1));
    value.to_owned()
}

/// A parameter of the header, decoded as far as these tests need it.
fn parameter(header: &str, name: &str) -> Option<String> {
    let value = header.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("%2F", "/").replace("%2B", "+").replace("%3D", "="))
}

// RFC 5849 §1.2: the photos, with the token that was granted.
#[test]
fn the_request_of_the_rfcs_first_example_is_signed_as_it_shows() {
    let signature = signature(json!({ "realm": "Photos", "version": false }));
    let request = RequestHead::new("GET", "http", "photos.example.net", "/photos")
        .with_query(Some("file=vacation.jpg&size=original"))
        .with_body(Some(b""));
    let signed = header(&signature.signed(&request, "137131202", "chapoH").unwrap());
    assert_eq!(
        signed,
        "OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\", \
         oauth_token=\"nnch734d00sl2jdk\", oauth_signature_method=\"HMAC-SHA1\", \
         oauth_timestamp=\"137131202\", oauth_nonce=\"chapoH\", \
         oauth_signature=\"MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D\""
    );
}

// RFC 5849 §1.2: the requests for a token, whose further parameters are part of what is signed.
#[test]
fn the_requests_for_tokens_of_the_rfc_come_out_of_base_string_and_key() {
    for (path, secret, more, nonce, timestamp, expected) in [
        (
            "/initiate",
            None,
            vec![("oauth_callback", "http://printer.example.com/ready")],
            "wIjqoS",
            "137131200",
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
        ),
        (
            "/token",
            Some("hdhd0244k9j7ao03"),
            vec![("oauth_token", "hh5s93j4hdidpola"), ("oauth_verifier", "hfdp7dh39dks9884")],
            "walatlh",
            "137131201",
            "gKgrFCywp7rO0OXSjdot/IHF7IU=",
        ),
    ] {
        let mut parameters = Parameters::new();
        for (name, value) in [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", timestamp),
            ("oauth_nonce", nonce),
        ]
        .into_iter()
        .chain(more)
        {
            parameters.push(name, value);
        }
        let secret = secret.map(countersign::Secret::from);
        let signer =
            Signer::of_secrets(SignatureMethod::HmacSha1, &"kd94hf93k423kf44".into(), secret.as_ref())
                .unwrap();
        let request = RequestHead::new("POST", "https", "photos.example.net", path);
        let signed = signer.sign(|| base_string(&request, parameters)).unwrap();
        assert_eq!(signed.expose(), expected, "{path}");
    }
}

// RFC 5849 §3.4.1.1, with its erratum 2550 for the signature.
#[test]
fn the_base_string_of_the_rfc_comes_out() {
    let query = "b5=%3D%253D&a3=a&c%40=&a2=r%20b";
    let request = RequestHead::new("POST", "HTTP", "EXAMPLE.COM:80", "/request").with_query(Some(query));
    let mut parameters = Parameters::new();
    for (name, value) in [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ] {
        parameters.push(name, value);
    }
    parameters.read(query.as_bytes()).unwrap();
    parameters.read(b"c2&a3=2+q").unwrap();
    assert_eq!(
        String::from_utf8(base_string(&request, parameters)).unwrap(),
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
         %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
         %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    );

    let signature = signature(json!({
        "consumer_key": "9djdj82h48djs9d2", "consumer_secret": "j49sk3j29djd",
        "token": "kkk9d7dh3k39sjv7", "token_secret": "dh893hdasih9", "realm": "Example", "version": false,
    }));
    let headers = [HeaderView::new("content-type", FORM)];
    let request = RequestHead::new("POST", "http", "example.com", "/request")
        .with_query(Some(query))
        .with_headers(&headers)
        .with_body(Some(b"c2&a3=2+q"));
    let signed = header(&signature.signed(&request, "137131201", "7d8f3e4a").unwrap());
    assert_eq!(parameter(&signed, "oauth_signature").unwrap(), "r6/TJjbCOr97/+UU0NsvSne7s5g=");
}

// "Creating a signature" in the documentation of the API of X (Twitter).
#[test]
fn the_example_of_a_vendor_comes_out() {
    let signature = signature(json!({
        "consumer_key": "xvz1evFS4wEEPTGEFPHBog",
        "consumer_secret": "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "token": "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "token_secret": "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    }));
    let headers = [HeaderView::new("content-type", b"Application/X-WWW-Form-Urlencoded; charset=UTF-8")];
    let request = RequestHead::new("POST", "https", "api.twitter.com", "/1.1/statuses/update.json")
        .with_query(Some("include_entities=true"))
        .with_headers(&headers)
        .with_body(Some(b"status=Hello%20Ladies%20%2b%20Gentlemen%2c+a%20signed%20OAuth%20request!"));
    let signed = signature.signed(&request, "1318622958", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg");
    assert_eq!(
        parameter(&header(&signed.unwrap()), "oauth_signature").unwrap(),
        "hCtSmYh+iHYCEqBWrE7C7hYmtUk="
    );
}

#[test]
fn parameters_go_into_the_query_where_that_is_wanted() {
    let signature = signature(json!({ "place": "query", "version": false }));
    let request = RequestHead::new("GET", "http", "photos.example.net", "/photos")
        .with_query(Some("file=vacation.jpg&size=original"))
        .with_body(Some(b""));
    let edits = signature.signed(&request, "137131202", "chapoH").unwrap();
    let all: Vec<_> = edits.iter().collect();
    assert!(all.iter().all(|(place, ..)| *place == countersign::Place::Query));
    assert_eq!(all.last().unwrap().1, "oauth_signature");
    assert_eq!(all.last().unwrap().2, "MdpQcU8iPSUjWoN/UDMsK2sui9I=", "encoded by the host");
}

#[test]
fn without_a_token_there_is_no_parameter_of_one() {
    let signature = signature(json!({ "token": null, "token_secret": null }));
    let request = RequestHead::new("GET", "https", "a.example", "/").with_body(Some(b""));
    let signed = header(&signature.signed(&request, "1", "n").unwrap());
    assert!(!signed.contains("oauth_token") && signed.contains("oauth_version=\"1.0\""), "{signed}");
}

#[test]
fn plaintext_sends_both_secrets_over_tls_only() {
    let more = json!({ "signature_method": "PLAINTEXT", "consumer_secret": "a&b\n" });
    let profile = made(more.clone());
    assert!(!profile.inputs().reads_body());
    let mut host = ScriptedHost::new();
    let sign = |scheme: &str, authority: &str, profile: &dyn Profile, host: &mut ScriptedHost| {
        let credential = host.acquire(profile).unwrap();
        host.sign(profile, credential, &RequestHead::new("GET", scheme, authority, "/"))
    };
    let signed = sign("https", "a.example", &*profile, &mut host).unwrap();
    assert!(
        signed[0].2.contains("oauth_signature=\"a%252526b%26pfkkdhi9sl3r4s00\"")
            || signed[0].2.contains("oauth_signature=\"a%2526b%26pfkkdhi9sl3r4s00\""),
        "{}",
        signed[0].2
    );
    let error = sign("http", "a.example", &*profile, &mut host).unwrap_err();
    assert!(error.message().contains("plaintext_over_http") && !error.message().contains("pfkk"), "{error}");
    assert!(sign("http", "127.0.0.1:80", &*profile, &mut host).is_ok());
    let mut consented = more;
    consented["plaintext_over_http"] = json!(true);
    assert!(sign("http", "a.example", &*made(consented), &mut host).is_ok());
}

#[test]
fn a_body_that_is_no_form_is_hashed_where_that_is_wanted() {
    let json_type = [HeaderView::new("content-type", b"application/json")];
    let form = [HeaderView::new("content-type", FORM)];
    let request = RequestHead::new("POST", "https", "a.example", "/").with_body(Some(b"{}"));
    let of = |more: Value, request: &RequestHead<'_>| {
        parameter(&header(&signature(more).signed(request, "1", "n").unwrap()), "oauth_body_hash")
    };
    let with = json!({ "body_hash": true });
    // printf {} | openssl dgst -sha1 -binary | base64
    let hash = "vyGp6PvFo4RvsFtPoIWeCReyIC8=";
    assert_eq!(of(with.clone(), &request.with_headers(&json_type)).as_deref(), Some(hash));
    assert_eq!(of(with.clone(), &request.with_headers(&form)), None);
    assert_eq!(of(json!({}), &request), None);
    // OAuth Request Body Hash §3.2: of an empty string, if there is no body.
    let empty = RequestHead::new("GET", "https", "a.example", "/").with_body(Some(b""));
    assert_eq!(of(with, &empty).as_deref(), Some("2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
    let longer = json!({ "body_hash": true, "signature_method": "HMAC-SHA256" });
    assert_eq!(of(longer, &empty).as_deref(), Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
}

#[test]
fn a_form_is_not_sent_without_its_fields_being_signed() {
    let more = json!({ "form_body": false });
    assert!(!made(more.clone()).inputs().reads_body() && made(json!({})).inputs().reads_body());
    let headers = [HeaderView::new("content-type", FORM)];
    let request = RequestHead::new("POST", "https", "a.example", "/").with_headers(&headers);
    let error = signature(more).signed(&request, "1", "n").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn parameters_of_the_applications_own_are_refused() {
    for query in ["oauth_token=mine", "a=1&oauth%5fnonce=1"] {
        let request =
            RequestHead::new("GET", "https", "a.example", "/").with_query(Some(query)).with_body(Some(b""));
        let error = signature(json!({})).signed(&request, "1", "n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{query}");
    }
}

/// A key for tests, made anew: PKCS#8.
fn rsa_key() -> (String, Vec<u8>) {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
    use base64::Engine;
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    (pem, pair.public_key().as_ref().to_vec())
}

#[test]
fn an_rsa_key_signs_with_each_hash_and_another_library_verifies_it() {
    use aws_lc_rs::signature::{self as aws, UnparsedPublicKey};
    use base64::Engine;
    let (pem, public) = rsa_key();
    let request =
        RequestHead::new("GET", "https", "a.example", "/").with_query(Some("a=1")).with_body(Some(b""));
    for (method, verify) in [
        ("RSA-SHA1", &aws::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        ("RSA-SHA256", &aws::RSA_PKCS1_2048_8192_SHA256),
        ("RSA-SHA512", &aws::RSA_PKCS1_2048_8192_SHA512),
    ] {
        let signature = signature(json!({
            "signature_method": method, "key": pem, "consumer_secret": null, "token_secret": null,
        }));
        let published = signature.public_key.as_ref().unwrap();
        assert_eq!((&published["kty"], &published["alg"]), (&json!("RSA"), &Value::Null));
        assert!(published["n"].is_string() && published.get("d").is_none(), "the public half alone");
        let signed = header(&signature.signed(&request, "1", "n").unwrap());
        let value = parameter(&signed, "oauth_signature").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(value).unwrap();
        let mut parameters = Parameters::new();
        for (name, value) in [
            ("a", "1"),
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", method),
            ("oauth_timestamp", "1"),
            ("oauth_nonce", "n"),
            ("oauth_version", "1.0"),
        ] {
            parameters.push(name, value);
        }
        let base = base_string(&request, parameters);
        UnparsedPublicKey::new(verify, &public).verify(&base, &bytes).unwrap_or_else(|_| panic!("{method}"));
    }
}

#[test]
fn time_is_the_hosts_and_nonces_are_never_the_same() {
    let profile = made(json!({}));
    let mut host = ScriptedHost::new();
    let credential = host.acquire(&*profile).unwrap();
    assert_eq!(credential.lifetime(), Lifetime::UntilRejected);
    let request = RequestHead::new("GET", "https", "a.example", "/").with_body(Some(b""));
    let first = host.sign(&*profile, credential, &request).unwrap();
    let credential = host.acquire(&*profile).unwrap();
    let second = host.sign(&*profile, credential, &request).unwrap();
    assert_eq!(parameter(&first[0].2, "oauth_timestamp").unwrap(), "1767225600");
    let nonce = |edits: &[(&str, String, String)]| parameter(&edits[0].2, "oauth_nonce").unwrap();
    assert_eq!(nonce(&first).len(), 24);
    assert_ne!(nonce(&first), nonce(&second));
}

#[test]
fn wrong_settings_are_found_where_they_stand() {
    let (pem, _) = rsa_key();
    for (more, field) in [
        (json!({ "consumer_key": "" }), "consumer_key"),
        (json!({ "consumer_key": "canary\n" }), "consumer_key"),
        (json!({ "token": "" }), "token"),
        (json!({ "token": null }), "token"),
        (json!({ "token_secret": null }), "token_secret"),
        (json!({ "consumer_secret": null }), "consumer_secret"),
        (json!({ "consumer_secret": "canary\0x" }), "consumer_secret"),
        (json!({ "key": "canary" }), "key"),
        (json!({ "signature_method": "RSA-SHA1" }), "consumer_secret"),
        (json!({ "signature_method": "RSA-SHA1", "consumer_secret": null }), "token_secret"),
        (json!({ "signature_method": "RSA-SHA1", "consumer_secret": null, "token_secret": null }), "key"),
        (
            json!({ "signature_method": "RSA-SHA256", "consumer_secret": null, "token_secret": null, "key": "canary" }),
            "key",
        ),
        (
            json!({ "signature_method": "RSA-SHA1", "consumer_secret": null, "token_secret": null,
                "key": { "secret": "canary-canary-canary-canary-canary" } }),
            "key.secret",
        ),
        (json!({ "plaintext_over_http": true }), "plaintext_over_http"),
        (json!({ "signature_method": "PLAINTEXT", "body_hash": true }), "body_hash"),
        (json!({ "signature_method": "PLAINTEXT", "form_body": true }), "form_body"),
        (json!({ "realm": "canary\"" }), "realm"),
        (json!({ "realm": "canary", "place": "query" }), "realm"),
    ] {
        let error = refused(more.clone());
        let named = error.field().unwrap_or_default();
        assert!(named == field || field.starts_with(named) && !named.is_empty(), "{more}: {error}");
    }
    assert!(refused(json!({ "signature_method": "HMAC-MD5" })).message().contains("HMAC-SHA1"));
    assert!(refused(json!({ "consumer_sekret": "canary" })).message().contains("unknown field"));
    let both = json!({ "signature_method": "HMAC-SHA1", "key": pem });
    assert_eq!(refused(both).field(), Some("key"));
}

#[test]
fn debug_is_blind() {
    let config: OAuth1Config = serde_json::from_value(settings(
        json!({ "consumer_secret": "canary", "signature_method": "PLAINTEXT" }),
    ))
    .unwrap();
    assert_eq!(config.consumer_secret.as_ref().unwrap().expose(), "canary");
    assert!(!format!("{config:?}").contains("canary"));
    let profile = OAuth1::new(config).unwrap();
    assert!(!format!("{profile:?}").contains("canary"));
}
