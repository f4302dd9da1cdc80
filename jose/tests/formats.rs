//! Every format that a key comes in yields a key whose tokens an independent verifier accepts.

#![allow(clippy::unwrap_used)]

mod support;

use countersign_jose::Algorithm;
use serde_json::json;
use support::{base64_file, file, key, verified_by};

const RSA: &str = "rsa-public.pem";

fn fits(algorithm: Algorithm, config: serde_json::Value, public: &str) {
    let shown = config.as_object().map(|table| table.keys().cloned().collect::<Vec<_>>());
    let key = key(algorithm, config).unwrap_or_else(|error| panic!("{shown:?} for {public}: {error}"));
    verified_by(key, public);
}

#[test]
fn pkcs8_pkcs1_and_sec1_are_read_as_text_and_as_pem() {
    for (name, algorithm, public) in [
        ("rsa-pkcs8.pem", Algorithm::Rs256, RSA),
        ("rsa-pkcs1.pem", Algorithm::Rs256, RSA),
        ("p256-pkcs8.pem", Algorithm::Es256, "p256-public.pem"),
        ("p256-sec1.pem", Algorithm::Es256, "p256-public.pem"),
        ("p384-pkcs8.pem", Algorithm::Es384, "p384-public.pem"),
        ("p384-sec1.pem", Algorithm::Es384, "p384-public.pem"),
        ("ed25519-pkcs8.pem", Algorithm::EdDsa, "ed25519-public.pem"),
    ] {
        fits(algorithm, json!(file(name)), public);
        fits(algorithm, json!({ "pem": file(name) }), public);
    }
}

#[test]
fn one_rsa_key_serves_every_rsa_algorithm() {
    use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    for algorithm in [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512] {
        fits(algorithm, json!(file("rsa-pkcs8.pem")), RSA);
    }
}

#[test]
fn a_shared_secret_serves_every_hmac_algorithm() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        fits(algorithm, json!({ "secret": support::SECRET }), "");
    }
}

#[test]
fn encrypted_pkcs8_opens_with_its_passphrase() {
    for name in ["rsa-pbkdf2.pem", "rsa-pbkdf2-sha1.pem", "rsa-scrypt.pem", "rsa-des3.pem"] {
        fits(Algorithm::Rs256, json!({ "pem": file(name), "passphrase": "throw-away" }), RSA);
    }
}

#[test]
fn keystores_of_openssl_and_java_are_read() {
    for name in ["modern.p12", "legacy.p12"] {
        fits(Algorithm::Rs256, json!({ "keystore": base64_file(name), "password": "changeit" }), RSA);
    }
    let java = json!({ "keystore": base64_file("java.p12"), "password": "changeit", "alias": "ORDERS" });
    fits(Algorithm::Rs256, java, RSA);
    let jks =
        json!({ "keystore": base64_file("java.jks"), "password": "changeit", "key_password": "secondpass" });
    fits(Algorithm::Rs256, jks, RSA);
    let bare = json!({ "keystore": base64_file("no-certificate.p12"), "password": "changeit" });
    fits(Algorithm::EdDsa, bare, "ed25519-public.pem");
}

#[test]
fn keystores_bring_the_chain_with_the_keys_own_certificate_first() {
    let chain = [support::der("leaf-certificate.pem"), support::der("ca-certificate.pem")];
    for (name, alias, key_password) in [
        ("modern.p12", None, None),
        ("legacy.p12", Some("orders"), None),
        ("java.p12", Some("orders"), None),
        ("java.jks", Some("orders"), Some("secondpass")),
    ] {
        let mut config = json!({ "keystore": base64_file(name), "password": "changeit" });
        if let Some(alias) = alias {
            config["alias"] = alias.into();
        }
        if let Some(own) = key_password {
            config["key_password"] = own.into();
        }
        let key = key(Algorithm::Rs256, config).unwrap();
        assert_eq!(key.certificates().as_der(), chain, "{name}");
    }
}

#[test]
fn certificates_beside_a_pem_key_are_its_chain() {
    let bundle = file("leaf-certificate.pem") + &file("rsa-pkcs8.pem") + &file("ca-certificate.pem");
    assert_eq!(key(Algorithm::Rs256, json!(bundle)).unwrap().certificates().as_der().len(), 2);
    let apart = json!({ "pem": file("rsa-pkcs8.pem"), "certificate": file("leaf-certificate.pem") });
    assert_eq!(key(Algorithm::Rs256, apart).unwrap().certificates().as_der().len(), 1);
}

#[test]
fn keys_survive_an_environment_variable() {
    let one_line = file("p256-pkcs8.pem").replace('\n', "\\n");
    fits(Algorithm::Es256, json!(one_line), "p256-public.pem");
}

#[test]
fn a_plain_rsa_pss_key_signs_pss() {
    assert!(key(Algorithm::Ps256, json!(file("rsa-pss.pem"))).is_ok());
}
