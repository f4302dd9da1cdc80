use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use countersign::Error;
use pkcs8::der::Decode;
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};

use super::private::{Curve, PrivateKey};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Kinds of key and curves that people do hand over, though nothing here signs with them.
const STRANGERS: [(&str, &str); 8] = [
    ("1.3.132.0.35", "an EC key on P-521"),
    ("1.3.132.0.10", "an EC key on secp256k1"),
    ("1.3.132.0.33", "an EC key on P-224"),
    ("1.3.101.110", "an X25519 key, which cannot sign"),
    ("1.3.101.111", "an X448 key, which cannot sign"),
    ("1.3.101.113", "an Ed448 key"),
    ("1.2.840.10040.4.1", "a DSA key"),
    ("1.2.840.113549.1.3.1", "a Diffie-Hellman key, which cannot sign"),
];

/// Reads an unencrypted PKCS#8 key (RFC 5958).
pub(super) fn pkcs8(der: &[u8]) -> Result<PrivateKey, Error> {
    whole(der)?;
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| not_a("PKCS#8 private key"))?;
    match info.algorithm.oid {
        RSA => rsa(info.private_key.as_bytes(), false),
        RSA_PSS if info.algorithm.parameters.is_some() => Err(Error::config(
            "is an RSASSA-PSS key that is bound to parameters of its own, which is not supported; use a plain RSA key",
        )),
        RSA_PSS => rsa(info.private_key.as_bytes(), true),
        ED25519 => {
            Ed25519KeyPair::from_pkcs8(der).map(PrivateKey::Ed25519).map_err(|_| not_a("Ed25519 private key"))
        }
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| {
                Error::config("is an EC key that does not name its curve; make it again with a named curve")
            })?;
            let curve = match curve {
                P256 => Curve::P256,
                P384 => Curve::P384,
                other => return Err(stranger(other)),
            };
            EcdsaKeyPair::from_pkcs8(curve.signing(), der)
                .map(|pair| PrivateKey::Ec { curve, pair })
                .map_err(|_| not_a("EC private key"))
        }
        other => Err(stranger(other)),
    }
}

/// Reads an encrypted PKCS#8 key (RFC 5958 §3 with RFC 8018 PBES2: PBKDF2 or scrypt, AES or 3DES).
pub(super) fn encrypted_pkcs8(der: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, Error> {
    whole(der)?;
    let passphrase = passphrase.ok_or_else(|| {
        Error::config(
            "is protected by a passphrase; write the key as a table with its text as `pem` and its `passphrase`",
        )
    })?;
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| old_encryption())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(old_encryption());
    };
    bounded(parameters)?;
    let wrong = || Error::config("does not open the key; check it").at("passphrase");
    let opened = match info.decrypt(passphrase) {
        Ok(opened) => opened,
        Err(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. })) => {
            return Err(old_encryption());
        }
        Err(_) => return Err(wrong()),
    };
    if PrivateKeyInfoRef::from_der(opened.as_bytes()).is_err() {
        return Err(wrong());
    }
    pkcs8(opened.as_bytes())
}

/// Reads an `RSAPrivateKey` (PKCS#1, RFC 8017 A.1.2).
pub(super) fn pkcs1(der: &[u8]) -> Result<PrivateKey, Error> {
    whole(der)?;
    rsa(der, false)
}

/// Reads an `ECPrivateKey` (SEC1, RFC 5915).
pub(super) fn sec1(der: &[u8]) -> Result<PrivateKey, Error> {
    whole(der)?;
    [Curve::P256, Curve::P384]
        .into_iter()
        .find_map(|curve| {
            let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der).ok()?;
            Some(PrivateKey::Ec { curve, pair })
        })
        .ok_or_else(|| Error::config("is damaged, or an EC key on a curve other than P-256 and P-384"))
}

/// The message for a key that aws-lc turned down.
pub(super) fn rsa_rejected(rejected: &KeyRejected) -> Error {
    Error::config(match rejected.description_() {
        "TooSmall" => "is an RSA key of fewer than 2048 bits; make one of at least 2048 (RFC 7518 §3.3)",
        "TooLarge" => "is an RSA key of more than 8192 bits; use 2048 to 8192",
        _ => "is damaged: its numbers do not make an RSA private key",
    })
}

/// The message for an encryption from before PBES2.
pub(super) fn old_encryption() -> Error {
    Error::config(
        "is encrypted in a way that is too old or unknown here; re-encrypt it with \
         `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`",
    )
}

/// Refuses DER whose outer length promises more bytes than there are.
pub(super) fn whole(der: &[u8]) -> Result<(), Error> {
    let length_bytes = match der.get(1) {
        Some(long @ 0x81..=0x84) => usize::from(long - 0x80),
        Some(0x80 | 0x85..) => return Ok(()), // not DER, which the parser will say
        Some(_) | None => 0,
    };
    let content = match (length_bytes, der.get(2..2 + length_bytes)) {
        (0, _) => der.get(1).map(|length| usize::from(*length)),
        (_, bytes) => {
            bytes.map(|bytes| bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    };
    match content {
        Some(content) if der.len() - 2 - length_bytes >= content => Ok(()),
        _ => {
            Err(Error::config("is cut off: bytes are missing at its end; was the file still being written?"))
        }
    }
}

fn rsa(der: &[u8], pss_only: bool) -> Result<PrivateKey, Error> {
    RsaKeyPair::from_der(der).map(|pair| PrivateKey::Rsa { pair, pss_only }).map_err(|e| rsa_rejected(&e))
}

/// Deriving the key from the passphrase costs what the file says; more than this is an attack or an accident.
fn bounded(parameters: &pbes2::Parameters) -> Result<(), Error> {
    let sane = match &parameters.kdf {
        pbes2::Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= 10_000_000,
        pbes2::Kdf::Scrypt(scrypt) => {
            let memory = scrypt.cost_parameter.checked_mul(128 * u64::from(scrypt.block_size));
            memory.is_some_and(|bytes| bytes <= 1 << 30) && scrypt.parallelization <= 16
        }
        _ => return Err(old_encryption()),
    };
    if sane {
        return Ok(());
    }
    Err(Error::config(
        "asks for too much work to be opened (over 10 million iterations of PBKDF2, or over 1 GiB for scrypt); re-encrypt it",
    ))
}

fn stranger(oid: ObjectIdentifier) -> Error {
    let oid = oid.to_string();
    let name = STRANGERS.iter().find(|(known, _)| *known == oid).map(|(_, name)| (*name).to_owned());
    let name = name.unwrap_or_else(|| format!("a key of an unknown kind (object identifier {oid})"));
    Error::config(format!("is {name}; give an RSA key, an EC key on P-256 or P-384, or an Ed25519 key"))
}

fn not_a(what: &str) -> Error {
    Error::config(format!("is damaged: it is no valid {what}"))
}
