//! The examples of RFC 9421, and what `new` refuses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::testing::{ScriptedHost, profile};
use countersign::{AuthProfile, Error, HeaderView, RequestHead};
use serde_json::{Value, json};

use crate::{HttpSignature, HttpSignatureConfig};

/// §B.1.
mod keys {
    pub(super) const ECC_P256: &str = include_str!("../tests/keys/test-key-ecc-p256.key");
    pub(super) const ECC_P256_PUBLIC: &str = include_str!("../tests/keys/test-key-ecc-p256.pem");
    pub(super) const ED25519: &str = include_str!("../tests/keys/test-key-ed25519.key");
    pub(super) const RSA_PSS: &str = include_str!("../tests/keys/test-key-rsa-pss.key");
    pub(super) const RSA_PSS_PUBLIC: &str = include_str!("../tests/keys/test-key-rsa-pss.pem");
    pub(super) const SHARED_SECRET: &str =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
}

const BODY: &[u8] = b"{\"hello\": \"world\"}";
const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

fn made(settings: Value) -> HttpSignature {
    let config: HttpSignatureConfig = serde_json::from_value(settings).unwrap();
    HttpSignature::new(config).unwrap_or_else(|error| panic!("{error}"))
}

fn created() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_618_884_473)
}

/// The `test-request` of §B.2, but for its Content-Digest.
fn with_request<T>(test: impl FnOnce(RequestHead<'_>) -> T) -> T {
    let headers = [
        HeaderView::new("host", b"example.com"),
        HeaderView::new("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        HeaderView::new("content-type", b"application/json"),
        HeaderView::new("content-length", b"18"),
    ];
    test(
        RequestHead::new("POST", "https", "example.com", "/foo")
            .with_query(Some("param=Value&Pet=dog"))
            .with_headers(&headers)
            .with_body(Some(BODY)),
    )
}

/// The signature base, and what the request gets.
fn signed(profile: &HttpSignature, request: &RequestHead<'_>) -> (String, Vec<(String, String)>) {
    let digest = profile.signature.digest.of(request.body().unwrap_or_default());
    let covered = profile.signature.reads_body();
    let base =
        profile.signature.base(request, digest.as_deref().filter(|_| covered), created(), None).unwrap().0;
    let edits = profile.signature.sign(request, created(), None).unwrap();
    let edits = edits.iter().map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect();
    (String::from_utf8(base).unwrap(), edits)
}

fn value<'e>(edits: &'e [(String, String)], name: &str) -> &'e str {
    &edits.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// The bytes of a public key in PEM.
fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

fn verifies(algorithm: &'static dyn VerificationAlgorithm, pem: &str, base: &str, signature: &str) -> bool {
    let signature = signature.split_once("=:").unwrap().1.trim_end_matches(':');
    let signature = STANDARD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, der(pem)).verify(base.as_bytes(), &signature).is_ok()
}

/// §B.2.2 and §B.2.3: the base byte for byte; PSS is random, so ours and theirs are verified.
#[test]
fn rsa_pss_is_as_in_the_rfc() {
    let pss = &signature::RSA_PSS_2048_8192_SHA512;
    for (label, components, tag, base, signature) in [
        (
            "sig-b22",
            json!(["@authority", "content-digest", "@query-param;name=\"Pet\""]),
            Some("header-example"),
            format!(
                "\"@authority\": example.com\n\"content-digest\": {DIGEST}\n\"@query-param\";name=\"Pet\": dog\n\"@signature-params\": (\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473;keyid=\"test-key-rsa-pss\";tag=\"header-example\""
            ),
            "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
        ),
        (
            "sig-b23",
            json!([
                "date",
                "@method",
                "@path",
                "@query",
                "@authority",
                "content-type",
                "content-digest",
                "content-length"
            ]),
            None,
            format!(
                "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\"@query\": ?param=Value&Pet=dog\n\"@authority\": example.com\n\"content-type\": application/json\n\"content-digest\": {DIGEST}\n\"content-length\": 18\n\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\""
            ),
            "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
        ),
    ] {
        let profile = made(json!({
            "key": keys::RSA_PSS, "key_id": "test-key-rsa-pss", "label": label, "components": components, "optional_components": [],
            "content_digest": "sha-512", "tag": tag,
        }));
        let (ours, edits) = with_request(|request| signed(&profile, &request));
        assert_eq!(ours, base);
        assert_eq!(value(&edits, "content-digest"), DIGEST);
        let parameters = base.rsplit_once("\"@signature-params\": ").unwrap().1;
        assert_eq!(value(&edits, "signature-input"), format!("{label}={parameters}"));
        assert!(value(&edits, "signature").starts_with(&format!("{label}=:")));
        assert!(verifies(pss, keys::RSA_PSS_PUBLIC, &base, value(&edits, "signature")), "ours");
        assert!(verifies(pss, keys::RSA_PSS_PUBLIC, &base, signature), "theirs");
        assert!(!verifies(pss, keys::RSA_PSS_PUBLIC, &base.replace("created=1", "created=2"), signature));
    }
}

/// §B.2.5.
#[test]
fn hmac_is_as_in_the_rfc() {
    let profile = made(json!({
        "key": { "secret": keys::SHARED_SECRET, "encoding": "base64" }, "key_id": "test-shared-secret",
        "label": "sig-b25", "components": ["date", "@authority", "content-type"], "optional_components": [],
    }));
    assert!(!profile.inputs().reads_body(), "no digest, no body");
    let (_, edits) = with_request(|request| signed(&profile, &request));
    assert_eq!(
        edits,
        [
            (
                "signature-input".to_owned(),
                "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"".to_owned()
            ),
            ("signature".to_owned(), "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:".to_owned())
        ]
    );
}

/// §B.2.6.
#[test]
fn ed25519_is_as_in_the_rfc() {
    let profile = made(json!({
        "key": keys::ED25519, "key_id": "test-key-ed25519", "label": "sig-b26",
        "components": ["date", "@method", "@path", "@authority", "content-type", "content-length"], "optional_components": [],
    }));
    let expected =
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
    let (_, edits) = with_request(|request| signed(&profile, &request));
    assert_eq!(value(&edits, "signature"), expected);
    // The length is known before the header is written.
    let headers = [
        HeaderView::new("date", b"Tue, 20 Apr 2021 02:07:55 GMT"),
        HeaderView::new("content-type", b"application/json"),
    ];
    let request =
        RequestHead::new("POST", "https", "Example.COM", "/foo").with_headers(&headers).with_body(Some(BODY));
    assert_eq!(value(&signed(&profile, &request).1, "signature"), expected);
}

/// §B.3: the base byte for byte; ECDSA is random, so ours and theirs are verified.
#[test]
fn ecdsa_is_as_in_the_rfc() {
    const CERTIFICATE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    let profile = made(json!({
        "key": keys::ECC_P256, "key_id": "test-key-ecc-p256", "label": "ttrp",
        "components": ["@path", "@query", "@method", "@authority", "client-cert"], "optional_components": [],
    }));
    let headers = [HeaderView::new("client-cert", CERTIFICATE.as_bytes())];
    let request = RequestHead::new("POST", "https", "service.internal.example", "/foo")
        .with_query(Some("param=Value&Pet=dog"))
        .with_headers(&headers);
    let (base, edits) = signed(&profile, &request);
    assert_eq!(
        base,
        format!(
            "\"@path\": /foo\n\"@query\": ?param=Value&Pet=dog\n\"@method\": POST\n\"@authority\": service.internal.example\n\"client-cert\": {CERTIFICATE}\n\"@signature-params\": (\"@path\" \"@query\" \"@method\" \"@authority\" \"client-cert\");created=1618884473;keyid=\"test-key-ecc-p256\""
        )
    );
    let p256 = &signature::ECDSA_P256_SHA256_FIXED;
    let theirs =
        "ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:";
    assert!(verifies(p256, keys::ECC_P256_PUBLIC, &base, value(&edits, "signature")), "ours");
    assert!(verifies(p256, keys::ECC_P256_PUBLIC, &base, theirs), "theirs");
}

/// §B.4: a field of two lines.
#[test]
fn fields_of_several_lines_are_as_in_the_rfc() {
    let profile = made(json!({
        "key": keys::ED25519, "key_id": "test-key-ed25519", "label": "transform",
        "components": ["@method", "@path", "@authority", "accept"], "optional_components": [],
    }));
    let sign = |values: &[&str]| {
        let headers: Vec<_> =
            values.iter().map(|value| HeaderView::new("accept", value.as_bytes())).collect();
        let request = RequestHead::new("GET", "https", "example.org", "/demo")
            .with_query(Some("name1=Value1&Name2=value2"))
            .with_headers(&headers);
        value(&signed(&profile, &request).1, "signature").to_owned()
    };
    let expected = "transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:";
    assert_eq!(sign(&["application/json", "*/*"]), expected);
    assert_eq!(sign(&["application/json, */*"]), expected);
    assert_ne!(sign(&["*/*", "application/json"]), expected);
}

/// The lines of a base for a request of §2.1 and §2.2.
fn lines(
    components: Value,
    headers: &[(&str, &str)],
    target: (&str, &str, Option<&str>),
) -> Result<String, Error> {
    let profile = made(json!({
        "key": keys::ED25519, "components": components, "optional_components": [], "structured_fields": { "Example-Dict": "dictionary" },
    }));
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| HeaderView::new(name, value.as_bytes())).collect();
    let (scheme, path, query) = target;
    let request =
        RequestHead::new("POST", scheme, "www.example.com", path).with_query(query).with_headers(&headers);
    let base = profile.signature.base(&request, None, created(), None)?.0;
    let base = String::from_utf8(base).unwrap();
    Ok(base.rsplit_once("\"@signature-params\"").unwrap().0.to_owned())
}

#[test]
fn fields_are_written_as_in_the_rfc() {
    let headers = [
        ("host", "www.example.com"),
        ("x-ows-header", "   Leading and trailing whitespace.  "),
        ("cache-control", "max-age=60"),
        ("cache-control", "    must-revalidate"),
        ("example-dict", "  a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("x-empty-header", ""),
        ("example-header", "value, with, lots"),
        ("example-header", "of, commas"),
    ];
    let components = json!([
        "host",
        "x-ows-header",
        "cache-control",
        "example-dict",
        "x-empty-header",
        "Example-Dict;sf",
        "example-dict;key=\"a\"",
        "example-dict;key=\"d\"",
        "example-dict;key=\"b\"",
        "\"example-dict\";key=\"c\"",
        "example-header",
        "example-header;bs"
    ]);
    assert_eq!(
        lines(components, &headers, ("https", "/", None)).unwrap(),
        "\"host\": www.example.com\n\
         \"x-ows-header\": Leading and trailing whitespace.\n\
         \"cache-control\": max-age=60, must-revalidate\n\
         \"example-dict\": a=1,    b=2;x=1;y=2,   c=(a   b   c), d\n\
         \"x-empty-header\": \n\
         \"example-dict\";sf: a=1, b=2;x=1;y=2, c=(a b c), d\n\
         \"example-dict\";key=\"a\": 1\n\
         \"example-dict\";key=\"d\": ?1\n\
         \"example-dict\";key=\"b\": 2;x=1;y=2\n\
         \"example-dict\";key=\"c\": (a b c)\n\
         \"example-header\": value, with, lots, of, commas\n\
         \"example-header\";bs: :dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:\n"
    );
}

#[test]
fn derived_components_are_as_in_the_rfc() {
    let all =
        json!(["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"]);
    assert_eq!(
        lines(all.clone(), &[], ("https", "/path", Some("param=value&baz=bat%2Dman"))).unwrap(),
        "\"@method\": POST\n\"@target-uri\": https://www.example.com/path?param=value&baz=bat%2Dman\n\"@authority\": www.example.com\n\"@scheme\": https\n\"@request-target\": /path?param=value&baz=bat%2Dman\n\"@path\": /path\n\"@query\": ?param=value&baz=bat%2Dman\n"
    );
    assert_eq!(
        lines(all, &[], ("http", "/", None)).unwrap(),
        "\"@method\": POST\n\"@target-uri\": http://www.example.com/\n\"@authority\": www.example.com\n\"@scheme\": http\n\"@request-target\": /\n\"@path\": /\n\"@query\": ?\n"
    );
    let parameters =
        json!(["@query-param;name=\"baz\"", "@query-param;name=\"qux\"", "@query-param;name=\"param\""]);
    assert_eq!(
        lines(parameters, &[], ("https", "/path", Some("param=value&foo=bar&baz=batman&qux="))).unwrap(),
        "\"@query-param\";name=\"baz\": batman\n\"@query-param\";name=\"qux\": \n\"@query-param\";name=\"param\": value\n"
    );
}

#[test]
fn a_request_that_lacks_what_is_covered_is_not_signed() {
    let get = ("https", "/", Some("a=1&a=2"));
    for (component, headers, words) in [
        ("date", &[][..], "has no \"date\""),
        ("@query-param;name=\"b\"", &[], "has no \"@query-param\";name=\"b\""),
        ("@query-param;name=\"a\"", &[], "occurs twice"),
        ("example-dict;key=\"x\"", &[("example-dict", "a=1")], "has no \"example-dict\";key=\"x\""),
        ("example-dict;sf", &[("example-dict", "a=")], "not the structured field"),
        ("x-name", &[("x-name", "jörg")], "cover it with `;bs`"),
        ("x-name", &[("x-name", "a\nb: c")], "not ASCII"),
    ] {
        let error = lines(json!([component]), headers, get).unwrap_err();
        assert!(error.message().contains(words), "{component}: {error}");
    }
    assert_eq!(
        lines(json!(["x-name;bs"]), &[("x-name", "jörg")], get).unwrap(),
        "\"x-name\";bs: :asO2cmc=:\n"
    );
}

#[test]
fn by_default_all_that_matters_is_covered() {
    let profile = made(json!({ "key": keys::ED25519 }));
    assert!(profile.inputs().reads_body());
    let headers = [HeaderView::new("content-type", b"a/b"), HeaderView::new("authorization", b"Bearer t")];
    let request = RequestHead::new("POST", "https", "a.example", "/x");
    let with = request.with_headers(&headers).with_body(Some(b"{}"));
    let (base, edits) = signed(&profile, &with);
    assert_eq!(
        base,
        "\"@method\": POST\n\"@target-uri\": https://a.example/x\n\"content-digest\": sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:\n\"content-type\": a/b\n\"authorization\": Bearer t\n\"@signature-params\": (\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \"authorization\");created=1618884473"
    );
    assert_eq!(edits.len(), 3);
    let bare = request.with_body(Some(b""));
    let edits = profile.signature.sign(&bare, created(), None).unwrap();
    let names: Vec<_> = edits.iter().map(|(_, name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(names.len(), 2, "no body, no digest");
    assert_eq!(names[0].1, "sig1=(\"@method\" \"@target-uri\");created=1618884473");
}

#[test]
fn the_body_stays_covered_when_other_components_are_named() {
    let headers = [HeaderView::new("authorization", b"Bearer t")];
    let request =
        RequestHead::new("POST", "https", "a.example", "/x").with_headers(&headers).with_body(Some(b"{}"));
    for (more, input) in [
        (json!({}), "(\"@path\" \"authorization\" \"content-digest\")"),
        (json!({ "optional_components": [] }), "(\"@path\" \"authorization\")"),
        (json!({ "content_digest": "none" }), "(\"@path\" \"authorization\")"),
    ] {
        let mut settings = json!({ "key": keys::ED25519, "components": ["@path", "authorization"] });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (_, edits) = signed(&made(settings), &request);
        assert!(value(&edits, "signature-input").starts_with(&format!("sig1={input};")), "{more}");
    }
}

#[test]
fn parameters_are_structured_fields() {
    let profile = made(json!({
        "key": keys::ED25519, "key_id": "a\"b\\c", "components": ["@method"], "optional_components": [], "lifetime": "5m", "alg": true,
        "nonce": true, "tag": "t", "label": "my-sig",
    }));
    let request = RequestHead::new("GET", "https", "a.example", "/");
    let edits = profile.signature.sign(&request, created(), Some([1; 16])).unwrap();
    let input = edits.iter().find(|(_, name, _)| *name == "signature-input").unwrap().2.to_owned();
    assert_eq!(
        input,
        "my-sig=(\"@method\");created=1618884473;expires=1618884773;keyid=\"a\\\"b\\\\c\";alg=\"ed25519\";nonce=\"AQEBAQEBAQEBAQEBAQEBAQ\";tag=\"t\""
    );
}

#[test]
fn nonces_are_new_each_time() {
    let profile = profile::<HttpSignature>(json!({ "key": keys::ED25519, "nonce": true })).unwrap();
    let sign = || {
        let mut host = ScriptedHost::new();
        let credential = host.acquire(&*profile).unwrap();
        let request = RequestHead::new("GET", "https", "a.example", "/").with_body(Some(b""));
        host.sign(&*profile, credential, &request).unwrap()
    };
    assert_ne!(sign(), sign());
}

#[test]
fn a_key_says_what_it_signs_with() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"test-key-ed25519","d":"n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
    for (key, alg) in [
        (json!(keys::ED25519), "\"ed25519\""),
        (json!(keys::ECC_P256), "\"ecdsa-p256-sha256\""),
        (json!(keys::RSA_PSS), "\"rsa-pss-sha512\""),
        (json!({ "secret": keys::SHARED_SECRET }), "\"hmac-sha256\""),
        (json!({ "jwk": jwk }), "\"ed25519\""),
    ] {
        assert_eq!(made(json!({ "key": key, "alg": true })).signature.parameters.alg, Some(alg));
    }
    let profile = made(json!({ "key": { "jwk": jwk } }));
    assert_eq!(profile.signature.parameters.key_id.as_deref(), Some("\"test-key-ed25519\""));
    let public = profile.public_keys();
    assert_eq!((public.len(), &public[0]["kid"]), (1, &json!("test-key-ed25519")));
    assert!(public[0].get("d").is_none());
}

#[test]
fn wrong_settings_are_named_with_the_way_out() {
    for (more, field, words) in [
        (json!({ "key": "canary" }), "key", ""),
        (json!({ "key": { "secret": "canary" } }), "key.secret", "32 bytes"),
        (json!({ "algorithm": "rsa-pss-sha512" }), "algorithm", "signs with ed25519"),
        (
            json!({ "key": keys::RSA_PSS, "algorithm": "rsa-v1_5-sha256" }),
            "algorithm",
            "signs with rsa-pss-sha512",
        ),
        (json!({ "algorithm": "RS256" }), "algorithm", "ed25519"),
        (json!({ "components": [] }), "components", "covers nothing"),
        (json!({ "components": ["@method", "@methd"] }), "components[1]", "did you mean `@method`?"),
        (json!({ "components": ["@status"] }), "components[0]", "responses"),
        (json!({ "components": ["@signature-params"] }), "components[0]", "always covered"),
        (json!({ "components": ["@method;req"] }), "components[0]", "no parameter"),
        (json!({ "components": ["@query-param"] }), "components[0]", "name=\"page\""),
        (json!({ "components": ["@query-param;name=\"a b\""] }), "components[0]", "%20"),
        (json!({ "components": ["date;req"] }), "components[0]", "responses"),
        (json!({ "components": ["date;tr"] }), "components[0]", "trailers"),
        (json!({ "components": ["date;sf"] }), "components[0]", "structured_fields"),
        (json!({ "components": ["priority;bs;sf"] }), "components[0]", "neither"),
        (json!({ "components": ["priority;key=\"A\""] }), "components[0]", "dictionaries"),
        (json!({ "components": ["priority;x"] }), "components[0]", "known"),
        (json!({ "components": ["a b"] }), "components[0]", "no header name"),
        (json!({ "components": ["a\"b"] }), "components[0]", "no component"),
        (json!({ "components": ["\"Date\""] }), "components[0]", "lower case"),
        (json!({ "components": ["connection"] }), "components[0]", "frames or routes"),
        (json!({ "components": ["signature"] }), "components[0]", "set by this profile"),
        (json!({ "components": ["date", "Date"] }), "components[1]", "twice"),
        (
            json!({ "components": ["authorization"], "optional_components": ["authorization"] }),
            "optional_components[0]",
            "twice",
        ),
        (json!({ "optional_components": ["@method"] }), "optional_components[0]", "twice"),
        (
            json!({ "optional_components": [], "content_digest": "sha-512" }),
            "content_digest",
            "no component covers it",
        ),
        (json!({ "content_digest": "md5" }), "content_digest", "sha-256"),
        (json!({ "lifetime": "0s" }), "lifetime", "no time"),
        (json!({ "lifetime": "5m", "created": false }), "lifetime", "switched off"),
        (json!({ "key_id": "jörg" }), "key_id", "ASCII"),
        (json!({ "tag": "a\nb" }), "tag", "ASCII"),
        (json!({ "label": "Sig" }), "label", "lower-case"),
        (json!({ "labell": "sig" }), "labell", "unknown field"),
    ] {
        let mut settings = json!({ "key": keys::ED25519 });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = profile::<HttpSignature>(settings).err().unwrap_or_else(|| panic!("{more}"));
        assert_eq!(error.field(), Some(field), "{more}: {error}");
        assert!(error.message().contains(words), "{more}: {error}");
        assert!(!format!("{error:?}").contains("canary"), "{error}");
    }
}
