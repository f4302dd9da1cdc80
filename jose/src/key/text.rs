use countersign::Error;

use super::private::{Loaded, PrivateKey};
use super::{der, jwk};
use crate::algorithm::Algorithm;
use crate::certificate::is_certificate;
use crate::pem::{self, Block};

/// Reads a key from text alone: PEM, JWK or JWK Set, told apart by how they begin.
pub(super) fn any(text: &str, algorithm: Option<Algorithm>) -> Result<Loaded, Error> {
    if !pem::is_pem(text) && text.trim_start().starts_with('{') {
        return jwk::read(text, None, algorithm);
    }
    from_pem(text, None)
}

/// Reads the one private key of a PEM text, and the certificates beside it.
pub(super) fn from_pem(text: &str, passphrase: Option<&str>) -> Result<Loaded, Error> {
    if !pem::is_pem(text) {
        return Err(Error::config(no_key_text(text.trim())));
    }
    let mut keys = Vec::new();
    let mut chain = Vec::new();
    let mut others = Vec::new();
    for block in pem::blocks(text)? {
        match block.label.as_str() {
            "EC PARAMETERS" => {}
            label if label == pem::OLD_ENCRYPTION || label.ends_with("PRIVATE KEY") => keys.push(block),
            label if is_certificate(label) => chain.push(block.der.to_vec()),
            _ => others.push(block.label),
        }
    }
    match (keys.as_slice(), passphrase) {
        ([block], None) => Ok(Loaded { key: private_key(block, None)?, kid: None, alg: None, chain }),
        ([block], Some(_)) if block.label == "ENCRYPTED PRIVATE KEY" => {
            Ok(Loaded { key: private_key(block, passphrase)?, kid: None, alg: None, chain })
        }
        ([block], Some(_)) => {
            private_key(block, None)?;
            Err(Error::config("is set, but the key is not encrypted; remove it").at("passphrase"))
        }
        ([], _) => Err(Error::config(no_private_key(&others, !chain.is_empty()))),
        _ => Err(Error::config("holds several private keys; give only the one to sign with")),
    }
}

fn private_key(block: &Block, passphrase: Option<&str>) -> Result<PrivateKey, Error> {
    match block.label.as_str() {
        "PRIVATE KEY" => der::pkcs8(&block.der),
        "ENCRYPTED PRIVATE KEY" => der::encrypted_pkcs8(&block.der, passphrase),
        "RSA PRIVATE KEY" => der::pkcs1(&block.der),
        "EC PRIVATE KEY" => der::sec1(&block.der),
        pem::OLD_ENCRYPTION => Err(der::old_encryption()),
        "OPENSSH PRIVATE KEY" => Err(Error::config(
            "is in OpenSSH's own format; convert a copy of it with `ssh-keygen -p -m PKCS8 -f COPY`",
        )),
        _ => Err(Error::config("is a private key of an unknown kind; give PKCS#8, PKCS#1 or SEC1")),
    }
}

fn no_private_key(others: &[String], certificate: bool) -> &'static str {
    if others.iter().any(|label| label.ends_with("PUBLIC KEY")) {
        "is a public key; give the private key, which signs"
    } else if others.iter().any(|label| label.ends_with("CERTIFICATE REQUEST")) {
        "is a certificate request; give the private key"
    } else if certificate {
        "is a certificate; give the private key (a certificate may stand beside it)"
    } else if others.is_empty() {
        "is cut off: after the EC parameters the private key is missing; was the file still being written?"
    } else {
        "is PEM, but holds no private key"
    }
}

/// What a text might be that is neither PEM nor JSON. The text itself is never repeated.
fn no_key_text(text: &str) -> &'static str {
    if text.is_empty() {
        "is empty; give the private key as PEM or JWK"
    } else if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
        "is an OpenSSH public key; give the private key as PEM or JWK"
    } else if text.len() < 1024 && (text.starts_with(['/', '.', '~']) || has_key_extension(text)) {
        "looks like a path; to read the file write \"${file:/path/to/key.pem}\""
    } else if text.starts_with("MI") || text.starts_with("/u3+7Q") {
        "looks like base64 without its PEM lines; give the PEM text with its BEGIN line, or for a keystore \
         `key = { keystore = …, password = … }`"
    } else {
        "is neither PEM nor JWK; for a shared secret write `key = { secret = … }`"
    }
}

fn has_key_extension(text: &str) -> bool {
    !text.contains(char::is_whitespace)
        && [".pem", ".key", ".p8", ".json", ".jwk", ".p12", ".pfx", ".jks"]
            .iter()
            .any(|end| text.ends_with(end))
}
