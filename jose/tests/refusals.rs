//! Every key that does not fit is refused at its setting, with what was found and the way out, and without its value.

#![allow(clippy::unwrap_used)]

mod support;

use countersign::ErrorKind;
use countersign_jose::Algorithm::{self, EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Rs256};
use serde_json::{Value, json};
use support::{base64_file, file, key};

/// Asserts the refusal's field and words, and that nothing of the configured values is in it.
#[track_caller]
fn refused(algorithm: Algorithm, config: Value, field: Option<&str>, words: &[&str]) {
    let values: Vec<String> = match &config {
        Value::Object(table) => table.values().filter_map(Value::as_str).map(str::to_owned).collect(),
        other => other.as_str().map(str::to_owned).into_iter().collect(),
    };
    let error = key(algorithm, config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.field(), field, "{error}");
    for word in words {
        assert!(error.message().contains(word), "`{word}` is not in: {error}");
    }
    for value in values {
        for line in value.lines().filter(|line| line.len() > 12 && !line.starts_with("-----")) {
            assert!(!error.to_string().contains(line), "a value is in: {error}");
        }
    }
}

#[test]
fn keys_that_do_not_fit_the_algorithm() {
    for (name, algorithm, words) in [
        ("rsa-pkcs8.pem", Es256, ["an RSA key", "ES256 needs an EC key on P-256", "RS256"]),
        ("rsa-pkcs8.pem", EdDsa, ["an RSA key", "EdDSA needs an Ed25519 key", "RS256"]),
        ("rsa-pkcs8.pem", Hs256, ["an RSA key", "HS256 needs a shared secret", "RS256"]),
        ("p256-pkcs8.pem", Es384, ["an EC key on P-256", "ES384 needs an EC key on P-384", "ES256"]),
        ("p384-sec1.pem", Es256, ["an EC key on P-384", "ES256 needs an EC key on P-256", "ES384"]),
        ("ed25519-pkcs8.pem", Rs256, ["an Ed25519 key", "RS256 needs an RSA key", "EdDSA"]),
        ("rsa-pss.pem", Rs256, ["RSASSA-PSS only", "which RS256 is not", "PS256"]),
        ("rsa-pss.pem", Es256, ["RSASSA-PSS only", "ES256 needs an EC key", "PS256"]),
    ] {
        refused(algorithm, json!(file(name)), None, &words);
    }
    refused(Rs256, json!({ "secret": support::SECRET }), Some("secret"), &["a shared secret", "an RSA key"]);
}

#[test]
fn weak_keys() {
    refused(Rs256, json!(file("rsa-1024.pem")), None, &["fewer than 2048 bits"]);
    for (algorithm, bytes) in [(Hs256, 32), (Hs384, 48), (Hs512, 64)] {
        let short = json!({ "secret": "x".repeat(bytes - 1) });
        refused(algorithm, short, Some("secret"), &["shorter than the hash", &bytes.to_string()]);
        assert!(key(algorithm, json!({ "secret": "x".repeat(bytes) })).is_ok());
    }
    // 32 digits, but only 16 bytes.
    refused(Hs256, json!({ "secret": "00".repeat(16), "encoding": "hex" }), Some("secret"), &["shorter"]);
}

#[test]
fn things_that_are_no_private_key() {
    for (name, words) in [
        ("rsa-certificate.pem", ["is a certificate", "give the private key"]),
        ("rsa-public.pem", ["is a public key", "give the private key"]),
        ("p256-public.pem", ["is a public key", "give the private key"]),
        ("ed25519-openssh.pem", ["OpenSSH", "ssh-keygen -p -m PKCS8"]),
        ("x25519-pkcs8.pem", ["X25519", "give an RSA key"]),
        ("p521-pkcs8.pem", ["P-521", "give an RSA key"]),
    ] {
        refused(Rs256, json!(file(name)), None, &words);
        refused(Rs256, json!({ "pem": file(name) }), Some("pem"), &words);
    }
    for (text, word) in [
        ("", "is empty"),
        ("/run/keys/orders.pem", "${file:"),
        ("keys/orders.pem", "${file:"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "OpenSSH public key"),
        ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "without its PEM lines"),
        ("correct horse battery staple", "neither PEM nor JWK"),
    ] {
        refused(Rs256, json!(text), None, &[word]);
    }
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----";
    refused(Rs256, json!(request), None, &["certificate request"]);
    let two = file("rsa-pkcs8.pem") + &file("p256-pkcs8.pem");
    refused(Rs256, json!(two), None, &["several private keys"]);
}

#[test]
fn a_key_file_cut_off_anywhere() {
    for name in ["rsa-pkcs8.pem", "rsa-pkcs1.pem", "p256-sec1.pem", "ed25519-pkcs8.pem"] {
        let text = file(name);
        let whole = text.trim_end().len();
        for length in (0..whole).step_by(7) {
            let error = key(Rs256, json!(text[..length])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            if length > "-----BEGIN ".len() {
                assert!(error.message().contains("cut off"), "{name} {length}: {error}");
            }
        }
        // Cut off within, with the END line still there: as when two writers meet.
        let (head, tail) = (&text[..whole / 2], text.trim_end().lines().last().unwrap());
        let error = key(Rs256, json!(format!("{head}\n{tail}"))).unwrap_err();
        assert!(
            error.message().contains("cut off") || error.message().contains("BEGIN and END lines"),
            "{name}: {error}"
        );
    }
}

#[test]
fn damaged_keys() {
    let bad_base64 = file("rsa-pkcs8.pem").replacen("MII", "M*I", 1);
    refused(Rs256, json!(bad_base64), None, &["damaged", "base64"]);
    let mixed = file("rsa-pkcs8.pem").replace("END PRIVATE", "END RSA PRIVATE");
    refused(Rs256, json!(mixed), None, &["BEGIN and END lines differ"]);
    let mislabelled = file("rsa-pkcs8.pem").replace("PRIVATE KEY", "RSA PRIVATE KEY");
    refused(Rs256, json!(mislabelled), None, &["damaged"]);
    let lines: Vec<String> = file("rsa-pkcs8.pem").lines().map(str::to_owned).collect();
    let mut swapped = lines.clone();
    swapped.swap(5, 15);
    refused(Rs256, json!(swapped.join("\n")), None, &["damaged"]);
}

#[test]
fn passphrases() {
    for name in ["rsa-pbkdf2.pem", "rsa-scrypt.pem", "rsa-des3.pem"] {
        refused(Rs256, json!(file(name)), None, &["protected by a passphrase", "`passphrase`"]);
        refused(Rs256, json!({ "pem": file(name) }), Some("pem"), &["protected by a passphrase"]);
        let wrong = json!({ "pem": file(name), "passphrase": "not-the-passphrase" });
        refused(Rs256, wrong, Some("passphrase"), &["does not open"]);
    }
    let needless = json!({ "pem": file("rsa-pkcs8.pem"), "passphrase": "throw-away-nothing" });
    refused(Rs256, needless, Some("passphrase"), &["not encrypted", "remove it"]);
    for name in ["rsa-proc-type.pem", "rsa-pbes1.pem"] {
        let config = json!({ "pem": file(name), "passphrase": "throw-away" });
        let error = key(Rs256, config).unwrap_err();
        assert!(error.message().contains("openssl pkcs8 -topk8 -v2"), "{name}: {error}");
    }
}

#[test]
fn an_encryption_that_would_take_too_long_to_open() {
    let words = ["too much work"];
    let pbkdf2 = json!({ "pem": file("rsa-pbkdf2-slow.pem"), "passphrase": "throw-away" });
    refused(Rs256, pbkdf2, Some("pem"), &words);
    // N = 4096, r = 8, p = 1 as DER; p becomes 127.
    let mut der = support::der("rsa-scrypt.pem");
    let cost = [2, 2, 0x10, 0, 2, 1, 8, 2, 1, 1];
    let at = der.windows(cost.len()).position(|bytes| bytes == cost).unwrap();
    der[at + cost.len() - 1] = 0x7f;
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let pem = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{base64}\n-----END ENCRYPTED PRIVATE KEY-----");
    refused(Rs256, json!({ "pem": pem, "passphrase": "throw-away" }), Some("pem"), &words);
}

#[test]
fn keystores() {
    let store = |name: &str| json!({ "keystore": base64_file(name), "password": "changeit" });
    for name in ["modern.p12", "legacy.p12", "java.p12", "java.jks"] {
        let mut wrong = store(name);
        wrong["password"] = "not-the-password".into();
        refused(Rs256, wrong, Some("password"), &["does not open the keystore"]);
        let mut stranger = store(name);
        stranger["alias"] = "somebody-else".into();
        refused(Rs256, stranger, Some("alias"), &["names no private key", "orders"]);
        let bytes = base64_file(name);
        let mut half = store(name);
        half["keystore"] = bytes[..bytes.len() / 8 * 4].into();
        refused(Rs256, half, Some("keystore"), &["cut off"]);
    }
    refused(Rs256, store("java.p12"), Some("alias"), &["several private keys", "orders", "second"]);
    refused(Rs256, store("java.jks"), Some("password"), &["`key_password` of its own"]);
    let mut wrong = store("java.jks");
    wrong["key_password"] = "not-the-password".into();
    refused(Rs256, wrong, Some("key_password"), &["does not open the key"]);
    let mut needless = store("modern.p12");
    needless["key_password"] = "another".into();
    refused(Rs256, needless, Some("key_password"), &["PKCS#12"]);
    refused(Rs256, store("trust-only.jks"), Some("keystore"), &["holds no private key"]);
    refused(Rs256, store("java.jceks"), Some("keystore"), &["JCEKS", "keytool -importkeystore"]);
    refused(Es256, store("modern.p12"), Some("keystore"), &["an RSA key", "ES256 needs"]);
    for (text, word) in [
        ("", "is empty"),
        ("not base64!", "${base64:"),
        ("AAAA", "neither PKCS#12 nor JKS"),
        ("MIIB", "cut off"),
    ] {
        refused(Rs256, json!({ "keystore": text, "password": "changeit" }), Some("keystore"), &[word]);
    }
    let pem = json!({ "keystore": base64_file("rsa-pkcs8.pem"), "password": "changeit" });
    refused(Rs256, pem, Some("keystore"), &["PEM key, not a keystore"]);
}

#[test]
fn a_jks_in_which_one_bit_was_flipped() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let bytes = STANDARD.decode(base64_file("java.jks")).unwrap();
    for at in (4..bytes.len()).step_by(41) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        let config = json!({ "keystore": STANDARD.encode(flipped), "password": "changeit", "key_password": "secondpass" });
        assert!(key(Rs256, config).is_err(), "byte {at}");
    }
}

#[test]
fn certificates_of_another_key() {
    let with = |certificate: String| json!({ "pem": file("rsa-pkcs8.pem"), "certificate": certificate });
    let at = Some("certificate");
    refused(Rs256, with(file("p256-certificate.pem")), at, &["belongs to another key"]);
    let upside_down = file("ca-certificate.pem") + &file("leaf-certificate.pem");
    refused(Rs256, with(upside_down), at, &["wrong order"]);
    refused(Rs256, with(file("rsa-public.pem")), at, &["no certificate"]);
    refused(Rs256, with(file("p256-pkcs8.pem")), at, &["holds a private key"]);
    refused(Rs256, with("/run/cert.pem".into()), at, &["is not PEM"]);
    let bundle = file("rsa-pkcs8.pem") + &file("p256-certificate.pem");
    refused(Rs256, json!(bundle), None, &["belongs to another key"]);
}

#[test]
fn json_that_is_no_fitting_jwk() {
    let oct = |more: &str| json!(format!(r#"{{"kty":"oct","k":"{}"{more}}}"#, "A".repeat(43)));
    assert!(key(Hs256, oct("")).is_ok());
    for (algorithm, text, word) in [
        (Hs256, oct(r#","use":"enc""#), "`use` is not `sig`"),
        (Hs256, oct(r#","key_ops":["verify"]"#), "`key_ops` lack `sign`"),
        (Hs256, oct(r#","alg":"HS512""#), "`alg` is another"),
        (Rs256, oct(""), "a shared secret"),
        (Hs512, oct(""), "shorter than the hash"),
        (Hs256, oct(r#","k":"AAAA""#), "wrong type or is there twice"),
        (Hs256, json!(r#"{"kty":"oct","k":"#), "cut off"),
        (Hs256, json!(r#"{"kty":"oct","k":7}"#), "wrong type"),
        (Hs256, json!(r#"{"kty":"oct","k":"+/+/"}"#), "not base64url"),
        (Hs256, json!(r#"{"kty":"oct"}"#), "lacks `k`"),
        (Hs256, json!(r#"{"kty":"AKP"}"#), "unknown `kty`"),
        (Hs256, json!(r"{}"), "no `kty`"),
        (Hs256, json!(r#"{"keys":[]}"#), "no private key fits HS256"),
        (Es256, json!(r#"{"kty":"EC","crv":"P-521","d":"AA"}"#), "not P-256 or P-384"),
        (Es256, json!(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), "no `d`"),
        (Es256, json!(r#"{"kty":"EC","crv":"P-256","d":"AA","x":"AA","y":"AA"}"#), "`x` is not 32 bytes"),
        (EdDsa, json!(r#"{"kty":"OKP","crv":"X25519","d":"AA"}"#), "not Ed25519"),
        (Rs256, json!(r#"{"kty":"RSA","n":"AA","e":"AQAB","d":"AA"}"#), "lacks `p`"),
        (Ps256, json!(r#"{"kty":"RSA","n":"AA","e":"AQAB"}"#), "no `d`"),
        (Hs256, json!("{"), "cut off"),
        (Hs256, json!("{]"), "no valid JSON"),
    ] {
        refused(algorithm, text, None, &[word]);
    }
}

#[test]
fn sets_that_leave_a_doubt() {
    let k = "A".repeat(43);
    let set = format!(
        r#"{{"keys":[{{"kty":"oct","kid":"one","k":"{k}"}},{{"kty":"oct","kid":"two","k":"{k}"}},{{"kty":"RSA"}}]}}"#
    );
    refused(Hs256, json!(set), None, &["several private keys fit", "one, two"]);
    refused(Hs256, json!({ "jwk": set, "kid": "three" }), Some("kid"), &["names no key", "one, two"]);
    assert_eq!(key(Hs256, json!({ "jwk": set, "kid": "two" })).unwrap().kid(), Some("two"));
    let twins = set.replace("two", "one");
    refused(Hs256, json!({ "jwk": twins, "kid": "one" }), Some("kid"), &["several keys"]);
    let one = format!(r#"{{"kty":"oct","kid":"one","k":"{k}"}}"#);
    refused(Hs256, json!({ "jwk": one, "kid": "two" }), Some("kid"), &["not the `kid`"]);
}
